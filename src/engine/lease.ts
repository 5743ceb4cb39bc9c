/**
 * A Lease of coordination.k8s.io/v1 as the engine uses it. Whether it is held, by us or by another, is judged by our own monotonic clock
 * alone: what others write as time is never read.
 */
import { EngineError } from '../core/errors.ts';
import type { StringMap, Timestamp } from '../core/types.ts';
import type { Clock } from './clock.ts';
import { withDeadline } from './deadline.ts';
import type { Log } from './engine.ts';

export interface LeaseRecord {
  readonly name: string;
  /** '' once it was given back. */
  readonly holder: string;
  /** Whole seconds in Kubernetes. */
  readonly durationMs: number;
  readonly acquiredAt: Timestamp;
  readonly renewedAt: Timestamp;
  /** How often the holder changed. */
  readonly transitions: number;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  /** Of Kubernetes, opaque; '' for one that is not stored yet. */
  readonly version: string;
}

/** Where Leases are kept. Every read is live. Errors: StoreConflict, StoreUnavailable. */
export interface LeasePort {
  get(name: string, signal: AbortSignal): Promise<LeaseRecord | undefined>;
  /** Those that bear the label, in any order. */
  list(label: string, signal: AbortSignal): Promise<LeaseRecord[]>;
  /** Creates one with version ''; else replaces exactly that version, and makes one that was deleted again. Returns it as stored. */
  put(record: LeaseRecord, signal: AbortSignal): Promise<LeaseRecord>;
  /** Deletes exactly this version. */
  remove(record: LeaseRecord, signal: AbortSignal): Promise<void>;
}

/** The Lease of the one leader. */
export const LEADER_LEASE = 'plinth-controller';
/** Marks the Leases of members, who share the work. */
export const MEMBER_LABEL = 'plinth.dev/member';
/** On a member's Lease: the members it goes by, one blank between two. None: it works nothing. */
export const VIEW_ANNOTATION = 'plinth.dev/members';

/** The members that a member's Lease says it goes by. */
export function viewOf({ annotations }: LeaseRecord): readonly string[] {
  return (annotations[VIEW_ANNOTATION] ?? '').split(' ').filter(name => name !== '');
}

/** Those of Kubernetes' own components: a holder that died is replaced within duration + retry. */
export const LEASE_MS = 15_000;
export const RETRY_MS = 2_000;
/** A holder stops this much before others may take over: clocks that run at speeds up to a tenth apart do no harm. */
const HOLD_SHARE = 0.9;
/** A timer may be a moment early; a lapse is told when it is certain, ms. */
export const LAPSE_MS = 10;
/** Bound of one call where Leases are of the usual length: what is left of one that was renewed a moment ago. */
export const LEASED_CALL_MS = 10_000;

/** What we hold ourselves. */
export interface Hold {
  /** By our monotonic clock, ms; 0 when nothing is held. */
  untilMs: number;
  /** Rises after every gap: work begun in an earlier term must not go on, others may have worked meanwhile. */
  term: number;
}

/** What a write that was confirmed means: the time counts from before it was sent. */
export function confirm(hold: Hold, sentMs: number, nowMs: number, durationMs: number): void {
  if (nowMs >= hold.untilMs) hold.term += 1;
  hold.untilMs = sentMs + durationMs * HOLD_SHARE;
}

/** Another's Lease as last seen. */
export interface Sighting {
  readonly record: LeaseRecord;
  /** When this state of it was first seen, or seen to be gone: the answer was there. */
  readonly sinceMs: number;
  /** When the last read that showed it was sent. */
  readonly shownMs: number;
}

/**
 * `sentMs` and `answeredMs`: of the read. A record that vanished is not one that was given back: unless it was seen to be free, it may have
 * been renewed until right before the read that shows that it is gone.
 */
export function sight(before: Sighting | undefined, record: LeaseRecord | undefined, sentMs: number, answeredMs: number): Sighting | undefined {
  if (record !== undefined)
    return before?.record.version === record.version ? { ...before, shownMs: sentMs } : { record, sinceMs: answeredMs, shownMs: sentMs };
  if (before === undefined || before.record.version === '' || isFree(before, before.shownMs)) return before;
  return { ...before, record: { ...before.record, version: '' }, sinceMs: answeredMs };
}

/** True when it was given back, or a read sent at `sentMs` shows nothing newer than what was first seen a whole duration earlier. */
export function isFree({ record, sinceMs }: Sighting, sentMs: number): boolean {
  return record.holder === '' || sentMs >= sinceMs + record.durationMs;
}

/** A request for a Lease is given up early enough for another try. Nothing else cuts it off: what is stored would not be known. */
export function ask<T>(clock: Clock, durationMs: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withDeadline(clock, durationMs / 4, new AbortController().signal, run);
}

/** Resolves after `ms`, or at once when the signal is aborted. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener('abort', end, { once: true });
  });
}

/** Ours from now on. */
export function taken(found: LeaseRecord | undefined, wanted: Pick<LeaseRecord, 'name' | 'holder' | 'durationMs' | 'labels'>, now: Timestamp): LeaseRecord {
  const base = { ...wanted, renewedAt: now, annotations: found?.annotations ?? {}, version: found?.version ?? '' };
  if (found === undefined) return { ...base, acquiredAt: now, transitions: 0 };
  if (found.holder === wanted.holder) return { ...base, acquiredAt: found.acquiredAt, transitions: found.transitions };
  return { ...base, acquiredAt: now, transitions: found.transitions + 1 };
}

/** Why nothing may be done now. */
export function leaseLost(what: string): EngineError {
  return new EngineError('LeaseLost', `${what}: the lease is not held for long enough`);
}

/** Who says how it stands with a Lease, and what was said last. */
interface Teller {
  told: string;
  readonly options: { readonly log: Log };
}

/** Logs a line, unless it is the one that was logged last: what stays as it is is said once. */
export function tell(teller: Teller, level: 'info' | 'warn', line: string): void {
  if (teller.told !== line) teller.options.log(level, line);
  teller.told = line;
}

/** What is said of a renewal that failed. */
export function notRenewed(name: string, error: unknown): string {
  return `the lease ${name} cannot be renewed: ${error instanceof Error ? error.message : String(error)}`;
}
