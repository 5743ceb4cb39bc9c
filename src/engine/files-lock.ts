/** One run at a time works on a state folder. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../core/errors.ts';
import type { Timestamp } from '../core/types.ts';
import { assertOurs, type Disk, diskError, entriesOf, stampOf } from './files-disk.ts';
import { processStartTime } from './process.ts';

interface Holder {
  readonly pid: number;
  readonly startTime: string;
  readonly host: string;
  readonly since: Timestamp;
}

const LOCK = 'lock';
const ATTEMPTS = 5;

/**
 * Takes the lock and makes it the disk's guard. The lock of a process of this machine that does not run any more is taken over.
 * StateLocked: another run holds it (who and since when); StateReadOnly.
 */
export function takeLock(disk: Disk, now: Timestamp): void {
  const holder: Holder = { pid: process.pid, startTime: processStartTime(process.pid) ?? '', host: hostname(), since: now };
  const mine = join(disk.root, asideName(disk));
  try {
    // Written aside and linked: whoever sees the lock sees all of it, and a link never replaces anything.
    writeFileSync(mine, `${JSON.stringify(holder)}\n`, { mode: 0o600, flag: 'w' });
    for (let attempt = 0; !tryLink(mine, join(disk.root, LOCK)); attempt++) {
      if (attempt === ATTEMPTS) throw new EngineError('StateLocked', `${disk.root}: several runs start at once`);
      clearStale(disk);
    }
  } catch (error) {
    throw diskError(error, disk.root);
  } finally {
    rmSync(mine, { force: true });
  }
  disk.guard = { path: LOCK, stamp: stampOf(disk, LOCK) ?? '' };
  clearAside(disk);
}

/** Not `*.tmp`: the run that holds the lock clears those, and must not take the file of one that is just trying. */
function asideName(disk: Disk): string {
  return `${LOCK}.${process.pid}-${++disk.temporary}`;
}

function clearAside(disk: Disk): void {
  for (const { name } of entriesOf(disk, '')) {
    const pid = /^lock\.(\d+)-\d+$/.exec(name)?.[1];
    if (pid !== undefined && processStartTime(Number(pid)) === undefined) rmSync(join(disk.root, name), { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead run's lock out of the way; StateLocked when its holder lives. */
function clearStale(disk: Disk): void {
  const path = join(disk.root, LOCK);
  const found = readHolder(path);
  if (found === undefined) return;
  if (found !== 'broken') assertDead(disk, found);
  const aside = join(disk.root, asideName(disk));
  try {
    renameSync(path, aside);
    // Somebody else may have been faster, and what was moved is then a live lock: it goes back.
    const moved = readHolder(aside);
    if (moved !== undefined && moved !== 'broken' && !isDead(moved)) tryLink(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readHolder(path: string): Holder | 'broken' | undefined {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder> | null;
    return typeof holder?.pid === 'number' && typeof holder.host === 'string' ? (holder as Holder) : 'broken';
  } catch (error) {
    if (error instanceof SyntaxError) return 'broken';
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isDead(holder: Holder): boolean {
  return holder.host === hostname() && (holder.startTime === '' || processStartTime(holder.pid) !== holder.startTime);
}

function assertDead(disk: Disk, holder: Holder): void {
  if (isDead(holder)) return;
  const here = holder.host === hostname();
  const message = `${disk.root} is in use by process ${holder.pid}${here ? '' : ` on ${holder.host}`} since ${holder.since}`;
  throw new EngineError('StateLocked', message, here ? {} : { hint: `stop it there; if it does not run any more, remove ${join(disk.root, LOCK)}` });
}

/** Gives the lock back, if it is still ours. */
export function releaseLock(disk: Disk): void {
  try {
    assertOurs(disk);
    rmSync(join(disk.root, LOCK), { force: true });
  } catch {
    // Gone, or another run's: nothing of ours is left to give back.
  }
}
