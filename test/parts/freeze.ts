/** Freezing a process in the middle of its work, as a machine that stands still does. */
import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

/** Options of node for a process that can be frozen. */
export const FREEZABLE: readonly string[] = ['--import', pathToFileURL(join(import.meta.dirname, 'stop-between-turns.mjs')).href];
const STOPPED_MS = 60_000;

/** Freezes a process that was started with FREEZABLE, at the next turn of its event loop. Returns when it stands, so that no thaw can overtake it. */
export async function freeze({ pid = 0 }: Pick<ChildProcess, 'pid'>): Promise<void> {
  process.kill(pid, 'SIGUSR2');
  for (const end = Date.now() + STOPPED_MS; !isStopped(pid); await sleep(2)) {
    if (Date.now() > end) throw new Error(`process ${pid} does not stop`);
  }
}

/** Lets a frozen process go on. */
export function thaw({ pid = 0 }: Pick<ChildProcess, 'pid'>): void {
  process.kill(pid, 'SIGCONT');
}

/** Whether the process stands still after SIGSTOP. Throws when there is no such process. */
export function isStopped(pid: number): boolean {
  return stateOf(pid).startsWith('T');
}

function stateOf(pid: number): string {
  if (process.platform !== 'linux') return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program stands before it, in brackets, and may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2);
}
