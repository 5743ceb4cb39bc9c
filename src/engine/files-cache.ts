/** The objects of a state folder: parsed once, and read again whenever the file is not the one that was parsed. */
import { join } from 'node:path';
import { type EngineError, isError } from '../core/errors.ts';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { allOf, type ByKind, deleteAt, setAt, valueAt } from './by-kind.ts';
import { assertOurs, corrupt, type Disk, entriesOf, parseMap, readText, removeFile, replaceFile, stampOf } from './files-disk.ts';
import { keyAt, OBJECT_FOLDERS, pathOf, textOf } from './files-layout.ts';
import { afterForeignEdit, frozen, keyOf, keyText, type Mint, metadataOf } from './objects.ts';
import { notify, type Watchers } from './watchers.ts';

interface Cached {
  readonly key: ObjectKey;
  readonly object: JsonObject;
  readonly stamp: string;
}

export interface Cache {
  readonly disk: Disk;
  readonly mint: Mint;
  /** Nobody else writes. */
  readonly locked: boolean;
  readonly watchers: Watchers;
  readonly entries: ByKind<Cached>;
  /** By path: what a write of ours is just putting there. */
  readonly coming: Map<string, Cached>;
  /** By path: files that cannot be read. */
  readonly problems: Map<string, EngineError>;
}

/** The object as it is on disk now; StateCorrupt, or StoreUnavailable when the folder is not ours any more. */
export function look(cache: Cache, key: ObjectKey): JsonObject | undefined {
  assertOurs(cache.disk);
  const path = pathOf(key);
  const stamp = stampOf(cache.disk, path);
  const cached = valueAt(cache.entries, key);
  if (stamp !== undefined && cached?.stamp === stamp) return cached.object;
  const coming = cache.coming.get(path);
  if (stamp !== undefined && coming?.stamp === stamp) return settle(cache, coming);
  const found = stamp === undefined ? undefined : load(cache, path, key, cached?.object);
  if (found === undefined) drop(cache, key, path);
  if (found !== cached?.object) notify(cache.watchers, plainKey(key));
  return found;
}

/** Our own file has come, whoever sees it first: a read must not take it for a stranger's. */
function settle(cache: Cache, coming: Cached): JsonObject {
  setAt(cache.entries, coming.key, coming);
  return coming.object;
}

function drop(cache: Cache, key: ObjectKey, path: string): void {
  cache.problems.delete(path);
  deleteAt(cache.entries, key);
}

function load(cache: Cache, path: string, key: ObjectKey, before: JsonObject | undefined): JsonObject | undefined {
  const read = readText(cache.disk, path);
  if (read === undefined) return undefined;
  try {
    const parsed = parseObject(cache.disk, path, key, read.text);
    const object = before === undefined ? parsed : afterForeignEdit(before, parsed, cache.mint, cache.locked);
    setAt(cache.entries, key, { key: plainKey(key), object, stamp: read.stamp });
    cache.problems.delete(path);
    return object;
  } catch (error) {
    deleteAt(cache.entries, key);
    if (isError(error)) cache.problems.set(path, error);
    throw error;
  }
}

function parseObject(disk: Disk, path: string, key: ObjectKey, text: string): JsonObject {
  const object = frozen<JsonObject>(parseMap(disk, path, text));
  const { uid, resourceVersion, generation } = (object['metadata'] ?? {}) as JsonObject;
  const complete = typeof uid === 'string' && typeof resourceVersion === 'string' && typeof generation === 'number';
  if (!complete) throw corrupt(join(disk.root, path), 'lacks metadata.uid, resourceVersion or generation');
  if (keyText(keyOf(object)) !== keyText(key)) throw corrupt(join(disk.root, path), 'holds another object than its name says');
  return object;
}

/** Reads everything anew. What cannot be read stands in `problems`; the rest goes on. */
export function scan(cache: Cache): void {
  assertOurs(cache.disk);
  const before = new Map(cache.entries);
  cache.entries.clear();
  cache.problems.clear();
  for (const path of OBJECT_FOLDERS.flatMap(folder => filesBelow(cache.disk, folder))) scanFile(cache, path, before);
}

function scanFile(cache: Cache, path: string, before: ByKind<Cached>): void {
  const key = keyAt(path);
  if (key === undefined) return;
  try {
    const cached = valueAt(before, key);
    if (cached !== undefined && cached.stamp === stampOf(cache.disk, path)) setAt(cache.entries, key, cached);
    else load(cache, pathOf(key), key, cached?.object);
  } catch (error) {
    if (!isError(error)) throw error;
    cache.problems.set(path, error.code === 'InvalidObject' ? corrupt(join(cache.disk.root, path), 'has a name that no object can have') : error);
  }
}

function filesBelow(disk: Disk, folder: string): string[] {
  return entriesOf(disk, folder).flatMap(entry => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(disk, path) : [path];
  });
}

/** Puts the object on disk, or takes it away (undefined), when that is a change. `quiet`: nobody is told, for it is the engine's own doing. */
export async function keep(cache: Cache, key: ObjectKey, before: JsonObject | undefined, after: JsonObject | undefined, quiet: boolean): Promise<void> {
  if (after === before) return;
  const path = pathOf(key);
  if (after === undefined) await removeFile(cache.disk, path, () => drop(cache, key, path));
  else await replace(cache, key, path, after);
  if (!quiet) notify(cache.watchers, plainKey(key));
}

async function replace(cache: Cache, key: ObjectKey, path: string, object: JsonObject): Promise<void> {
  const onReplacing = (stamp: string) => cache.coming.set(path, { key: plainKey(key), object, stamp });
  const onReplaced = () => settle(cache, cache.coming.get(path)!);
  await replaceFile(cache.disk, path, textOf(object), { onReplacing, onReplaced }).finally(() => cache.coming.delete(path));
}

/** Largest counter in the versions that are stored, so that new ones go on from there. */
export function lastVersion(cache: Cache): number {
  let last = 0;
  for (const { object } of allOf(cache.entries)) last = Math.max(last, Number.parseInt(metadataOf(object).resourceVersion, 10) || 0);
  return last;
}

function plainKey({ kind, namespace, name }: ObjectKey): ObjectKey {
  return { kind, namespace, name };
}
