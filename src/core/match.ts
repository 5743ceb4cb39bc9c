/** Which entry of the inventory stands for which desired resource: the same, moved, new, or replaced. Pure. */
import { diff, isImmutable } from './diff.ts';
import { digest } from './digest.ts';
import { EngineError } from './errors.ts';
import { exactName, nameOf } from './naming.ts';
import { marked } from './ownership.ts';
import { isUnder, leaves } from './paths.ts';
import { checkValue, withDefaults } from './schema.ts';
import type {
  Claim,
  DesiredResource,
  Identity,
  InventoryEntry,
  JsonObject,
  Lifecycle,
  Observed,
  OwnedEntry,
  Owner,
  Policy,
  Present,
  ResourceType,
  Timestamp,
  TypeName,
  WaitingEntry,
} from './types.ts';

/** What is known of a ProviderConfig that could be connected. */
export interface Link {
  readonly scope: string;
  readonly types: ReadonlyMap<TypeName, ResourceType>;
  readonly unsupported: Readonly<Record<TypeName, readonly string[]>>;
  readonly forgetful: boolean;
  readonly lifetime: 'Cluster' | 'Namespace' | 'Process';
}
/** Everything beside the rendering that decides what a resource is called and how it is treated. */
export interface Setting {
  readonly claim: Claim;
  readonly instance: { readonly id: string; readonly key: string };
  readonly lifecycle: Lifecycle;
  readonly policy: Policy;
  readonly adoptable: readonly { readonly type: TypeName; readonly name: string }[];
  /** By ProviderConfig name. */
  readonly links: ReadonlyMap<string, Link | EngineError>;
  /** Names of ProviderConfigs whose things go with the claim's namespace, which is going. */
  readonly over?: ReadonlySet<string>;
  /** What the class's naming gives for this id, '' for the built-in rule. */
  readonly baseName: (id: string) => string;
  /** By identityKey; what was not looked at is not here. */
  readonly observed?: ReadonlyMap<string, Observed>;
  readonly now: Timestamp;
}
/** A desired resource with its type, its canonical spec and, unless its key is pending, the name a new one would get. */
export interface Wanted {
  readonly desired: DesiredResource;
  readonly type: ResourceType;
  readonly link: Link;
  readonly spec: JsonObject;
}
export type Match =
  | { readonly kind: 'entry'; readonly wanted: Wanted; readonly entry: OwnedEntry; readonly moved: boolean }
  | { readonly kind: 'new'; readonly wanted: Wanted; readonly entry: OwnedEntry }
  /** Its natural key is pending. */
  | { readonly kind: 'waiting'; readonly wanted: Wanted; readonly entry: WaitingEntry; readonly on: string; readonly message: string }
  /** `successor`: what would take the place of the entry if a person let it go, as `placeOf` writes it. */
  | { readonly kind: 'failed'; readonly entry: InventoryEntry; readonly error: EngineError; readonly successor?: string };

/** One text per identity; two entries never share it. */
export function identityKey({ scope, type, name }: Identity): string {
  return `${scope}|${type}|${name}`;
}

export function isOwned(entry: InventoryEntry): entry is OwnedEntry {
  return entry.phase !== 'Waiting';
}

/** True for entries on their way out. */
export function isLeaving(entry: InventoryEntry): boolean {
  return entry.phase === 'Retiring' || entry.phase === 'Deleting';
}

/**
 * True when the service says it was made after the entry was recorded. Services that tell whole seconds make what came in the same second look
 * older: a foreign thing must never pass for ours, and ours bears its marks from its first moment.
 */
export function isNotOlder(seen: Present, entry: OwnedEntry): boolean {
  return seen.createdAt !== undefined && Date.parse(seen.createdAt) >= Date.parse(entry.since);
}

/** The owner whose marks a resource of the claim bears. */
export function ownerFor(setting: Pick<Setting, 'claim' | 'instance'>, id: string): Owner {
  const { kind, namespace, name, uid } = setting.claim;
  return { instance: setting.instance.id, kind, namespace, name, uid, id };
}

