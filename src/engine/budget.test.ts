import { expect, test } from 'vitest';
import { isError } from '../core/errors.ts';
import { type Budgets, newBudgets, slowDown, take, takeFor, usage } from './budget.ts';
import { breath, testClock } from './test-clock.ts';

const RATE = { callsPerSecond: 10, burst: 3 };
const never = new AbortController().signal;

function takeMany(budgets: Budgets, count: number, done: { n: number }, signal = never): Promise<void>[] {
  return Array.from({ length: count }, () =>
    take(budgets, { config: 'aws', service: 'sqs' }, RATE, signal).then(() => {
      done.n += 1;
    }),
  );
}

test('a burst goes at once, the rest at the rate, and a pause saves up no more than the burst', async () => {
  const clock = testClock();
  const budgets = newBudgets(clock);
  const done = { n: 0 };
  takeMany(budgets, 20, done);
  await breath();
  expect(done.n).toBe(3);
  await clock.pass(1_000);
  expect(done.n).toBe(13);
  await clock.pass(60_000);
  expect(done.n).toBe(20);
  takeMany(budgets, 10, done);
  await breath();
  expect(done.n).toBe(23);
});

test('the long run keeps the rate exactly', async () => {
  const clock = testClock();
  const budgets = newBudgets(clock);
  const done = { n: 0 };
  takeMany(budgets, 1_000, done);
  await clock.pass(50_000);
  expect(done.n).toBe(503);
});

test('services and configs do not share', async () => {
  const clock = testClock();
  const budgets = newBudgets(clock);
  const order: string[] = [];
  for (const [config, service] of [
    ['aws', 'sqs'],
    ['aws', 'sns'],
    ['other', 'sqs'],
  ] as const)
    for (let n = 0; n < 4; n++) void take(budgets, { config, service }, RATE, never).then(() => order.push(`${config}/${service}`));
  await breath();
  expect(order).toHaveLength(9);
  expect(usage(budgets).map(row => [row.config, row.service, row.calls, row.waiting])).toEqual([
    ['aws', 'sns', 3, 1],
    ['aws', 'sqs', 3, 1],
    ['other', 'sqs', 3, 1],
  ]);
});

test('an aborted wait rejects, leaves its place and uses nothing up', async () => {
  const clock = testClock();
  const budgets = newBudgets(clock);
  const done = { n: 0 };
  takeMany(budgets, 3, done);
  const abort = new AbortController();
  const waiting = takeMany(budgets, 50, done, abort.signal);
  abort.abort();
  const results = await Promise.allSettled(waiting);
  expect(results.every(result => result.status === 'rejected' && isError(result.reason, 'Aborted'))).toBe(true);
  expect(clock.pending()).toBe(0);
  takeMany(budgets, 1, done);
  await clock.pass(100);
  expect(done.n).toBe(4);
  await expect(take(budgets, { config: 'aws', service: 'sqs' }, RATE, abort.signal)).rejects.toSatisfy(error => isError(error, 'Aborted'));
});

test('a throttled service is asked half as often, once per burst of answers, and recovers', async () => {
  const clock = testClock();
  const budgets = newBudgets(clock);
  const done = { n: 0 };
  takeMany(budgets, 3, done);
  for (let n = 0; n < 20; n++) slowDown(budgets, 'aws', 'sqs');
  expect(usage(budgets)[0]).toMatchObject({ callsPerSecond: 5, throttled: 20 });
  await clock.pass(1_000);
  slowDown(budgets, 'aws');
  expect(usage(budgets)[0]!.callsPerSecond).toBeCloseTo(2.58, 1);
  for (let n = 0; n < 20; n++) {
    await clock.pass(1_000);
    slowDown(budgets, 'aws');
  }
  expect(usage(budgets)[0]!.callsPerSecond).toBeGreaterThan(0.3);
  await clock.pass(60_000);
  expect(usage(budgets)[0]!.callsPerSecond).toBe(10);
});

test('an operation with a rate of its own keeps it, within the budget of its service, and holds nobody else up', async () => {
  const clock = testClock();
  const budgets = newBudgets(clock);
  const rates = { callsPerSecond: 100, burst: 100, operations: { dynamodb: { TagResource: { callsPerSecond: 4, burst: 1 } } } };
  const done: { what: string; ms: number }[] = [];
  const call = (operation: string, service = 'dynamodb') =>
    void takeFor(budgets, { config: 'aws', service, operation }, rates, never).then(() => done.push({ what: `${service} ${operation}`, ms: clock.ms() }));
  const start = clock.ms();
  for (let n = 0; n < 20; n++) call('TagResource');
  for (let n = 0; n < 20; n++) call('DescribeTable');
  for (let n = 0; n < 20; n++) call('TagResource', 'sns');
  await breath();
  expect(done).toHaveLength(41);
  expect(usage(budgets)).toMatchObject([
    { service: 'dynamodb', calls: 21, waiting: 19 },
    { service: 'sns', calls: 20, waiting: 0 },
  ]);
  await clock.pass(4_750);
  const tags = done.filter(({ what }) => what === 'dynamodb TagResource').map(({ ms }) => ms - start);
  expect(tags).toHaveLength(20);
  for (const from of tags) expect(tags.filter(ms => ms >= from && ms < from + 1_000).length).toBeLessThanOrEqual(5);
  expect(usage(budgets)).toMatchObject([{ service: 'dynamodb', calls: 40, waiting: 0 }, {}]);
});
