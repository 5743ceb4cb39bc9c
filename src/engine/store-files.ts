/** The laptop's home: a Store in a folder of JSON files (see files-layout.ts), each replaced whole and read again when it changed. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { EngineError } from '../core/errors.ts';
import type { JsonObject, ObjectKey, StringMap } from '../core/types.ts';
import { allOf, ofKind } from './by-kind.ts';
import type { Clock } from './clock.ts';
import { type Cache, keep, lastVersion, look, scan } from './files-cache.ts';
import { assertDataKeys, derive, derivedKeys, isDerived, underive } from './files-derived.ts';
import { newDisk } from './files-disk.ts';
import { type EventLog, logEvent, openEvents, readEvents } from './files-events.ts';
import { type Instance, openInstance } from './files-instance.ts';
import { releaseLock } from './files-lock.ts';
import {
  afterClaimWrite,
  afterPut,
  afterRemove,
  afterRevisionWrite,
  afterSecretWrite,
  byKey,
  checkedKey,
  type EditableStore,
  frozen,
  isOwnedBy,
  keyOf,
  keyText,
  metadataOf,
  type StoredEvent,
} from './objects.ts';
import type { Write } from './store.ts';
import { addWatcher } from './watchers.ts';

export interface FilesStore {
  readonly store: EditableStore;
  readonly instance: Instance;
  /** Files that cannot be read, each a StateCorrupt that names file and cure; their objects are missing from lists. */
  problems(): readonly EngineError[];
  /** The events kept, oldest first. */
  events(): readonly StoredEvent[];
  /** Waits for the writes that run, then gives the lock back. */
  close(): Promise<void>;
}

export interface FilesOptions {
  readonly clock: Clock;
  /** True for a run that works: one at a time. False for a reader: no lock, no write (StateReadOnly). */
  readonly lock: boolean;
  /** Make the folder when it is not there; needs `lock`. */
  readonly create: boolean;
  /** Where uids of objects come from; random by default. */
  readonly uid?: () => string;
  /** Name of the project, kept when the folder is made. */
  readonly project?: string;
  /** Id of the instance when the folder is made: one that is remembered from before the folder was lost. Random by default. */
  readonly id?: string;
}

interface Files extends Cache {
  /** Per object: the last write that is under way. */
  readonly turns: Map<string, Promise<void>>;
  /** Per Secret: the version its derived files were made from. */
  readonly derived: Map<string, string>;
  readonly log: EventLog;
}

/**
 * Opens the state folder. Errors: StateMissing, StateLocked, StateReadOnly, StateCorrupt (no state folder, or instance.json broken),
 * StateNewer, StoreUnavailable. Once it is open, a folder that was deleted, replaced or unlocked behind our back makes every call
 * throw StoreUnavailable; it is never made again.
 */
export async function openFiles(folder: string, options: FilesOptions): Promise<FilesStore> {
  const disk = newDisk(resolve(folder));
  try {
    const instance = await openInstance(disk, { ...options, project: options.project ?? 'default', now: options.clock.now() });
    const files = newFiles(disk, options);
    scan(files);
    if (options.lock) await mend(files);
    return surface(files, instance, options);
  } catch (error) {
    if (options.lock && disk.guard !== undefined) releaseLock(disk);
    throw error;
  }
}

function newFiles(disk: Cache['disk'], options: FilesOptions): Files {
  // Two runs never give the same version to two states of one object, whatever they counted from.
  const run = randomBytes(3).toString('hex');
  let version = -1;
  const next = () => {
    if (version < 0) version = lastVersion(files);
    return `${++version}.${run}`;
  };
  const mint = { uid: options.uid ?? (() => crypto.randomUUID()), version: next, now: () => options.clock.now() };
  const files: Files = {
    disk,
    mint,
    watchers: new Set(),
    entries: new Map(),
    coming: new Map(),
    problems: new Map(),
    locked: options.lock,
    turns: new Map(),
    derived: new Map(),
    log: openEvents(disk),
  };
  return files;
}

function surface(files: Files, instance: Instance, { clock }: FilesOptions): FilesStore {
  return {
    instance,
    problems: () => [...files.problems.values()],
    events: () => readEvents(files.disk),
    close: () => close(files),
    store: {
      get: async key => look(files, key),
      list: async (kind, namespace) => list(files, kind, namespace),
      watch: (onChange, signal) =>
        addWatcher(
          files.watchers,
          allOf(files.entries).map(entry => entry.key),
          onChange,
          signal,
        ),
      write: async write => apply(files, write),
      emit: (key, event) => {
        const object = { kind: key.kind, namespace: key.namespace, name: key.name };
        if (files.locked) logEvent(files.log, { at: clock.now(), object, ...event });
      },
      put: async object => put(files, object),
      remove: async key => remove(files, key),
    },
  };
}

