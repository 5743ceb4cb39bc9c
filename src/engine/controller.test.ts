import { beforeEach, describe, expect, test } from 'vitest';
import type { Schedule } from '../core/report.ts';
import type { ObjectKey } from '../core/types.ts';
import { type Controller, type ControllerOptions, settled, startController, stopController, wake } from './controller.ts';
import { keyText, parseKey } from './objects.ts';
import { claimOf, orders, queueObject, statusOf } from './store.contract.ts';
import { type MemoryStore, memoryStore } from './store-memory.ts';
import { type TestClock, testClock } from './test-clock.ts';
import { dependents, isUser, newTracker, type Tracker, track } from './tracker.ts';

const dev: ObjectKey = { kind: 'EnvironmentClass', namespace: '', name: 'dev' };
const object = (key: ObjectKey, spec = {}) => ({
  apiVersion: 'plinth.dev/v1alpha1',
  kind: key.kind,
  metadata: { name: key.name, ...(key.namespace === '' ? {} : { namespace: key.namespace }) },
  spec,
});
const events: ObjectKey = { kind: 'Topic', namespace: 'dev', name: 'events' };

describe('the tracker', () => {
  test('knows who used what, replaces and forgets', () => {
    const tracker = newTracker();
    track(tracker, orders, [dev, events]);
    track(tracker, events, [dev, events]);
    expect(dependents(tracker, dev).map(keyText)).toEqual(['Queue/dev/orders', 'Topic/dev/events']);
    expect(dependents(tracker, events).map(keyText)).toEqual(['Queue/dev/orders']);
    expect([orders, events].map(claim => isUser(tracker, keyText(claim), keyText(dev)))).toEqual([true, true]);
    expect([orders, events].map(claim => isUser(tracker, keyText(claim), keyText(events)))).toEqual([true, false]);
    track(tracker, orders, [events]);
    expect(dependents(tracker, dev).map(keyText)).toEqual(['Topic/dev/events']);
    track(tracker, orders, []);
    track(tracker, events, []);
    expect([tracker.used.size, tracker.users.size]).toEqual([0, 0]);
  });

  test('takes * for every object of a kind in a namespace', () => {
    const tracker = newTracker();
    track(tracker, orders, [{ ...dev, name: '*' }]);
    expect(dependents(tracker, dev)).toEqual([orders]);
    expect(dependents(tracker, { ...events, namespace: '' })).toEqual([]);
    expect([dev, { ...events, namespace: '' }].map(key => isUser(tracker, keyText(orders), keyText(key)))).toEqual([true, false]);
    expect(isUser(tracker, keyText(events), keyText(dev))).toBe(false);
  });
});

