import { beforeEach, expect, test, vi } from 'vitest';
import { isError } from '../core/errors.ts';
import type { ClaimKey } from '../core/types.ts';
import type { Engine } from './engine.ts';
import { keyText } from './objects.ts';
import { holds, type Runtime, startRuntime, stopRuntime } from './runtime.ts';
import { claimOf, queueObject, statusOf } from './store.contract.ts';
import { type MemoryStore, memoryStore } from './store-memory.ts';
import { lead, share } from './tenure.ts';
import { callingEngine } from './test-calls.ts';
import { breath, type TestClock, testClock } from './test-clock.ts';
import { type ProcessClock, processClock, type TestLeases, testLeases } from './test-leases.ts';
import { newTracker } from './tracker.ts';

let clock: TestClock;
let store: MemoryStore;
let leases: TestLeases;
/** `process claim` of each look that was begun. */
let looks: string[];
let workMs: number;

beforeEach(() => {
  clock = testClock();
  store = memoryStore(clock);
  leases = testLeases();
  looks = [];
  workMs = 100;
});

interface Process {
  readonly runtime: Runtime;
  readonly own: ProcessClock;
  readonly errors: unknown[];
}

function newEngine(own: ProcessClock): Engine {
  return { ...callingEngine(own), store };
}

async function start(name: string, mode: 'lead' | 'share' = 'lead', work = look): Promise<Process> {
  const own = processClock(clock);
  const errors: unknown[] = [];
  const common = { port: leases.port, clock: own, log: () => undefined };
  const runtime = await startRuntime({
    engine: newEngine(own),
    tracker: newTracker(),
    random: () => 0.5,
    isClaim: kind => kind === 'Queue',
    work: async (engine, key) => {
      looks.push(`${name} ${key.namespace}/${key.name}`);
      await work(engine, key);
      return { kind: 'again', afterMs: 60_000, because: 'poll' };
    },
    workers: 8,
    stopMs: 10_000,
    begin: (onChange, drained) =>
      mode === 'lead'
        ? lead({ ...common, name: 'plinth-controller', holder: name, random: () => 0.5, onChange })
        : share({ ...common, id: name, onChange, drained }),
    onWorked: (_, { error }) => void (error === undefined || errors.push(error)),
  });
  return { runtime, own, errors };
}

/** Takes its time, then writes. */
async function look(engine: Engine, key: ClaimKey): Promise<void> {
  await new Promise<void>(resolve => void engine.clock.after(workMs, resolve));
  const claim = { ...claimOf(await store.get(key)), namespace: key.namespace, name: key.name };
  await engine.store.write({ kind: 'status', claim, status: statusOf(looks.length) });
}

const claims = async (namespaces: readonly string[]): Promise<void> => {
  for (const namespace of namespaces) await store.put(queueObject({}, { namespace }));
};
const workers = (name: string): string[] => [...new Set(looks.filter(line => line.endsWith(` ${name}`)).map(line => line.split(' ')[0]!))];

test('the leader works everything; the other begins with a look at every claim when it takes over', async () => {
  await claims(['a', 'b']);
  const [first, second] = [await start('first'), await start('second')];
  await clock.pass(5_000);
  expect(looks).toEqual(['first a/orders', 'first b/orders']);
  first.own.freeze();
  await clock.pass(20_000);
  expect(looks.slice(2).sort()).toEqual(['second a/orders', 'second b/orders']);
  expect([first, second].map(({ runtime }) => holds(runtime, 'a'))).toEqual([false, true]);
  looks = [];
  first.own.thaw();
  await clock.pass(70_000);
  expect(looks.filter(line => line.startsWith('first'))).toEqual([]);
  expect(looks).not.toEqual([]);
});

