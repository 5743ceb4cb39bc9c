/** What is true, told: conditions, drift rows, outputs and when to look again. Pure. */
import { boundedValue } from './bounds.ts';
import { equal } from './digest.ts';
import { EngineError, isError, sentence } from './errors.ts';
import { identityKey, isLeaving, isOwned } from './match.ts';
import { isRedacted } from './redact.ts';
import type {
  Action,
  Change,
  Claim,
  ClaimStatus,
  Condition,
  ConditionType,
  DriftRow,
  InventoryEntry,
  JsonObject,
  Lifecycle,
  Outcome,
  OwnedEntry,
  Plan,
  Rendering,
  ResourceId,
  Timestamp,
} from './types.ts';

/**
 * `done`: nothing is left to do for this key until it changes (the claim is gone, or paused).
 * `again`: look again after `afterMs` milliseconds, or sooner when something it depends on changes.
 * - progress: work is left that can be done right away
 * - backoff: something failed; `afterMs` is the least wait, the queue's own backoff of the key counts if it is longer
 * - poll: a provider is working
 * - recheck, resync: the slow look at what is stalled or fine; spread by ±20 % so that claims do not march in step
 */
export type Schedule =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly afterMs: number; readonly because: 'progress' | 'backoff' | 'poll' | 'recheck' | 'resync' };

export interface ReportInput {
  readonly claim: Claim;
  /** Undefined when nothing could be chosen: what status says stays. */
  readonly served: { readonly class: string; readonly composition: string; readonly revision: string; readonly lifecycle: Lifecycle } | undefined;
  /** What kept the pass from choosing, compiling or serving the newest revision. */
  readonly error: EngineError | undefined;
  /** A failed look that the newest revision waits for. */
  readonly unseen?: EngineError | undefined;
  readonly rendering: Rendering | undefined;
  /** Of the last turn. */
  readonly plan: Plan | undefined;
  /** Of all turns. */
  readonly outcomes: readonly Outcome[];
  /** After all turns. */
  readonly inventory: readonly InventoryEntry[];
  /** The plan that waits for approval. */
  readonly swap: { readonly hash: string; readonly summary: readonly string[] } | undefined;
  readonly binding: { readonly name: string; readonly error: EngineError | undefined; readonly drift: readonly DriftRow[] } | undefined;
  /** Fields that what is connected cannot do, as sentences. */
  readonly notes: readonly string[];
  /** Passes in a row in which something could not be read, this one included. */
  readonly failedReads: number;
  readonly pollMs: number;
  readonly now: Timestamp;
}
interface Problem {
  readonly error: EngineError;
  /** A failed read says nothing about the thing itself. */
  readonly read: boolean;
}

export const STATUS_ROWS = 20;
/** A waiting error stalls a claim only after this long, so that a chart that brings claim and class together does not fail. */
const STALL_AFTER_MS = 120_000;
const PROGRESS_MS = 1_000;
const WAITING_MS = 5_000;
const RECHECK_MS = 600_000;
/** Failed reads after which Synced turns Unknown, and Ready is no longer believed. */
const SYNCED_UNKNOWN_AT = 2;
const READY_UNKNOWN_AFTER = 3;
/** Work that the provider does in steps: looked at again soon. */
const BRIEF = new Set(['Busy', 'Purging']);
/** Waiting that is part of normal life: never a stall. */
const PATIENT = new Set([
  'SwapPending',
  'Drifted',
  'Contested',
  'NotConverging',
  'Purging',
  'Busy',
  'NameNotReleased',
  'WaitingForResource',
  'ScopeChanged',
  'Paused',
  'ObserveOnly',
]);

/** True when everything desired is there and ready and nothing the Secret or the outputs need is pending. */
export function isWorking(rendering: Rendering, inventory: readonly InventoryEntry[]): boolean {
  const current = new Map(
    inventory
      .filter(entry => !isLeaving(entry))
      .sort(oldestFirst)
      .map(entry => [entry.id, entry.ready]),
  );
  return (
    rendering.undecided.length === 0 &&
    rendering.connection.pending.length === 0 &&
    rendering.outputs.pending.length === 0 &&
    rendering.resources.every(resource => current.get(resource.id) === true)
  );
}

