/** Changing an implementation: held while something is at stake, make before break, the Secret switched in one write. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, world } from '../../providers/fake/world.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { annotate, condition, object, putAll, settle, statusOf, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'swap';
/** Stores have global names: they carry a hash of claim and instance. */
const OLD = 'dev-one-e1bc59cdf9';
const KEY: ClaimKey = { kind: 'Box', namespace: 'dev', name: 'one' };
let engine: TestEngine;

const definition = object('ClaimDefinition', 'boxes.plinth.dev', {
  kind: 'Box',
  plural: 'boxes',
  schema: { type: 'object', properties: { extra: { type: 'boolean', default: false } } },
  connection: { type: 'box', keys: { uri: {} } },
  outputs: { type: 'object', properties: { address: { type: 'string' } } },
});
const composition = (name: string, type: string): JsonObject =>
  object('Composition', name, {
    claim: 'Box',
    resources: [
      { id: 'box', main: true, type, spec: {} },
      { id: 'side', type: 'fake/queue', includeWhen: '${claim.spec.extra}', spec: {} },
    ],
    connection: { uri: '${box.state.address}' },
    outputs: { address: '${box.state.address}' },
  });
const config = object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } });
const classWith = (name: string, policies: JsonObject = {}): JsonObject =>
  object('EnvironmentClass', 'dev', {
    default: true,
    implementations: [{ claim: 'Box', composition: name, configs: { fake: 'fake' } }],
    policies: { graceSeconds: 0, ...policies },
  });
const claim = (spec: JsonObject = {}): JsonObject => object('Box', 'one', spec, 'dev');
const things = (): string[] => [...(world(WORLD).accounts.get('main')?.keys() ?? [])].sort();
const rest = async (): Promise<ClaimStatus> => (await settle(engine, KEY)).status!;
const secret = async (): Promise<JsonObject> => (await engine.store.get({ kind: 'Secret', namespace: 'dev', name: 'one-box' }))!['data'] as JsonObject;

beforeEach(async () => {
  engine = testEngine({ providers: [fake] });
  await putAll(engine, [definition, composition('a', 'fake/store'), composition('b', 'fake/queue'), config, classWith('a'), claim()]);
  await rest();
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

test('a class that swaps what holds data is held: the claim stays served as it was, and says how to go on', async () => {
  await engine.store.put(classWith('b'));
  const status = await rest();
  expect(condition(status, 'Ready')).toMatchObject({ status: 'True' });
  expect(condition(status, 'Synced')).toMatchObject({ status: 'False', reason: 'SwapPending' });
  expect(condition(status, 'Synced')!.message).toContain(`plinth approve Box/one --plan ${status.pendingPlan!.hash}`);
  expect(status.composition).toBe('a');
  expect(things()).toEqual([`fake/store ${OLD}`]);
});

test('approved: new first, then the Secret, then the old one goes', async () => {
  await engine.store.put(classWith('b'));
  const held = await rest();
  const order: string[] = [];
  world(WORLD).before = call => void (call.writes && order.push(`${call.verb} ${call.name}`));
  await annotate(engine, KEY, { 'plinth.dev/approve': held.pendingPlan!.hash });
  const status = await rest();
  expect(order).toEqual(['create dev_one_1', `delete ${OLD}`]);
  expect(status).toMatchObject({ composition: 'b' });
  expect(condition(status, 'Synced')).toMatchObject({ status: 'True' });
  expect(await secret()).toMatchObject({ uri: status.outputs['address'] });
  expect(things()).toEqual(['fake/queue dev_one_1']);
  const object = (await engine.store.get(KEY))!;
  expect((object['metadata'] as JsonObject)['annotations'] ?? {}).not.toHaveProperty('plinth.dev/approve');
});

test('the approval of another plan lets nothing go', async () => {
  await engine.store.put(classWith('b'));
  await rest();
  await annotate(engine, KEY, { 'plinth.dev/approve': '000000000000' });
  expect(condition(await rest(), 'Synced')).toMatchObject({ reason: 'SwapPending' });
  expect(things()).toEqual([`fake/store ${OLD}`]);
});

test('Automatic asks nobody, Refuse never goes', async () => {
  await engine.store.put(classWith('b', { swap: 'Refuse' }));
  expect(condition(await rest(), 'Synced')).toMatchObject({ reason: 'SwapRefused' });
  await engine.store.put(classWith('b', { swap: 'Automatic' }));
  expect(condition(await rest(), 'Synced')).toMatchObject({ status: 'True' });
  expect(things()).toEqual(['fake/queue dev_one_1']);
});

test('a queue the claim no longer asks for is held as well, while the rest of the claim goes on', async () => {
  await engine.store.put(claim({ extra: true }));
  await rest();
  await engine.store.put(claim({ extra: false }));
  const held = await rest();
  expect(condition(held, 'Synced')).toMatchObject({ reason: 'SwapPending' });
  expect(things()).toContain('fake/queue dev_one_side');
  await annotate(engine, KEY, { 'plinth.dev/approve': held.pendingPlan!.hash });
  await rest();
  expect(things()).toEqual([`fake/store ${OLD}`]);
});

test('a new account behind the config is a move that waits for approval, and touches nothing meanwhile', async () => {
  await engine.store.put(object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD, account: 'second' } }));
  const status = await rest();
  expect(condition(status, 'Synced')).toMatchObject({ reason: 'ScopeChanged' });
  expect(world(WORLD).accounts.get('second')?.size ?? 0).toBe(0);
  await engine.store.put(config);
  expect(condition(await rest(), 'Synced')).toMatchObject({ status: 'True' });
  expect(things()).toEqual([`fake/store ${OLD}`]);
});

test('the Secret: somebody else’s is a conflict; keys edited by hand are put back and named; other keys stay', async () => {
  const key = { kind: 'Secret', namespace: 'dev', name: 'one-box' };
  const found = (await engine.store.get(key))!;
  const uri = (await secret())['uri'];
  await engine.store.put({ ...found, data: { ...(found['data'] as JsonObject), uri: 'elsewhere', mine: 'x' } });
  const status = await rest();
  expect(await secret()).toMatchObject({ uri, mine: 'x' });
  expect(status.drift).toMatchObject([{ resource: 'connection', path: 'uri' }]);
  expect(JSON.stringify(status)).not.toContain('elsewhere');
  await engine.store.put(object('Box', 'two', {}, 'dev'));
  await engine.store.put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'two-box', namespace: 'dev' }, data: { theirs: 'y' } });
  const two = { ...KEY, name: 'two' };
  await settle(engine, two);
  expect(condition(await statusOf(engine, two), 'Ready')).toMatchObject({ status: 'False', reason: 'Conflict' });
  expect((await engine.store.get({ ...key, name: 'two-box' }))!['data']).toEqual({ theirs: 'y' });
});
