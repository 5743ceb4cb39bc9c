/**
 * What the Kubernetes store keeps in step with: admin kinds, every claim kind there is a definition of, labels of Namespaces, and of
 * Secrets the metadata of those that matter: connection Secrets, found by our label, and each one with credentials, by its name. A watch by
 * name lets a role grant exactly those; no value of a Secret is ever cached.
 */
import { equal } from '../core/digest.ts';
import type { Json, JsonObject, ObjectKey } from '../core/types.ts';
import { metaOf, objectsOf } from '../kube/cache.ts';
import { type Change, type ListWatch, type ListWatchOptions, startListWatch, stopListWatch } from '../kube/list-watch.ts';
import { definedKinds, type KubeHome, keyOfCached } from './kube-home.ts';
import { MANAGED_BY, MANAGER, RESOURCES } from './kube-objects.ts';
import { keyText } from './objects.ts';
import { addWatcher, notify } from './watchers.ts';

/** Name of the watch over the connection Secrets among `secrets`. */
export const CONNECTION_SECRETS = '';
const ADMIN = ['ClaimDefinition', 'Composition', 'EnvironmentClass', 'ProviderConfig'] as const;
/** A claim CRD comes a moment after its definition: it must not take half a minute to be seen, ms. */
const CLAIM_BACKOFF_MS = { base: 200, max: 10_000 };

/** As Store.watch. The first watcher starts the watches, the last one to leave ends them. */
export async function watchKube(home: KubeHome, onChange: (key: ObjectKey) => void, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  if (home.kinds.size === 0) startWatches(home);
  signal.addEventListener('abort', () => leave(home, signal), { once: true });
  await whenSynced(home);
  const keys = [...home.kinds].flatMap(([kind, watch]) => objectsOf(watch.cache).map(object => keyOfCached(kind, object)));
  await addWatcher(home.watchers, keys, onChange, signal);
}

/** True when every kind that is defined has been listed; a kind without its CRD, or Secrets we may not list, count as empty. */
export function isSynced(home: KubeHome): boolean {
  return home.kinds.size > 0 && [...home.kinds.values(), ...home.secrets.values()].every(watch => watch.isSynced());
}

async function whenSynced(home: KubeHome): Promise<void> {
  // Definitions bring kinds, configs bring Secrets: each round may start more.
  for (let known = -1; known !== home.kinds.size + home.secrets.size; ) {
    known = home.kinds.size + home.secrets.size;
    await Promise.all([...home.kinds.values(), ...home.secrets.values()].map(watch => watch.synced));
  }
}

function startWatches(home: KubeHome): void {
  for (const kind of ADMIN) startKind(home, kind, { resource: RESOURCES[kind]! });
  startKind(home, 'Namespace', { resource: RESOURCES['Namespace']!, metadataOnly: true });
  startSecrets(home, CONNECTION_SECRETS, { labelSelector: `${MANAGED_BY}=${MANAGER}` });
}

function leave(home: KubeHome, signal: AbortSignal): void {
  if ([...home.watchers].some(watcher => watcher.signal !== signal && !watcher.signal.aborted)) return;
  for (const watch of [...home.kinds.values(), ...home.secrets.values()]) stopListWatch(watch);
  home.kinds.clear();
  home.secrets.clear();
}

function startKind(home: KubeHome, kind: string, options: Partial<ListWatchOptions> & Pick<ListWatchOptions, 'resource'>): void {
  const watch = startListWatch({ ...common(home), onChange: change => changed(home, kind, change), ...options });
  home.kinds.set(kind, watch);
}

function startSecrets(home: KubeHome, name: string, options: Pick<ListWatchOptions, 'labelSelector' | 'fieldSelector' | 'namespace'>): void {
  const resource = RESOURCES['Secret']!;
  const onChange = (change: Change): void => tellSecret(home, name, change);
  home.secrets.set(name, startListWatch({ ...common(home), resource, metadataOnly: true, optional: true, onChange, ...options }));
}

function common({ api, onError, idleMs }: KubeHome): Pick<ListWatchOptions, 'api' | 'onError' | 'idleMs'> {
  return { api, onError, ...(idleMs === undefined ? {} : { idleMs }) };
}

function changed(home: KubeHome, kind: string, change: Change): void {
  if (kind === 'ClaimDefinition') followDefinitions(home);
  if (kind === 'ProviderConfig') followCredentials(home);
  const read = READ[kind];
  if (read !== undefined && equal(read(change.object), read(change.before))) return;
  notify(home.watchers, keyOfCached(kind, (change.object ?? change.before)!));
}

/** What is read of an object; every claim that uses it is looked at when that changes. */
type Reading = (object: JsonObject | undefined) => Json;

