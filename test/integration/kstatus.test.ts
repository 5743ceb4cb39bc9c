/** Whatever the engine may say of a claim reads right to Helm 4, Flux and Argo CD: every status a whole life writes, and every error there is. */
import { afterEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, removeThing, world } from '../../providers/fake/world.ts';
import { EngineError, ERRORS, type ErrorCode } from '../../src/core/errors.ts';
import { type ReportInput, report } from '../../src/core/report.ts';
import type { Claim, ClaimKey, ClaimStatus, Condition, JsonObject } from '../../src/core/types.ts';
import { argoHealth, kstatus, type Read } from '../kstatus.ts';
import { annotate, editSpec, object, putAll, settle, type TestEngine, testEngine } from '../support.ts';

/** The object as an API server would show it. */
const shown = (generation: number, status: unknown, deleted = false): JsonObject => ({
  kind: 'Thing',
  metadata: { generation, ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
  status: status as JsonObject,
});

/** What a status must read as. */
function readsRight(object: JsonObject): void {
  const { metadata, status } = object as unknown as { metadata: { generation: number; deletionTimestamp?: string }; status: ClaimStatus };
  const told = JSON.stringify(status.conditions);
  const of = (type: string): Condition => status.conditions.find(condition => condition.type === type)!;
  expect(new Set(status.conditions.map(condition => condition.type)).size, told).toBe(4);
  expect(
    status.conditions.every(condition => condition.observedGeneration <= status.observedGeneration),
    told,
  ).toBe(true);
  const read = kstatus(object);
  const health = argoHealth(object);
  const isSeen = status.observedGeneration === metadata.generation;
  if (metadata.deletionTimestamp !== undefined) expect(read.status, told).toBe('Terminating');
  else if (!isSeen) expect([read.status, health.status], told).toEqual(['InProgress', 'Progressing']);
  else if (of('Stalled').status === 'True') {
    expect([read, health], told).toMatchObject([{ status: 'Failed' }, { status: 'Degraded' }]);
    expect(read.message, told).toBe(of('Stalled').message);
    expect(read.message).not.toBe('');
  } else if (of('Ready').status === 'True') expect([read.status, health.status], told).toEqual(['Current', 'Healthy']);
  else {
    expect([read.status, health.status], told).toEqual(['InProgress', 'Progressing']);
    expect(read.message, told).not.toBe('');
  }
}

test('a claim nobody has looked at is not taken for ready', () => {
  expect(kstatus(shown(1, { observedGeneration: -1 })).status).toBe('InProgress');
  expect(argoHealth(shown(1, { observedGeneration: -1 })).status).toBe('Progressing');
  expect(kstatus(shown(1, undefined)).status, 'which is why the CRD has that default').toBe('Current');
});

// ── every error ──

const LONG_AGO = '2026-01-01T00:00:00.000Z';
const NOW = '2026-01-01T01:00:00.000Z';
const condition = (type: string, status: string, reason: string, observedGeneration: number): Condition =>
  ({ type, status, reason, message: 'from before', observedGeneration, lastTransitionTime: LONG_AGO }) as Condition;

function inputFor(code: ErrorCode, before: readonly Condition[], deletionRequested: boolean, failedReads: number): ReportInput {
  const status = {
    conditions: before,
    resources: [],
    drift: [],
    outputs: {},
    class: '',
    composition: '',
    revision: '',
    inventoryFor: 'u',
    observedGeneration: 1,
  };
  const claim = { kind: 'Thing', namespace: 'dev', name: 'one', uid: 'u', generation: 2, deletionRequested, status } as unknown as Claim;
  const nothing = { served: undefined, rendering: undefined, plan: undefined, outcomes: [], inventory: [], swap: undefined, binding: undefined, notes: [] };
  return { ...nothing, claim, error: new EngineError(code, `what is wrong: ${code}`), failedReads, pollMs: 60_000, now: NOW };
}

/** What may have been said before, and what the pass met. */
const CIRCUMSTANCES = [1, 2].flatMap(generation =>
  ['True', 'False'].flatMap(ready => [false, true].flatMap(deleted => [1, 9].map(failedReads => ({ generation, ready, deleted, failedReads })))),
);

test.each(Object.keys(ERRORS) as ErrorCode[])('%s reads right, whatever was said before', code => {
  for (const { generation, ready, deleted, failedReads } of CIRCUMSTANCES) {
    const before = [condition('Ready', ready, code, generation), condition('Synced', 'False', code, generation)];
    const { status } = report(inputFor(code, before, deleted, failedReads));
    readsRight(shown(2, status, deleted));
    readsRight(shown(3, status, deleted));
    if (!deleted) fitsItsClass(code, kstatus(shown(2, status)));
  }
  // Said for the first time, what only waits is not failed yet.
  const { status } = report(inputFor(code, [], false, 1));
  if (ERRORS[code].retry !== 'terminal') expect(kstatus(shown(2, status)).status, code).toBe('InProgress');
});

function fitsItsClass(code: ErrorCode, read: Read): void {
  if (ERRORS[code].retry === 'terminal') expect(read, code).toMatchObject({ status: 'Failed', message: expect.stringContaining(code) });
  if (ERRORS[code].retry === 'retryable') expect(read.status, code).not.toBe('Failed');
}

// ── whole lives ──

const WORLD = 'kstatus';
const KEY: ClaimKey = { kind: 'Thing', namespace: 'dev', name: 'one' };
const definition = object('ClaimDefinition', 'things.plinth.dev', {
  kind: 'Thing',
  plural: 'things',
  schema: {
    type: 'object',
    properties: {
      size: { type: 'integer', default: 1 },
      kind: { type: 'string', default: 'plain' },
      behaviour: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    },
  },
  connection: { type: 'thing', keys: { uri: {} } },
  outputs: { type: 'object', properties: {} },
});
const spec = { size: '${claim.spec.size}', kind: '${claim.spec.kind}', behaviour: '${claim.spec.?behaviour}' };
const composition = object('Composition', 'thing', {
  claim: 'Thing',
  resources: [{ id: 'it', main: true, type: 'fake/store', spec: { region: '${claim.spec.kind}', behaviour: spec.behaviour } }],
  connection: { uri: '${it.state.address}' },
  outputs: {},
});
const config = object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } });
const environmentClass = object('EnvironmentClass', 'dev', {
  default: true,
  implementations: [{ claim: 'Thing', composition: 'thing', configs: { fake: 'fake' } }],
});
const claim = (value: JsonObject = {}): JsonObject => object('Thing', 'one', value, 'dev');

