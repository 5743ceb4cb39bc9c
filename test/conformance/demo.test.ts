/** The demo class: a Queue claim served by provider fake, as `plinth up --class demo` does it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, removeThing, type World, world } from '../../providers/fake/world.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { condition, object, owned, putAll, settle, skippingClock, statusOf, type TestEngine, testEngine, told } from '../support.ts';

const load = (path: string): JsonObject => parse(readFileSync(join(import.meta.dirname, '..', '..', 'compositions', path), 'utf8')) as JsonObject;

const key = { kind: 'Queue', namespace: 'shop', name: 'orders' };

/** An engine with the demo class, and an empty world. */
async function start(policies: JsonObject = {}): Promise<{ readonly bench: TestEngine; readonly place: World }> {
  endWorld('demo');
  const clock = skippingClock();
  const bench = testEngine({ providers: [fake], clock });
  const place = world('demo');
  place.clock = clock;
  const [definition, config, composition] = ['queue/claim.yaml', 'configs/fake.yaml', 'queue/fake.yaml'].map(load);
  const demo = load('classes/demo.yaml');
  const ofDemo = demo['spec'] as JsonObject;
  await putAll(bench, [
    definition!,
    config!,
    composition!,
    { ...demo, spec: { ...ofDemo, default: true, policies: { ...(ofDemo['policies'] as JsonObject), ...policies } } },
  ]);
  return { bench, place };
}

test('a queue with a dead letter queue becomes ready, is forgotten, made again, and goes', async () => {
  const { bench, place } = await start();
  await bench.store.put(object('Queue', 'orders', { deadLetter: { maxReceives: 5 } }, 'shop'));
  const { status, passes } = await settle(bench, key);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
  expect(passes).toBeLessThan(10);
  const secret = await bench.store.get({ kind: 'Secret', namespace: 'shop', name: 'orders-queue' });
  expect(secret?.['data']).toMatchObject({ queue: 'shop_orders', uri: 'fake://main/fake/queue/shop_orders', type: 'sqs', provider: 'fake' });
  place.accounts.clear();
  expect(condition((await settle(bench, key)).status, 'Ready')?.status).toBe('True');
  expect([...place.accounts.get('main')!.keys()].sort()).toEqual(['fake/queue shop_orders', 'fake/queue shop_orders_deadLetter']);
  await bench.store.remove(key);
  await settle(bench, key);
  expect([await statusOf(bench, key), place.accounts.get('main')?.size]).toEqual([undefined, 0]);
  await bench.stop();
});

test('what is no longer declared needs no approval once somebody else removed it', async () => {
  const { bench, place } = await start({ swap: 'Approve' });
  await bench.store.put(object('Queue', 'orders', { deadLetter: { maxReceives: 5 } }, 'shop'));
  await settle(bench, key);
  await bench.store.put(object('Queue', 'orders', {}, 'shop'));
  await settle(bench, key);
  removeThing(place, 'main', 'fake/queue', 'shop_orders_deadLetter');
  bench.clock.skip(3_600_000);
  const { status } = await settle(bench, key);
  await bench.stop();
  expect(owned(status).map(({ name }) => name)).toEqual(['shop_orders']);
});