/** Defaults, marks and normal form; fields that what is connected cannot do are left out. */
export function canonicalSpec(type: ResourceType, spec: JsonObject, owner: Owner, unsupported: readonly string[], seen: Present | undefined): JsonObject {
  const whole = marked(withDefaults(type.spec, spec), type.mark, owner);
  const normal = type.normalise === undefined ? whole : type.normalise(whole, seen);
  return Object.fromEntries(Object.entries(normal).filter(([field, value]) => value !== undefined && !unsupported.includes(field)));
}

/** What is there, in normal form. */
export function normalSpec(type: ResourceType, seen: Present): Present['spec'] {
  return type.normalise === undefined ? seen.spec : type.normalise(seen.spec as JsonObject, seen);
}

/**
 * Matches every desired resource with at most one entry; an entry is used once. What retires is matched like any other, so that a change which is
 * taken back takes it up again; what is being deleted is not.
 */
export function matchAll(setting: Setting, resources: readonly DesiredResource[], inventory: readonly InventoryEntry[]): Match[] {
  const free = new Set(inventory.filter(entry => entry.phase !== 'Deleting'));
  const matches: Match[] = [];
  for (const desired of resources) {
    const match = matchOne(setting, desired, free, inventory);
    if (match.kind !== 'new') free.delete(match.entry);
    matches.push(match);
  }
  return matches;
}

function matchOne(setting: Setting, desired: DesiredResource, free: ReadonlySet<InventoryEntry>, inventory: readonly InventoryEntry[]): Match {
  const candidates = [...free].filter(isOwned).sort(newestFirst);
  const mine = candidates.find(entry => entry.id === desired.id && entry.type === desired.type);
  const link = setting.links.get(desired.config);
  if (link === undefined || link instanceof EngineError) {
    const error = link ?? new EngineError('NoProviderConfig', `ProviderConfig ${desired.config} is not there`);
    return { kind: 'failed', entry: mine ?? waitingEntry(desired, error.message), error };
  }
  const type = link.types.get(desired.type);
  if (type === undefined) {
    const error = new EngineError('Unsupported', `ProviderConfig ${desired.config} has no resource type ${desired.type}`);
    return { kind: 'failed', entry: mine ?? waitingEntry(desired, error.message), error };
  }
  const spec = canonicalSpec(type, desired.value, ownerFor(setting, desired.id), link.unsupported[type.type] ?? [], undefined);
  const problem = specProblem(type, desired, setting);
  if (problem !== undefined) return { kind: 'failed', entry: mine ?? waitingEntry(desired, problem.message), error: problem };
  const wanted: Wanted = { desired, type, link, spec };
  const mayServe = candidates.filter(entry => isStillMeant(setting, wanted, entry) && (!isLeaving(entry) || isAsWanted(setting, wanted, entry)));
  return matchEntry(setting, wanted, mayServe, inventory) ?? matchNew(setting, wanted, inventory);
}

/** What stays before what retires, then by incarnation. */
const newestFirst = (a: OwnedEntry, b: OwnedEntry): number => Number(isLeaving(a)) - Number(isLeaving(b)) || b.incarnation - a.incarnation;

/**
 * False for what was intended and would now be made under another name or in another way (an edit of `adopt`, of the naming, of what the name says),
 * and for what was only observed once the claim does more than that: it is decided anew, as if it had never been looked at.
 */
function isStillMeant(setting: Setting, wanted: Wanted, entry: OwnedEntry): boolean {
  const { desired, type, link } = wanted;
  if (entry.id !== desired.id || entry.type !== desired.type || entry.scope !== link.scope) return true;
  if (entry.origin === 'Observed') return setting.lifecycle.management === 'ObserveOnly';
  if (entry.phase !== 'Intended' || type.naming.by === 'key') return true;
  return isPlannedName(setting, wanted, entry) && originFor(setting, desired, entry.name) === entry.origin;
}

/** More swaps than anybody lives to see: whatever a status says, its names are soon made. */
const MOST_NAMES = 1_000;

/** What is taken up again counts as newer than it is named. */
function isPlannedName(setting: Setting, wanted: Wanted, { name, incarnation }: OwnedEntry): boolean {
  const oldest = Math.max(0, incarnation - MOST_NAMES);
  for (let number = incarnation; number >= oldest; number -= 1) if (plannedName(setting, wanted, number) === name) return true;
  return false;
}

