/** Desired against observed: what is to be done. Pure; the value that the CLI prints, the console shows and apply runs. */
import { digest, hash } from './digest.ts';
import { EngineError } from './errors.ts';
import { identityKey, isLeaving, isNotOlder, isOwned, type Match, matchAll, ownerFor, placeOf } from './match.ts';
import { judge } from './ownership.ts';
import { removeSteps } from './remove.ts';
import { stepFor } from './step.ts';
import { blocked, mayRetire, missedStep, observeOnly, type PlanInput, type Step, staying, waiting } from './turn.ts';
import type { Action, InventoryEntry, Json, Observed, OwnedEntry, Plan, Rendering } from './types.ts';

export type { PlanInput } from './turn.ts';

/** Plans one turn. While `look` is not empty the caller observes those entries (full) and plans again. */
export function plan(input: PlanInput): Plan {
  const first = planOnce(input, input.inventory);
  // Of a plan that is not whole yet nothing was shown to anybody: its hash may be that of an older, smaller one.
  if (first.held.length === 0 || first.look.length > 0 || input.approved !== first.hash) return first;
  const held = new Map(first.held.map(entry => [identityKey(entry), entry]));
  const approved = input.inventory.map(entry => {
    const approvedFor = isOwned(entry) ? held.get(identityKey(entry))?.approvedFor : undefined;
    return approvedFor === undefined ? entry : { ...entry, approved: first.hash, approvedFor };
  });
  return planOnce(input, approved);
}

/** False while something could not be read, or done, for a moment: then the plan does not say all. */
export function isWhole({ actions }: Plan): boolean {
  return !actions.some(action => action.kind === 'blocked' && (action.read === true || action.error.retry === 'retryable'));
}

function planOnce(input: PlanInput, inventory: readonly InventoryEntry[]): Plan {
  const whole = { ...input, inventory };
  const steps = input.rendering === undefined ? removeSteps(whole, inventory) : livingSteps(whole, input.rendering);
  const { kind, namespace, name } = input.claim;
  const actions = steps.flatMap(step => step.actions);
  const held = steps.flatMap(step => step.held ?? []);
  return {
    claim: { kind, namespace, name },
    actions,
    inventory: steps.flatMap(step => step.entries),
    look: steps.flatMap(step => step.look ?? []),
    held,
    hash: hashOf(input, actions, held),
  };
}

/** First what is desired, then the entries that no step has spoken of. */
function livingSteps(input: PlanInput, rendering: Rendering): Step[] {
  const matches = matchAll(input, rendering.resources, input.inventory);
  const desired = desiredSteps(input, matches);
  const places = new Map(matches.map(match => [match.entry.id, placeOf(match)]));
  const spoken = new Set(
    desired
      .flatMap(step => step.entries)
      .filter(isOwned)
      .map(identityKey),
  );
  const orphans = input.inventory.filter(isOwned).filter(entry => !spoken.has(identityKey(entry)));
  const due = orphans.filter(entry => isDue(input, rendering, places, entry));
  const rest = orphans.filter(entry => !due.includes(entry));
  return [...desired, ...removeSteps(input, due), ...rest.map(entry => orphanStep(input, rendering, places, entry))];
}

/** By id: what serves it in this plan; undefined when that cannot be told. */
type Places = ReadonlyMap<string, string | undefined>;

/** In the order of the rendering, which is topological: a step sees which of its dependencies are ready. */
function desiredSteps(input: PlanInput, matches: readonly Match[]): Step[] {
  const ready = new Map<string, boolean>();
  return matches.map(match => {
    const step = desiredStep(input, match, ready);
    for (const entry of step.entries) if (!isLeaving(entry)) ready.set(entry.id, entry.ready);
    return step;
  });
}

function desiredStep(input: PlanInput, match: Match, ready: ReadonlyMap<string, boolean>): Step {
  switch (match.kind) {
    case 'failed':
      return failedStep(match.entry, match.error, match.successor);
    case 'waiting':
      return waiting(match.entry, match.on, match.message);
    default:
      return stepFor(input, match, ready);
  }
}

/** What keeps a connection from being had; a thing behind it may be as fine as it was. */
const REFUSALS: ReadonlySet<string> = new Set(['InvalidCredentials', 'AccessDenied']);

function failedStep(entry: InventoryEntry, error: EngineError, successor: string | undefined): Step {
  if (successor !== undefined && isOwned(entry)) return { ...blocked(entry, error), held: [{ ...entry, approvedFor: successor }] };
  if (!REFUSALS.has(error.code)) return blocked(entry, error);
  return { entries: [entry], actions: [{ kind: 'blocked', entry, error, read: true }] };
}

