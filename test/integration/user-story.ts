/** The ground of the user stories: one claim on the fake provider, everything people do to it as one word each, and a watch on what must never happen. */
import { expect } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, removeThing, type Thing, thingsOf, type WorldCall, world } from '../../providers/fake/world.ts';
import type { ClaimKey, ClaimStatus, JsonObject, StringMap } from '../../src/core/types.ts';
import { memoryStore } from '../../src/engine/store-memory.ts';
import {
  annotate,
  condition,
  object,
  pass,
  putAll,
  type SkippingClock,
  settle,
  skippingClock,
  statusOf,
  type TestEngine,
  testEngine,
  told,
} from '../support.ts';

export const LINE: ClaimKey = { kind: 'Line', namespace: 'dev', name: 'one' };
/** The world of the stories. */
export const STORIES = 'stories';
const ACCOUNT = 'main';

export interface Story {
  engine: TestEngine;
  readonly key: ClaimKey;
  /** What must never be, in words. */
  readonly breaches: string[];
  /** Names of things whose end a person agreed to. */
  readonly agreed: Set<string>;
  /** Names that stood in the Secret of the claim: losing them loses something. */
  readonly used: Set<string>;
  /** The class asks nobody. */
  isAutomatic: boolean;
  /** Every look fails. */
  blind: boolean;
  /** Every making call fails. */
  full: boolean;
}

const definition = object('ClaimDefinition', 'lines.plinth.dev', {
  kind: 'Line',
  plural: 'lines',
  schema: {
    type: 'object',
    properties: {
      fifo: { type: 'boolean', default: false },
      visibility: { type: 'integer', minimum: 0, maximum: 100 },
      rest: { type: 'boolean', default: false },
      parts: { type: 'array', default: [], items: { type: 'string' } },
    },
  },
  connection: { type: 'line', keys: { uri: {} } },
  outputs: { type: 'object', properties: { address: { type: 'string' } } },
});

/** `rest`: the id of the second queue; another one is a rename. `formerly`: what a rename says. */
export interface Shape {
  readonly rest?: string;
  readonly formerly?: readonly string[];
  /** One thing more, that holds nothing. */
  readonly extra?: boolean;
  readonly restFifo?: boolean;
  /** What the main queue waits for. */
  readonly needs?: string;
  /** More fields of the main queue. */
  readonly more?: JsonObject;
}

/** `line`: queues. */
export function line({ rest = 'rest', formerly = [], extra = false, restFifo, needs, more = {} }: Shape = {}): JsonObject {
  return object('Composition', 'line', {
    claim: 'Line',
    resources: [
      { id: rest, type: 'fake/queue', includeWhen: '${claim.spec.rest}', formerly: [...formerly], spec: { fifo: restFifo ?? '${claim.spec.fifo}' } },
      {
        id: 'main',
        main: true,
        type: 'fake/queue',
        dependsOn: needs === undefined ? [] : [needs],
        spec: { fifo: '${claim.spec.fifo}', visibilityTimeoutSeconds: '${claim.spec.?visibility}', ...more },
      },
      { id: 'part', forEach: '${claim.spec.parts}', key: '${each}', type: 'fake/queue', spec: {} },
      ...(extra ? [{ id: 'extra', type: 'fake/thing', spec: {} }] : []),
    ],
    connection: { uri: '${main.state.address}' },
    outputs: { address: '${main.state.address}' },
  });
}

/** `shelf`: a store that holds data. */
export const shelf: JsonObject = object('Composition', 'shelf', {
  claim: 'Line',
  resources: [{ id: 'main', main: true, type: 'fake/store', spec: {} }],
  connection: { uri: '${main.state.address}' },
  outputs: { address: '${main.state.address}' },
});

export function classWith(composition = 'line', policies: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return object('EnvironmentClass', 'dev', {
    default: true,
    implementations: [{ claim: 'Line', composition, configs: { fake: 'fake' } }],
    policies: { graceSeconds: 0, deletion: 'Delete', ...policies },
    allow: { compositions: ['line', 'shelf'], adopt: [{ type: 'fake/queue', name: 'legacy*' }] },
    ...more,
  });
}

export function configTo(account: string): JsonObject {
  return object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: STORIES, account } });
}