/** The newest entry of an id, unless an older one is known to be what is wanted and this one is not: a change was taken back. */
function holderOf(setting: Setting, wanted: Wanted, candidates: readonly OwnedEntry[]): OwnedEntry | undefined {
  const same = candidates.filter(entry => entry.id === wanted.desired.id && entry.type === wanted.desired.type);
  const [newest] = same;
  return same.length < 2 ? newest : (same.find(entry => isAsWanted(setting, wanted, entry)) ?? newest);
}

/** Known to be what is wanted in all that cannot change: its place, its key and each immutable field, as last seen and as seen now. */
function isAsWanted(setting: Setting, wanted: Wanted, entry: OwnedEntry): boolean {
  const { desired, type, link, spec } = wanted;
  const { instance } = setting;
  if (entry.scope !== link.scope || hasNewKey(wanted, entry)) return false;
  const isPending = (path: string): boolean => desired.pending.some(item => isUnder(path, item.path) || isUnder(item.path, path));
  const fixed = leaves(spec).filter(([path]) => isImmutable(type, path) && !isPending(path));
  if (fixed.some(([path, value]) => entry.settled[path] !== digest(instance.key, value))) return false;
  const known = new Set(fixed.map(([path]) => path));
  const isLeftOver = ([path, value]: [string, string]): boolean =>
    path !== '' && !value.startsWith('~') && isImmutable(type, path) && !known.has(path) && !isPending(path);
  return !Object.entries(entry.settled).some(isLeftOver) && !isRemade(setting, wanted, entry);
}

/** True when it is seen with another value in what cannot change: somebody made it anew, and what is known of it is of the one before. */
function isRemade(setting: Setting, { desired, type, link }: Wanted, entry: OwnedEntry): boolean {
  const seen = setting.observed?.get(identityKey(entry));
  if (seen?.kind !== 'present') return false;
  const { changes } = diff({
    type,
    desired: canonicalSpec(type, desired.value, ownerFor(setting, desired.id), link.unsupported[type.type] ?? [], seen),
    pending: desired.pending.map(item => item.path),
    secrets: desired.secrets,
    seen: { ...seen, spec: normalSpec(type, seen) },
    settled: entry.settled,
    sent: entry.sent ?? {},
    quietMs: entry.changedAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(setting.now) - Date.parse(entry.changedAt),
    ignore: setting.lifecycle.ignore[desired.template] ?? [],
    key: setting.instance.key,
  });
  return changes.some(change => isImmutable(type, change.path));
}

/** What the claim and the parameters lead to must be something the type can take; what is pending or secret is not judged yet. */
function specProblem(type: ResourceType, desired: DesiredResource, setting: Setting): EngineError | undefined {
  if (desired.pending.length > 0 || desired.secrets.length > 0) return undefined;
  const [problem] = checkValue(type.spec, marked(withDefaults(type.spec, desired.value), type.mark, ownerFor(setting, desired.id)), '');
  return (
    problem && new EngineError('InvalidSpec', `${desired.id}: ${problem.path === '' ? 'its spec' : problem.path} ${problem.message}`, { path: problem.path })
  );
}

/** The same id on the same scope, else an entry that `formerly` names, else one with the very identity. */
function matchEntry(setting: Setting, wanted: Wanted, candidates: readonly OwnedEntry[], inventory: readonly InventoryEntry[]): Match | undefined {
  const { desired, link } = wanted;
  const mine = holderOf(setting, wanted, candidates);
  if (mine !== undefined && mine.scope === link.scope && !hasNewKey(wanted, mine))
    return { kind: 'entry', wanted, entry: mine, moved: mine.config !== desired.config };
  if (mine !== undefined && mine.scope !== link.scope && mine.config === desired.config && link.lifetime !== 'Process') {
    const error = new EngineError(
      'ScopeChanged',
      `${desired.id}: ProviderConfig ${desired.config} reaches ${link.scope}, but ${mine.name} is in ${mine.scope}`,
    );
    const match = matchNew(setting, wanted, inventory);
    const successor = placeOf(match);
    if (successor === undefined) return { kind: 'failed', entry: mine, error };
    return mayGoFor(mine, successor) ? match : { kind: 'failed', entry: mine, error, successor };
  }
  const fits = (entry: OwnedEntry): boolean => entry.type === desired.type && entry.scope === link.scope;
  const renamed = candidates.find(entry => fits(entry) && desired.formerly.includes(entry.id));
  if (renamed !== undefined) return { kind: 'entry', wanted, entry: renamed, moved: true };
  const name = newName(setting, wanted, 0);
  const same = candidates.find(entry => fits(entry) && entry.name === name);
  return same === undefined ? undefined : { kind: 'entry', wanted, entry: same, moved: true };
}

