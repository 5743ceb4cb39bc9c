/** Taking entries away: the one path of deletion, for claims that go and for entries no longer desired. Pure. */
import { EngineError } from './errors.ts';
import { identityKey, isNotOlder, isOwned, ownerFor } from './match.ts';
import { judge, RETAINED } from './ownership.ts';
import { at, join } from './paths.ts';
import { blocked, observeOnly, type PlanInput, type Step, waiting } from './turn.ts';
import type { DesiredResource, InventoryEntry, OwnedEntry, Present, ResourceType } from './types.ts';

/** One step per entry, dependents before what they depend on. An entry is never dropped because of an error. */
export function removeSteps(input: PlanInput, entries: readonly InventoryEntry[]): Step[] {
  return entries.map(entry => {
    if (!isOwned(entry)) return { entries: [], actions: [] };
    const dependents = entries.filter(isOwned).filter(other => other !== entry && other.dependsOn.includes(entry.id) && isInTheWay(input, other));
    return removeStep(input, entry, dependents.find(other => !reaches(entries, entry, other))?.id);
  });
}

/** True when `from` depends on `to` as well, over however many others: what two revisions ordered the other way round has no order. */
function reaches(entries: readonly InventoryEntry[], from: OwnedEntry, to: OwnedEntry): boolean {
  const ids = new Set(from.dependsOn);
  for (const id of ids) for (const entry of entries) if (entry.id === id) for (const next of entry.dependsOn) ids.add(next);
  return ids.has(to.id);
}

/** A dependent that is gone, or that stays by policy, holds nobody up. */
function isInTheWay(input: PlanInput, other: OwnedEntry): boolean {
  if (other.origin === 'Observed' || other.deletion === 'Retain') return false;
  return input.observed.get(identityKey(other))?.kind !== 'absent';
}

function removeStep(input: PlanInput, entry: OwnedEntry, dependent: string | undefined): Step {
  if (isLeftAlone(input, entry)) return forget(entry, 'retained');
  if (input.over?.has(entry.config)) return forget(entry, 'lifetime over');
  const link = input.links.get(entry.config);
  if (link === undefined || link instanceof EngineError) {
    const error = link ?? new EngineError('NoProviderConfig', `${entry.id}: ProviderConfig ${entry.config} is needed to delete ${entry.name} and is not there`);
    return mayLetGo(input, error) && !isPassing(link) ? forget(entry, 'retained') : blocked(entry, error);
  }
  if (link.scope !== entry.scope) {
    if (link.lifetime === 'Process') return forget(entry, 'lifetime over');
    const error = new EngineError('ScopeChanged', `${entry.id}: ProviderConfig ${entry.config} reaches ${link.scope}, but ${entry.name} is in ${entry.scope}`, {
      hint: `put the config back, or let it go with \`plinth abandon ${input.claim.kind}/${input.claim.name}\``,
    });
    return mayLetGo(input, error) ? forget(entry, 'retained') : blocked(entry, error);
  }
  const observed = input.observed.get(identityKey(entry));
  if (observed === undefined) return { entries: [entry], actions: [], look: [entry] };
  const type = link.types.get(entry.type);
  if (type === undefined) return blocked(entry, new EngineError('Unsupported', `ProviderConfig ${entry.config} has no resource type ${entry.type}`));
  if (observed.kind === 'unknown')
    return mayLetGo(input, observed.error)
      ? forget(entry, 'retained')
      : { entries: [entry], actions: [{ kind: 'blocked', entry, error: observed.error, read: true }] };
  if (observed.kind === 'absent') return absentStep(input, entry, type);
  return presentStep(input, entry, type, observed, dependent);
}

/** The claim's own word counts however late it was said; not even a mark is put on what it only observes. */
const isLeftAlone = (input: PlanInput, entry: OwnedEntry): boolean => entry.origin === 'Observed' || (input.rendering === undefined && isObserveOnly(input));

const isObserveOnly = ({ claim }: PlanInput): boolean => claim.lifecycle.management === 'ObserveOnly';

/** A person asked to; or the namespace is going, and no time mends this. */
function mayLetGo({ abandon, stuck }: PlanInput, error: EngineError): boolean {
  return abandon || (stuck !== undefined && (error.retry === 'terminal' || error.code === stuck));
}

/** A call of this pass did not work, and what it was about may be let go. */
function isRefused({ abandon, stuck, tried }: PlanInput, entry: OwnedEntry): boolean {
  return abandon || (stuck !== undefined && tried.has(`refused ${identityKey(entry)}`));
}

/** What mends itself in a moment is no reason to let a thing go without its mark, even if a person asked to let go what cannot be deleted. */
const isPassing = (error: EngineError | undefined): boolean =>
  error !== undefined && ['StoreUnavailable', 'StoreConflict', 'Throttled', 'ServiceError', 'Aborted'].includes(error.code);

