import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isProcessAlive, processStartTime, stopProcess } from '../../src/cli/emulator.ts';
import { cacheFolder } from '../../src/cli/emulator-venv.ts';
import { endNode } from './node/remains.ts';

interface ProcessRecord {
  readonly pid: number;
  readonly startTime?: string;
}

/** The folder of this process for logs and files of the servers it starts; made at the first call, with who owns it. */
export function runFolder(): string {
  const startTime = processStartTime(process.pid);
  const folder = join(runsFolder(), `run-${process.pid}-${startTime ?? 'unknown'}`.replaceAll(/[ :]/g, '_'));
  if (existsSync(join(folder, 'owner.json'))) return folder;
  mkdirSync(folder, { recursive: true });
  write(join(folder, 'owner.json'), { pid: process.pid, ...optionalStart(startTime) });
  return folder;
}

/** Writes down a server this process has just started, so that a later run can end it should we be killed. */
export function recordServer(name: string, server: { readonly pid: number; readonly startTime: string | undefined }): void {
  write(join(runFolder(), `${name}.pid.json`), { pid: server.pid, ...optionalStart(server.startTime) });
}

/** Ends every server of a run folder, by pid and start time, the nodes with all that ran on them, and the java processes LocalStack left; then removes it. */
export async function endRun(folder: string): Promise<void> {
  const java = javaProcesses(folder);
  for (const node of namesIn(folder).filter(name => name.startsWith('node-'))) await endNode(join(folder, node));
  const records = namesIn(folder).filter(name => name.endsWith('.pid.json'));
  const servers = records.flatMap(name => read(join(folder, name)) ?? []);
  await Promise.all(servers.map(server => stopProcess(server.pid, server.startTime)));
  await Promise.all(java.map(child => stopProcess(child.pid, child.startTime)));
  rmSync(folder, { recursive: true, force: true });
}

/** Ends what earlier test runs that were killed left running, and removes their folders. Runs that are still alive are left alone. */
export async function endDeadRuns(report: (line: string) => void): Promise<void> {
  for (const name of namesIn(runsFolder()).filter(entry => entry.startsWith('run-'))) {
    const folder = join(runsFolder(), name);
    const owner = read(join(folder, 'owner.json'));
    if (!owner || isProcessAlive(owner.pid, owner.startTime)) continue;
    report(`ending what the test run of process ${owner.pid} left`);
    await endRun(folder);
  }
}

let isWatched = false;

/**
 * Makes SIGTERM, SIGINT and SIGHUP end this process's servers too: a test worker is ended with SIGTERM, which runs no exit handlers by itself.
 * So does the end of the process that forked this one: interrupted, it may go without a word to its workers.
 */
export function endRunWithThisProcess(): void {
  if (isWatched) return;
  isWatched = true;
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'disconnect']) process.once(name, () => void endRun(runFolder()).finally(() => process.exit(1)));
}

function runsFolder(): string {
  return join(cacheFolder(), 'test-runs');
}

/** DynamoDB Local under LocalStack: its command line names the run's own folder, which no other process's does. Linux only. */
function javaProcesses(folder: string): ProcessRecord[] {
  if (process.platform !== 'linux') return [];
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids.flatMap(name => {
    const command = textOf(`/proc/${name}/cmdline`) ?? '';
    if (!command.includes(`${folder}/`) || !command.includes('DynamoDBLocal')) return [];
    return [{ pid: Number(name), ...optionalStart(processStartTime(Number(name))) }];
  });
}

function optionalStart(startTime: string | undefined): { startTime?: string } {
  return startTime === undefined ? {} : { startTime };
}

function write(path: string, record: ProcessRecord): void {
  writeFileSync(path, JSON.stringify(record));
}

function read(path: string): ProcessRecord | undefined {
  const text = textOf(path);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as ProcessRecord);
  } catch {
    return undefined;
  }
}

/** None where there is no such folder: another process may end the same run, and be done before us. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