/** A natural key that changed names another thing; a pending one says nothing. */
function hasNewKey({ type, spec }: Wanted, entry: OwnedEntry): boolean {
  if (type.naming.by !== 'key') return false;
  const key = type.naming.key(spec);
  return key !== undefined && key !== entry.name;
}

/** What serves a desired resource, as one text: an identity without its name while that is pending; undefined when it cannot be told. */
export function placeOf(match: Match): string | undefined {
  if (match.kind === 'failed') return match.successor;
  return match.kind === 'waiting' ? identityKey({ scope: match.wanted.link.scope, type: match.wanted.type.type, name: '' }) : identityKey(match.entry);
}

/** True when a person let the entry go, and just for what takes its place now ('': nothing). */
export function mayGoFor({ approved, approvedFor }: OwnedEntry, place: string): boolean {
  if (approved === undefined || approvedFor === undefined) return false;
  return approvedFor === place || (approvedFor.endsWith('|') && place.startsWith(approvedFor));
}

function matchNew(setting: Setting, wanted: Wanted, inventory: readonly InventoryEntry[]): Match {
  const { desired } = wanted;
  const adopt = setting.lifecycle.adopt[desired.template];
  const refused = adopt === undefined ? undefined : adoptRefusal(setting, wanted, adopt);
  if (refused !== undefined) return { kind: 'failed', entry: waitingEntry(desired, refused.message), error: refused };
  const entry = freshEntry(setting, wanted, inventory);
  if (entry === undefined) {
    const [pending] = desired.pending;
    return {
      kind: 'waiting',
      wanted,
      entry: waitingEntry(desired, pending?.message ?? ''),
      on: pending?.on ?? '',
      message: pending?.message ?? `${desired.id} has no key yet`,
    };
  }
  const holder = inventory.filter(isOwned).find(other => identityKey(other) === identityKey(entry));
  // In the place of what we made nothing is observed anyway; what was only intended is no reason to look at what else stands there.
  const isMade = (other: InventoryEntry): boolean => isOwned(other) && other.phase !== 'Intended' && other.origin !== 'Observed' && !isLeaving(other);
  const isFirst = !inventory.some(other => other.id === desired.id && isMade(other));
  const unlisted = entry.origin === 'Observed' && isFirst ? listingRefusal(setting, wanted, entry.name) : undefined;
  const intended = holder?.id === desired.id && holder.phase === 'Intended' ? holder : undefined;
  if (unlisted !== undefined) return { kind: 'failed', entry: intended ?? waitingEntry(desired, unlisted.message), error: unlisted };
  if (holder?.id === desired.id && !isStillMeant(setting, wanted, holder))
    return { kind: 'entry', wanted, entry: { ...entry, incarnation: holder.incarnation, since: holder.since, unmade: true }, moved: false };
  if (holder !== undefined) {
    const error = heldError(entry, holder);
    return { kind: 'failed', entry: waitingEntry(desired, error.message), error };
  }
  return { kind: 'new', wanted, entry };
}

/** Why what would be made is not: another resource of the claim has its very name. */
export function heldError({ id, name, scope }: OwnedEntry, holder: OwnedEntry): EngineError {
  return new EngineError('Conflict', `${id} would be ${name} in ${scope}, which ${holder.id} of the same claim still holds`, {
    retry: 'waiting',
    hint: 'nothing to do once it is gone',
  });
}

/** A new entry, phase Intended: a successor of what the inventory holds under this id. Undefined while its natural key is pending. */
export function freshEntry(setting: Setting, wanted: Wanted, inventory: readonly InventoryEntry[]): OwnedEntry | undefined {
  const { desired, type } = wanted;
  const before = inventory.filter(isOwned).filter(entry => entry.id === desired.id && isStillMeant(setting, wanted, entry));
  const incarnation = before.length === 0 || type.naming.by === 'key' ? 0 : Math.max(...before.map(entry => entry.incarnation)) + 1;
  const name = plannedName(setting, wanted, incarnation);
  return name === undefined ? undefined : newEntry(setting, wanted, name, incarnation);
}

