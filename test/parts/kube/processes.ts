import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isProcessAlive, processStartTime, stopProcess } from '../../../src/cli/emulator.ts';
import { recordServer } from '../runs.ts';

/** A server program of a control plane, as it runs. Its output is in `logFile`. */
export interface ServerProcess {
  readonly pid: number;
  readonly startTime: string | undefined;
  readonly logFile: string;
  isAlive(): boolean;
  /** Sends a signal: SIGKILL for a crash, SIGSTOP and SIGCONT for a pause. Nothing happens when it has ended. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL 5 s later; returns when it has ended. Safe to call again. */
  stop(): Promise<void>;
}

/** Kept of our own environment: proxies and credentials of the user mean nothing good to a server under test. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'];
const LOG_TAIL_CHARACTERS = 3_000;

/** Starts a program with its log `<name>.log` in the folder, and writes its pid down for whoever cleans up. `name` is unique in this process. */
export function startProcess(name: string, folder: string, command: string, args: readonly string[]): ServerProcess {
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'a');
  const env = Object.fromEntries(INHERITED.flatMap(variable => (process.env[variable] === undefined ? [] : [[variable, process.env[variable]]])));
  const child = spawn(command, args, { env, cwd: folder, stdio: ['ignore', log, log] });
  closeSync(log);
  // Told by isAlive: whoever waits for the server sees that it is not there.
  child.once('error', () => {});
  const pid = child.pid ?? 0;
  const startTime = pid > 0 ? processStartTime(pid) : undefined;
  if (pid > 0) recordServer(name, { pid, startTime });
  endWithUs(child);
  // Not isProcessAlive alone: that one has ended while its last threads still hold the port.
  const gone = pid === 0 ? Promise.resolve() : new Promise<void>(resolve => void child.once('exit', () => resolve()));
  const hasEnded = () => pid === 0 || child.exitCode !== null || child.signalCode !== null || !isProcessAlive(pid, startTime);
  return {
    pid,
    startTime,
    logFile,
    isAlive: () => !hasEnded(),
    signal: signalName => void (hasEnded() || child.kill(signalName)),
    stop: async () => {
      // A stopped process does not hear SIGTERM.
      if (!hasEnded()) child.kill('SIGCONT');
      if (pid > 0 && !(await stopProcess(pid, startTime))) throw new Error(`process ${pid} (${name}) did not end`);
      await gone;
    },
  };
}

const children = new Set<ChildProcess>();

/** One listener for all of them: Node takes more than ten for a leak. */
function endWithUs(child: ChildProcess): void {
  if (children.size === 0) process.once('exit', killChildren);
  children.add(child);
  child.once('exit', () => {
    children.delete(child);
    if (children.size === 0) process.off('exit', killChildren);
  });
}

function killChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** The end of a log, for an error message. */
export function logTail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-LOG_TAIL_CHARACTERS).trim();
  } catch {
    return '(no log)';
  }
}