const oldestFirst = (a: InventoryEntry, b: InventoryEntry): number => (isOwned(a) ? a.incarnation : 0) - (isOwned(b) ? b.incarnation : 0);

/** The claim works: from now on something is lost with each thing that serves it. */
export function takenIntoUse(inventory: readonly InventoryEntry[]): readonly InventoryEntry[] {
  if (!inventory.some(entry => isOwned(entry) && entry.unused === true)) return inventory;
  const current = new Map([...inventory].sort(oldestFirst).map(entry => [entry.id, entry]));
  return inventory.map(entry => {
    if (!isOwned(entry) || entry.unused !== true || !entry.ready || current.get(entry.id) !== entry) return entry;
    const { unused: _, ...used } = entry;
    return used;
  });
}

/** No longer desired, allowed to go, and the claim works without them: they begin to retire. */
export function retire(inventory: readonly InventoryEntry[], plan: Plan, now: Timestamp): InventoryEntry[] {
  const going = new Set<string>(plan.actions.flatMap(action => (action.kind === 'keep' && action.desired === undefined ? [identityKey(action.entry)] : [])));
  return inventory.map(entry =>
    isOwned(entry) && !isLeaving(entry) && going.has(identityKey(entry)) ? { ...entry, phase: 'Retiring', since: now, ready: false } : entry,
  );
}

export function report(input: ReportInput): { readonly status: ClaimStatus; readonly schedule: Schedule } {
  const problems = collectProblems(input);
  const drift = driftRows(input);
  const conditions = mergeConditions(input, [
    readyCondition(input, problems),
    syncedCondition(input, problems),
    driftedCondition(drift),
    stalledCondition(input, problems),
  ]);
  const before = input.claim.status;
  const outputs = input.rendering === undefined ? before.outputs : { ...keptOutputs(before.outputs, input.rendering), ...input.rendering.outputs.value };
  const status: ClaimStatus = {
    inventoryFor: input.claim.uid,
    observedGeneration: input.claim.generation,
    conditions,
    class: input.served?.class ?? before.class,
    composition: input.served?.composition ?? before.composition,
    revision: input.served?.revision ?? before.revision,
    ...lifecycleOf(input),
    ...bindingOf(input),
    outputs,
    resources: input.inventory,
    drift,
    ...(input.swap === undefined ? {} : { pendingPlan: input.swap }),
  };
  return { status, schedule: scheduleFor(input, problems) };
}

function lifecycleOf({ served, claim }: ReportInput): Pick<ClaimStatus, 'lifecycle'> {
  const lifecycle = served?.lifecycle ?? claim.status.lifecycle;
  return lifecycle === undefined ? {} : { lifecycle };
}

function bindingOf({ binding, claim }: ReportInput): Pick<ClaimStatus, 'binding'> {
  if (binding !== undefined && binding.error === undefined) return { binding: { name: binding.name } };
  return claim.status.binding === undefined ? {} : { binding: claim.status.binding };
}

