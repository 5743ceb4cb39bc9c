import { beforeEach, expect, test } from 'vitest';
import { isError } from '../core/errors.ts';
import { isLeading, type Leader, startLeader, stopLeader, takeLease } from './leader.ts';
import { breath, type TestClock, testClock } from './test-clock.ts';
import { type ProcessClock, processClock, type TestLeases, testLeases } from './test-leases.ts';

const NAME = 'plinth-controller';
let clock: TestClock;
let leases: TestLeases;
let changes: string[];

beforeEach(() => {
  clock = testClock();
  leases = testLeases();
  changes = [];
});

function options(holder: string, own: ProcessClock) {
  return {
    port: leases.port,
    clock: own,
    random: () => 0.5,
    name: NAME,
    holder,
    log: () => undefined,
    onChange: () => void changes.push(`${holder} ${clock.ms()}`),
  };
}

function candidate(holder: string, skew: { speed?: number; wallMs?: number } = {}): { leader: Leader; own: ProcessClock } {
  const own = processClock(clock, skew);
  return { leader: startLeader(options(holder, own)), own };
}

/** Lets time pass in small steps and counts moments at which more than one believes to hold the Lease. */
async function watch(ms: number, leaders: readonly Leader[]): Promise<number> {
  let twice = 0;
  for (const end = clock.ms() + ms; clock.ms() < end; ) {
    await clock.pass(100);
    if (leaders.filter(isLeading).length > 1) twice += 1;
  }
  return twice;
}

test('the first who asks gets it; the other waits; it is renewed for ever', async () => {
  const [a, b] = [candidate('a').leader, candidate('b').leader];
  expect(await watch(120_000, [a, b])).toBe(0);
  expect([isLeading(a), isLeading(b)]).toEqual([true, false]);
  expect(leases.records.get(NAME)).toMatchObject({ holder: 'a', transitions: 0, durationMs: 15_000 });
  expect(a.hold.term).toBe(1);
});

test('a leader that stops gives it back, and the other has it within a retry', async () => {
  const [a, b] = [candidate('a').leader, candidate('b').leader];
  await watch(5_000, [a, b]);
  const stopping = stopLeader(a);
  await clock.pass(0);
  await stopping;
  expect(isLeading(a)).toBe(false);
  expect(await watch(2_500, [a, b])).toBe(0);
  expect(isLeading(b)).toBe(true);
  expect(leases.records.get(NAME)).toMatchObject({ holder: 'b', transitions: 1 });
});

test.each([
  ['equal clocks', {}, {}],
  ['the other wall clock is an hour ahead', { wallMs: 0 }, { wallMs: 3_600_000 }],
  ['the other wall clock is an hour behind', { wallMs: 0 }, { wallMs: -3_600_000 }],
  ['the other runs 9 % faster', {}, { speed: 1.09 }],
  ['the leader runs 9 % slower', { speed: 0.92 }, {}],
])('a leader frozen for a minute: the other takes over within 20 s, never two, and the old one does nothing (%s)', async (_, first, second) => {
  const [a, b] = [candidate('a', first), candidate('b', second)];
  await watch(30_000, [a.leader, b.leader]);
  expect(isLeading(a.leader)).toBe(true);
  a.own.freeze();
  expect(await watch(20_000, [a.leader, b.leader])).toBe(0);
  expect(isLeading(b.leader)).toBe(true);
  await watch(40_000, [a.leader, b.leader]);
  a.own.thaw();
  expect(isLeading(a.leader)).toBe(false);
  expect(await watch(60_000, [a.leader, b.leader])).toBe(0);
  expect([isLeading(a.leader), isLeading(b.leader)]).toEqual([false, true]);
});

test('wall clocks that jump mean nothing', async () => {
  const [a, b] = [candidate('a', { wallMs: -86_400_000 }).leader, candidate('b', { wallMs: 86_400_000 }).leader];
  expect(await watch(60_000, [a, b])).toBe(0);
  expect(isLeading(a)).toBe(true);
});

test('a gap begins a new term although nobody else had it', async () => {
  const { leader, own } = candidate('a');
  await watch(5_000, [leader]);
  own.freeze();
  await watch(60_000, [leader]);
  own.thaw();
  await watch(5_000, [leader]);
  expect(isLeading(leader)).toBe(true);
  expect(leader.hold.term).toBe(2);
});

