import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tries } from '../../test/tries.ts';
import { isLeading, startLeader, stopLeader, takeLease } from './leader.ts';
import { LEADER_LEASE } from './lease.ts';
import { isOurs, type Member, startMember, stopMember } from './members.ts';
import { breath, type TestClock, testClock } from './test-clock.ts';
import { type ProcessClock, processClock, type TestLeases, testLeases } from './test-leases.ts';

const NAMESPACES = Array.from({ length: 40 }, (_, n) => `team-${n}`);

/** Members that begin work whenever they may, and end it `workMs` after it began, whatever happens meanwhile. */
interface World {
  readonly clock: TestClock;
  readonly leases: TestLeases;
  readonly all: { readonly member: Member; readonly own: ProcessClock; readonly working: Set<string>; stopped: boolean }[];
  /** By namespace: moments at which a call could have left twice. */
  readonly twice: string[];
}

function newWorld(): World {
  return { clock: testClock(), leases: testLeases(), all: [], twice: [] };
}

function join({ clock, leases, all }: World, id: string): World['all'][number] {
  const own = processClock(clock);
  const working = new Set<string>();
  const waiting: (() => void)[] = [];
  const drained = async (isMoving: (namespace: string) => boolean): Promise<void> => {
    while ([...working].some(isMoving)) await new Promise<void>(resolve => waiting.push(resolve));
  };
  const end = (): void => {
    for (const go of waiting.splice(0)) go();
  };
  const member = startMember({ port: leases.port, clock: own, id, log: () => undefined, onChange: () => undefined, drained });
  const actor = { member, own, working, stopped: false };
  all.push(actor);
  const begin = (): void => {
    if (actor.stopped) return;
    for (const namespace of NAMESPACES) {
      if (working.has(namespace) || !isOurs(member, namespace)) continue;
      working.add(namespace);
      own.after(700, () => {
        working.delete(namespace);
        end();
      });
    }
    own.after(300, begin);
  };
  begin();
  return actor;
}

/** Lets time pass; what two would both send a call for at the same moment is noted. */
async function watch(world: World, ms: number): Promise<void> {
  for (const end = world.clock.ms() + ms; world.clock.ms() < end; ) {
    await world.clock.pass(100);
    for (const namespace of NAMESPACES) {
      const senders = world.all.filter(({ member, working, stopped }) => !stopped && working.has(namespace) && isOurs(member, namespace));
      if (senders.length > 1) world.twice.push(`${namespace} at ${world.clock.ms()}`);
    }
  }
}

async function leave(world: World, actor: World['all'][number]): Promise<void> {
  actor.stopped = true;
  await watch(world, 1_000);
  const stopping = stopMember(actor.member);
  await breath();
  await world.clock.pass(0);
  await stopping;
}

/** How many members each namespace has. */
const owners = ({ all }: World): number[] => NAMESPACES.map(namespace => all.filter(({ member, stopped }) => !stopped && isOurs(member, namespace)).length);
const ONE_EACH = NAMESPACES.map(() => 1);

test('one member has everything; two share; four share: every namespace is worked by one', async () => {
  const world = newWorld();
  join(world, 'a');
  await watch(world, 5_000);
  expect(owners(world)).toEqual(ONE_EACH);
  for (const id of ['b', 'c', 'd']) join(world, id);
  await watch(world, 10_000);
  expect(owners(world)).toEqual(ONE_EACH);
  expect(world.twice).toEqual([]);
  for (const { member } of world.all) expect(NAMESPACES.filter(namespace => isOurs(member, namespace)).length).toBeGreaterThan(0);
});

test('a member that leaves hands over at once', async () => {
  const world = newWorld();
  const [a] = [join(world, 'a'), join(world, 'b')];
  await watch(world, 10_000);
  await leave(world, a);
  await watch(world, 5_000);
  expect(owners(world)).toEqual(ONE_EACH);
  expect(world.twice).toEqual([]);
  expect(world.leases.records.get('a')?.holder).toBe('');
  await watch(world, 61_000);
  expect([...world.leases.records.keys()]).toEqual(['b']);
});

test('a deleted lease frees nothing while its member may still work', async () => {
  const world = newWorld();
  const [a] = [join(world, 'a'), join(world, 'b')];
  await watch(world, 10_000);
  a.own.freeze();
  world.leases.records.delete('a');
  join(world, 'c');
  await watch(world, 13_000);
  a.own.thaw();
  await watch(world, 30_000);
  expect(world.twice).toEqual([]);
  expect(owners(world)).toEqual(ONE_EACH);
});