/** An empty account, the admin's objects, no claim yet. */
export async function openStory(clock: SkippingClock = skippingClock()): Promise<Story> {
  endWorld(STORIES);
  const engine = testEngine({ providers: [fake], clock, store: memoryStore(clock) });
  const story: Story = { engine, key: LINE, breaches: [], agreed: new Set(), used: new Set(), isAutomatic: false, blind: false, full: false };
  const place = world(STORIES);
  place.clock = { now: () => clock.now(), after: (ms, run) => clock.after(ms, run) };
  place.before = call => watch(story, call);
  await putAll(engine, [definition, line(), shelf, configTo(ACCOUNT), classWith()]);
  return story;
}

export async function closeStory(story: Story): Promise<void> {
  await story.engine.stop();
  endWorld(STORIES);
}

// ── what people do ──

/** Writes the claim. */
export async function write({ engine, key }: Story, spec: JsonObject = {}): Promise<void> {
  const before = (await engine.store.get(key))?.['metadata'] as { annotations?: StringMap } | undefined;
  await putAll(engine, [object(key.kind, key.name, spec, key.namespace, before?.annotations === undefined ? {} : { annotations: { ...before.annotations } })]);
}

/** Writes it and waits until nothing moves. */
export async function ask(story: Story, spec: JsonObject = {}): Promise<ClaimStatus> {
  await write(story, spec);
  return await rest(story);
}

export async function put({ engine }: Story, ...objects: readonly JsonObject[]): Promise<void> {
  await putAll(engine, objects);
}

export async function rest(story: Story): Promise<ClaimStatus> {
  const { status } = await settle(story.engine, story.key);
  noteUse(story, status);
  return status!;
}

/** So many looks, and no more. */
export async function look(story: Story, times = 1): Promise<ClaimStatus> {
  for (let count = 0; count < times; count += 1) {
    await pass(story.engine, story.key);
    noteUse(story, await statusOf(story.engine, story.key));
    story.engine.clock.skip(1_000);
  }
  return (await statusOf(story.engine, story.key))!;
}

/** Agrees to the plan that is shown. */
export async function approve(story: Story): Promise<void> {
  const plan = (await statusOf(story.engine, story.key))?.pendingPlan;
  if (plan === undefined) return;
  for (const name of names()) if (plan.summary.some(text => text.includes(` ${name} `))) story.agreed.add(name);
  await annotate(story.engine, story.key, { 'plinth.dev/approve': plan.hash });
}

export async function annotation(story: Story, name: string, value: string | undefined): Promise<void> {
  await annotate(story.engine, story.key, { [`plinth.dev/${name}`]: value });
}

/** Asks for the end of the claim, and waits. Undefined: it is gone. */
export async function remove(story: Story): Promise<ClaimStatus | undefined> {
  await story.engine.store.remove(story.key);
  return (await settle(story.engine, story.key)).status;
}

/** A new process on the same store. */
export async function restart(story: Story): Promise<void> {
  const { store, clock } = story.engine;
  await story.engine.stop();
  story.engine = testEngine({ providers: [fake], clock, store });
}

/** As after a restore from a backup without status. */
export async function loseStatus({ engine, key }: Story): Promise<void> {
  const found = (await engine.store.get(key))!['metadata'] as { uid: string; resourceVersion: string };
  await engine.store.write({ kind: 'status', claim: { ...key, uid: found.uid, version: found.resourceVersion } as never, status: {} as never });
}

// ── what others do ──

/** Somebody else makes a thing of that name. */
export function stranger(name: string, tags: JsonObject = { team: 'other' }, type = 'fake/queue', spec: JsonObject = { fifo: name.endsWith('.fifo') }): void {
  const place = world(STORIES);
  const now = Date.parse(place.clock.now());
  const defaults: JsonObject = type === 'fake/queue' ? { visibilityTimeoutSeconds: 30, delaySeconds: 0 } : {};
  const thing = { type, name, spec: { ...defaults, ...spec, tags }, hidden: {}, token: 'stranger', behaviour: {}, createdMs: now, changedMs: now };
  thingsOf(place, ACCOUNT).set(`${type} ${name}`, { ...thing, deletingMs: undefined, looks: 0, items: 3 });
}

/** Somebody removes a thing, whoever's it is. */
export function removeOutside(name: string, type = 'fake/queue'): void {
  removeThing(world(STORIES), ACCOUNT, type, name);
}

