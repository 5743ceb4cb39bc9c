/** A claim whose record is lost, wholly or in part: found again by marks, and brought to exactly what is declared. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, type Thing, thingsOf, world } from '../../providers/fake/world.ts';
import { EngineError } from '../../src/core/errors.ts';
import type { ClaimKey, JsonObject } from '../../src/core/types.ts';
import { editSpec, object, putAll, settle, statusOf, type TestEngine, testEngine, told } from '../support.ts';

const WORLD = 'rebuild';
const KEY: ClaimKey = { kind: 'Thing', namespace: 'dev', name: 'one' };
let engine: TestEngine;

const definition = object('ClaimDefinition', 'things.plinth.dev', {
  kind: 'Thing',
  plural: 'things',
  schema: { type: 'object', properties: { size: { type: 'integer' }, label: { type: 'string' } } },
  connection: { type: 'thing', keys: { uri: {} } },
  outputs: { type: 'object', properties: {} },
});
const composition = object('Composition', 'thing', {
  claim: 'Thing',
  resources: [{ id: 'it', main: true, type: 'fake/thing', spec: { size: '${claim.spec.?size}', label: '${claim.spec.?label}' } }],
  connection: { uri: '${it.state.address}' },
  outputs: {},
});
const config = object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } });
const unusable = object('ProviderConfig', 'unusable', { provider: 'none', settings: {} });
const named = object('EnvironmentClass', 'named', { implementations: [{ claim: 'Thing', composition: 'thing', configs: { fake: 'fake' } }] });
const namespace: JsonObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dev', labels: { 'plinth.dev/class': 'named' } } };
const claim = (spec: JsonObject): JsonObject => object('Thing', 'one', spec, 'dev');

beforeEach(async () => {
  engine = testEngine({ providers: [fake] });
  world(WORLD).clock = engine.clock;
  await putAll(engine, [definition, composition, config, named]);
  await engine.store.put(namespace);
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

/** As a restore from a backup leaves it: finalizer there, status gone. */
async function loseStatus(): Promise<void> {
  const found = (await engine.store.get(KEY))!;
  const { metadata, spec } = found as { metadata: JsonObject; spec: JsonObject };
  const key = { ...KEY, uid: String(metadata['uid']), version: String(metadata['resourceVersion']) };
  const none = { inventoryFor: '', observedGeneration: -1, conditions: [], class: '', composition: '', revision: '', outputs: {}, resources: [], drift: [] };
  await engine.store.write({ kind: 'status', claim: { ...key, spec } as never, status: none });
}

test('a run killed between the finalizer and the first status goes on, also where the class comes from the namespace', async () => {
  await putAll(engine, [unusable]);
  await engine.store.put(claim({ size: 2 }));
  const put = (await engine.store.get(KEY))! as { metadata: JsonObject };
  await engine.store.put({ ...put, metadata: { ...put.metadata, finalizers: ['plinth.dev/claim'] } });
  const { status } = await settle(engine, KEY);
  expect(told(status)).toContain('Ready=True');
});

test('what was set before and is not declared any more is taken away, although nobody remembers that it was ours', async () => {
  await engine.store.put(claim({ size: 2, label: 'old' }));
  await settle(engine, KEY);
  await loseStatus();
  await editSpec(engine, KEY, () => ({ size: 3 }));
  const { status } = await settle(engine, KEY);
  expect(told(status)).toContain('Synced=True');
  const [thing] = [...thingsOf(world(WORLD), 'main').values()];
  expect(thing!.spec).toMatchObject({ size: 3 });
  expect(thing!.spec).not.toHaveProperty('label');
  expect(status!.drift).toEqual([]);
});