test('who wakes takes nothing over from a member whose lease was deleted while it slept', async () => {
  const world = newWorld();
  const [a] = [join(world, 'a'), join(world, 'b'), join(world, 'c')];
  await watch(world, 10_000);
  a.own.freeze();
  await watch(world, 14_400);
  world.leases.records.delete('b');
  await watch(world, 600);
  a.own.thaw();
  await watch(world, 2_000);
  expect(world.twice).toEqual([]);
});

test('who wakes takes nothing from a member that took it over, and whose lease was deleted then', async () => {
  const world = newWorld();
  const [a] = [join(world, 'a'), join(world, 'b'), join(world, 'c')];
  a.own.freeze();
  await watch(world, 16_000);
  world.leases.records.delete('b');
  a.own.thaw();
  await watch(world, 40_000);
  expect(world.twice).toEqual([]);
  expect(owners(world)).toEqual(ONE_EACH);
});

test('a frozen member is replaced within 20 s, does nothing when it wakes, and joins again', async () => {
  const world = newWorld();
  const [a] = [join(world, 'a'), join(world, 'b'), join(world, 'c')];
  await watch(world, 10_000);
  a.own.freeze();
  await watch(world, 20_000);
  const others = { ...world, all: world.all.slice(1) };
  expect(owners(others)).toEqual(ONE_EACH);
  await watch(world, 40_000);
  a.own.thaw();
  expect(NAMESPACES.filter(namespace => isOurs(a.member, namespace))).toEqual([]);
  await watch(world, 15_000);
  expect(owners(world)).toEqual(ONE_EACH);
  expect(NAMESPACES.some(namespace => isOurs(a.member, namespace))).toBe(true);
  expect(world.twice).toEqual([]);
});

test('the lease of a member that never comes back is removed', async () => {
  const world = newWorld();
  const [a] = [join(world, 'a'), join(world, 'b')];
  await watch(world, 10_000);
  a.own.freeze();
  await watch(world, 90_000);
  expect([...world.leases.records.keys()]).toEqual(['b']);
});

test('while the API server is down everybody stops, and goes on afterwards', async () => {
  const world = newWorld();
  for (const id of ['a', 'b']) join(world, id);
  await watch(world, 10_000);
  world.leases.isDown = true;
  await watch(world, 14_000);
  expect(owners(world)).toEqual(NAMESPACES.map(() => 0));
  world.leases.isDown = false;
  await watch(world, 30_000);
  expect(owners(world)).toEqual(ONE_EACH);
  expect(world.twice).toEqual([]);
});

test('a renewal that arrives when its sender was given up hinders nobody for long and lets nobody work twice', async () => {
  const world = newWorld();
  const [a] = [join(world, 'a'), join(world, 'b')];
  await watch(world, 10_000);
  const late: (() => void)[] = [];
  world.leases.before = record => (record.name === 'a' ? new Promise(resolve => late.push(resolve)) : Promise.resolve());
  await watch(world, 2_500);
  a.own.freeze();
  await watch(world, 20_000);
  world.leases.before = async () => undefined;
  for (const go of late) go();
  await watch(world, 5_000);
  a.own.thaw();
  await watch(world, 40_000);
  expect(owners(world)).toEqual(ONE_EACH);
  expect(world.twice).toEqual([]);
});

type Fault = {
  readonly kind: 'freeze' | 'thaw' | 'down' | 'up' | 'lose' | 'heal' | 'join' | 'leave' | 'delete';
  readonly who: number;
  readonly afterMs: number;
};
const fault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constantFrom('freeze', 'thaw', 'down', 'up', 'lose', 'heal', 'join', 'leave', 'delete'),
  who: fc.nat(3),
  afterMs: fc.integer({ min: 0, max: 20_000 }),
});

async function inflict(world: World, { kind, who, afterMs }: Fault): Promise<void> {
  const actor = world.all[who % world.all.length]!;
  if (kind === 'freeze') actor.own.freeze();
  if (kind === 'thaw') actor.own.thaw();
  if (kind === 'down' || kind === 'up') world.leases.isDown = kind === 'down';
  if (kind === 'lose' || kind === 'heal') world.leases.losesAnswers = kind === 'lose';
  if (kind === 'join' && world.all.length < 6) join(world, `m${world.all.length}`);
  if (kind === 'leave') actor.stopped = true;
  if (kind === 'delete') world.leases.records.delete([...world.leases.records.keys()][who] ?? '');
  await watch(world, afterMs);
}

