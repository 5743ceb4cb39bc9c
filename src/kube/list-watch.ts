/**
 * One kind of object, kept in step with the API server: a paged list, then a watch from its version, again for ever. Whatever ends a
 * watch, what happened meanwhile is told as differences.
 */
import { EngineError, isError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import { type Cache, cacheKey, deleteObject, metaOf, newCache, setObject, trimmed } from './cache.ts';
import { isExpired, statusError } from './failure.ts';
import { apiVersionOf, pathOf, type Resource } from './paths.ts';
import { type Api, openStream, pause, request } from './transport.ts';
import { watchLines } from './watch-lines.ts';

/** `object` is undefined when it is gone; `before` when it is new. */
export interface Change {
  readonly object: JsonObject | undefined;
  readonly before: JsonObject | undefined;
}

export interface ListWatchOptions {
  readonly api: Api;
  readonly resource: Resource;
  /** Undefined: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What is not served (no CRD yet) or not allowed counts as nothing there: synced, and asked again. */
  readonly optional?: boolean;
  /** Metadata only: `spec`, `status` and `data` are neither sent nor kept. */
  readonly metadataOnly?: boolean;
  /** What of an object is worth keeping, `metadata` at least; all but `managedFields` by default. */
  readonly keep?: (object: JsonObject) => JsonObject;
  /** Told of each difference, in order, never after `stopListWatch`. Must not throw. */
  readonly onChange: (change: Change) => void;
  /** Told of each failure that is tried again. */
  readonly onError?: (error: unknown) => void;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Objects per page; 500 by default: a page parses in 2.4 ms (facts). */
  readonly pageSize?: number;
  /** A watch that says nothing for so long, bookmarks (one a minute) included, is dead; 90 s by default. */
  readonly idleMs?: number;
  /** Everything is listed again so often, against what a watch may have lost; an hour by default, spread by a fifth. */
  readonly resyncMs?: number;
  /** First and longest wait after a failure, ms; 0.5 s and 15 s by default. */
  readonly backoffMs?: { readonly base: number; readonly max: number };
  /** Length asked of a watch, s; 240 to 480 by default, so that the watches of many replicas do not end together. */
  readonly watchSeconds?: { readonly min: number; readonly max: number };
}

export interface ListWatch {
  readonly options: ListWatchOptions;
  readonly cache: Cache;
  /** By cache key: versions of our own writes that the cache has already and the watch has not told yet. */
  readonly ahead: Map<string, Set<string>>;
  /** Resolves when the first list is in the cache and told; also when it is stopped. */
  readonly synced: Promise<void>;
  readonly isSynced: () => boolean;
  /** The token of the run: aborted, it can tell nothing any more. */
  readonly run: AbortController;
  /** What is going on, for health: when the server was last heard, monotonic ms. */
  readonly heard: { atMs: number };
}

interface Run {
  readonly watch: ListWatch;
  readonly signal: AbortSignal;
  readonly onSynced: () => void;
  /** In a row. */
  failures: number;
}

const PARTIAL = 'as=PartialObjectMetadata';
/** After so many watches in a row that brought nothing and ended too soon, a list tells what they could not. */
const FRUITLESS = 3;
/** A watch that lived so long was a good one, ms: what ends it is no failure. */
const GOOD_MS = 5_000;

/** Begins at once; ends with `stopListWatch`. Failures are tried again for ever. */
export function startListWatch(options: ListWatchOptions): ListWatch {
  const run = new AbortController();
  let isSynced = false;
  let resolve = (): void => undefined;
  const synced = new Promise<void>(done => {
    resolve = done;
  });
  const onSynced = (): void => {
    isSynced = !run.signal.aborted;
    resolve();
  };
  run.signal.addEventListener('abort', onSynced, { once: true });
  const watch: ListWatch = { options, cache: newCache(), ahead: new Map(), synced, isSynced: () => isSynced, run, heard: { atMs: performance.now() } };
  void follow({ watch, signal: run.signal, onSynced, failures: 0 });
  return watch;
}

/** Nothing is told from here on. The cache stays readable. */
export function stopListWatch(watch: ListWatch): void {
  watch.run.abort();
}

/** List, watch until a new list is needed, again. Never rejects. */
async function follow(run: Run): Promise<void> {
  const { options } = run.watch;
  while (!run.signal.aborted) {
    try {
      const version = await listAll(run);
      if (run.signal.aborted) return;
      run.onSynced();
      await watchFrom(run, version);
    } catch (error) {
      if (options.optional === true && isNothingThere(error)) nothingThere(run);
      await failed(run, error);
    }
  }
}

function isNothingThere(error: unknown): boolean {
  return isError(error, 'NotFound') || isError(error, 'AccessDenied');
}

function nothingThere(run: Run): void {
  if (run.signal.aborted) return;
  tellDifferences(run, new Map());
  run.onSynced();
}

/**
 * Takes the answer to a write of ours into the cache, before the watch tells of it: `object` as answered, undefined when the write removed
 * it. Only if the cache stands at the very version that was written over (undefined: nothing), else the watch will tell. Then it returns
 * true, and has told the change unless `quiet`.
 */
export function takeOwnWrite(watch: ListWatch, key: string, from: string | undefined, object: JsonObject | undefined, quiet = false): boolean {
  const before = watch.cache.objects.get(key);
  if (watch.run.signal.aborted || !watch.isSynced() || (before && metaOf(before).resourceVersion) !== from) return false;
  if (object === undefined) {
    deleteObject(watch.cache, key);
  } else {
    const { resourceVersion } = metaOf(object);
    if (resourceVersion === from) return true;
    watch.ahead.set(key, (watch.ahead.get(key) ?? new Set()).add(resourceVersion));
    setObject(watch.cache, kept(watch, object));
  }
  if (!quiet && (before ?? object) !== undefined) watch.options.onChange({ object, before });
  return true;
}

async function failed(run: Run, error: unknown): Promise<void> {
  if (run.signal.aborted) return;
  const { onError, random = Math.random, backoffMs = { base: 500, max: 15_000 } } = run.watch.options;
  onError?.(error);
  const ceiling = Math.min(backoffMs.max, backoffMs.base * 2 ** Math.min(run.failures, 20));
  run.failures += 1;
  await pause(ceiling * (0.5 + random() / 2), run.signal);
}

// ── list ──

/** Lists every page, tells the differences to the cache, and returns the version to watch from. A token that expired starts again. */
async function listAll(run: Run): Promise<string> {
  const found = new Map<string, JsonObject>();
  let token = '';
  for (;;) {
    const page = await listPage(run, token);
    if (run.signal.aborted) return '';
    for (const item of (page['items'] ?? []) as JsonObject[]) {
      const object = kept(run.watch, item);
      found.set(cacheKey(metaOf(object).namespace, metaOf(object).name), object);
    }
    const { continue: next = '', resourceVersion = '' } = page['metadata'] as { continue?: string; resourceVersion?: string };
    token = next;
    if (token !== '') continue;
    tellDifferences(run, found);
    return resourceVersion;
  }
}

async function listPage({ watch, signal }: Run, token: string): Promise<JsonObject> {
  const { api, resource, namespace, labelSelector, fieldSelector, pageSize = 500, metadataOnly } = watch.options;
  const accept = metadataOnly === true ? `application/json;${PARTIAL}List;g=meta.k8s.io;v=v1` : undefined;
  const page = await request(api, {
    method: 'GET',
    path: pathOf(resource, namespace),
    query: { limit: pageSize, continue: token === '' ? undefined : token, labelSelector, fieldSelector },
    signal,
    ...(accept === undefined ? {} : { accept }),
  });
  watch.heard.atMs = performance.now();
  return page;
}

function kept(watch: ListWatch, object: JsonObject): JsonObject {
  const { resource, metadataOnly, keep = whole => whole } = watch.options;
  const { apiVersion, kind, metadata } = object;
  return trimmed(metadataOnly === true ? ({ apiVersion, kind, metadata } as JsonObject) : keep(object), resource.kind, apiVersionOf(resource));
}

function tellDifferences(run: Run, found: ReadonlyMap<string, JsonObject>): void {
  const { ahead, cache } = run.watch;
  // The list may be older than what we wrote meanwhile: then the watch from its version tells it.
  ahead.clear();
  for (const [key, object] of found) {
    const before = cache.objects.get(key);
    if (before === undefined || metaOf(before).resourceVersion !== metaOf(object).resourceVersion) put(run, object);
  }
  for (const key of [...cache.objects.keys()]) if (!found.has(key)) drop(run, key);
}

function put(run: Run, object: JsonObject): void {
  if (run.signal.aborted) return;
  const before = setObject(run.watch.cache, object);
  run.watch.options.onChange({ object, before });
}

function drop(run: Run, key: string): void {
  if (run.signal.aborted) return;
  run.watch.ahead.delete(key);
  const before = deleteObject(run.watch.cache, key);
  if (before !== undefined) run.watch.options.onChange({ object: undefined, before });
}

// ── watch ──

/** Watches again and again from where the last one ended; returns when everything must be listed anew. */
async function watchFrom(run: Run, version: string): Promise<void> {
  const { resyncMs = 3_600_000, random = Math.random } = run.watch.options;
  const untilMs = performance.now() + resyncMs * (0.9 + random() / 5);
  let from = version;
  for (let fruitless = 0; fruitless < FRUITLESS && !run.signal.aborted && performance.now() < untilMs; ) {
    const begin = performance.now();
    const seen = { version: from, lines: 0 };
    const error = await watchOnce(run, seen, untilMs - begin).catch((thrown: unknown) => thrown ?? endedAtOnce());
    if (isExpired(error) || isError(error, 'InvalidRequest')) return await relistSoon(run, error);
    // A server that ends each watch at once, without an error, must not be asked in a hot loop.
    const isTooShort = seen.lines === 0 && performance.now() - begin < GOOD_MS;
    if (error !== undefined || isTooShort) await failed(run, error ?? endedAtOnce());
    fruitless = seen.lines === 0 && (error !== undefined || isTooShort) ? fruitless + 1 : 0;
    from = seen.version;
  }
}

/** The first expiry after a good watch is listed at once; those that follow each other back off. */
async function relistSoon(run: Run, error: unknown): Promise<void> {
  if (run.failures > 0) return await failed(run, error);
  run.failures = 1;
  run.watch.options.onError?.(error);
}

const endedAtOnce = (): EngineError => new EngineError('ServiceError', 'the API server ended a watch at once');

async function watchOnce(run: Run, seen: { version: string; lines: number }, longestMs: number): Promise<void> {
  const { api, resource, namespace, labelSelector, fieldSelector, metadataOnly, idleMs = 90_000, random = Math.random } = run.watch.options;
  const { min, max } = run.watch.options.watchSeconds ?? { min: 240, max: 480 };
  const timeoutSeconds = Math.max(1, Math.min(Math.round(min + random() * (max - min)), Math.ceil(longestMs / 1_000)));
  const end = new AbortController();
  const stop = (): void => end.abort();
  run.signal.addEventListener('abort', stop, { once: true });
  try {
    const query = { watch: true, allowWatchBookmarks: true, timeoutSeconds, resourceVersion: seen.version, labelSelector, fieldSelector };
    const accept = metadataOnly === true ? { accept: `application/json;${PARTIAL};g=meta.k8s.io;v=v1` } : {};
    const stream = await openStream(api, { method: 'GET', path: pathOf(resource, namespace), query, signal: end.signal, ...accept });
    // Above its own end only silence counts.
    const lastMs = performance.now() + timeoutSeconds * 1_000 + idleMs;
    for await (const line of watchLines(stream, { idleMs, lastMs })) {
      if (run.signal.aborted) return;
      run.watch.heard.atMs = performance.now();
      take(run, line, seen);
    }
  } catch (error) {
    if (!run.signal.aborted) throw error;
  } finally {
    run.signal.removeEventListener('abort', stop);
    end.abort();
  }
}

/** One event of a watch. Throws the Status of an ERROR event, and InvalidRequest for what is no event: both need a new list. */
function take(run: Run, event: JsonObject, seen: { version: string; lines: number }): void {
  const { type, object } = event as { type?: string; object?: JsonObject };
  if (type === 'ERROR') throw watchError(object ?? {});
  const meta = object?.['metadata'] as { resourceVersion?: string; name?: string; namespace?: string } | undefined;
  if (meta?.resourceVersion === undefined) throw new EngineError('InvalidRequest', `a watch sent something that is no event (${String(type)})`);
  const key = cacheKey(meta.namespace, meta.name ?? '');
  if (type === 'DELETED') drop(run, key);
  else if ((type === 'ADDED' || type === 'MODIFIED') && !isKnown(run.watch, key, meta.resourceVersion)) put(run, kept(run.watch, object!));
  seen.version = meta.resourceVersion;
  seen.lines += 1;
  run.failures = 0;
}

/** True for a write of ours that the cache had before the watch. */
function isKnown({ ahead }: ListWatch, key: string, version: string): boolean {
  const versions = ahead.get(key);
  if (versions === undefined) return false;
  const known = versions.delete(version);
  if (!known || versions.size === 0) ahead.delete(key);
  return known;
}

/** Whatever the Status says, the watch cannot go on from where it was. */
function watchError(status: JsonObject): EngineError {
  const { code = 500 } = status as { code?: number };
  return statusError('watch', code === 410 ? 410 : 400, { kind: 'Status', ...status }, undefined, false);
}
