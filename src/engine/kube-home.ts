/** What the parts of the Kubernetes store share, and its reads. */
import { EngineError, isError } from '../core/errors.ts';
import { API_VERSION } from '../core/kinds.ts';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { cacheKey, metaOf, objectsOf } from '../kube/cache.ts';
import { type Discovery, resourceOf } from '../kube/discovery.ts';
import { failureOf } from '../kube/failure.ts';
import { type ListWatch, takeOwnWrite } from '../kube/list-watch.ts';
import { pathOf, type Resource } from '../kube/paths.ts';
import { type Api, type Call, request } from '../kube/transport.ts';
import { claimResource, fromKube, placeOf, RESOURCES } from './kube-objects.ts';
import { byKey, checkedKey, conflict, keyText, metadataOf } from './objects.ts';
import type { Watchers } from './watchers.ts';

export interface KubeHome {
  readonly api: Api;
  readonly discovery: Discovery;
  /** The engine's own: revisions and the instance live there. */
  readonly namespace: string;
  readonly watchers: Watchers;
  /** Whole objects, by kind: admin kinds, Namespaces (metadata), and each claim kind. */
  readonly kinds: Map<string, ListWatch>;
  /** Metadata of Secrets: the connection Secrets together, and each Secret with credentials that a ProviderConfig names, by keyText. */
  readonly secrets: Map<string, ListWatch>;
  /** By keyText of a claim: version and finalizers as read last, so that ours can be added to them and taken from them. */
  readonly finalizers: Map<string, { readonly version: string; readonly names: readonly string[] }>;
  /** By keyText of a Secret that is being written: versions that its watch told meanwhile ('' for its end); ours may come before our answer. */
  readonly writing: Map<string, string[]>;
  readonly onError: (error: unknown) => void;
  /** Of watches; undefined: theirs. */
  readonly idleMs: number | undefined;
}

/** The resource that serves a kind; undefined when the API server has none. */
export async function resourceFor(home: KubeHome, kind: string): Promise<Resource | undefined> {
  const fixed = RESOURCES[kind];
  if (fixed !== undefined) return fixed;
  const watched = home.kinds.get(kind);
  return watched?.options.resource ?? (await resourceOf(home.discovery, API_VERSION, kind).catch(storeError(`the kind ${kind}`)));
}

/** The claim kinds and their plurals, of the definitions in the cache. */
export function definedKinds(home: KubeHome): Resource[] {
  const definitions = home.kinds.get('ClaimDefinition');
  if (definitions === undefined) return [];
  return objectsOf(definitions.cache).flatMap(object => {
    const { kind, plural, scope } = (object['spec'] ?? {}) as { kind?: string; plural?: string; scope?: string };
    return kind === undefined || plural === undefined || RESOURCES[kind] !== undefined ? [] : [claimResource({ kind, plural, scope })];
  });
}

/** Sends a call; what fails is translated to what the port says. */
export async function call(home: KubeHome, what: string, options: Call): Promise<JsonObject> {
  return await request(home.api, options).catch(storeError(what));
}

/** StoreConflict stays; what says nothing about the object is StoreUnavailable; refusals (AccessDenied, InvalidRequest, NotFound, AlreadyExists) stay. */
export function storeError(what: string): (thrown: unknown) => never {
  return thrown => {
    const failure = failureOf(thrown);
    if (failure === undefined || !isError(thrown)) throw thrown;
    const isRefusal = ['StoreConflict', 'AccessDenied', 'InvalidRequest', 'NotFound', 'AlreadyExists'].includes(thrown.code) && failure.status !== 410;
    if (isRefusal) throw thrown;
    throw new EngineError('StoreUnavailable', `${what}: ${thrown.message}`, { hint: thrown.hint || 'it is tried again', cause: thrown });
  };
}

/** A live read. */
export async function getLive(home: KubeHome, key: ObjectKey): Promise<JsonObject | undefined> {
  const raw = await getRaw(home, key);
  return raw === undefined ? undefined : handOut(home, key, fromKube(key.kind, raw));
}