let test1: TestEngine | undefined;
afterEach(async () => {
  await test1?.stop();
  test1 = undefined;
  endWorld(WORLD);
});

/** An engine that checks every object of the claim right before and after each of its writes. */
function watched(): { readonly engine: TestEngine; readonly seen: Set<string> } {
  const engine = testEngine({ providers: [fake] });
  world(WORLD).clock = engine.clock;
  test1 = engine;
  const seen = new Set<string>();
  const { store } = engine.engine;
  const { write } = store;
  const checked: typeof write = async given => {
    const answer = await write(given);
    const now = await engine.store.get(KEY);
    const status = now?.['status'] as unknown as ClaimStatus | undefined;
    if (now !== undefined && (status?.conditions ?? []).length > 0) {
      readsRight(now);
      seen.add(kstatus(now).status);
    }
    return answer;
  };
  Object.assign(store, { write: checked });
  return { engine, seen };
}

async function loses({ clock, store }: TestEngine): Promise<void> {
  clock.skip(60_000);
  const { resources } = (await store.get(KEY))!['status'] as unknown as ClaimStatus;
  for (const entry of resources) if (entry.phase !== 'Waiting') removeThing(world(WORLD), 'main', 'fake/store', entry.name);
}

test.each<[string, JsonObject, (engine: TestEngine) => Promise<unknown>, string[]]>([
  [
    'made and deleted',
    { behaviour: { creatingMs: 30_000, deletingMs: 30_000 } },
    async ({ store }) => await store.remove(KEY),
    ['Current', 'InProgress', 'Terminating'],
  ],
  ['refused by the provider', { behaviour: { failures: [{ verb: 'create', code: 'InvalidRequest' }] } }, async () => undefined, ['Failed']],
  ['throttled for a while', { behaviour: { failures: [{ verb: 'create', code: 'Throttled', times: 3 }] } }, async () => undefined, ['Current', 'InProgress']],
  [
    'waiting for credentials for long',
    { behaviour: { failures: [{ verb: 'create', code: 'InvalidCredentials' }] } },
    async () => undefined,
    ['Failed', 'InProgress'],
  ],
  ['lost', {}, loses, ['Current', 'Failed', 'InProgress']],
  ['a replacement that waits for approval', {}, async engine => await editSpec(engine, KEY, () => ({ kind: 'special' })), ['Current']],
  ['paused', {}, async engine => await annotate(engine, KEY, { 'plinth.dev/paused': 'true' }), ['Current']],
])('a life: %s', async (_, value, then, expected) => {
  const { engine, seen } = watched();
  await putAll(engine, [definition, composition, config, environmentClass, claim(value)]);
  await settle(engine, KEY);
  await then(engine);
  await settle(engine, KEY);
  expect([...seen].sort()).toEqual(expected);
});
