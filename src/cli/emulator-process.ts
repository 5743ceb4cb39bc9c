import { setTimeout as sleep } from 'node:timers/promises';
import { processStartTime } from '../engine/process.ts';

export { processStartTime } from '../engine/process.ts';

/** How long a process may take to end after SIGTERM before SIGKILL, and after that before we give up, in milliseconds. */
const TERM_MS = 5_000;
const KILL_MS = 5_000;

/**
 * Whether `pid` runs now and, where the start time is given and can be read, is still the same process. A zombie does not run.
 * A process that may not be signalled (of another user) runs.
 */
export function isProcessAlive(pid: number, startTime?: string): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (!signal(pid, 0)) return false;
  const started = processStartTime(pid);
  // Where it can be read, a process without one is a zombie.
  if (started === undefined) return process.platform !== 'linux';
  return startTime === undefined || started === startTime;
}

/**
 * Ends one process, by its pid alone: SIGTERM, 5 s of waiting, SIGKILL. With a start time (see processStartTime) a pid that another process
 * has taken over since is left alone. True when the process is not running any more; false when it could not be ended.
 */
export async function stopProcess(pid: number, startTime?: string): Promise<boolean> {
  // Without a start time from the caller the present one is taken, so that a pid reused between the two signals is still safe.
  const identity = startTime ?? processStartTime(pid);
  for (const [name, waitMs] of [
    ['SIGTERM', TERM_MS],
    ['SIGKILL', KILL_MS],
  ] as const) {
    if (!isProcessAlive(pid, identity)) return true;
    signal(pid, name);
    if (await hasEnded(pid, identity, waitMs)) return true;
  }
  return false;
}

async function hasEnded(pid: number, startTime: string | undefined, waitMs: number): Promise<boolean> {
  const until = Date.now() + waitMs;
  while (Date.now() < until) {
    if (!isProcessAlive(pid, startTime)) return true;
    await sleep(25);
  }
  return !isProcessAlive(pid, startTime);
}

/** False when there is no such process. EPERM means that it exists. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
