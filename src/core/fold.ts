/** The inventory after the calls of a turn: what each outcome made of its entry. Pure. */
import { sentDigests } from './diff.ts';
import type { EngineError, ErrorCode } from './errors.ts';
import { identityKey, isOwned } from './match.ts';
import type { Action, InventoryEntry, Outcome, OwnedEntry } from './types.ts';

/** `key`: the instance's HMAC key. Entries no outcome speaks of stay as they are. */
export function fold(inventory: readonly InventoryEntry[], outcomes: readonly Outcome[], key: string): InventoryEntry[] {
  const byEntry = new Map(outcomes.filter(outcome => isOwned(outcome.action.entry)).map(outcome => [identityKey(outcome.action.entry as OwnedEntry), outcome]));
  return inventory.flatMap(entry => {
    const outcome = isOwned(entry) ? byEntry.get(identityKey(entry)) : undefined;
    return outcome === undefined ? [entry] : foldOne(entry as OwnedEntry, outcome, key);
  });
}

function foldOne(entry: OwnedEntry, outcome: Outcome, key: string): InventoryEntry[] {
  const { action, at } = outcome;
  if (outcome.result === 'failed') return [failed(entry, action, outcome.error)];
  switch (action.kind) {
    case 'create':
      return [
        {
          ...made(entry),
          phase: 'Created',
          since: at,
          changedAt: at,
          settled: {},
          sent: sentDigests(secretChanges(action), action.desired.secrets, key),
          message: '',
          // What is made again in the place of a lost one is what the claim worked with.
          ...(action.because === 'new' ? { unused: true as const } : {}),
        },
      ];
    case 'update':
      return [{ ...entry, changedAt: at, sent: { ...entry.sent, ...sentDigests(action.changes, action.desired.secrets, key) } }];
    case 'delete':
      return [{ ...entry, phase: 'Deleting', since: entry.phase === 'Deleting' ? entry.since : at, changedAt: at, ready: false, message: 'is being deleted' }];
    case 'forget':
      return [];
    default:
      return [entry];
  }
}

/** A refusal leaves nothing behind; after anything else the call may have done its work. */
const MAY_HAVE_WORKED: ReadonlySet<ErrorCode> = new Set(['Timeout', 'Unreachable', 'ServiceError', 'ProviderFailure', 'Aborted', 'LeaseLost']);

function failed(entry: OwnedEntry, action: Action, error: EngineError): OwnedEntry {
  const noted = action.kind === 'create' && entry.phase === 'Intended' && !MAY_HAVE_WORKED.has(error.code) ? ({ unmade: true } as const) : {};
  return error.code === 'AlreadyExists' ? { ...entry, ...noted } : { ...entry, ...noted, message: error.message };
}

function made(entry: OwnedEntry): OwnedEntry {
  const { unmade: _, ...rest } = entry;
  return rest;
}

const secretChanges = (action: Extract<Action, { kind: 'create' }>) =>
  action.desired.secrets.map(leaf => ({ path: leaf.path, desired: undefined, observed: undefined, cause: 'changed', secret: true }) as const);