describe('the controller', () => {
  let clock: TestClock;
  let store: MemoryStore;
  let tracker: Tracker;
  let passes: string[];
  let kinds: Set<string>;
  let answer: (key: ObjectKey, signal: AbortSignal) => Promise<Schedule>;
  const done: Schedule = { kind: 'done' };

  beforeEach(() => {
    clock = testClock();
    store = memoryStore(clock);
    tracker = newTracker();
    [passes, kinds, answer] = [[], new Set(['Queue', 'Topic']), async () => done];
  });
  const start = (extra: Partial<ControllerOptions> = {}): Promise<Controller> =>
    startController({
      store,
      clock,
      random: () => 0.5,
      tracker,
      isClaim: kind => kinds.has(kind),
      reconcileOne: (key, signal) => {
        passes.push(keyText(key));
        return answer(key, signal);
      },
      onError: () => undefined,
      ...extra,
    });

  test('looks at every claim there is, at each new one, each edit and each removal', async () => {
    await store.put(object(orders));
    await store.put(object(dev));
    const controller = await start();
    await settled(controller);
    expect(passes).toEqual(['Queue/dev/orders']);
    await store.put(object(events));
    await store.put(object(orders, { a: 1 }));
    await settled(controller);
    expect(passes.slice(1).sort()).toEqual(['Queue/dev/orders', 'Topic/dev/events']);
    await store.remove(orders);
    await settled(controller);
    expect(passes.slice(3)).toEqual(['Queue/dev/orders']);
  });

  test("the engine's own writes do not wake the claim; a person's annotation does", async () => {
    await store.put(queueObject());
    answer = async key => {
      const found = await store.get(key);
      const held = await store.write({ kind: 'finalizer', claim: claimOf(found), present: true });
      await store.write({ kind: 'status', claim: claimOf(held), status: statusOf(passes.length) });
      return done;
    };
    const controller = await start();
    await settled(controller);
    expect(passes).toHaveLength(1);
    await store.put(queueObject({}, { annotations: { 'plinth.dev/approve': 'x' } }));
    await settled(controller);
    expect(passes).toHaveLength(2);
  });

  test('wakes a claim whose status somebody emptied, and not for its own writes', async () => {
    await store.put(object(orders));
    const controller = await start();
    await settled(controller);
    passes.length = 0;
    const claim = async () => claimOf(await store.get(orders));
    await store.write({ kind: 'status', claim: await claim(), status: { ...statusOf(1), inventoryFor: (await claim()).uid } });
    await settled(controller);
    expect(passes).toEqual([]);
    await store.write({ kind: 'status', claim: await claim(), status: { ...statusOf(1), inventoryFor: '' } });
    await settled(controller);
    expect(passes).toEqual(['Queue/dev/orders']);
  });

  test('wakes exactly those that used what changed, and referrers only when what a claim tells has changed', async () => {
    const other = { ...orders, name: 'other' };
    for (const key of [orders, other, events]) await store.put(object(key));
    track(tracker, orders, [dev, events]);
    const controller = await start();
    await settled(controller);
    passes.length = 0;
    await store.put(object(dev));
    await settled(controller);
    expect(passes).toEqual(['Queue/dev/orders']);
    const topic = (n: number) => ({ ...statusOf(n), outputs: {} });
    const write = async (status: ReturnType<typeof statusOf>) => {
      const claim = { ...claimOf(await store.get(events)), kind: 'Topic' };
      await store.write({ kind: 'status', claim, status });
      await settled(controller);
      return passes.splice(0);
    };
    passes.length = 0;
    expect(await write(topic(1))).toEqual(['Queue/dev/orders']);
    expect(await write(topic(2))).toEqual([]);
    expect(await write({ ...topic(2), outputs: { arn: 'x' } })).toEqual(['Queue/dev/orders']);
    await store.remove(events);
    await settled(controller);
    expect(passes.sort()).toEqual(['Queue/dev/orders', 'Topic/dev/events']);
  });

  test('an edit of an Environment wakes the claims of its namespace', async () => {
    const home = { kind: 'Environment', namespace: '', name: 'dev' };
    kinds.add('Environment');
    for (const key of [orders, events, home]) await store.put(object(key));
    track(tracker, orders, [home]);
    const controller = await start();
    await settled(controller);
    passes.length = 0;
    await store.put(object(home, { asleep: true }));
    await settled(controller);
    expect(passes.sort()).toEqual(['Environment//dev', 'Queue/dev/orders']);
  });

  test('learns of claim kinds with their definition', async () => {
    const cache = { kind: 'Cache', namespace: 'dev', name: 'c' };
    await store.put(object(cache));
    const controller = await start();
    await settled(controller);
    expect(passes).toEqual([]);
    kinds.add('Cache');
    await store.put(object({ kind: 'ClaimDefinition', namespace: '', name: 'cache' }));
    await settled(controller);
    expect(passes).toEqual(['Cache/dev/c']);
  });

  test('looks again when the schedule says, with resyncs spread', async () => {
    await store.put(object(orders));
    answer = async () => ({ kind: 'again', afterMs: 1_000, because: 'poll' });
    await start({ random: () => 0 });
    await clock.pass(2_500);
    expect(passes).toHaveLength(3);
    answer = async () => ({ kind: 'again', afterMs: 10_000, because: 'resync' });
    await clock.pass(1_000);
    expect(passes).toHaveLength(4);
    await clock.pass(8_000);
    expect(passes).toHaveLength(5);
  });

  test('backs off when a reconcile throws or asks for it, longer each time, until one succeeds', async () => {
    await store.put(object(orders));
    const errors: unknown[] = [];
    answer = async () => {
      if (passes.length % 2 === 0) return { kind: 'again', afterMs: 0, because: 'backoff' };
      throw new Error('broken');
    };
    const controller = await start({ onError: (key, error) => errors.push([keyText(key), String(error)]) });
    const at: number[] = [];
    for (let n = 0; at.length < 6; n = passes.length) {
      await clock.pass(100);
      if (passes.length > n) at.push(clock.ms());
    }
    expect(at.map((ms, n) => ms - (at[n - 1] ?? 0)).slice(2)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(errors[0]).toEqual(['Queue/dev/orders', 'Error: broken']);
    answer = async () => done;
    wake(controller, orders);
    await settled(controller);
    expect(controller.queue.failures.size).toBe(0);
  });

  test('stops when what runs is over; what does not end is aborted, then left', async () => {
    await store.put(object(orders));
    let finish = (): void => undefined;
    answer = () => new Promise(resolve => (finish = () => resolve(done)));
    const first = await start();
    await clock.pass(1);
    const stopped = stopController(first);
    await store.put(object(events));
    finish();
    expect(await stopped).toBe(true);
    expect(passes).toEqual(['Queue/dev/orders']);

    answer = (_, signal) => new Promise(resolve => signal.addEventListener('abort', () => resolve(done)));
    const second = stopController(await start({ stopMs: 1_000 }));
    await clock.pass(1_000);
    expect(await second).toBe(true);

    answer = () => new Promise(() => undefined);
    const third = stopController(await start({ stopMs: 1_000 }));
    await clock.pass(2_000);
    expect(await third).toBe(false);
    expect(clock.pending()).toBe(0);
  });

  test('drives a thousand claims once each', async () => {
    for (let n = 0; n < 1_000; n++) await store.put(object({ ...orders, name: `q${n}` }));
    const controller = await start();
    await settled(controller);
    expect(new Set(passes).size).toBe(1_000);
    expect(passes).toHaveLength(1_000);
    expect(parseKey(passes[0]!).kind).toBe('Queue');
  });
});