test('members that died together are not brought back by what their Leases say of each other', async () => {
  const world = newWorld();
  const [a, , c] = ['a', 'b', 'c'].map(id => join(world, id));
  await watch(world, 10_000);
  for (const dead of [a!, c!]) dead.own.freeze();
  await watch(world, 40_000);
  world.leases.records.delete('a');
  for (let n = 0; n < 20; n++) {
    await watch(world, 10_000);
    const left = { ...world, all: world.all.filter(({ member }) => member.options.id === 'b') };
    expect(owners(left)).toEqual(ONE_EACH);
  }
});

test('no namespace is ever worked by two, whatever happens in whatever order; and in the end each has one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 3, maxLength: 14 }), async faults => {
      const world = newWorld();
      for (const id of ['a', 'b', 'c']) join(world, id);
      for (const item of faults) await inflict(world, item);
      for (const { own } of world.all) own.thaw();
      Object.assign(world.leases, { isDown: false, losesAnswers: false });
      // Whoever was told to leave has stopped working; its Lease stays held.
      for (const actor of world.all) if (actor.stopped) await stopMember(actor.member);
      await watch(world, 60_000);
      expect(world.twice).toEqual([]);
      if (world.all.some(({ stopped }) => !stopped)) expect(owners(world)).toEqual(ONE_EACH);
    }),
    tries(25),
  );
}, 300_000);

test('replicas of the two ways to work never work at the same time: the leader has the right of way', async () => {
  const world = newWorld();
  for (const id of ['a', 'b']) join(world, id);
  await watch(world, 10_000);
  const own = processClock(world.clock);
  const leader = startLeader({
    port: world.leases.port,
    clock: own,
    random: () => 0.5,
    name: LEADER_LEASE,
    holder: 'leader',
    log: () => undefined,
    onChange: () => undefined,
  });
  const both: string[] = [];
  const pass = async (ms: number): Promise<void> => {
    for (const end = world.clock.ms() + ms; world.clock.ms() < end; ) {
      await watch(world, 100);
      const busy = world.all.some(({ member, working }) => [...working].some(namespace => isOurs(member, namespace)));
      if (isLeading(leader) && busy) both.push(String(world.clock.ms()));
    }
  };
  await pass(10_000);
  expect(isLeading(leader)).toBe(true);
  expect(owners(world)).toEqual(NAMESPACES.map(() => 0));
  own.freeze();
  await pass(30_000);
  expect(owners(world)).toEqual(ONE_EACH);
  own.thaw();
  await pass(100);
  expect(isLeading(leader)).toBe(false);
  await pass(15_000);
  expect(isLeading(leader)).toBe(true);
  expect(owners(world)).toEqual(NAMESPACES.map(() => 0));
  const stopping = stopLeader(leader);
  await pass(10_000);
  await stopping;
  expect(owners(world)).toEqual(ONE_EACH);
  expect([...both, ...world.twice]).toEqual([]);
});

test('a member that is frozen while it works is waited for by the leader', async () => {
  const world = newWorld();
  const a = join(world, 'a');
  await watch(world, 10_000);
  a.own.freeze();
  const options = { port: world.leases.port, clock: processClock(world.clock), random: () => 0.5, log: () => undefined, onChange: () => undefined };
  const leader = startLeader({ ...options, name: LEADER_LEASE, holder: 'leader' });
  await world.clock.pass(12_000);
  expect(isLeading(leader)).toBe(false);
  await world.clock.pass(8_000);
  expect(isLeading(leader)).toBe(true);
  a.own.thaw();
  await watch(world, 20_000);
  expect(owners(world)).toEqual(NAMESPACES.map(() => 0));
});

test('a leader that waits for its Lease waits for dead members at the same time; without election too', async () => {
  const world = newWorld();
  const a = join(world, 'a');
  await watch(world, 10_000);
  const options = { port: world.leases.port, clock: processClock(world.clock), random: () => 0.5, log: () => undefined, onChange: () => undefined };
  world.leases.records.set(LEADER_LEASE, { ...world.leases.records.get('a')!, name: LEADER_LEASE, holder: 'dead', labels: {}, annotations: {}, version: 'x' });
  a.own.freeze();
  const taking = takeLease({ ...options, name: LEADER_LEASE, holder: 'new' });
  await world.clock.pass(18_000);
  expect(isLeading(await Promise.race([taking, Promise.reject(new Error('not in time'))]))).toBe(true);
});