async function close(files: Files): Promise<void> {
  while (files.turns.size > 0) await Promise.all(files.turns.values());
  await files.log.flushed;
  if (files.locked) releaseLock(files.disk);
}

function list(files: Files, kind: string, namespace: string | undefined): JsonObject[] {
  // A reader has no watch that would keep the cache up to date: others write.
  if (!files.locked) scan(files);
  const entries = ofKind(files.entries, kind).filter(({ key }) => namespace === undefined || key.namespace === namespace);
  return entries.map(entry => entry.object).sort(byKey);
}

async function put(files: Files, object: JsonObject): Promise<JsonObject> {
  const input = frozen<JsonObject>(object);
  const key = keyOf(input);
  if (key.kind === 'Secret') assertDataKeys(key.name, (input['data'] ?? {}) as StringMap);
  const after = await inTurn(files, key, before => afterPut(before, input, files.mint));
  return after ?? input;
}

function remove(files: Files, key: ObjectKey): Promise<JsonObject | undefined> {
  return inTurn(files, key, before => (before === undefined ? undefined : afterRemove(before, files.mint)));
}

function apply(files: Files, write: Write): Promise<JsonObject | undefined> {
  if (write.kind === 'revision') {
    const key = checkedKey({ kind: 'Revision', namespace: '', name: write.name });
    return inTurn(files, key, before => afterRevisionWrite(before, write, files.mint));
  }
  if (write.kind !== 'secret') return inTurn(files, write.claim, before => afterClaimWrite(before, write, files.mint));
  const key = checkedKey({ kind: 'Secret', namespace: write.claim.namespace, name: write.name });
  if (write.data !== undefined) assertDataKeys(write.name, write.data);
  // In the claim's turn as well: it must not go while a Secret that goes with it is being written.
  return exclusive(files, write.claim, () => inTurn(files, key, before => afterSecretWrite(before, look(files, write.claim), write, files.mint), true));
}

/** Reads, decides and writes one object while nobody else does. */
function inTurn(
  files: Files,
  key: ObjectKey,
  decide: (before: JsonObject | undefined) => JsonObject | undefined,
  quiet = false,
): Promise<JsonObject | undefined> {
  return exclusive(files, key, async () => {
    const before = look(files, key);
    const after = decide(before);
    await keep(files, key, before, after, quiet);
    if (key.kind === 'Secret') await follow(files, key, after);
    if (before !== undefined && after === undefined) await collect(files, metadataOf(before).uid);
    return after;
  });
}

function exclusive<T>(files: Files, key: ObjectKey, run: () => Promise<T>): Promise<T> {
  if (!files.locked) throw new EngineError('StateReadOnly', `${files.disk.root} is open for reading only`);
  const text = keyText(key);
  const result = (files.turns.get(text) ?? Promise.resolve()).then(run);
  const turn = result.then(ignore, ignore).then(() => {
    if (files.turns.get(text) === turn) files.turns.delete(text);
  });
  files.turns.set(text, turn);
  return result;
}

function ignore(): void {}

/** Brings the derived files of a Secret up to date; does nothing when they are. */
async function follow(files: Files, key: ObjectKey, secret: JsonObject | undefined): Promise<void> {
  const version = secret === undefined ? undefined : metadataOf(secret).resourceVersion;
  if (version === files.derived.get(keyText(key))) return;
  if (secret === undefined) underive(files.disk, key);
  else await derive(files.disk, key, secret);
  if (version === undefined) files.derived.delete(keyText(key));
  else files.derived.set(keyText(key), version);
}

/** Garbage collection: Secrets go with their owner. */
async function collect(files: Files, uid: string): Promise<void> {
  const owned = ofKind(files.entries, 'Secret').filter(({ object }) => isOwnedBy(object, uid));
  await Promise.all(owned.map(({ key }) => inTurn(files, key, before => (before !== undefined && isOwnedBy(before, uid) ? undefined : before))));
}

/** Finishes what a killed run began: Secrets whose owner is gone, and derived files that do not fit their Secret. */
async function mend(files: Files): Promise<void> {
  const secrets = ofKind(files.entries, 'Secret');
  const uids = new Set(allOf(files.entries).map(({ object }) => metadataOf(object).uid));
  for (const { key, object } of secrets) {
    const owners = metadataOf(object).ownerReferences ?? [];
    // While a file cannot be read, an owner that is not found may be in it.
    const orphan = files.problems.size === 0 && owners.length > 0 && owners.every(owner => !uids.has(owner.uid));
    if (isDerived(files.disk, key, object)) files.derived.set(keyText(key), metadataOf(object).resourceVersion);
    if (orphan) await inTurn(files, key, () => undefined);
    else await follow(files, key, object);
  }
  const kept = new Set(ofKind(files.entries, 'Secret').map(({ key }) => keyText(key)));
  if (files.problems.size > 0) return;
  for (const key of derivedKeys(files.disk)) if (!kept.has(keyText(key))) underive(files.disk, key);
}