/** Others write to Namespaces all the time; the engine reads their labels and whether they are on their way out. */
const readNamespace: Reading = object => {
  const { labels = null, deletionTimestamp = null } = (object?.['metadata'] ?? {}) as { labels?: Json; deletionTimestamp?: Json };
  return [object === undefined, labels, deletionTimestamp];
};

/** What people wrote, and the definition in force. Conditions and finalizers are the engine's own: they concern no claim. */
const readAdmin: Reading = object => {
  const { uid = null, generation = null, labels = null, annotations = null, deletionTimestamp = null } = (object?.['metadata'] ?? {}) as JsonObject;
  return [uid, generation, labels, annotations, deletionTimestamp, (object?.['status'] as JsonObject | undefined)?.['accepted'] ?? null];
};

const READ: Readonly<Record<string, Reading>> = {
  Namespace: readNamespace,
  ...Object.fromEntries(ADMIN.map(kind => [kind, readAdmin])),
};

/** The first list of connection Secrets is no news: each claim is looked at then anyway. */
function tellSecret(home: KubeHome, name: string, { object, before }: Change): void {
  if (name === CONNECTION_SECRETS && home.secrets.get(name)?.isSynced() !== true) return;
  const key = keyOfCached('Secret', (object ?? before)!);
  const writing = home.writing.get(keyText(key));
  if (writing === undefined) notify(home.watchers, key);
  else writing.push(object === undefined ? '' : metaOf(object).resourceVersion);
}

/** Starts a watch for each kind that is defined and ends those of kinds that are not any more. */
function followDefinitions(home: KubeHome): void {
  const wanted = new Map(definedKinds(home).map(resource => [resource.kind, resource]));
  for (const [kind, watch] of home.kinds) {
    const now = wanted.get(kind);
    const { plural, namespaced } = watch.options.resource;
    if (RESOURCES[kind] !== undefined || (now?.plural === plural && now.namespaced === namespaced)) continue;
    end(home.kinds, kind, watch);
  }
  for (const [kind, resource] of wanted) {
    if (!home.kinds.has(kind)) startKind(home, kind, { resource, optional: true, backoffMs: CLAIM_BACKOFF_MS });
  }
}

/** The same for the Secrets that ProviderConfigs take credentials from. */
function followCredentials(home: KubeHome): void {
  const configs = objectsOf(home.kinds.get('ProviderConfig')!.cache);
  const wanted = new Map(configs.flatMap(credentialsOf).map(key => [keyText(key), key]));
  for (const [name, watch] of home.secrets) if (name !== CONNECTION_SECRETS && !wanted.has(name)) end(home.secrets, name, watch);
  for (const [name, key] of wanted) {
    if (!home.secrets.has(name)) startSecrets(home, name, { namespace: key.namespace, fieldSelector: `metadata.name=${key.name}` });
  }
}

function credentialsOf(config: JsonObject): ObjectKey[] {
  const settings = ((config['spec'] ?? {}) as JsonObject)['settings'] as JsonObject | undefined;
  const { from, secretRef } = (settings?.['credentials'] ?? {}) as { from?: string; secretRef?: { namespace?: string; name?: string } };
  const { namespace = '', name = '' } = secretRef ?? {};
  // One per namespace (`${claim.namespace}`) is not known here; those are found at the next look.
  const isPlain = from === 'Secret' && namespace !== '' && name !== '' && !`${namespace}${name}`.includes('$');
  return isPlain ? [{ kind: 'Secret', namespace, name }] : [];
}

function end(all: Map<string, ListWatch>, name: string, watch: ListWatch): void {
  stopListWatch(watch);
  all.delete(name);
}

/** When the API server was last heard by every watch, monotonic ms; undefined before the first. For health. */
export function heardAt(home: KubeHome): number | undefined {
  const all = [...home.kinds.values()].map(watch => watch.heard.atMs);
  return all.length === 0 ? undefined : Math.min(...all);
}

/** Versions that claims name in their status, of every kind that is watched; undefined while one is not synced. */
export function revisionsInUse(home: KubeHome): ReadonlySet<string> | undefined {
  const claims = [...home.kinds].filter(([kind]) => RESOURCES[kind] === undefined);
  if (!isSynced(home)) return undefined;
  const names = claims.flatMap(([, watch]) => objectsOf(watch.cache).map(object => ((object['status'] ?? {}) as { revision?: string }).revision ?? ''));
  return new Set(names.filter(name => name !== ''));
}

/** The uid of a cached object, e.g. for events about it. */
export function uidOf(home: KubeHome, key: ObjectKey): string | undefined {
  const object = home.kinds.get(key.kind)?.cache.objects.get(`${key.namespace}/${key.name}`);
  return object === undefined ? undefined : metaOf(object).uid;
}
