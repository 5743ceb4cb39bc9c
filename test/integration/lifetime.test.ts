/** What a config with `lifetime: Namespace` reaches goes with the namespace of its claims: nothing waits for a server that went first. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, findThing, world } from '../../providers/fake/world.ts';
import type { ClaimKey } from '../../src/core/types.ts';
import { condition, object, putAll, settle, statusOf, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'lifetime';
const KEY: ClaimKey = { kind: 'Thing', namespace: 'dev', name: 'one' };
const NAMESPACE = { kind: 'Namespace', namespace: '', name: 'dev' };
let engine: TestEngine;
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});
beforeEach(() => {
  engine = testEngine({ providers: [fake] });
});

async function claimThrough(lifetime: string): Promise<void> {
  const contract = { schema: { type: 'object' }, connection: { type: 'thing', keys: { uri: {} } }, outputs: { type: 'object' } };
  await putAll(engine, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dev', finalizers: ['kubernetes'] } },
    object('ClaimDefinition', 'things.plinth.dev', { kind: 'Thing', plural: 'things', ...contract }),
    object('Composition', 'thing', {
      claim: 'Thing',
      resources: [
        { id: 'base', type: 'fake/thing', spec: { size: 1 } },
        { id: 'it', main: true, type: 'fake/thing', spec: { size: 1 }, dependsOn: ['base'] },
      ],
      connection: { uri: '${it.state.address}' },
    }),
    object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD }, lifetime }),
    object('EnvironmentClass', 'dev', { default: true, implementations: [{ claim: 'Thing', composition: 'thing', configs: { fake: 'fake' } }] }),
    object('Thing', 'one', {}, 'dev'),
  ]);
  await settle(engine, KEY);
  expect(condition(await statusOf(engine, KEY), 'Ready')?.status).toBe('True');
}

/** The server in the namespace is gone before the claim is. */
async function goWithTheServerFirst(): Promise<void> {
  world(WORLD).lockedOut.add('main');
  world(WORLD).before = () => {
    throw new Error('nobody answers');
  };
  world(WORLD).calls.length = 0;
  await engine.store.remove(NAMESPACE);
  await engine.store.remove(KEY);
}

test('the namespace goes and its server went first: the claim goes without a call', async () => {
  await claimThrough('Namespace');
  await goWithTheServerFirst();
  await settle(engine, KEY);
  expect(await engine.store.get(KEY)).toBeUndefined();
  expect(world(WORLD).calls).toEqual([]);
});

test('so does one whose status was lost', async () => {
  await claimThrough('Namespace');
  const claim = (await engine.store.get(KEY))!;
  await engine.store.put({ ...claim, status: {} });
  await goWithTheServerFirst();
  await settle(engine, KEY);
  expect(await engine.store.get(KEY)).toBeUndefined();
  expect(world(WORLD).calls).toEqual([]);
});

test('a claim that is deleted while its namespace stays waits for its server', async () => {
  await claimThrough('Namespace');
  await engine.store.remove(KEY);
  await settle(engine, KEY);
  expect(findThing(world(WORLD), 'main', 'fake/thing', 'dev_one')).toBeUndefined();
  expect(world(WORLD).calls.filter(call => call.verb === 'delete')).toHaveLength(2);
});

test('what outlives the namespace is deleted as ever, and waited for', async () => {
  await claimThrough('Cluster');
  await goWithTheServerFirst();
  await settle(engine, KEY);
  expect(await engine.store.get(KEY)).toBeDefined();
  world(WORLD).lockedOut.clear();
  world(WORLD).before = undefined;
  await settle(engine, KEY);
  expect(await engine.store.get(KEY)).toBeUndefined();
  expect(findThing(world(WORLD), 'main', 'fake/thing', 'dev_one')).toBeUndefined();
});
