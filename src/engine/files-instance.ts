/** The folder itself: made, checked, and who it is. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../core/errors.ts';
import type { Timestamp } from '../core/types.ts';
import { corrupt, type Disk, diskError, entriesOf, parseMap, readText, removeLeftovers, replaceFile, stampOf } from './files-disk.ts';
import { DERIVED_FOLDERS, OBJECT_FOLDERS } from './files-layout.ts';
import { takeLock } from './files-lock.ts';

/** Who this state folder is: `id` stands in the marks of everything made from it, `key` is for HMACs and secret. */
export interface Instance {
  readonly id: string;
  readonly key: string;
  readonly project: string;
  readonly createdAt: Timestamp;
}

export const INSTANCE = 'instance.json';
const VERSION = 1;
/** What a run that was killed while it made the folder may have left. */
const BEGINNINGS = /^(lock(\..*)?|\.gitignore|events\.jsonl|.*\.tmp)$/;
const PUT_BACK = 'put it back from a copy; without it nothing that was made from this folder is known as ours';

/**
 * Opens or makes the folder, under the lock when asked. StateMissing: not there and not to be made; StateCorrupt: no state folder, or its
 * instance.json is broken; StateNewer; StateLocked; StateReadOnly.
 */
export async function openInstance(disk: Disk, options: { lock: boolean; create: boolean; project: string; now: Timestamp; id?: string }): Promise<Instance> {
  if (options.create && options.lock) makeRoot(disk);
  else if (!existsSync(join(disk.root, options.create ? '' : INSTANCE)) && !looksUsed(disk)) throw missing(disk);
  if (options.lock) {
    assertStateFolder(disk);
    takeLock(disk, options.now);
    for (const folder of [...OBJECT_FOLDERS, ...DERIVED_FOLDERS]) removeLeftovers(disk, folder, true);
    removeLeftovers(disk, '', false);
  }
  const found = readText(disk, INSTANCE);
  if (found !== undefined) {
    if (!options.lock) disk.guard = { path: INSTANCE, stamp: found.stamp };
    return parseInstance(disk, found.text);
  }
  assertStateFolder(disk);
  if (!options.lock || !options.create) throw missing(disk);
  return await makeInstance(disk, options);
}

function missing(disk: Disk): EngineError {
  return new EngineError('StateMissing', `there is no state folder at ${disk.root}`);
}

function looksUsed(disk: Disk): boolean {
  return OBJECT_FOLDERS.some(folder => stampOf(disk, folder) !== undefined);
}

function makeRoot(disk: Disk): void {
  const { root } = disk;
  try {
    if (mkdirSync(root, { recursive: true, mode: 0o700 }) === undefined && entriesOf(disk, '').length === 0) chmodSync(root, 0o700);
  } catch (error) {
    throw diskError(error, root);
  }
}

/** Guards against `--state .`: a folder with other things in it is not turned into a state folder. */
function assertStateFolder(disk: Disk): void {
  if (stampOf(disk, INSTANCE) !== undefined) return;
  const other = entriesOf(disk, '').find(entry => !BEGINNINGS.test(entry.name));
  if (other === undefined) return;
  if (looksUsed(disk)) throw corrupt(join(disk.root, INSTANCE), 'is missing', PUT_BACK);
  throw corrupt(disk.root, `holds ${other.name} and no ${INSTANCE}: it is no state folder`, 'name another folder with --state DIR; an empty one will do');
}

function parseInstance(disk: Disk, text: string): Instance {
  const path = join(disk.root, INSTANCE);
  let value: Partial<Instance> & { version?: number };
  try {
    value = parseMap(disk, INSTANCE, text) as unknown as typeof value;
  } catch (error) {
    throw error instanceof EngineError ? corrupt(path, error.message.slice(path.length + 1), PUT_BACK) : error;
  }
  if (typeof value.version === 'number' && value.version > VERSION) {
    throw new EngineError('StateNewer', `${disk.root} has version ${value.version}; this program knows up to ${VERSION}`);
  }
  const { id, key, project, createdAt } = value;
  if (value.version !== VERSION || ![id, key, project, createdAt].every(item => typeof item === 'string' && item !== '')) {
    throw corrupt(path, 'lacks version, id, key, project or createdAt', PUT_BACK);
  }
  return { id, key, project, createdAt } as Instance;
}

async function makeInstance(disk: Disk, { id, project, now }: { id?: string; project: string; now: Timestamp }): Promise<Instance> {
  const instance: Instance = { id: id ?? randomBytes(5).toString('hex'), key: randomBytes(32).toString('hex'), project, createdAt: now };
  await replaceFile(disk, '.gitignore', '*\n');
  await replaceFile(disk, INSTANCE, `${JSON.stringify({ version: VERSION, ...instance }, null, 2)}\n`);
  return instance;
}
