/** Leader election: of all who ask, at most one holds the Lease. */
import { EngineError, isError } from '../core/errors.ts';
import type { Clock } from './clock.ts';
import type { Log } from './engine.ts';
import {
  ask,
  confirm,
  type Hold,
  isFree,
  LAPSE_MS,
  LEASE_MS,
  type LeasePort,
  type LeaseRecord,
  MEMBER_LABEL,
  notRenewed,
  pause,
  RETRY_MS,
  type Sighting,
  sight,
  taken,
  tell,
  viewOf,
} from './lease.ts';

export interface LeaderOptions {
  readonly port: LeasePort;
  readonly clock: Clock;
  /** In [0, 1): spreads those who wait. */
  readonly random: () => number;
  /** Of the Lease. */
  readonly name: string;
  /** Ours alone: a process that starts again is another one. */
  readonly holder: string;
  readonly durationMs?: number;
  readonly retryMs?: number;
  readonly log: Log;
  /** Called when it was got or lost. */
  readonly onChange: () => void;
}

export interface Leader {
  readonly options: LeaderOptions;
  readonly hold: Hold;
  /** As last seen. */
  record: LeaseRecord | undefined;
  sighting: Sighting | undefined;
  /** Members of a former way to work, by name: each has to let go first. */
  readonly members: Map<string, Sighting>;
  /** The term in which it was seen that none of them works. */
  clearTerm: number;
  /** Said to the log. */
  told: string;
  /** Tells of a lease that lapses because nothing can be renewed. */
  cancelLapse: () => void;
  readonly ending: AbortController;
  loop: Promise<void>;
}

/** Asks for the Lease from now on, until it is stopped. */
export function startLeader(options: LeaderOptions): Leader {
  const leader = newLeader(options);
  leader.loop = campaign(leader);
  return leader;
}

/**
 * Without election: takes the Lease, then keeps it. LeaseHeld as soon as another is seen to renew it; one that does not is waited for,
 * because only time tells that it is dead. StoreUnavailable when the first look fails.
 */
export async function takeLease(options: LeaderOptions): Promise<Leader> {
  const leader = newLeader(options);
  await step(leader);
  const first = leader.sighting?.record.version;
  while (!isLeading(leader)) {
    if (isAnothers(leader) && leader.record?.version !== first) {
      leader.ending.abort();
      throw new EngineError('LeaseHeld', `the lease ${options.name} is held by ${leader.record?.holder}`);
    }
    await pause(options.clock, waitMs(leader), leader.ending.signal);
    await step(leader).catch(error => complain(leader, error));
  }
  leader.loop = campaign(leader);
  return leader;
}

function isAnothers({ record, options }: Leader): boolean {
  return record !== undefined && record.holder !== '' && record.holder !== options.holder;
}

function newLeader(options: LeaderOptions): Leader {
  return {
    options,
    hold: { untilMs: 0, term: 0 },
    record: undefined,
    sighting: undefined,
    members: new Map(),
    clearTerm: 0,
    told: '',
    cancelLapse: () => undefined,
    ending: new AbortController(),
    loop: Promise.resolve(),
  };
}

/** True while the Lease is held for sure, and nobody who shares works any more. */
export function isLeading(leader: Leader): boolean {
  return leader.options.clock.ms() < leadsUntil(leader);
}

/** By the clock's milliseconds; 0 when it must not work. */
export function leadsUntil({ hold, clearTerm }: Leader): number {
  return hold.term === clearTerm ? hold.untilMs : 0;
}

/** Stops asking and gives the Lease back, so that another need not wait. Call it when all work has ended. Never throws. */
export async function stopLeader(leader: Leader): Promise<void> {
  const { port, clock, durationMs = LEASE_MS, holder, log } = leader.options;
  leader.ending.abort();
  await leader.loop;
  leader.cancelLapse();
  const { record } = leader;
  leader.hold.untilMs = 0;
  if (record?.holder !== holder) return;
  const free = { ...record, holder: '', renewedAt: clock.now() };
  await ask(clock, durationMs, signal => port.put(free, signal)).catch(error =>
    log('warn', `the lease ${record.name} could not be given back: ${String(error)}`),
  );
}

async function campaign(leader: Leader): Promise<void> {
  const { signal } = leader.ending;
  while (!signal.aborted) {
    await step(leader).catch(error => complain(leader, error));
    await pause(leader.options.clock, waitMs(leader), signal);
  }
}

