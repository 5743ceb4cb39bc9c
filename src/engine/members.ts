/** Sharing the work: each replica keeps a Lease of its own, on which it publishes the members it goes by. */
import { isError } from '../core/errors.ts';
import type { Clock } from './clock.ts';
import type { Log } from './engine.ts';
import {
  ask,
  confirm,
  type Hold,
  isFree,
  LAPSE_MS,
  LEADER_LEASE,
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
  VIEW_ANNOTATION,
  viewOf,
} from './lease.ts';
import { isGivenUp, mayWork, newOwners, type Peer, sameView, type View } from './shards.ts';

export interface MemberOptions {
  readonly port: LeasePort;
  readonly clock: Clock;
  /** Ours alone: a process that starts again is another one. Also the name of its Lease. */
  readonly id: string;
  readonly durationMs?: number;
  readonly retryMs?: number;
  readonly log: Log;
  /** Called when namespaces may have come or gone. */
  readonly onChange: () => void;
  /** Resolves when nothing of these namespaces is worked any more. What is given up is not begun from the call on. */
  readonly drained: (isMoving: (namespace: string) => boolean) => Promise<void>;
}

export interface Member {
  readonly options: MemberOptions;
  readonly hold: Hold;
  readonly owners: ReturnType<typeof newOwners>;
  record: LeaseRecord | undefined;
  /** Those of `Standing`. */
  view: View;
  viewBefore: View;
  target: View;
  peers: readonly Peer[];
  isRead: boolean;
  readonly sightings: Map<string, Sighting>;
  /** Of one who leads, and so works everything: a replica of the other mode. */
  leader: Sighting | undefined;
  /** Said to the log. */
  told: string;
  cancelLapse: () => void;
  /** Members came or went: what the next view takes away is being let go, or is let go and the view not published yet. */
  turning: 'no' | 'draining' | 'drained';
  readonly ending: AbortController;
  /** Ends a pause. */
  nudge: AbortController;
  loop: Promise<void>;
}

/** A Lease that is held by nobody for so many durations is removed by whoever sees it. */
const LITTER = 4;

/** Joins, and shares from then on, until it is stopped. */
export function startMember(options: MemberOptions): Member {
  const member: Member = {
    options,
    hold: { untilMs: 0, term: 0 },
    owners: newOwners(),
    record: undefined,
    view: [],
    viewBefore: [],
    target: [],
    peers: [],
    isRead: false,
    sightings: new Map(),
    leader: undefined,
    told: '',
    cancelLapse: () => undefined,
    turning: 'no',
    ending: new AbortController(),
    nudge: new AbortController(),
    loop: Promise.resolve(),
  };
  member.loop = share(member);
  return member;
}

/** True while our Lease is held and the namespace is ours by everybody's view. */
export function isOurs(member: Member, namespace: string): boolean {
  const { hold, options, owners } = member;
  return options.clock.ms() < hold.untilMs && mayWork(namespace, { me: options.id, ...member }, owners);
}

/** Leaves: others take over at once. Call it when all work has ended. Never throws. */
export async function stopMember(member: Member): Promise<void> {
  const { port, clock, durationMs = LEASE_MS, log } = member.options;
  member.ending.abort();
  member.nudge.abort();
  await member.loop;
  member.cancelLapse();
  member.hold.untilMs = 0;
  const { record } = member;
  if (record === undefined) return;
  await ask(clock, durationMs, signal => port.put({ ...record, holder: '', renewedAt: clock.now() }, signal)).catch(error =>
    log('warn', `the lease ${record.name} could not be given back: ${String(error)}`),
  );
}

async function share(member: Member): Promise<void> {
  const { clock, retryMs = RETRY_MS } = member.options;
  while (!member.ending.signal.aborted) {
    await step(member).catch(error => complain(member, error));
    if (member.ending.signal.aborted) return;
    await pause(clock, retryMs, member.nudge.signal);
    if (member.nudge.signal.aborted) member.nudge = new AbortController();
  }
}

function complain(member: Member, error: unknown): void {
  member.record = undefined;
  tell(member, 'warn', notRenewed(member.options.id, error));
}

/** Renews with the view that holds now, reads the others, and turns to a new view when members came or went. */
async function step(member: Member): Promise<void> {
  if (member.turning === 'drained') adopt(member);
  await publish(member, isLapsed(member) ? [] : member.view);
  const alive = await readPeers(member);
  member.options.onChange();
  // Whatever ended meanwhile: the view that was chosen is published before another is.
  if (member.turning !== 'no') return;
  if (!sameView(alive, member.view)) return turnTo(member, alive);
  tell(member, 'info', alive.length === 0 ? `waits for ${member.leader?.record.holder}, which leads` : `shares the work with ${alive.length - 1} others`);
}

const isLapsed = ({ hold, options }: Member): boolean => options.clock.ms() >= hold.untilMs;

