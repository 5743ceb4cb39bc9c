/** What one ListWatch knows: objects as the server told them last, without what nobody reads. */
import type { JsonObject } from '../core/types.ts';

export interface Cache {
  /** By `namespace/name`. Objects are frozen, and the same one until it changes. */
  readonly objects: Map<string, JsonObject>;
  /** All of them by namespace and name; undefined after a change, until somebody asks. */
  sorted: readonly JsonObject[] | undefined;
}

/** The parts of metadata that a cache works with. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

export function newCache(): Cache {
  return { objects: new Map(), sorted: undefined };
}

export function metaOf(object: JsonObject): ObjectMeta {
  return object['metadata'] as unknown as ObjectMeta;
}

/** The key under which an object is kept. */
export function cacheKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** Keeps an object and returns what stood there before. */
export function setObject(cache: Cache, object: JsonObject): JsonObject | undefined {
  const { namespace, name } = metaOf(object);
  const key = cacheKey(namespace, name);
  const before = cache.objects.get(key);
  cache.objects.set(key, object);
  cache.sorted = undefined;
  return before;
}

/** Forgets an object and returns it. */
export function deleteObject(cache: Cache, key: string): JsonObject | undefined {
  const before = cache.objects.get(key);
  if (cache.objects.delete(key)) cache.sorted = undefined;
  return before;
}

/** All objects, or those of a namespace, by namespace and name. */
export function objectsOf(cache: Cache, namespace?: string): JsonObject[] {
  cache.sorted ??= [...cache.objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  return cache.sorted.filter(object => namespace === undefined || (metaOf(object).namespace ?? '') === namespace);
}

/** The object as it is cached: with the kind that items of a list leave out, without `managedFields` (a fifth of the size), frozen. */
export function trimmed(object: JsonObject, kind: string, apiVersion: string): JsonObject {
  const { managedFields: _, ...metadata } = object['metadata'] as JsonObject;
  return deepFreeze({ ...object, apiVersion, kind, metadata });
}

function deepFreeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}
