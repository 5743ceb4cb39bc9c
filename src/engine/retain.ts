/**
 * What outlives its claim, and is named: deleting a kind marks every claim of it for deletion at once, and nobody meant their queues; a namespace
 * that goes waits for nobody; and a claim that comes back takes up what it left.
 */
import { isOwned } from '../core/match.ts';
import type { Claim, ClaimKey, Condition, ConditionType, InventoryEntry, JsonObject, Outcome, OwnedEntry } from '../core/types.ts';
import type { Engine } from './engine.ts';
import { metadataOf } from './objects.ts';

const MOST_NAMED = 10;

/**
 * The claim with what it says itself of its end on every entry: that counts before what was pinned at the last good pass, however late it was
 * said. Nothing was ever said of what is only observed.
 */
export function asItSays(claim: Claim): Claim {
  const { deletion } = claim.lifecycle;
  const isOther = (entry: InventoryEntry): entry is OwnedEntry => isOwned(entry) && entry.origin !== 'Observed' && entry.deletion !== deletion;
  if ((deletion !== 'Retain' && deletion !== 'Delete') || !claim.status.resources.some(isOther)) return claim;
  const resources = claim.status.resources.map(entry => (isOther(entry) ? { ...entry, deletion } : entry));
  return { ...claim, status: { ...claim.status, resources } };
}

/**
 * The claim, whose deletion is requested, with every entry pinned to Retain if it was requested no earlier than that of its
 * CustomResourceDefinition or ClaimDefinition: by the kind's end, not for its own. The first such look says in an event and in the log what
 * is kept. `object`: the claim as read. Errors: those of Store.get, live.
 */
export async function keptIfKindGoes(engine: Engine, claim: Claim, object: JsonObject): Promise<Claim> {
  const told = asItSays(claim);
  if (!told.status.resources.some(entry => isOwned(entry) && entry.deletion !== 'Retain') || !(await isByKind(engine, claim.kind, object))) return told;
  const going = claim.status.resources.filter(isOwned).filter(entry => entry.deletion !== 'Retain');
  if (going.length === 0) return claim;
  const message = `the kind ${claim.kind} is being deleted, so what the claim made is kept: ${listed(going)}`;
  engine.store.emit(claim, { type: 'Warning', reason: 'Retained', message });
  engine.log('warn', message, { kind: claim.kind, namespace: claim.namespace, name: claim.name });
  const resources = claim.status.resources.map(entry => (isOwned(entry) ? { ...entry, deletion: 'Retain' as const } : entry));
  return { ...claim, status: { ...claim.status, resources } };
}

/** True when the claim's namespace is on its way out; what belongs to none has none that goes. */
export async function isNamespaceGoing(engine: Engine, namespace: string): Promise<boolean> {
  if (namespace === '') return false;
  const object = await engine.store.get({ kind: 'Namespace', namespace: '', name: namespace }, 'cache');
  return object !== undefined && metadataOf(object).deletionTimestamp !== undefined;
}

/**
 * What keeps a claim that is being deleted from going, if no time mends it: the code of its condition Stalled, once a pass of its deletion has
 * said so. In a namespace that is going such things are let go, so that it finishes.
 */
export function stuckOn({ status }: Pick<Claim, 'status'>): string | undefined {
  const of = (type: ConditionType): Condition | undefined => status.conditions.find(condition => condition.type === type);
  const stalled = of('Stalled');
  return of('Ready')?.reason === 'Deleting' && stalled?.status === 'True' ? stalled.reason : undefined;
}

/** Says what was let go because its namespace goes: nothing leaks unnamed. */
export function tellLetGo(engine: Engine, claim: ClaimKey, outcomes: readonly Outcome[], reason: string): void {
  const gone = outcomes.flatMap(({ action }) => (action.kind === 'forget' && action.because === 'retained' && isOwned(action.entry) ? [action.entry] : []));
  if (gone.length === 0) return;
  const message = `the namespace ${claim.namespace} is being deleted, and this could not be (${reason}), so it is kept: ${listed(gone)}`;
  engine.store.emit(claim, { type: 'Warning', reason: 'Retained', message });
  engine.log('warn', message, { kind: claim.kind, namespace: claim.namespace, name: claim.name });
}

/** Says what a claim that only observed leaves as it is. */
export function tellUntouched(engine: Engine, claim: Claim, outcomes: readonly Outcome[]): void {
  if (claim.lifecycle.management !== 'ObserveOnly') return;
  const left = outcomes.flatMap(({ action }) =>
    action.kind === 'forget' && isOwned(action.entry) && action.entry.origin !== 'Observed' ? [action.entry] : [],
  );
  if (left.length === 0) return;
  engine.store.emit(claim, { type: 'Warning', reason: 'Retained', message: `the claim only observes, so this is left as it is: ${listed(left)}` });
}

/** Says what an earlier claim of the name had left and is this one's from now on. */
export function tellTakenBack(engine: Engine, claim: ClaimKey, outcomes: readonly Outcome[]): void {
  const back = outcomes.flatMap(({ action, result }) => (action.kind === 'update' && action.takesBack === true && result === 'done' ? [action.entry] : []));
  if (back.length === 0) return;
  engine.store.emit(claim, { type: 'Normal', reason: 'TakenBack', message: `left by an earlier claim of this name and taken back: ${listed(back)}` });
}

function listed(entries: readonly OwnedEntry[]): string {
  const names = entries.map(({ id, type, name }) => `${id} (${type} ${name})`);
  return `${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : ''}`;
}

/** A CustomResourceDefinition marks its claims right after itself, so it is read live; nothing follows from a definition that fast. */
async function isByKind({ store }: Engine, kind: string, object: JsonObject): Promise<boolean> {
  const definition = (await store.list('ClaimDefinition')).find(item => (item['spec'] as JsonObject | undefined)?.['kind'] === kind);
  if (definition === undefined) return false;
  const crd = await store.get({ kind: 'CustomResourceDefinition', namespace: '', name: metadataOf(definition).name });
  const times = [definition, crd].flatMap(item => (item === undefined ? [] : (metadataOf(item).deletionTimestamp ?? [])));
  return times.some(time => Date.parse(metadataOf(object).deletionTimestamp ?? '') >= Date.parse(time));
}