/** As the API server has it. */
export async function getRaw(home: KubeHome, key: ObjectKey): Promise<JsonObject | undefined> {
  checkedKey(key);
  const resource = await resourceFor(home, key.kind);
  if (resource === undefined) return undefined;
  const { namespace, name } = placeOf(key, home.namespace);
  try {
    return await call(home, keyText(key), { method: 'GET', path: pathOf(resource, namespace, name) });
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** From the cache when it is kept there, else live. */
export async function getCached(home: KubeHome, key: ObjectKey): Promise<JsonObject | undefined> {
  const watch = home.kinds.get(key.kind);
  if (watch?.isSynced() !== true) return await getLive(home, key);
  const object = watch.cache.objects.get(cacheKey(key.namespace, key.name));
  return object === undefined ? undefined : handOut(home, key, object);
}

/** Remembers what a finalizer write will need. */
function handOut(home: KubeHome, key: ObjectKey, object: JsonObject): JsonObject {
  if (RESOURCES[key.kind] !== undefined) return object;
  const { finalizers, resourceVersion } = metadataOf(object);
  home.finalizers.delete(keyText(key));
  home.finalizers.set(keyText(key), { version: resourceVersion, names: finalizers ?? [] });
  const [oldest] = home.finalizers.keys();
  // A pass reads and writes one claim; more than are worked at once need not be known.
  if (home.finalizers.size > 1_000 && oldest !== undefined) home.finalizers.delete(oldest);
  return object;
}

/** From the cache when the kind is watched, else live in pages. */
export async function listAll(home: KubeHome, kind: string, namespace?: string): Promise<JsonObject[]> {
  const watch = home.kinds.get(kind);
  if (watch?.isSynced() === true) return objectsOf(watch.cache, namespace);
  const resource = await resourceFor(home, kind);
  if (resource === undefined) return [];
  const path = pathOf(resource, kind === 'Revision' ? home.namespace : namespace);
  const found: JsonObject[] = [];
  let token: string | undefined;
  do {
    const page = await call(home, `list ${kind}`, { method: 'GET', path, query: { limit: 500, continue: token } }).catch(emptyIfMissing);
    const items = (page['items'] ?? []) as JsonObject[];
    found.push(...items.map(item => fromKube(kind, { ...item, apiVersion: item['apiVersion'] ?? (resource.group === '' ? 'v1' : API_VERSION) })));
    token = (page['metadata'] as { continue?: string } | undefined)?.continue;
  } while (token !== undefined && token !== '');
  return found.sort(byKey);
}

function emptyIfMissing(error: unknown): JsonObject {
  if (isError(error, 'NotFound')) return {};
  throw error;
}

/**
 * Hands out the answer to a write of ours, and lets the cache have it at once, so that the next look does not meet the state before it.
 * `from`: the version written over. Undefined when the write removed the object.
 */
export function written(home: KubeHome, key: ObjectKey, from: string | undefined, answer: JsonObject): JsonObject | undefined {
  const { deletionTimestamp, finalizers } = metadataOf(answer);
  const isGone = deletionTimestamp !== undefined && !finalizers?.length;
  const object = isGone ? undefined : fromKube(key.kind, answer);
  const watch = home.kinds.get(key.kind);
  if (watch !== undefined) takeOwnWrite(watch, cacheKey(key.namespace, key.name), from, object);
  if (isGone) home.finalizers.delete(keyText(key));
  return object === undefined ? undefined : handOut(home, key, object);
}

/** NotFound of a write: what was to be written is gone. */
export function goneIsConflict(key: ObjectKey): (thrown: unknown) => never {
  return thrown => {
    if (isError(thrown, 'NotFound')) throw conflict(key, 'it is gone');
    if (isError(thrown, 'StoreConflict') || isError(thrown, 'AlreadyExists')) throw conflict(key);
    if (failureOf(thrown)?.fields.includes('metadata.uid') === true) throw conflict(key, 'it was deleted and made again');
    throw thrown;
  };
}

/** The key of a cached object. */
export function keyOfCached(kind: string, object: JsonObject): ObjectKey {
  const { namespace, name } = metaOf(object);
  return { kind, namespace: namespace ?? '', name };
}