function plannedName(setting: Setting, wanted: Wanted, incarnation: number): string | undefined {
  const adopt = incarnation === 0 && wanted.type.naming.by !== 'key' ? setting.lifecycle.adopt[wanted.desired.template] : undefined;
  return adopt ?? newName(setting, wanted, incarnation);
}

function newName(setting: Setting, { desired, type, spec }: Wanted, incarnation: number): string | undefined {
  if (type.naming.by === 'key') return type.naming.key(spec);
  if (desired.name !== undefined) return exactName(incarnation === 0 ? desired.name : `${desired.name}-${incarnation}`, type.naming, spec);
  const { namespace, name } = setting.claim;
  const parts = { base: setting.baseName(desired.id), namespace, claim: name, id: desired.id, main: desired.main, incarnation, instance: setting.instance.id };
  return nameOf(parts, type.naming, spec);
}

function adoptRefusal(setting: Setting, { desired, type, spec }: Wanted, name: string): EngineError | undefined {
  const key = type.naming.by === 'key' ? type.naming.key(spec) : undefined;
  // What is known by a natural key cannot be something else, e.g. an object of another namespace.
  if (key !== undefined && key !== name)
    return new EngineError('NotAdoptable', `${desired.id}: ${type.type} ${name} is not what the composition names: ${key}`);
  return listingRefusal(setting, { desired, type }, name);
}

/** What is not ours is adopted or observed only if the class lists it. */
function listingRefusal(setting: Setting, { desired, type }: Pick<Wanted, 'desired' | 'type'>, name: string): EngineError | undefined {
  const listed = setting.adoptable.some(rule => rule.type === type.type && globMatches(rule.name, name));
  const verb = setting.lifecycle.management === 'ObserveOnly' ? 'observe' : 'adopt';
  return listed ? undefined : new EngineError('NotAdoptable', `${desired.id}: the class does not allow to ${verb} ${type.type} ${name}`);
}

/** `legacy-*`: a star stands for any text. */
function globMatches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}

function waitingEntry(desired: DesiredResource, message: string): WaitingEntry {
  return { phase: 'Waiting', id: desired.id, type: desired.type, config: desired.config, dependsOn: desired.dependsOn, ready: false, message };
}

function newEntry(setting: Setting, { desired, type, link, spec }: Wanted, name: string, incarnation: number): OwnedEntry {
  const origin = originFor(setting, desired, name);
  return {
    ...waitingEntry(desired, ''),
    phase: 'Intended',
    scope: link.scope,
    name,
    since: setting.now,
    incarnation,
    origin,
    holds: holdsOf(type, name),
    settled: {},
    ...pinsFor(setting, type, spec, origin),
  };
}

/** What a thing of the type holds. */
export function holdsOf({ holds, holdsBy }: Pick<ResourceType, 'holds' | 'holdsBy'>, name: string): ResourceType['holds'] {
  return holdsBy === undefined ? holds : holdsBy(name);
}

function originFor({ lifecycle }: Setting, { template }: DesiredResource, name: string): OwnedEntry['origin'] {
  if (lifecycle.management === 'ObserveOnly') return 'Observed';
  return lifecycle.adopt[template] === name ? 'Adopted' : 'Created';
}

/** What deletion needs later. An adopted thing is deleted only if the claim itself says so, an observed one never. */
export function pinsFor(setting: Setting, type: ResourceType, spec: JsonObject, origin: OwnedEntry['origin']): Pick<OwnedEntry, 'deletion' | 'onDelete'> {
  const asked = origin === 'Created' ? setting.lifecycle.deletion : origin === 'Adopted' ? (setting.claim.lifecycle.deletion ?? 'Retain') : 'Retain';
  const fields = Object.entries(type.spec.properties).filter(([, schema]) => (schema as { plinth?: string }).plinth === 'delete-only');
  const values = fields.map(([field]) => [field, spec[field] ?? (field === 'purge' ? setting.policy.purgeOnDelete : undefined)] as const);
  return { deletion: asked, onDelete: Object.fromEntries(values.filter(([, value]) => value !== undefined)) as JsonObject };
}
