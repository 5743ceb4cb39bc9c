/** Desired against observed: what is to be done. Pure; the value that the CLI prints, the console shows and apply runs. */
import { digest, hash } from './digest.ts';
import type { EngineError } from './errors.ts';
import { identityKey, isLeaving, isOwned, type Match, matchAll } from './match.ts';
import { removeSteps } from './remove.ts';
import { stepFor } from './step.ts';
import { blocked, mayRetire, type PlanInput, type Step, waiting } from './turn.ts';
import type { Action, DesiredResource, InventoryEntry, Json, OwnedEntry, Plan, Rendering } from './types.ts';

export type { PlanInput } from './turn.ts';

/** Plans one turn. While `look` is not empty the caller observes those entries (full) and plans again. */
export function plan(input: PlanInput): Plan {
  const first = planOnce(input, input.inventory);
  // Of a plan that is not whole yet nothing was shown to anybody: its hash may be that of an older, smaller one.
  if (first.held.length === 0 || first.look.length > 0 || input.approved !== first.hash) return first;
  const held = new Set(first.held.map(identityKey));
  const approved = input.inventory.map(entry => (isOwned(entry) && held.has(identityKey(entry)) ? { ...entry, approved: first.hash } : entry));
  return planOnce(input, approved);
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
  const desired = desiredSteps(input, rendering.resources);
  const spoken = new Set(
    desired
      .flatMap(step => step.entries)
      .filter(isOwned)
      .map(identityKey),
  );
  const orphans = input.inventory.filter(isOwned).filter(entry => !spoken.has(identityKey(entry)));
  const due = orphans.filter(entry => isLeaving(entry) && isDue(input, entry));
  return [...desired, ...removeSteps(input, due), ...orphans.filter(entry => !due.includes(entry)).map(entry => orphanStep(input, rendering, entry))];
}

/** In the order of the rendering, which is topological: a step sees which of its dependencies are ready. */
function desiredSteps(input: PlanInput, resources: readonly DesiredResource[]): Step[] {
  const ready = new Map<string, boolean>();
  return matchAll(input, resources, input.inventory).map(match => {
    const step = desiredStep(input, match, ready);
    for (const entry of step.entries) if (!isLeaving(entry)) ready.set(entry.id, entry.ready);
    return step;
  });
}

function desiredStep(input: PlanInput, match: Match, ready: ReadonlyMap<string, boolean>): Step {
  switch (match.kind) {
    case 'failed':
      return failedStep(match.entry, match.error);
    case 'waiting':
      return waiting(match.entry, match.on, match.message);
    default:
      return stepFor(input, match, ready);
  }
}

/** What keeps a connection from being had; a thing behind it may be as fine as it was. */
const REFUSALS: ReadonlySet<string> = new Set(['InvalidCredentials', 'AccessDenied']);

function failedStep(entry: InventoryEntry, error: EngineError): Step {
  if (error.code === 'ScopeChanged' && isOwned(entry)) return { ...blocked(entry, error), held: [entry] };
  if (!REFUSALS.has(error.code)) return blocked(entry, error);
  return { entries: [entry], actions: [{ kind: 'blocked', entry, error, read: true }] };
}

const isDue = (input: PlanInput, entry: OwnedEntry): boolean =>
  entry.phase === 'Deleting' || Date.parse(entry.since) + input.policy.graceSeconds * 1000 <= Date.parse(input.now);

function orphanStep(input: PlanInput, rendering: Rendering, entry: OwnedEntry): Step {
  if (isLeaving(entry)) {
    const until = new Date(Date.parse(entry.since) + input.policy.graceSeconds * 1000).toISOString();
    return waiting(entry, entry.id, 'goes when the grace is over', until);
  }
  const template = entry.id.split('[')[0]!;
  const undecided = rendering.undecided.find(item => item.id === template);
  if (undecided !== undefined) return waiting(entry, undecided.on, undecided.message);
  const observed = input.observed.get(identityKey(entry));
  if (entry.phase === 'Intended' && (observed?.kind === 'absent' || !input.recorded.has(identityKey(entry)))) return removeSteps(input, [entry])[0]!;
  const refusal = mayRetire(input, entry, `${entry.type} ${entry.name} is no longer declared`);
  if (refusal !== undefined) return refusal;
  return { entries: [entry], actions: [{ kind: 'keep', entry, desired: undefined, seen: observed?.kind === 'present' ? observed : undefined, drift: [] }] };
}

/** Covers what would be done and to what; the same while nothing changes. With something held: what is at stake, in no order, so that neither other drift nor the successor's entry voids an approval. */
function hashOf(input: PlanInput, actions: readonly Action[], held: readonly OwnedEntry[]): string {
  const rows =
    held.length > 0
      ? held
          .map(identityKey)
          .sort()
          .map(key => ['retire', key])
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