test('a reconcile that a freeze cut in two writes nothing, although the lease is held again', async () => {
  await claims(['a']);
  workMs = 5_000;
  const { runtime, own, errors } = await start('only');
  await clock.pass(2_000);
  own.freeze();
  await clock.pass(60_000);
  own.thaw();
  await clock.pass(2_000);
  expect(isError(errors[0], 'LeaseLost')).toBe(true);
  expect(holds(runtime, 'a')).toBe(true);
  await clock.pass(20_000);
  expect(errors).toHaveLength(1);
  expect(looks.length).toBeGreaterThan(1);
});

test('what a process decides after it lost the lease is not told in events', async () => {
  await claims(['a']);
  const told = vi.spyOn(store, 'emit');
  workMs = 5_000;
  const { own } = await start('only', 'lead', async (engine, key) => {
    await new Promise<void>(resolve => void engine.clock.after(workMs, resolve));
    engine.store.emit(key, { type: 'Normal', reason: 'Available', message: '' });
  });
  await clock.pass(2_000);
  own.freeze();
  await clock.pass(60_000);
  own.thaw();
  await clock.pass(2_000);
  expect(told).not.toHaveBeenCalled();
  await clock.pass(70_000);
  expect(told).toHaveBeenCalled();
});

test('a stop lets what runs end, takes nothing new, and gives the lease back at once', async () => {
  await claims(['a']);
  workMs = 3_000;
  const { runtime } = await start('first');
  const second = await start('second');
  await clock.pass(1_000);
  const stopping = stopRuntime(runtime);
  await store.put(queueObject({ changed: true }, { namespace: 'a' }));
  await clock.pass(3_000);
  expect(await stopping).toBe(true);
  expect(looks.filter(line => line.startsWith('first'))).toEqual(['first a/orders']);
  await clock.pass(2_500);
  expect(holds(second.runtime, 'a')).toBe(true);
  expect(looks.at(-1)).toBe('second a/orders');
});

test('a stop aborts what does not end', async () => {
  await claims(['a']);
  const { runtime } = await start(
    'first',
    'lead',
    engine => new Promise((_, reject) => engine.signal.addEventListener('abort', () => reject(engine.signal.reason))),
  );
  await clock.pass(1_000);
  const stopping = stopRuntime(runtime);
  await clock.pass(9_000);
  expect(leases.records.get('plinth-controller')?.holder).toBe('first');
  await clock.pass(2_000);
  expect(await stopping).toBe(true);
  expect(leases.records.get('plinth-controller')?.holder).toBe('');
});

test('shares move without a claim being worked by two, and every claim has one', async () => {
  const namespaces = Array.from({ length: 20 }, (_, n) => `team-${n}`);
  await claims(namespaces);
  const working = new Map<string, number>();
  let twice = 0;
  const careful = async (engine: Engine, key: ClaimKey): Promise<void> => {
    working.set(keyText(key), (working.get(keyText(key)) ?? 0) + 1);
    if (working.get(keyText(key))! > 1) twice += 1;
    await look(engine, key).finally(() => working.set(keyText(key), working.get(keyText(key))! - 1));
  };
  workMs = 3_000;
  const first = await start('first', 'share', careful);
  await clock.pass(15_000);
  looks = [];
  await start('second', 'share', careful);
  for (let n = 0; n < 10; n++) {
    for (const namespace of namespaces) await store.put(queueObject({ n }, { namespace }));
    await clock.pass(2_000);
  }
  await clock.pass(20_000);
  expect(twice).toBe(0);
  looks = [];
  for (const namespace of namespaces) await store.put(queueObject({ last: true }, { namespace }));
  await clock.pass(10_000);
  for (const namespace of namespaces) expect(workers(`${namespace}/orders`)).toHaveLength(1);
  expect(new Set(looks.map(line => line.split(' ')[0])).size).toBe(2);
  const stopping = stopRuntime(first.runtime);
  await clock.pass(15_000);
  await stopping;
  await breath();
  looks = [];
  await clock.pass(70_000);
  for (const namespace of namespaces) expect(workers(`${namespace}/orders`)).toEqual(['second']);
});
