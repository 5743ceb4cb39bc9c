/** Claims that refer to others: woken at once, never held up by one that goes. Only a wake can work a referring claim here: its own timers are taken away. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, thingsOf, world } from '../../providers/fake/world.ts';
import type { Schedule } from '../../src/core/report.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { type Controller, settled, startController, stopController } from '../../src/engine/controller.ts';
import { keyText } from '../../src/engine/objects.ts';
import { reconcile } from '../../src/engine/reconcile.ts';
import { condition, editSpec, object, putAll, statusOf, type TestEngine, testEngine, told } from '../support.ts';

const WORLD = 'references';
const SOURCE: ClaimKey = { kind: 'Source', namespace: 'dev', name: 'spring' };
const READER: ClaimKey = { kind: 'Reader', namespace: 'dev', name: 'mill' };
let engine: TestEngine;
let controller: Controller;
let passes: Map<string, number>;
let hasTimers: boolean;

const definition = (kind: string, properties: JsonObject): JsonObject =>
  object('ClaimDefinition', `${kind.toLowerCase()}s.plinth.dev`, {
    kind,
    plural: `${kind.toLowerCase()}s`,
    schema: { type: 'object', properties },
    connection: { type: 'thing', keys: { uri: {} } },
    outputs: {
      type: 'object',
      required: ['address', ...(kind === 'Source' ? ['size'] : [])],
      properties: { address: { type: 'string' }, size: { type: 'integer' } },
    },
  });
const behaviour = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const source = object('Composition', 'source', {
  claim: 'Source',
  resources: [{ id: 'it', main: true, type: 'fake/thing', spec: { size: '${claim.spec.size}', behaviour: '${claim.spec.?behaviour}' } }],
  connection: { uri: '${it.state.address}' },
  outputs: { address: '${it.state.address}', size: '${claim.spec.size}' },
});
const reader = object('Composition', 'reader', {
  claim: 'Reader',
  references: [{ id: 'sources', claim: 'Source', forEach: '${claim.spec.sources}', name: '${each}' }],
  resources: [
    { id: 'it', main: true, type: 'fake/thing', spec: { members: '${sources.map(s, string(s.outputs.size))}' } },
    { id: 'pipe', forEach: '${sources}', key: '${each.name}', type: 'fake/thing', spec: { label: '${each.outputs.address}' } },
  ],
  connection: { uri: '${it.state.address}' },
  outputs: { address: '${it.state.address}' },
});
const implementations = ['Source', 'Reader'].map(claim => ({ claim, composition: claim.toLowerCase(), configs: { fake: 'fake' } }));

beforeEach(async () => {
  engine = testEngine({ providers: [fake] });
  passes = new Map();
  hasTimers = false;
  world(WORLD).clock = engine.clock;
  await putAll(engine, [
    definition('Source', { size: { type: 'integer', default: 1 }, behaviour }),
    definition('Reader', { sources: { type: 'array', items: { type: 'string' }, default: [] } }),
    source,
    reader,
    object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } }),
    object('EnvironmentClass', 'dev', { default: true, implementations, policies: { swap: 'Automatic', graceSeconds: 0 } }),
  ]);
  controller = await startController({
    store: engine.store,
    clock: engine.clock,
    random: Math.random,
    tracker: engine.tracker,
    isClaim: kind => kind === 'Source' || kind === 'Reader',
    reconcileOne: work,
    onError: (key, error) => engine.logged.push(`${keyText(key)} ${String(error)}`),
  });
});
afterEach(async () => {
  await stopController(controller);
  await engine.stop();
  endWorld(WORLD);
});

async function work(key: ClaimKey): Promise<Schedule> {
  passes.set(keyText(key), (passes.get(keyText(key)) ?? 0) + 1);
  const schedule = await reconcile(engine.engine, key);
  return key.kind === 'Reader' && !hasTimers ? { kind: 'done' } : schedule;
}
const declare = (key: ClaimKey, spec: JsonObject): Promise<JsonObject> => engine.store.put(object(key.kind, key.name, spec, key.namespace));
const isReady = (status: ClaimStatus | undefined): boolean => condition(status, 'Ready')?.status === 'True';
const things = () => [...thingsOf(world(WORLD), 'main').values()];
const until = (holds: () => Promise<boolean>) => expect.poll(holds, { timeout: 60_000, interval: 5 }).toBe(true);

test('a referred claim that becomes ready wakes its referrers at once', async () => {
  await declare(READER, { sources: ['spring'] });
  await settled(controller);
  expect(told(await statusOf(engine, READER))).toContain('WaitingForReference');
  await declare(SOURCE, { behaviour: { readyAfterMs: 2_000 } });
  await settled(controller);
  expect(isReady(await statusOf(engine, SOURCE))).toBe(false);
  await until(async () => isReady(await statusOf(engine, SOURCE)));
  // At once is before the controller is idle: nothing that only time brings can have come to it.
  await settled(controller);
  expect(isReady(await statusOf(engine, READER)), told(await statusOf(engine, READER))).toBe(true);
});

test('a change of its outputs wakes them too; what nobody reads does not', async () => {
  await declare(SOURCE, { size: 1 });
  await declare(READER, { sources: ['spring'] });
  await until(async () => isReady(await statusOf(engine, READER)));
  await settled(controller);
  const before = passes.get(keyText(READER));
  await editSpec(engine, SOURCE, () => ({ size: 5 }));
  await until(async () => things().some(({ spec }) => JSON.stringify(spec['members']) === '["5"]'));
  await settled(controller);
  expect(passes.get(keyText(READER))! - before!).toBeLessThanOrEqual(3);
});

test('a chain of ten comes up in one go, whatever the order of declaration', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `spring-${index}`);
  await declare(READER, { sources: names });
  for (const name of [...names].reverse()) await declare({ ...SOURCE, name }, { size: 1 });
  await until(async () => isReady(await statusOf(engine, READER)));
  await settled(controller);
  expect(things()).toHaveLength(1 + 10 + 10);
});

test('a referred claim can be deleted; who refers to it keeps what it has, says so, and can be changed and deleted', async () => {
  await declare(SOURCE, {});
  await declare(READER, { sources: ['spring'] });
  await until(async () => isReady(await statusOf(engine, READER)));
  await settled(controller);
  const before = things().filter(({ name }) => name.includes('mill'));
  await engine.store.remove(SOURCE);
  await until(async () => (await engine.store.get(SOURCE)) === undefined);
  await settled(controller);
  const status = await statusOf(engine, READER);
  expect(isReady(status)).toBe(true);
  expect(condition(status, 'Synced')).toMatchObject({ status: 'False', reason: 'WaitingForReference', message: expect.stringContaining('Source/spring') });
  expect(things().map(({ name }) => name)).toEqual(before.map(({ name }) => name));
  hasTimers = true;
  await declare(READER, { sources: [] });
  await until(async () => isReady(await statusOf(engine, READER)));
  await until(async () => things().length === 1);
  await engine.store.remove(READER);
  await until(async () => (await engine.store.get(READER)) === undefined);
  expect(things()).toEqual([]);
});

test('a referrer that is deleted while what it refers to is missing goes as well', async () => {
  hasTimers = true;
  await declare(READER, { sources: ['nowhere'] });
  await settled(controller);
  await engine.store.remove(READER);
  await until(async () => (await engine.store.get(READER)) === undefined);
});