/** Gone; unless it may have been made a moment ago and is not visible yet. */
function absentStep(input: PlanInput, entry: OwnedEntry, type: ResourceType): Step {
  // What is only intended may have been tried again and again since: how long it may stay invisible counts from the last try.
  const last =
    entry.phase === 'Intended'
      ? Math.max(Date.parse(entry.since), Date.parse(input.lastTries?.get(identityKey(entry)) ?? input.quietSince))
      : Date.parse(entry.changedAt ?? entry.since);
  const until = last + type.settleSeconds * 1000;
  // Seen before and not seen now is no proof either, so short after a change of ours; nor does retiring make a new thing visible.
  const mayAppear = entry.phase === 'Intended' ? input.recorded.has(identityKey(entry)) : entry.phase !== 'Deleting';
  if (mayAppear && Date.parse(input.now) < until) return waiting(entry, entry.id, 'may still appear', new Date(until).toISOString());
  return forget(entry, entry.phase === 'Intended' ? 'never made' : 'gone');
}

function presentStep(input: PlanInput, entry: OwnedEntry, type: ResourceType, seen: Present, dependent: string | undefined): Step {
  if (type.mark.as !== 'key' && seen.unread.includes(type.mark.at)) return { entries: [entry], actions: [], look: [entry] };
  const ownership = judge(type, seen, ownerFor(input, entry.id));
  if (ownership === 'foreign' || ownership === 'predecessor') return forget(entry, 'not ours');
  if (ownership === 'unmarked' && !isHalfMade(input, entry, seen)) return unmarkedStep(input, entry, seen);
  if (isObserveOnly(input)) return blocked(entry, observeOnly(entry, `${entry.type} ${entry.name} would go`));
  if (entry.deletion === 'Retain') return retainStep(input, entry, type, seen);
  if (!seen.readiness.ready && seen.readiness.reason === 'Deleting') return waiting(entry, entry.id, seen.readiness.message || 'is being deleted');
  if (dependent !== undefined) return waiting(entry, dependent, `goes after ${dependent}`);
  const settle = Date.parse(entry.changedAt ?? entry.since) + type.settleSeconds * 1000;
  if (entry.phase === 'Deleting' && Date.parse(input.now) < settle) return waiting(entry, entry.id, 'deleted, still visible', new Date(settle).toISOString());
  if (input.tried.has(`delete ${identityKey(entry)}`))
    return isRefused(input, entry) && entry.phase !== 'Deleting' ? retainStep(input, entry, type, seen) : waiting(entry, entry.id, 'is being deleted');
  return { entries: [entry], actions: [{ kind: 'delete', entry, seen }] };
}

/** Never ours (a foreign thing took the name before we made anything, or after we deleted it), or ours and robbed of its marks. */
function unmarkedStep(input: PlanInput, entry: OwnedEntry, seen: Present): Step {
  const isNew = entry.phase === 'Deleting' && seen.createdAt !== undefined && Date.parse(seen.createdAt) > Date.parse(entry.changedAt ?? entry.since);
  if (entry.phase === 'Intended' || isNew) return forget(entry, 'not ours');
  const error = new EngineError('MarksGone', `${entry.id}: ${entry.type} ${entry.name} lost its plinth.dev marks`);
  return mayLetGo(input, error) ? forget(entry, 'retained') : blocked(entry, error);
}

function isHalfMade(input: PlanInput, entry: OwnedEntry, seen: Present): boolean {
  return entry.phase === 'Intended' && entry.origin === 'Created' && entry.unmade !== true && input.recorded.has(identityKey(entry)) && isNotOlder(seen, entry);
}

/** Lets a thing go on purpose, marked so that nothing leaks unnamed. */
function retainStep(input: PlanInput, entry: OwnedEntry, type: ResourceType, seen: Present): Step {
  const { mark } = type;
  if (mark.as !== 'map') return forget(entry, 'retained');
  const path = join(mark.at, RETAINED);
  if (at(seen.spec as Parameters<typeof at>[0], path) !== undefined) return forget(entry, 'retained');
  // A failed call is no reason to let it go unnamed; that only a person can ask for.
  if (input.tried.has(`update ${identityKey(entry)}`))
    return isRefused(input, entry) ? forget(entry, 'retained') : waiting(entry, entry.id, 'is being marked as retained');
  const change = { path, desired: 'true', observed: undefined, cause: 'changed' } as const;
  return { entries: [entry], actions: [{ kind: 'update', entry, desired: asDesired(entry, seen), seen, changes: [change] }] };
}

function asDesired(entry: OwnedEntry, seen: Present): DesiredResource {
  const { id, type, config, dependsOn } = entry;
  return {
    id,
    template: id,
    type,
    config,
    main: false,
    name: entry.name,
    dependsOn,
    formerly: [],
    notReady: '',
    value: seen.spec as DesiredResource['value'],
    pending: [],
    secrets: [],
  };
}

function forget(entry: OwnedEntry, because: 'gone' | 'retained' | 'not ours' | 'lifetime over' | 'never made'): Step {
  return { entries: [entry], actions: [{ kind: 'forget', entry, because }] };
}