test('the same when a run was killed between a create and its record, and the claim was edited since', async () => {
  await engine.store.put(claim({ size: 2, label: 'old' }));
  const dying = testEngine({ providers: [fake], store: engine.store, clock: engine.clock });
  const dead = new Promise<void>(resolve => {
    world(WORLD).after = call => {
      if (call.verb !== 'create') return;
      dying.crash();
      resolve();
    };
  });
  void settle(dying, KEY).catch(() => undefined);
  await dead;
  world(WORLD).after = undefined;
  expect((await statusOf(engine, KEY))?.resources).toMatchObject([{ phase: 'Intended' }]);
  await editSpec(engine, KEY, () => ({ size: 2 }));
  const { status } = await settle(engine, KEY);
  expect(told(status)).toContain('Synced=True');
  expect([...thingsOf(world(WORLD), 'main').values()].map(thing => thing.spec['label'])).toEqual([undefined]);
});

/** The claim now asks for a store with three things in it, which only goes with `purge`. */
async function makeFullStore(): Promise<void> {
  const spec = { claim: 'Thing', resources: [{ id: 'it', main: true, type: 'fake/store', spec: {} }], connection: { uri: '${it.state.address}' }, outputs: {} };
  const policies = { deletion: 'Delete', purgeOnDelete: true };
  await putAll(engine, [object('Composition', 'thing', spec), { ...named, spec: { ...(named['spec'] as JsonObject), policies } }]);
  await engine.store.put(claim({}));
  await settle(engine, KEY);
  const [thing] = [...thingsOf(world(WORLD), 'main').values()];
  thing!.items = 3;
}

test('a claim that is deleted without its status goes as its class says, with what it holds', async () => {
  await makeFullStore();
  await loseStatus();
  await engine.store.remove(KEY);
  await settle(engine, KEY);
  expect([...thingsOf(world(WORLD), 'main').keys()]).toEqual([]);
  expect(await engine.store.get(KEY)).toBeUndefined();
});

test('a look that fails for a moment does not decide that it is kept', async () => {
  await makeFullStore();
  await loseStatus();
  await engine.store.remove(KEY);
  let failures = 2;
  world(WORLD).before = call => {
    if (call.verb === 'observe' && failures-- > 0) throw new EngineError('Throttled', 'simulated');
  };
  await settle(engine, KEY);
  expect(failures).toBeLessThan(0);
  expect([...thingsOf(world(WORLD), 'main').keys()]).toEqual([]);
});

test('what bears no marks is found by its key, although its claim is deleted without its status', async () => {
  await engine.store.put(claim({}));
  await settle(engine, KEY);
  const [[end, thing]] = [...thingsOf(world(WORLD), 'main')] as [[string, Thing]];
  await engine.store.remove(KEY);
  await settle(engine, KEY);
  // Somebody else's, which stays.
  thingsOf(world(WORLD), 'main').set(end, { ...thing, deletingMs: undefined, spec: {} });
  const from = `fake://main/${end.replace(' ', '/')}`;
  const link = { id: 'it', main: true, type: 'fake/link', spec: { from, to: 'elsewhere' } };
  const spec = { claim: 'Thing', resources: [link], connection: { uri: '${it.state.address}' }, outputs: {} };
  await putAll(engine, [object('Composition', 'thing', spec)]);
  await engine.store.put(claim({}));
  await settle(engine, KEY);
  expect(thingsOf(world(WORLD), 'main').size).toBe(2);
  await loseStatus();
  await engine.store.remove(KEY);
  await settle(engine, KEY);
  expect([...thingsOf(world(WORLD), 'main').keys()]).toEqual([end]);
});

test('when nobody can tell what its class would say, what holds data is kept and marked', async () => {
  await makeFullStore();
  await loseStatus();
  await engine.store.remove({ kind: 'EnvironmentClass', namespace: '', name: 'named' });
  await engine.store.remove(KEY);
  await settle(engine, KEY);
  expect([...thingsOf(world(WORLD), 'main').values()].map(thing => (thing.spec['tags'] as JsonObject)['plinth.dev/retained'])).toEqual(['true']);
  expect(await engine.store.get(KEY)).toBeUndefined();
});
