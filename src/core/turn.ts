/** What one turn of planning is given, what a step of it gives back, and the rule that holds back what holds something. Pure. */
import { EngineError } from './errors.ts';
import { mayGoFor, type Setting } from './match.ts';
import type { Action, DriftRow, InventoryEntry, Observed, OwnedEntry, Rendering, Timestamp } from './types.ts';

export interface PlanInput extends Setting {
  /** Undefined: the claim is being deleted, and nothing is desired. */
  readonly rendering: Rendering | undefined;
  readonly inventory: readonly InventoryEntry[];
  /** By identityKey; what is missing here is asked for in `look`. */
  readonly observed: ReadonlyMap<string, Observed>;
  /** Identities that stood on the stored claim when the pass began. */
  readonly recorded: ReadonlySet<string>;
  /** `create <identityKey>` …: each verb at most once per resource and pass. `refused <identityKey>`: only a person could make it work. */
  readonly tried: ReadonlySet<string>;
  /** When this process first looked at the claim: who worked it before is gone, and after this none of its calls has left. */
  readonly quietSince: Timestamp;
  /** By identityKey: when the last making call of this process was over. */
  readonly lastTries?: ReadonlyMap<string, Timestamp>;
  /** Earlier drift rows of the claim. */
  readonly drift: readonly DriftRow[];
  /** Hash of the plan that a person approved. */
  readonly approved: string | undefined;
  /** A person asked to make lost things again. */
  readonly recreate: boolean;
  /** A person asked to let go what cannot be deleted. */
  readonly abandon: boolean;
  /** The namespace of the claim is going, and this code stands in the way: what only a person could mend is let go. */
  readonly stuck?: string | undefined;
  /** Set while a newer revision waits for approval and the last one serves: what retires and is wanted again by the newer one. It is kept. */
  readonly wantedAgain?: ReadonlySet<string>;
}

/** `entries`: what stands in the inventory after planning; empty: dropped. `held`: would be retired if a person approved. */
export interface Step {
  readonly entries: readonly InventoryEntry[];
  readonly actions: readonly Action[];
  readonly look?: readonly OwnedEntry[];
  readonly held?: readonly OwnedEntry[];
}

/** Nothing is done; `error` says why and what would help. */
export function blocked(entry: InventoryEntry, error: EngineError): Step {
  return { entries: [entry], actions: [{ kind: 'blocked', entry, error }] };
}

/** Nothing is done yet. `on`: a resource id or `Kind/name`; `until`: when the wait is over by itself. */
export function waiting(before: InventoryEntry, on: string, message: string, until?: string): Step {
  const entry = { ...before, message };
  return { entries: [entry], actions: [{ kind: 'wait', entry, on, message, until }] };
}

/** How long a missing thing must stay missing before it is believed gone. */
const CONFIRM_MS = 2_000;

/** Undefined once an absent thing was missed for long enough to be believed gone; else the step that notes since when, and looks again. */
export function missedStep(input: PlanInput, entry: OwnedEntry): Step | undefined {
  const missing = entry.missing ?? input.now;
  const until = Date.parse(missing) + CONFIRM_MS;
  if (Date.parse(input.now) >= until) return undefined;
  return waiting({ ...entry, missing }, entry.id, `${entry.name} is not there; looking again`, new Date(until).toISOString());
}

/**
 * Undefined when the entry may go; else the step that keeps it and says why. What holds something goes only with an approval of what takes its
 * place (`place`, '' for nothing), unless the claim never worked with it.
 */
export function mayRetire(input: PlanInput, entry: OwnedEntry, why: string, place: string): Step | undefined {
  if (entry.origin === 'Observed') return undefined;
  if (input.lifecycle.management === 'ObserveOnly') return blocked(entry, observeOnly(entry, why));
  if (input.policy.swap === 'Automatic' || entry.unused === true || entry.phase === 'Intended') return undefined;
  // An approval that was given before a newer revision came is none for what is wanted now.
  if (input.wantedAgain === undefined && mayGoFor(entry, place)) return undefined;
  if (entry.holds === 'nothing' && input.policy.swap !== 'Refuse') return undefined;
  const refuse = input.policy.swap === 'Refuse';
  const what = entry.holds === 'nothing' ? why : `${why} (it holds ${entry.holds === 'data' ? 'data' : 'a backlog'})`;
  const error = refuse
    ? new EngineError('SwapRefused', `${entry.id}: ${what}, and the class refuses swaps`)
    : new EngineError('SwapPending', `${entry.id}: ${what}`);
  return { entries: [entry], actions: [{ kind: 'blocked', entry, error }], ...(refuse ? {} : { held: [{ ...entry, approvedFor: place }] }) };
}

/** The entry once it is wanted again: it does not retire, and nobody let it go. */
export function staying({ now }: PlanInput, entry: OwnedEntry): OwnedEntry {
  const { approved: _, approvedFor: __, ...rest } = entry;
  return rest.phase === 'Retiring' ? { ...rest, phase: 'Present', since: now } : rest;
}

/** Why what the claim asks for is not done. */
export function observeOnly(entry: InventoryEntry, what: string): EngineError {
  return new EngineError('ObserveOnly', `${entry.id}: ${what}, and the claim only observes`);
}