/** The holder renews evenly; who waits looks again by chance, or when the Lease may have expired. */
function waitMs({ hold, sighting, options }: Leader): number {
  const { clock, random, durationMs = LEASE_MS, retryMs = RETRY_MS } = options;
  if (clock.ms() < hold.untilMs || sighting === undefined) return retryMs;
  const expiryMs = sighting.sinceMs + durationMs - clock.ms();
  return Math.min(retryMs * (1 + 0.2 * random()), expiryMs > 0 ? expiryMs + 1 : Number.POSITIVE_INFINITY);
}

function complain(leader: Leader, error: unknown): void {
  if (leader.ending.signal.aborted) return;
  // What is stored now is not known: the next step looks.
  leader.record = undefined;
  tell(leader, 'warn', notRenewed(leader.options.name, error));
}

/** Renews, takes or looks. Errors: those of the port, Timeout. */
async function step(leader: Leader): Promise<void> {
  const { holder } = leader.options;
  if (leader.record?.holder === holder) {
    try {
      return await put(leader, leader.record);
    } catch (error) {
      if (!isError(error, 'StoreConflict')) throw error;
    }
  }
  const { found, sentMs } = await look(leader);
  const { sighting } = leader;
  if (sighting === undefined || sighting.record.holder === holder || isFree(sighting, sentMs)) {
    await put(leader, found).catch(error => {
      if (!isError(error, 'StoreConflict')) throw error;
    });
    return;
  }
  leave(leader);
  await lookAtMembers(leader);
  tell(leader, 'info', `${sighting.record.holder} holds the lease ${sighting.record.name}`);
}

async function look(leader: Leader): Promise<{ found: LeaseRecord | undefined; sentMs: number }> {
  const { port, clock, name, durationMs = LEASE_MS } = leader.options;
  const sentMs = clock.ms();
  const found = await ask(clock, durationMs, signal => port.get(name, signal));
  leader.record = found;
  leader.sighting = sight(leader.sighting, found, sentMs, clock.ms());
  return { found, sentMs };
}

async function put(leader: Leader, found: LeaseRecord | undefined): Promise<void> {
  const { port, clock, name, holder, durationMs = LEASE_MS, onChange } = leader.options;
  const sentMs = clock.ms();
  leader.record = undefined;
  const wanted = taken(found, { name, holder, durationMs, labels: found?.labels ?? {} }, clock.now());
  leader.record = await ask(clock, durationMs, signal => port.put(wanted, signal));
  leader.sighting = sight(leader.sighting, leader.record, sentMs, clock.ms());
  confirm(leader.hold, sentMs, clock.ms(), durationMs);
  leader.cancelLapse();
  leader.cancelLapse = clock.after(leader.hold.untilMs - clock.ms() + LAPSE_MS, onChange);
  if (leader.hold.term !== leader.clearTerm) await clear(leader);
}

/** Replicas that share are seen off: they let go when they see the Lease, and this one works when it sees that they have. */
async function clear(leader: Leader): Promise<void> {
  const { clock, name, onChange } = leader.options;
  const { term } = leader.hold;
  const sentMs = clock.ms();
  await lookAtMembers(leader);
  const working = [...leader.members.values()].filter(sighting => !isFree(sighting, sentMs) && viewOf(sighting.record).length > 0);
  if (working.length > 0) return tell(leader, 'info', `waits for ${working[0]!.record.name}, which shares the work, to let go`);
  leader.clearTerm = term;
  tell(leader, 'info', `this process holds the lease ${name}`);
  onChange();
}

/** Also while another leads: whoever waits for the Lease must not begin to wait for dead members only then. */
async function lookAtMembers({ options, members }: Leader): Promise<void> {
  const { port, clock, durationMs = LEASE_MS } = options;
  const sentMs = clock.ms();
  const records = new Map((await ask(clock, durationMs, signal => port.list(MEMBER_LABEL, signal))).map(record => [record.name, record]));
  for (const name of [...members.keys(), ...records.keys()]) members.set(name, sight(members.get(name), records.get(name), sentMs, clock.ms())!);
}

/** Another has it. */
function leave(leader: Leader): void {
  if (leader.hold.untilMs === 0) return;
  leader.hold.untilMs = 0;
  leader.cancelLapse();
  leader.options.onChange();
}
