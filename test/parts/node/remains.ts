import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProcessAlive, processStartTime, stopProcess } from '../../../src/cli/emulator.ts';

/** What a node changed on the machine, written down before it is changed, so that anybody can undo it. */
export interface NodeRecord {
  /** Of its network link and its cgroups. */
  readonly name: string;
  /** The process that holds its namespaces. */
  readonly holder: { readonly pid: number; readonly startTime: string | undefined };
  /** Kernel settings as they were. */
  readonly settings: Readonly<Record<string, string>>;
}

const RECORD = 'node.json';
const CGROUPS = '/sys/fs/cgroup';
/** A process that has been killed is gone within this time, however busy the machine is, in milliseconds. */
const KILL_MS = 60_000;

/** Writes the record into the node's folder. */
export function writeRecord(folder: string, record: NodeRecord): void {
  writeFileSync(join(folder, RECORD), JSON.stringify(record));
}

/**
 * Ends every process of the node that had this folder, its containers too, and undoes what it changed: network link, cgroups, kernel settings,
 * folders. Nothing happens when no node ran there. Safe to call again.
 */
export async function endNode(folder: string): Promise<void> {
  const record = read(folder);
  if (!record) return;
  await killAll(record);
  quietly('ip', 'link', 'del', linkOf(record.name));
  for (const [name, value] of Object.entries(record.settings)) quietly('sysctl', '-qw', `${name}=${value}`);
  for (const cgroup of existingCgroups(record.name)) removeCgroup(cgroup);
  for (const path of madeFolders(folder).reverse()) removeEmpty(path);
  rmSync(join(folder, RECORD), { force: true });
}

/** The machine's end of the link to the node; at most 15 characters. */
export function linkOf(name: string): string {
  return `veth-${name}`;
}

/** The cgroups that a node needs: one in each hierarchy, whether they exist or not; with cgroup v2 that is one. */
export function cgroupsToMake(name: string): string[] {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [join(CGROUPS, name)];
  const hierarchies = existsSync(CGROUPS) ? readdirSync(CGROUPS) : [];
  return hierarchies.filter(hierarchy => existsSync(join(CGROUPS, hierarchy, 'tasks'))).map(hierarchy => join(CGROUPS, hierarchy, name));
}

/** The cgroups of a node that there are; runc makes some where we made none. */
function existingCgroups(name: string): string[] {
  const places = [CGROUPS, ...(existsSync(CGROUPS) ? readdirSync(CGROUPS) : []).map(hierarchy => join(CGROUPS, hierarchy))];
  return places.map(place => join(place, name)).filter(existsSync);
}

/** The processes of a node: those in its mount namespace and those in its cgroups. */
export function processesOf({ name, holder }: NodeRecord): number[] {
  const pids = new Set(existingCgroups(name).flatMap(pidsBelow));
  const mounts = isProcessAlive(holder.pid, holder.startTime) ? namespaceOf(holder.pid) : undefined;
  for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    if (mounts !== undefined && namespaceOf(Number(pid)) === mounts) pids.add(Number(pid));
  }
  return [...pids];
}

async function killAll(record: NodeRecord): Promise<void> {
  const until = Date.now() + KILL_MS;
  for (;;) {
    const others = processesOf(record).filter(pid => pid !== record.holder.pid && isProcessAlive(pid));
    if (others.length === 0) break;
    if (Date.now() > until) throw new Error(`processes ${others.join(', ')} of node ${record.name} did not end`);
    for (const pid of others) kill(pid);
    await sleep(50);
  }
  await stopProcess(record.holder.pid, record.holder.startTime ?? processStartTime(record.holder.pid));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

function pidsBelow(cgroup: string): number[] {
  if (!existsSync(cgroup)) return [];
  const folders = readdirSync(cgroup, { recursive: true, withFileTypes: true }).filter(entry => entry.name === 'cgroup.procs');
  return folders.flatMap(entry => {
    try {
      return readFileSync(join(entry.parentPath, entry.name), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

function removeCgroup(cgroup: string): void {
  if (!existsSync(cgroup)) return;
  const below = readdirSync(cgroup, { recursive: true, withFileTypes: true }).filter(entry => entry.isDirectory());
  const folders = below.map(entry => join(entry.parentPath, entry.name)).sort((a, b) => b.length - a.length);
  for (const folder of [...folders, cgroup]) removeEmpty(folder);
}

/** The folders of the machine that were made only to be mounted over. */
function madeFolders(folder: string): string[] {
  const path = join(folder, 'made');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Somebody else uses it.
  }
}

function quietly(command: string, ...args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 10_000 });
  } catch {
    // Gone already.
  }
}

function read(folder: string): NodeRecord | undefined {
  const path = join(folder, RECORD);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as NodeRecord) : undefined;
}
