import { beforeEach, expect, test } from 'vitest';
import { isError } from '../core/errors.ts';
import type { Context, Outcome } from '../core/types.ts';
import { type Acting, applyAll } from './apply.ts';
import type { Engine } from './engine.ts';
import { callingEngine, connectionsTo } from './test-calls.ts';
import { type TestClock, testClock } from './test-clock.ts';

const claim = { kind: 'Queue', namespace: 'dev', name: 'orders' };
let clock: TestClock;
let heldUntilMs: number | undefined;
/** Requests that left. */
let sent: string[];
/** What a delete does, of several requests. */
let work: (context: Context, name: string) => Promise<void>;

beforeEach(() => {
  clock = testClock();
  [heldUntilMs, sent] = [13_500, []];
  work = async (context, name) => {
    await context.budget('things');
    sent.push(name);
  };
});

function engine(): Engine {
  return { ...callingEngine(clock), ...(heldUntilMs === undefined ? {} : { holdsUntil: () => heldUntilMs! }) };
}

function apply(...names: readonly string[]): Promise<Outcome[]> {
  const connections = connectionsTo({ delete: (context, name) => work(context, name) });
  const actions = names.map(name => ({ kind: 'delete', entry: { name, config: 'c', type: 't/thing', onDelete: {} }, seen: {} }) as unknown as Acting);
  return applyAll(engine(), claim, connections, actions, () => ({}));
}

const refusal = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

test('without leases, on a laptop, nothing changes', async () => {
  heldUntilMs = undefined;
  expect(await apply('a')).toMatchObject([{ result: 'done' }]);
});

test('a call leaves while the lease is held', async () => {
  expect(await apply('a', 'b')).toMatchObject([{ result: 'done' }, { result: 'done' }]);
  expect(sent).toEqual(['a', 'b']);
});

test.each([
  ['is not held', 0],
  ['is over', -5],
  ['is over in a moment', 999],
])('no call leaves when the lease %s', async (_, untilMs) => {
  heldUntilMs = untilMs;
  expect(isError(await refusal(apply('a')), 'LeaseLost')).toBe(true);
  expect(sent).toEqual([]);
});

test('a call is cut off before the lease ends, and what it did is not reported', async () => {
  work = () => new Promise(() => undefined);
  const result = refusal(apply('a'));
  await clock.pass(13_400);
  expect(await Promise.race([result, 'still running'])).toBe('still running');
  await clock.pass(100);
  expect(isError(await result, 'LeaseLost')).toBe(true);
});

test('a process that stood still between two requests of one verb sends no second one', async () => {
  work = async (context, name) => {
    await context.budget('things');
    sent.push(`${name} first`);
    // As after SIGCONT: time is over, and nothing that waits for time has run yet.
    heldUntilMs = clock.ms() - 1;
    await context.budget('things');
    sent.push(`${name} second`);
  };
  expect(isError(await refusal(apply('a', 'b')), 'LeaseLost')).toBe(true);
  expect(sent).toEqual(['a first']);
});

test('a process that stood still while a request waited for its connection does not send it', async () => {
  work = async (context, name) => {
    await context.budget('things');
    heldUntilMs = clock.ms() - 1;
    context.fence();
    sent.push(name);
  };
  expect(isError(await refusal(apply('a')), 'LeaseLost')).toBe(true);
  expect(sent).toEqual([]);
});