/** Lets go what the new view takes away; another step follows at once when nothing of that is worked any more. */
function turnTo(member: Member, alive: View): void {
  const { options, view } = member;
  member.target = alive;
  member.turning = 'draining';
  options.onChange();
  void options
    .drained(namespace => isGivenUp(namespace, options.id, view, alive))
    .then(() => {
      member.turning = 'drained';
      member.nudge.abort();
    });
}

/** Goes by the new view. What it gains is worked only after it was published and the others were read. */
function adopt(member: Member): void {
  member.turning = 'no';
  member.viewBefore = member.view;
  member.view = member.target;
  member.isRead = false;
}

/** The write that renews our Lease and says what we go by. */
async function publish(member: Member, view: View): Promise<void> {
  const { port, clock, id, durationMs = LEASE_MS } = member.options;
  const { term } = member.hold;
  const found = member.record ?? (await ask(clock, durationMs, signal => port.get(id, signal)));
  const wanted = taken(found, { name: id, holder: id, durationMs, labels: { [MEMBER_LABEL]: 'true' } }, clock.now());
  member.record = undefined;
  const sentMs = clock.ms();
  // A process may have stood still since the view was chosen.
  const published = isLapsed(member) ? [] : view;
  if (published !== member.view) forgetView(member);
  const record = { ...wanted, annotations: { [VIEW_ANNOTATION]: published.join(' ') } };
  member.record = await ask(clock, durationMs, signal => port.put(record, signal));
  confirm(member.hold, sentMs, clock.ms(), durationMs);
  member.cancelLapse();
  member.cancelLapse = clock.after(member.hold.untilMs - clock.ms() + LAPSE_MS, member.options.onChange);
  // The answer came after the lapse: others may have gone on without us, whatever this write said.
  if (member.hold.term !== term && published.length > 0) forgetView(member);
}

/** Begins again, with nothing. */
function forgetView(member: Member): void {
  member.view = [];
  member.viewBefore = [];
  member.target = [];
  member.isRead = false;
  if (member.turning === 'drained') member.turning = 'no';
}

/** Reads who is alive, ourselves included, and what they go by. While one leads, nobody counts: it works everything. */
async function readPeers(member: Member): Promise<View> {
  const { port, clock, id, durationMs = LEASE_MS } = member.options;
  const { view, sightings } = member;
  const sentMs = clock.ms();
  const [all, leader] = await ask(clock, durationMs, signal => Promise.all([port.list(MEMBER_LABEL, signal), port.get(LEADER_LEASE, signal)]));
  const records = all.filter(record => record.name !== id);
  member.leader = sight(member.leader, leader, sentMs, clock.ms());
  for (const record of records) sightings.set(record.name, sight(sightings.get(record.name), record, sentMs, clock.ms())!);
  noteVanished(member, records, sentMs);
  const alive = [...sightings.values()].filter(sighting => !isFree(sighting, sentMs)).map(({ record }) => record);
  member.peers = alive.map(record => ({ id: record.name, view: viewOf(record) }));
  // Only a read that began after the view was published says what others made of it; of one whose Lease is gone it says nothing.
  if (member.view === view && alive.every(record => record.version !== '')) member.isRead = true;
  sweep(member, records, sentMs);
  if (member.leader !== undefined && !isFree(member.leader, sentMs)) return [];
  return [id, ...alive.map(record => record.name)].sort();
}

/**
 * A Lease that somebody deleted frees nothing: its member, known to us or only to others, goes on until its time is over. After that it
 * is remembered for a while: others may name it for longer than it lives.
 */
function noteVanished({ sightings, options }: Member, records: readonly LeaseRecord[], sentMs: number): void {
  const names = new Set(records.map(record => record.name));
  const isForgotten = ({ record, sinceMs }: Sighting): boolean => options.clock.ms() > sinceMs + 2 * LITTER * record.durationMs;
  for (const [name, sighting] of sightings) {
    if (names.has(name)) continue;
    if (isForgotten(sighting)) sightings.delete(name);
    else sightings.set(name, sight(sighting, undefined, sentMs, options.clock.ms())!);
  }
  // Whoever is dead itself knows nothing of who is alive.
  for (const record of records.filter(item => !isFree(sightings.get(item.name)!, options.clock.ms()))) {
    for (const name of viewOf(record)) {
      if (name === options.id || sightings.has(name)) continue;
      sightings.set(name, { record: { ...record, name, holder: name, version: '' }, sinceMs: options.clock.ms(), shownMs: sentMs });
    }
  }
}

function sweep({ sightings, options }: Member, records: readonly LeaseRecord[], nowMs: number): void {
  const { port, clock, durationMs = LEASE_MS, log } = options;
  for (const record of records) {
    const { sinceMs } = sightings.get(record.name)!;
    if (nowMs < sinceMs + LITTER * record.durationMs) continue;
    ask(clock, durationMs, signal => port.remove(record, signal)).catch(error => {
      if (!isError(error, 'StoreConflict')) log('debug', `the lease ${record.name} of a member that is gone stays: ${String(error)}`);
    });
  }
}
