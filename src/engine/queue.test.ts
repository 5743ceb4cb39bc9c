import { beforeEach, expect, test } from 'vitest';
import { add, backOff, closeQueue, idle, openQueue, type Queue, succeed } from './queue.ts';
import { breath, type TestClock, testClock } from './test-clock.ts';

let clock: TestClock;
let worked: string[];
/** Ends the work of a key; keys that are not here end at once. */
let gates: Map<string, () => void>;
let held: Set<string>;
let failing: Set<string>;
let most: number;

beforeEach(() => {
  clock = testClock();
  [worked, gates, held, failing, most] = [[], new Map(), new Set(), new Set(), 0];
});

function open(concurrency = 8, random = () => 0.999999): Queue {
  const running = new Set<string>();
  return openQueue({
    clock,
    concurrency,
    random,
    work: async key => {
      expect(running.has(key)).toBe(false);
      running.add(key);
      most = Math.max(most, running.size);
      worked.push(key);
      if (held.has(key)) await new Promise<void>(resolve => gates.set(key, resolve));
      running.delete(key);
      if (failing.has(key)) throw new Error('no');
    },
  });
}

test('many adds of a waiting key are one run', async () => {
  const queue = open();
  for (let n = 0; n < 10; n++) add(queue, 'a');
  await idle(queue);
  expect(worked).toEqual(['a']);
});

test('a key added while it is worked runs once more, never beside itself', async () => {
  held.add('a');
  const queue = open();
  add(queue, 'a');
  await breath();
  add(queue, 'a');
  add(queue, 'a');
  await breath();
  expect(worked).toEqual(['a']);
  held.clear();
  gates.get('a')!();
  await idle(queue);
  expect(worked).toEqual(['a', 'a']);
});

test('no more than so many keys at once, in the order they came', async () => {
  const queue = open(2);
  const keys = ['a', 'b', 'c', 'd', 'e'];
  for (const key of keys) held.add(key);
  for (const key of keys) add(queue, key);
  for (const key of keys) {
    await breath();
    gates.get(key)!();
  }
  await idle(queue);
  expect(worked).toEqual(keys);
  expect(most).toBe(2);
});

test('a key that keeps coming back does not starve the others', async () => {
  const queue: Queue = openQueue({
    clock,
    concurrency: 1,
    random: () => 0,
    work: async key => {
      worked.push(key);
      if (key === 'busy' && worked.length < 20) add(queue, 'busy');
    },
  });
  add(queue, 'busy');
  for (const key of ['a', 'b', 'c']) add(queue, key);
  await idle(queue);
  expect(worked.slice(0, 5)).toEqual(['busy', 'a', 'b', 'c', 'busy']);
});

test('of delayed adds the soonest wins, and an add for now replaces them', async () => {
  const queue = open();
  add(queue, 'a', 5_000);
  add(queue, 'a', 1_000);
  add(queue, 'a', 9_000);
  await clock.pass(999);
  expect(worked).toEqual([]);
  await clock.pass(1);
  expect(worked).toEqual(['a']);
  await clock.pass(20_000);
  expect(worked).toEqual(['a']);
  add(queue, 'b', 1_000);
  add(queue, 'b');
  await clock.pass(5_000);
  expect(worked).toEqual(['a', 'b']);
  expect(clock.pending()).toBe(0);
});

test('a delay that ends while the key is worked makes it run afterwards', async () => {
  held.add('a');
  const queue = open();
  add(queue, 'a');
  await breath();
  add(queue, 'a', 100);
  await clock.pass(200);
  expect(worked).toEqual(['a']);
  held.clear();
  gates.get('a')!();
  await idle(queue);
  expect(worked).toEqual(['a', 'a']);
});

test('failures back off from 1 s, doubling to 5 min, and success starts over', async () => {
  failing.add('a');
  const queue = open();
  add(queue, 'a');
  const gaps: number[] = [];
  for (let last = 0; gaps.length < 11; ) {
    const runs = worked.length;
    await clock.pass(500);
    if (worked.length === runs) continue;
    gaps.push(Math.round((clock.ms() - last) / 1_000));
    last = clock.ms();
  }
  expect(gaps.slice(1)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
  succeed(queue, 'a');
  expect(backOff(queue, 'b')).toBeLessThanOrEqual(1_000);
});

test('jitter is full, and the least wait is kept', () => {
  const queue = open(1, () => 0.25);
  expect(backOff(queue, 'a')).toBe(250);
  expect(backOff(queue, 'a')).toBe(500);
  expect(backOff(queue, 'a', 10_000)).toBe(10_000);
});

test('idle does not wait for what is delayed; it waits for what runs', async () => {
  held.add('a');
  const queue = open();
  await idle(queue);
  add(queue, 'later', 1_000);
  await idle(queue);
  add(queue, 'a');
  let isIdle = false;
  void idle(queue).then(() => {
    isIdle = true;
  });
  await breath();
  expect(isIdle).toBe(false);
  gates.get('a')!();
  await breath();
  expect(isIdle).toBe(true);
});

test('closing waits for what runs and drops the rest', async () => {
  held.add('a');
  const queue = open(1);
  add(queue, 'a');
  add(queue, 'b');
  add(queue, 'c', 1_000);
  await breath();
  const closed = closeQueue(queue);
  add(queue, 'd');
  gates.get('a')!();
  await closed;
  await clock.pass(10_000);
  expect(worked).toEqual(['a']);
  expect(clock.pending()).toBe(0);
});
