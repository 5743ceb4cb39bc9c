/** Files of a state folder: replaced whole or not at all, whenever the process is killed or the power goes. */
import {
  closeSync,
  type Dirent,
  fstatSync,
  fsync,
  fsyncSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readFileSync,
  rename,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EngineError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';

// Not in this thread: while a file system writes its journal or looks for a free inode, each of these may take as long as many calls.
const [make, sync, move] = [promisify(open), promisify(fsync), promisify(rename)];

/** One state folder in use. Paths given to the functions here are relative to `root`. */
export interface Disk {
  readonly root: string;
  /** Folders known to exist. */
  readonly folders: Set<string>;
  /** Per folder: the sync that has not begun yet, for all renames that are done by then. */
  readonly syncs: Map<string, { running: Promise<void>; next: Promise<void> | undefined }>;
  /** The file that proves that the folder is still ours, and what it looked like. */
  guard: { readonly path: string; readonly stamp: string } | undefined;
  temporary: number;
}

/** A file as read: `stamp` tells it from what the path holds after any later change. */
export interface Read {
  readonly text: string;
  readonly stamp: string;
}

/** A folder not looked at yet. */
export function newDisk(root: string): Disk {
  return { root, folders: new Set(), syncs: new Map(), guard: undefined, temporary: 0 };
}

/** What a file system error means: StateReadOnly, or StoreUnavailable. EngineErrors pass. */
export function diskError(error: unknown, path: string): EngineError {
  if (error instanceof EngineError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  const readOnly = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  return new EngineError(readOnly ? 'StateReadOnly' : 'StoreUnavailable', `${path}: ${readOnly ? 'may not be accessed' : 'failed'} (${code})`, {
    cause: error,
  });
}

/** StateCorrupt about one file. */
export function corrupt(path: string, why: string, hint?: string): EngineError {
  return new EngineError('StateCorrupt', `${path} ${why}`, hint === undefined ? {} : { hint });
}

/** Throws StoreUnavailable when the folder is gone or somebody else's by now. Cheap: one stat. */
export function assertOurs(disk: Disk): void {
  if (disk.guard !== undefined && stampOf(disk, disk.guard.path) !== disk.guard.stamp) {
    throw new EngineError('StoreUnavailable', `${disk.root} was removed, or taken over by another run`, { hint: 'stop this run; nothing more is written' });
  }
}

/** Identity of what the path holds now; undefined when there is nothing. */
export function stampOf(disk: Disk, path: string): string | undefined {
  try {
    const stat = statSync(join(disk.root, path), { throwIfNoEntry: false });
    return stat === undefined ? undefined : stampText(stat);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw diskError(error, join(disk.root, path));
  }
}

function stampText(stat: { ino: number; mtimeMs: number; size: number }): string {
  return `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
}

/** The file's text with its stamp; undefined when there is none. */
export function readText(disk: Disk, path: string): Read | undefined {
  const full = join(disk.root, path);
  let file: number | undefined;
  try {
    file = openSync(full, 'r');
    return { stamp: stampText(fstatSync(file)), text: readFileSync(file, 'utf8') };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw diskError(error, full);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The file as a JSON map; StateCorrupt when it is none. */
export function parseMap(disk: Disk, path: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw corrupt(join(disk.root, path), text === '' ? 'is empty' : 'is not JSON');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw corrupt(join(disk.root, path), 'holds no object');
  return value as JsonObject;
}

/** What a folder holds; nothing when it does not exist. */
export function entriesOf(disk: Disk, folder: string): Dirent[] {
  try {
    return readdirSync(join(disk.root, folder), { withFileTypes: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw diskError(error, join(disk.root, folder));
  }
}

/** How a file is replaced. */
export interface Replacing {
  /** False: it may be lost in a power cut, never torn by a kill. For what can be made again. */
  readonly durable?: boolean;
  /** Called right before, with the stamp that the path will have. */
  readonly onReplacing?: (stamp: string) => void;
  /** Called soon after, before the file is on the disk for good. */
  readonly onReplaced?: () => void;
}

/** Replaces a file (mode 0600) by a new one. Resolves when it is on the disk for good. */
export async function replaceFile(disk: Disk, path: string, text: string, { durable = true, onReplacing, onReplaced }: Replacing = {}): Promise<void> {
  const temporary = `${path}.${process.pid}-${++disk.temporary}.tmp`;
  try {
    assertOurs(disk);
    const file = await create(disk, temporary, durable);
    let stamp: string;
    try {
      writeAll(file, Buffer.from(text));
      if (durable) await sync(file);
      stamp = stampText(fstatSync(file));
    } finally {
      closeSync(file);
    }
    // The sync took its time: the folder may have changed hands meanwhile.
    assertOurs(disk);
    onReplacing?.(stamp);
    await move(join(disk.root, temporary), join(disk.root, path));
    onReplaced?.();
    if (durable) await syncFolder(disk, dirname(path));
  } catch (error) {
    rmQuietly(join(disk.root, temporary));
    throw diskError(error, join(disk.root, path));
  }
}

function create(disk: Disk, path: string, durable: boolean): Promise<number> {
  return inFolder(disk, dirname(path), durable, () => make(join(disk.root, path), 'wx', 0o600));
}

/** Runs what needs the folder, which is made before, never the root. */
export async function inFolder<T>(disk: Disk, folder: string, durable: boolean, run: () => Promise<T>): Promise<T> {
  ensureFolder(disk, folder, durable);
  try {
    return await run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    // Somebody tidied up an inner folder.
    disk.folders.clear();
    ensureFolder(disk, folder, durable);
    return await run();
  }
}

/** Makes a file (mode 0600) at a whole path where there is none. It may be lost in a power cut. */
export async function writeNew(path: string, text: string): Promise<void> {
  const file = await make(path, 'wx', 0o600);
  try {
    writeAll(file, Buffer.from(text));
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Makes a folder (mode 0700) and those above it, never the root: a deleted state folder stays deleted. */
export function ensureFolder(disk: Disk, folder: string, durable: boolean): void {
  if (folder === '.' || disk.folders.has(folder)) return;
  ensureFolder(disk, dirname(folder), durable);
  try {
    mkdirSync(join(disk.root, folder), { mode: 0o700 });
    // A file is worth no more than the way to it.
    if (durable) syncFolderNow(join(disk.root, dirname(folder)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  disk.folders.add(folder);
}

function syncFolderNow(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Removes a file, if it is there; resolves when that is on the disk for good. */
export async function removeFile(disk: Disk, path: string, onRemoved?: () => void): Promise<void> {
  try {
    assertOurs(disk);
    rmSync(join(disk.root, path), { force: true });
    onRemoved?.();
    await syncFolder(disk, dirname(path));
  } catch (error) {
    throw diskError(error, join(disk.root, path));
  }
}

/** One sync serves all changes of the folder that were made before it begins. */
async function syncFolder(disk: Disk, folder: string): Promise<void> {
  const current = disk.syncs.get(folder);
  if (current === undefined) {
    const running = syncOnce(disk, folder);
    disk.syncs.set(folder, { running, next: undefined });
    return running;
  }
  // The one that runs may have begun before our change: wait for the next one, which all that come now share.
  current.next ??= current.running.then(ignore, ignore).then(() => {
    const running = syncOnce(disk, folder);
    disk.syncs.set(folder, { running, next: undefined });
    return running;
  });
  return current.next;
}

async function syncOnce(disk: Disk, folder: string): Promise<void> {
  try {
    const handle = openSync(join(disk.root, folder), 'r');
    try {
      await sync(handle);
    } finally {
      closeSync(handle);
    }
  } finally {
    if (disk.syncs.get(folder)?.next === undefined) disk.syncs.delete(folder);
  }
}

function ignore(): void {}

function rmQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Usually it was renamed already; if not, the next run clears it.
  }
}

/** Removes what a killed run left half written, in a folder and, with `deep`, everything below. */
export function removeLeftovers(disk: Disk, folder: string, deep: boolean): void {
  for (const entry of entriesOf(disk, folder)) {
    const path = join(folder, entry.name);
    if (entry.name.endsWith('.tmp')) rmSync(join(disk.root, path), { recursive: true, force: true });
    else if (deep && entry.isDirectory()) removeLeftovers(disk, path, deep);
  }
}