export function thing(name: string, account = ACCOUNT): Thing | undefined {
  return [...thingsOf(world(STORIES), account).values()].find(item => item.name === name);
}

export function names(account = ACCOUNT): string[] {
  return [...thingsOf(world(STORIES), account).values()].map(item => item.name).sort();
}

/** Takes our marks off a thing; the answer puts them back. */
export function stripMarks(name: string): () => void {
  const found = thing(name);
  if (found === undefined) return () => {};
  const { tags } = found.spec;
  found.spec = { ...found.spec, tags: {} };
  return () => {
    if (thing(name) === found) found.spec = { ...found.spec, tags: { ...(tags as JsonObject), ...(found.spec['tags'] as JsonObject) } };
  };
}

/** What the world answers instead of working. */
function failure({ blind, full }: Story, { verb }: WorldCall): Error | undefined {
  if (blind && verb === 'observe') return Object.assign(new Error('no answer'), { name: 'FakeError', code: 'Unreachable' });
  return full && verb === 'create' ? Object.assign(new Error('quota'), { name: 'FakeError', code: 'QuotaExceeded' }) : undefined;
}

// ── what is true ──

/** `Ready=True/Available …`, for messages and comparison. */
export async function says(story: Story): Promise<string> {
  return told(await statusOf(story.engine, story.key));
}

export const ready = (status: ClaimStatus | undefined): string | undefined => condition(status, 'Ready')?.status;
export const synced = (status: ClaimStatus | undefined): string | undefined =>
  condition(status, 'Synced')?.status === 'True' ? 'True' : condition(status, 'Synced')?.reason;

export async function annotationsOf({ engine, key }: Story): Promise<StringMap> {
  return ((await engine.store.get(key))?.['metadata'] as { annotations?: StringMap } | undefined)?.annotations ?? {};
}

function noteUse({ used }: Story, status: ClaimStatus | undefined): void {
  if (condition(status, 'Ready')?.status !== 'True') return;
  for (const entry of status!.resources) if (entry.phase !== 'Waiting' && entry.ready) used.add(entry.name);
}

/** What must not be done, whatever happened before. */
async function watch(story: Story, call: WorldCall): Promise<void> {
  const failed = failure(story, call);
  if (failed !== undefined) throw failed;
  if (!call.writes || call.verb === 'create') return;
  const { breaches, engine, key } = story;
  const found = thing(call.name, call.account);
  const claim = await engine.store.get(key);
  const { deletionTimestamp, annotations = {} } = (claim?.['metadata'] ?? {}) as { deletionTimestamp?: string; annotations?: StringMap };
  const lifecycle = ((claim?.['spec'] as JsonObject | undefined)?.['lifecycle'] ?? {}) as { deletion?: string; management?: string };
  const what = `${call.verb} of ${call.name}`;
  const entries = (claim?.['status'] as unknown as ClaimStatus | undefined)?.resources ?? [];
  const adopted = entries.some(entry => entry.phase !== 'Waiting' && entry.name === call.name && entry.origin === 'Adopted');
  if (found?.token === 'stranger' && !(adopted && call.name.startsWith('legacy'))) breaches.push(`${what}, a stranger's`);
  if (found?.token === 'stranger' && call.verb === 'delete' && lifecycle.deletion !== 'Delete') breaches.push(`${what}, which was only adopted`);
  if (annotations['plinth.dev/paused'] !== undefined) breaches.push(`${what} while paused`);
  if (lifecycle.management === 'ObserveOnly') breaches.push(`${what} under ObserveOnly`);
  if (call.verb !== 'delete') return;
  if (lifecycle.deletion === 'Retain' && deletionTimestamp !== undefined) breaches.push(`${what} under Retain`);
  const holds = found?.type === 'fake/queue' || found?.type === 'fake/store';
  if (deletionTimestamp === undefined && holds && !story.isAutomatic && story.used.has(call.name) && !story.agreed.has(call.name))
    breaches.push(`${what}, which nobody agreed to`);
}

/** Ready and as asked, nothing left over but these things. */
export async function expectFine(story: Story, things: readonly string[]): Promise<void> {
  const status = await rest(story);
  expect([ready(status), synced(status)], await says(story)).toEqual(['True', 'True']);
  expect(names()).toEqual(things);
}