/** An output that is pending now keeps what was published. */
function keptOutputs(before: JsonObject, rendering: Rendering): JsonObject {
  const pending = new Set(rendering.outputs.pending.map(item => item.path.split(/[.[]/)[0]));
  return Object.fromEntries(Object.entries(before).filter(([key]) => pending.has(key)));
}

// ── problems ──

function collectProblems(input: ReportInput): Problem[] {
  const problems: Problem[] = input.error === undefined ? [] : [{ error: input.error, read: false }];
  if (input.unseen !== undefined) problems.push({ error: input.unseen, read: true });
  const settled = new Set<string>();
  for (const action of input.plan?.actions ?? []) {
    if (action.kind === 'blocked') problems.push({ error: action.error, read: isRead(action) });
    if (action.kind === 'keep' && action.drift.length === 0) settled.add(identityKey(action.entry));
  }
  const open = new Set((input.plan?.actions ?? []).flatMap(action => (action.kind === 'wait' && isOwned(action.entry) ? [identityKey(action.entry)] : [])));
  for (const outcome of input.outcomes) {
    if (outcome.result !== 'failed' || isError(outcome.error, 'AlreadyExists') || !isOwned(outcome.action.entry)) continue;
    const key = identityKey(outcome.action.entry);
    if (!settled.has(key) || open.has(key)) problems.push({ error: outcome.error, read: false });
  }
  if (input.binding?.error !== undefined) problems.push({ error: input.binding.error, read: false });
  return problems;
}

const isRead = (action: Extract<Action, { kind: 'blocked' }>): boolean => action.read === true || action.error.retry === 'retryable';

function worst(problems: readonly Problem[]): EngineError | undefined {
  const rank = { terminal: 0, waiting: 1, retryable: 2 } as const;
  return [...problems].sort((a, b) => rank[a.error.retry] - rank[b.error.retry])[0]?.error;
}

function waits(input: ReportInput): { on: string; message: string; until: Timestamp | undefined; id: ResourceId }[] {
  return (input.plan?.actions ?? []).flatMap(action =>
    action.kind === 'wait' ? [{ on: action.on, message: action.message, until: action.until, id: action.entry.id }] : [],
  );
}

// ── conditions ──

type Told = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

function readyCondition(input: ReportInput, problems: readonly Problem[]): Told {
  if (input.claim.deletionRequested) return { type: 'Ready', status: 'False', reason: 'Deleting', message: deletingMessage(input, problems) };
  if (input.binding?.error !== undefined) return failed('Ready', input.binding.error);
  const before = input.claim.status.conditions.find(condition => condition.type === 'Ready');
  const onlyReads = problems.length > 0 && problems.every(problem => problem.read);
  if (onlyReads && before?.observedGeneration === input.claim.generation && input.failedReads <= READY_UNKNOWN_AFTER) return before;
  if (input.error?.code === 'Paused' && before?.observedGeneration === input.claim.generation) return before;
  if (input.rendering !== undefined && isWorking(input.rendering, input.inventory) && !problems.some(problem => breaks(problem.error))) {
    return { type: 'Ready', status: 'True', reason: 'Available', message: input.notes.join('; ') };
  }
  const error = worst(problems.filter(problem => problem.error.code !== 'SwapPending')) ?? worst(problems);
  if (error !== undefined) return failed('Ready', error);
  return waitingCondition(input);
}

/** Errors under which a claim does not count as usable, whatever the last good look said. */
const breaks = (error: EngineError): boolean => ['Lost', 'MarksGone', 'Conflict', 'NoDefinition'].includes(error.code);

function deletingMessage(input: ReportInput, problems: readonly Problem[]): string {
  const error = worst(problems);
  if (error !== undefined) return sentence(error);
  return `waits for ${input.inventory.map(entry => entry.id).join(', ')}`;
}

function failed(type: ConditionType, error: EngineError): Told {
  return { type, status: 'False', reason: error.code, message: sentence(error) };
}

function waitingCondition(input: ReportInput): Told {
  const [first, ...more] = waits(input);
  const pending = input.rendering?.connection.pending[0] ?? input.rendering?.outputs.pending[0] ?? input.rendering?.undecided[0];
  const unready = input.inventory.find(entry => !entry.ready && !isLeaving(entry));
  const message =
    first === undefined
      ? unready === undefined
        ? (pending?.message ?? 'waits for its resources')
        : `${unready.id}: ${unready.message || 'not ready yet'}`
      : `${first.id}: ${first.message}${more.length === 0 ? '' : ` (and ${more.length} more)`}`;
  const on = first?.on ?? pending?.on ?? '';
  return { type: 'Ready', status: 'False', reason: on.includes('/') ? 'WaitingForReference' : 'WaitingForResource', message };
}

function syncedCondition(input: ReportInput, problems: readonly Problem[]): Told {
  const onlyReads = problems.length > 0 && problems.every(problem => problem.read);
  const before = input.claim.status.conditions.find(condition => condition.type === 'Synced');
  if (onlyReads && input.failedReads < SYNCED_UNKNOWN_AT && before?.observedGeneration === input.claim.generation) return before;
  if (onlyReads) return { ...failed('Synced', worst(problems)!), status: 'Unknown' };
  const error = worst(problems);
  if (error !== undefined) return failed('Synced', error);
  const drifted = reported(input);
  if (drifted.length > 0) return failed('Synced', new EngineError('Drifted', `changed outside: ${drifted.join(', ')}`));
  const waiting = waits(input).filter(item => item.message !== '');
  if (waiting.length > 0) return { type: 'Synced', status: 'False', reason: 'Waiting', message: `${waiting[0]!.id}: ${waiting[0]!.message}` };
  const missed = missedReferences(input);
  if (missed.length > 0) return { type: 'Synced', status: 'False', reason: 'WaitingForReference', message: missed.join('; ') };
  return { type: 'Synced', status: 'True', reason: 'Applied', message: '' };
}

/** Claims that were referred to and are gone or not ready: what was made from them stays as it is. */
function missedReferences({ rendering }: ReportInput): string[] {
  const missed = (rendering?.resources ?? []).flatMap(({ id, pending }) =>
    pending.filter(item => item.on.includes('/')).map(item => `${id} stays as it is: ${item.message}`),
  );
  return [...new Set(missed)].sort().slice(0, 3);
}

/** Under drift: Report, desired values that stand unmended. */
function reported(input: ReportInput): string[] {
  if (input.served?.lifecycle.drift !== 'Report') return [];
  return keptDrift(input).map(([entry, change]) => `${entry.id}.${change.path}`);
}

function keptDrift(input: ReportInput): [OwnedEntry, Change][] {
  return (input.plan?.actions ?? []).flatMap(action =>
    action.kind === 'keep' ? action.drift.map((change): [OwnedEntry, Change] => [action.entry, change]) : [],
  );
}

function driftedCondition(rows: readonly DriftRow[]): Told {
  const open = rows.filter(row => row.correctedAt === undefined);
  if (open.length > 0) return { type: 'Drifted', status: 'True', reason: 'ChangedOutside', message: `changed outside: ${open.map(rowPlace).join(', ')}` };
  const [last] = rows;
  return last === undefined
    ? { type: 'Drifted', status: 'False', reason: 'AsDesired', message: '' }
    : { type: 'Drifted', status: 'False', reason: 'Corrected', message: `put back: ${rowPlace(last)}` };
}

const rowPlace = (row: DriftRow): string => (row.path === '' ? row.resource : `${row.resource}.${row.path}`);

function stalledCondition(input: ReportInput, problems: readonly Problem[]): Told {
  const terminal = problems.find(problem => problem.error.retry === 'terminal')?.error;
  if (terminal !== undefined) return { ...failed('Stalled', terminal), status: 'True' };
  // A claim that goes has nobody to wait for: nothing but a person brings back what the config reached.
  const isPatient = ({ code }: EngineError): boolean => PATIENT.has(code) && !(input.claim.deletionRequested && code === 'ScopeChanged');
  const patient = problems.filter(problem => problem.error.retry === 'waiting' && !isPatient(problem.error)).map(problem => problem.error);
  const old = patient.find(error => hasLasted(input, error));
  if (old !== undefined) return { ...failed('Stalled', old), status: 'True' };
  return { type: 'Stalled', status: 'False', reason: 'NotStalled', message: '' };
}

function hasLasted({ claim, now }: ReportInput, error: EngineError): boolean {
  const since = claim.status.conditions.find(
    condition => (condition.type === 'Ready' || condition.type === 'Synced') && condition.reason === error.code,
  )?.lastTransitionTime;
  return since !== undefined && Date.parse(now) - Date.parse(since) >= STALL_AFTER_MS;
}

/** The transition time moves only when status or reason changes. */
function mergeConditions({ claim, now }: ReportInput, told: readonly Told[]): Condition[] {
  return told.map(({ type, status, reason, message }) => {
    const before = claim.status.conditions.find(condition => condition.type === type);
    const same = before?.status === status && before.reason === reason;
    return { type, status, reason, message, observedGeneration: claim.generation, lastTransitionTime: same ? before.lastTransitionTime : now };
  });
}

// ── drift ──

/** Newest first. A row that goes on keeps when it was first seen; a corrected one stays as history. */
function driftRows(input: ReportInput): DriftRow[] {
  const seen = [...corrections(input), ...open(input), ...(input.binding?.drift ?? [])];
  const before = input.claim.status.drift;
  const fresh = seen.map(row => {
    const old = before.find(other => other.correctedAt === undefined && sameDrift(other, row));
    return old === undefined ? row : { ...row, detectedAt: old.detectedAt };
  });
  const history = before.filter(
    row => !fresh.some(other => sameDrift(row, other) && row.correctedAt === undefined) && (row.correctedAt !== undefined || isStillUnknown(input, row)),
  );
  return [...fresh, ...history].slice(0, STATUS_ROWS);
}

/** By what a status keeps of the values; one that held a secret is not told from another. */
const sameDrift = (a: DriftRow, b: DriftRow): boolean =>
  a.resource === b.resource &&
  a.path === b.path &&
  (isRedacted(a.observed) || isRedacted(b.observed) || equal(boundedValue(a.observed), boundedValue(b.observed)));

/** A row of a thing that could not be read this time stands until a look says otherwise. */
function isStillUnknown(input: ReportInput, row: DriftRow): boolean {
  return (input.plan?.actions ?? []).some(action => action.kind === 'blocked' && action.entry.id === row.resource && action.error.retry === 'retryable');
}

function corrections({ outcomes }: ReportInput): DriftRow[] {
  return outcomes.flatMap(({ action, result, at }) => {
    if (result !== 'done') return [];
    if (action.kind === 'create' && action.because === 'gone') return [{ resource: action.entry.id, path: '', detectedAt: at, correctedAt: at }];
    if (action.kind !== 'update') return [];
    return action.changes.filter(change => change.cause === 'drift').map(change => row(action.entry.id, change, at, at));
  });
}

function open(input: ReportInput): DriftRow[] {
  const lost = (input.plan?.actions ?? []).flatMap(action =>
    action.kind === 'blocked' && (isError(action.error, 'Lost') || (isError(action.error, 'Drifted') && isOwned(action.entry)))
      ? [{ resource: action.entry.id, path: '', detectedAt: input.now }]
      : [],
  );
  return [...lost, ...keptDrift(input).map(([entry, change]) => row(entry.id, change, input.now, undefined))];
}

function row(resource: ResourceId, { path, desired, observed, secret }: Change, detectedAt: Timestamp, correctedAt: Timestamp | undefined): DriftRow {
  const values = secret ? {} : { ...(desired === undefined ? {} : { desired }), ...(observed === undefined ? {} : { observed }) };
  return { resource, path, ...values, detectedAt, ...(correctedAt === undefined ? {} : { correctedAt }) };
}

// ── when to look again ──

/** What has waited for long is looked at less often: it is woken anyway by what people and other claims do. */
function waitingMs({ claim, now, pollMs }: ReportInput, problems: readonly Problem[]): number {
  const codes = new Set<string>(problems.map(problem => problem.error.code));
  const since = claim.status.conditions.filter(condition => codes.has(condition.reason)).map(condition => Date.parse(condition.lastTransitionTime));
  const waitedMs = since.length === 0 ? 0 : Date.parse(now) - Math.max(...since);
  return Math.max(WAITING_MS, Math.min(pollMs, waitedMs / 4));
}

function scheduleFor(input: ReportInput, problems: readonly Problem[]): Schedule {
  const again = (afterMs: number, because: Exclude<Schedule, { kind: 'done' }>['because']): Schedule => ({ kind: 'again', afterMs, because });
  if (problems.some(problem => problem.error.retry === 'retryable')) return again(0, 'backoff');
  const untils = waits(input).flatMap(item => (item.until === undefined ? [] : [Math.max(50, Date.parse(item.until) - Date.parse(input.now))]));
  const leaving = input.inventory.some(isLeaving);
  const pending = input.rendering !== undefined && !isWorking(input.rendering, input.inventory);
  if (problems.length > 0 && problems.every(problem => BRIEF.has(problem.error.code))) return again(PROGRESS_MS, 'progress');
  if (problems.some(problem => problem.error.retry === 'waiting')) return again(Math.min(waitingMs(input, problems), ...untils), 'poll');
  // What is wrong with one resource must not keep the others from going on.
  const isMoving = untils.length > 0 || input.inventory.some(entry => entry.phase === 'Created' || entry.phase === 'Deleting');
  if (problems.length > 0) return isMoving ? again(Math.min(WAITING_MS, ...untils), 'poll') : again(RECHECK_MS, 'recheck');
  if (untils.length > 0) return again(Math.min(...untils), 'progress');
  if (leaving || pending || waits(input).length > 0 || input.claim.deletionRequested) return again(PROGRESS_MS, 'progress');
  return again(input.pollMs, 'resync');
}