/** True when it goes now. Not while it cannot be told whether it is wanted again, and nothing goes under ObserveOnly. */
function isDue(input: PlanInput, rendering: Rendering, places: Places, entry: OwnedEntry): boolean {
  if (!isLeaving(entry) || input.lifecycle.management === 'ObserveOnly') return false;
  if (entry.phase === 'Deleting') return true;
  if (undecidedOf(rendering, entry) !== undefined || input.wantedAgain?.has(identityKey(entry)) || (places.has(entry.id) && places.get(entry.id) === undefined))
    return false;
  return graceEnd(input, entry) <= Date.parse(input.now);
}

/** Whether it is declared waits for this. */
function undecidedOf({ undecided }: Rendering, { id }: OwnedEntry): Rendering['undecided'][number] | undefined {
  const template = id.split('[')[0]!;
  return undecided.find(item => item.id === template);
}

const graceEnd = (input: PlanInput, entry: OwnedEntry): number => Date.parse(entry.since) + input.policy.graceSeconds * 1000;

function orphanStep(input: PlanInput, rendering: Rendering, places: Places, entry: OwnedEntry): Step {
  if (isLeaving(entry)) {
    if (input.lifecycle.management === 'ObserveOnly') return blocked(entry, observeOnly(entry, `${entry.type} ${entry.name} would go`));
    const wanted = input.wantedAgain?.has(identityKey(entry)) ? staying(input, entry) : entry;
    const refusal = wanted === entry ? undefined : mayRetire(input, wanted, `${entry.type} ${entry.name} is wanted again by the change that waits`, '');
    if (refusal !== undefined) return refusal;
    if (graceEnd(input, entry) <= Date.parse(input.now))
      return waiting(entry, entry.id, `${entry.name} stays while it is not clear whether it is wanted again`);
    const until = new Date(graceEnd(input, entry)).toISOString();
    return waiting(entry, entry.id, 'goes when the grace is over', until);
  }
  const undecided = undecidedOf(rendering, entry);
  if (undecided !== undefined) return waiting(entry, undecided.on, undecided.message);
  const observed = input.observed.get(identityKey(entry));
  if (entry.phase === 'Intended' && !isFoundAgain(input, entry, observed)) return removeSteps(input, [entry])[0]!;
  if (observed?.kind === 'absent') return missedStep(input, entry) ?? removeSteps(input, [entry])[0]!;
  const seen = observed?.kind === 'present' ? observed : undefined;
  const kept = seen === undefined ? entry : withoutMissing(entry);
  const refusal = mayRetire(input, { ...kept, phase: 'Present' }, `${entry.type} ${entry.name} is no longer declared`, places.get(entry.id) ?? '');
  if (refusal !== undefined) return refusal;
  return { entries: [kept], actions: [{ kind: 'keep', entry: kept, desired: undefined, seen, drift: [] }] };
}

const withoutMissing = ({ missing: _, ...entry }: OwnedEntry): OwnedEntry => entry;

/**
 * What is only intended was never made as far as we know: what stands there is a stranger's, or came of a call whose answer was lost and served
 * nobody. Unless it bears our marks and is older than the record: then it is the record that was lost, and it may hold anything.
 */
function isFoundAgain(input: PlanInput, entry: OwnedEntry, observed: Observed | undefined): boolean {
  const link = input.links.get(entry.config);
  if (observed?.kind !== 'present' || link === undefined || link instanceof EngineError) return false;
  const type = link.types.get(entry.type);
  if (type === undefined || judge(type, observed, ownerFor(input, entry.id)) !== 'ours') return false;
  return entry.unmade === true || !isNotOlder(observed, entry);
}

/** Covers what would be done and to what; the same while nothing changes. With something held: what is at stake and what takes its place, in no order, so that neither other drift nor the successor's entry voids an approval. */
function hashOf(input: PlanInput, actions: readonly Action[], held: readonly OwnedEntry[]): string {
  const rows =
    held.length > 0
      ? held
          .map(entry => [identityKey(entry), entry.approvedFor ?? ''] as const)
          .sort(([one], [other]) => (one < other ? -1 : 1))
          .map(([key, place]) => ['retire', key, place])
      : actions.flatMap(action => hashRow(input, action));
  const wanted =
    held.length > 0 ? (input.rendering?.resources.map(({ id, type, config, value }) => [id, type, config, digest(input.instance.key, value)]) ?? []) : [];
  return hash([input.claim.uid, rows as Json, wanted as Json]);
}

function hashRow(input: PlanInput, action: Action): Json[] {
  if (!isOwned(action.entry) || action.kind === 'keep' || action.kind === 'wait' || action.kind === 'blocked') return [];
  const changes = action.kind === 'update' ? action.changes.map(change => [change.path, digest(input.instance.key, change.desired ?? null)]) : [];
  return [[action.kind, action.entry.id, identityKey(action.entry), changes]];
}