test('while the API server is down the lease lapses before another could take it, and that is told', async () => {
  const { leader } = candidate('a');
  await watch(5_000, [leader]);
  changes = [];
  leases.isDown = true;
  const downMs = clock.ms();
  await watch(30_000, [leader]);
  expect(isLeading(leader)).toBe(false);
  const [told] = changes;
  expect(Number(told?.split(' ')[1]) - downMs).toBeLessThan(15_000);
  leases.isDown = false;
  await watch(3_000, [leader]);
  expect(isLeading(leader)).toBe(true);
  expect(leader.hold.term).toBe(2);
});

test('a short outage is not even noticed', async () => {
  const { leader } = candidate('a');
  await watch(5_000, [leader]);
  leases.isDown = true;
  await watch(8_000, [leader]);
  leases.isDown = false;
  await watch(5_000, [leader]);
  expect(isLeading(leader)).toBe(true);
  expect(leader.hold.term).toBe(1);
});

test('a stolen lease is lost at the next renewal and not taken back while the thief renews', async () => {
  const { leader } = candidate('a');
  await watch(5_000, [leader]);
  const steal = (): void => {
    const record = leases.records.get(NAME)!;
    leases.records.set(NAME, { ...record, holder: 'thief', version: `stolen-${clock.ms()}` });
  };
  steal();
  await watch(2_500, [leader]);
  expect(isLeading(leader)).toBe(false);
  for (let n = 0; n < 10; n++) {
    steal();
    expect(await watch(10_000, [leader])).toBe(0);
    expect(isLeading(leader)).toBe(false);
  }
  await watch(18_000, [leader]);
  expect(isLeading(leader)).toBe(true);
  expect(leader.hold.term).toBe(2);
});

test('a renewal whose answer was lost is found again, without a gap', async () => {
  const { leader } = candidate('a');
  await watch(5_000, [leader]);
  leases.losesAnswers = true;
  await watch(2_500, [leader]);
  leases.losesAnswers = false;
  await watch(5_000, [leader]);
  expect(isLeading(leader)).toBe(true);
  expect(leader.hold.term).toBe(1);
});

test('a renewal that hangs is given up; one that arrives late does not count from its answer', async () => {
  const { leader } = candidate('a');
  await watch(5_000, [leader]);
  const hanging: (() => void)[] = [];
  leases.before = () => new Promise(resolve => hanging.push(resolve));
  await watch(14_000, [leader]);
  expect(isLeading(leader)).toBe(false);
  leases.before = async () => undefined;
  const { writes } = leases;
  hanging[0]!();
  await breath();
  expect(leases.writes).toBe(writes + 1);
  expect(isLeading(leader)).toBe(false);
  await watch(5_000, [leader]);
  expect(isLeading(leader)).toBe(true);
});

test('a lease that was deleted is made again', async () => {
  const { leader } = candidate('a');
  await watch(5_000, [leader]);
  leases.records.clear();
  await watch(3_000, [leader]);
  expect(isLeading(leader)).toBe(true);
  expect(leases.records.get(NAME)?.holder).toBe('a');
});

test('a lease that was deleted is not free for others while its holder may still believe in it', async () => {
  const [a, b] = [candidate('a'), candidate('b')];
  await watch(5_000, [a.leader, b.leader]);
  a.own.freeze();
  leases.records.clear();
  expect(await watch(60_000, [a.leader, b.leader])).toBe(0);
  expect(isLeading(b.leader)).toBe(true);
});

test('who wakes does not take a lease that was deleted while it slept, for its holder may still believe in it', async () => {
  const [a, b] = [candidate('a'), candidate('b')];
  await watch(5_000, [a.leader, b.leader]);
  b.own.freeze();
  await watch(20_000, [a.leader, b.leader]);
  leases.records.clear();
  b.own.thaw();
  expect(await watch(5_000, [a.leader, b.leader])).toBe(0);
});

test('without election: free or given back is taken at once', async () => {
  const leader = await takeLease(options('a', processClock(clock)));
  expect(isLeading(leader)).toBe(true);
  await Promise.all([stopLeader(leader), clock.pass(0)]);
  expect(isLeading(await takeLease(options('b', processClock(clock))))).toBe(true);
});

test('without election: one that is alive is not waited for', async () => {
  const { leader } = candidate('a');
  await clock.pass(5_000);
  const refused = takeLease(options('b', processClock(clock))).catch((error: unknown) => error);
  await clock.pass(5_000);
  const error = await refused;
  expect(isError(error, 'LeaseHeld')).toBe(true);
  expect((error as Error).message).toContain('held by a');
  expect(isLeading(leader)).toBe(true);
});

test('without election: one that died is replaced when its time is over', async () => {
  const { own } = candidate('a');
  await clock.pass(5_000);
  own.freeze();
  const taking = takeLease(options('b', processClock(clock)));
  await clock.pass(18_000);
  expect(isLeading(await taking)).toBe(true);
});
