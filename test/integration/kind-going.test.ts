/** A kind that goes takes its claims with it, and nobody meant their things: they are kept, marked and named. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, findThing, world } from '../../providers/fake/world.ts';
import type { ClaimKey } from '../../src/core/types.ts';
import { object, putAll, type SkippingClock, settle, skippingClock, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'kind-going';
const KEY: ClaimKey = { kind: 'Thing', namespace: 'dev', name: 'one' };
const NAME = 'things.plinth.dev';
const DEFINITION = { kind: 'ClaimDefinition', namespace: '', name: NAME };
const CRD = { kind: 'CustomResourceDefinition', namespace: '', name: NAME };
let engine: TestEngine;
let clock: SkippingClock;

beforeEach(async () => {
  clock = skippingClock();
  engine = testEngine({ providers: [fake], clock });
  await putAll(engine, [
    object(
      'ClaimDefinition',
      NAME,
      {
        kind: 'Thing',
        plural: 'things',
        schema: { type: 'object' },
        connection: { type: 'thing', keys: { uri: {} } },
        outputs: { type: 'object' },
      },
      '',
      { finalizers: ['plinth.dev/in-use'] },
    ),
    object('Composition', 'thing', {
      claim: 'Thing',
      resources: [{ id: 'it', main: true, type: 'fake/thing', spec: { size: 1 } }],
      connection: { uri: '${it.state.address}' },
    }),
    object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } }),
    object('EnvironmentClass', 'dev', { default: true, implementations: [{ claim: 'Thing', composition: 'thing', configs: { fake: 'fake' } }] }),
    { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: NAME, finalizers: ['x'] }, spec: {} },
    object('Thing', 'one', {}, 'dev'),
  ]);
  await settle(engine, KEY);
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});
const thing = () => findThing(world(WORLD), 'main', 'fake/thing', 'dev_one');

test.each([
  ['CustomResourceDefinition', CRD],
  ['ClaimDefinition', DEFINITION],
])('deleted after its %s, a claim goes and what it made stays', async (_, owner) => {
  await engine.store.remove(owner);
  await engine.store.remove(KEY);
  await settle(engine, KEY);
  expect(await engine.store.get(KEY)).toBeUndefined();
  expect(thing()?.spec).toMatchObject({ tags: { 'plinth.dev/retained': expect.anything() } });
  const told = engine.store.events().filter(({ reason }) => reason === 'Retained');
  expect(told).toMatchObject([
    { type: 'Warning', object: KEY, message: 'the kind Thing is being deleted, so what the claim made is kept: it (fake/thing dev_one)' },
  ]);
});

test('deleted before its kind, a claim is obeyed', async () => {
  await engine.store.remove(KEY);
  clock.skip(1_000);
  await engine.store.remove(CRD);
  await settle(engine, KEY);
  expect(await engine.store.get(KEY)).toBeUndefined();
  expect(thing()).toBeUndefined();
});

test('with its kind in place, a claim is obeyed', async () => {
  await engine.store.remove(KEY);
  await settle(engine, KEY);
  expect(thing()).toBeUndefined();
});
