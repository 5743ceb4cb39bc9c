/** The fence within a pass: turns that follow each other at once need one confirmation of the claim, those after a while ask anew. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, findThing, world } from '../../providers/fake/world.ts';
import type { ClaimKey } from '../../src/core/types.ts';
import { reconcile } from '../../src/engine/reconcile.ts';
import type { Store } from '../../src/engine/store.ts';
import { editSpec, object, putAll, type SkippingClock, settle, skippingClock, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'confirmed';
const KEY: ClaimKey = { kind: 'Pair', namespace: 'dev', name: 'one' };
const ADDRESS = '${first.state.address}';
let engine: TestEngine;
let clock: SkippingClock;
let reads: number;

beforeEach(async () => {
  clock = skippingClock();
  reads = 0;
  engine = testEngine({ providers: [fake], clock });
  await putAll(engine, [
    object('ClaimDefinition', 'pairs.plinth.dev', {
      kind: 'Pair',
      plural: 'pairs',
      schema: { type: 'object', properties: { text: { type: 'string' } } },
      connection: { type: 'pair', keys: { uri: {} } },
      outputs: { type: 'object' },
    }),
    object('Composition', 'pair', {
      claim: 'Pair',
      resources: [
        { id: 'first', type: 'fake/queue', spec: {} },
        { id: 'second', main: true, type: 'fake/queue', spec: { deadLetter: { address: ADDRESS, maxReceives: 3 } } },
      ],
      connection: { uri: ADDRESS },
    }),
    object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } }),
    object('EnvironmentClass', 'dev', { default: true, implementations: [{ claim: 'Pair', composition: 'pair', configs: { fake: 'fake' } }] }),
    object('Pair', 'one', {}, 'dev'),
  ]);
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

const isMade = (id: string): boolean => findThing(world(WORLD), 'main', 'fake/queue', `dev_one_${id}`) !== undefined;
const afterFirst = (happen: () => unknown): void => {
  world(WORLD).after = call => (call.verb === 'create' && call.name === 'dev_one_first' ? happen() : undefined);
};
/** One pass, in which live reads of the claim are counted. */
async function pass(): Promise<unknown> {
  const get: Store['get'] = (key, from) => {
    if (key.kind === KEY.kind && from !== 'cache') reads += 1;
    return engine.engine.store.get(key, from);
  };
  return await reconcile({ ...engine.engine, store: { ...engine.engine.store, get } }, KEY);
}

test('two levels made one after the other cost no read of a claim that was recorded right before', async () => {
  await pass();
  expect([world(WORLD).calls.filter(call => call.verb === 'create').length, reads]).toEqual([2, 0]);
});

test('a pass that took longer looks once more before it makes the next', async () => {
  afterFirst(() => clock.skip(3_000));
  await pass();
  expect([world(WORLD).calls.filter(call => call.verb === 'create').length, reads]).toEqual([2, 1]);
});

test('and makes nothing more of a claim that was changed meanwhile', async () => {
  afterFirst(async () => {
    clock.skip(3_000);
    await editSpec(engine, KEY, spec => ({ ...spec, text: 'other' }));
  });
  await expect(pass()).rejects.toMatchObject({ code: 'StoreConflict' });
  expect(isMade('first')).toBe(true);
  expect(world(WORLD).calls.filter(call => call.verb === 'create')).toHaveLength(1);
});

test('a claim that is deleted between two levels of a quick pass leaves nothing', async () => {
  afterFirst(() => engine.store.remove(KEY));
  await expect(pass()).rejects.toMatchObject({ code: 'StoreConflict' });
  await settle(engine, KEY);
  expect(await engine.store.get(KEY)).toBeUndefined();
  expect(['first', 'second'].map(isMade)).toEqual([false, false]);
});
