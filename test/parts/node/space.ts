import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { logTail, type ServerProcess, startProcess } from '../kube/processes.ts';
import { cgroupsToMake, linkOf, writeRecord } from './remains.ts';

const run = promisify(execFile);

/** The namespaces of a node: its own mounts and its own network, which reaches this machine and nothing else. */
export interface Space {
  readonly name: string;
  readonly folder: string;
  /** Address of the node and of its API server; reached from this machine. */
  readonly address: string;
  /** `10.244.0.0/24` */
  readonly pods: string;
  /** `10.96.0.0/24`; `.1` is the API server, `.10` the DNS. */
  readonly services: string;
  readonly dnsAddress: string;
  /** This machine as pods reach it. */
  readonly hostAddress: string;
  readonly holder: ServerProcess;
}

const READY_MS = 10_000;
/** How many nodes may run on one machine. */
const NODES = 16;
/** The kubelet changes the last three. Its watches and those of containerd need more than the usual number of inotify instances. */
const SETTINGS = ['fs.inotify.max_user_instances', 'vm.overcommit_memory', 'kernel.panic', 'kernel.panic_on_oops'];
const INOTIFY_INSTANCES = 1024;

/** Makes the namespaces, the network between them and this machine, and the cgroups of a node. `folder` must exist. */
export async function openSpace(folder: string): Promise<Space> {
  const number = await claimNumber();
  const name = `plinth${number}`;
  const [address, hostAddress, nodeAddress] = [`10.244.${number}.1`, `10.243.${number}.1`, `10.243.${number}.2`];
  const [pods, services] = [`10.244.${number}.0/24`, `10.96.${number}.0/24`];
  const script = join(import.meta.dirname, 'space.sh');
  const settings = await readSettings();
  const holder = startProcess(`${name}-space`, folder, 'unshare', ['--mount', '--net', script, folder, address, services]);
  writeRecord(folder, { name, holder, settings });
  await untilMade(folder, holder);
  await run('sysctl', ['-qw', `fs.inotify.max_user_instances=${Math.max(INOTIFY_INSTANCES, Number(settings['fs.inotify.max_user_instances']))}`]);
  const space = { name, folder, address, pods, services, dnsAddress: `10.96.${number}.10`, hostAddress, holder };
  await ip('link', 'set', peerOf(name), 'netns', String(holder.pid), 'name', 'up0');
  await ip('addr', 'add', `${hostAddress}/30`, 'dev', linkOf(name));
  await ip('link', 'set', linkOf(name), 'up');
  await runInside(space, 'ip', 'addr', 'add', `${nodeAddress}/30`, 'dev', 'up0');
  await runInside(space, 'ip', 'link', 'set', 'up0', 'up');
  for (const network of [pods, services]) await ip('route', 'add', network, 'via', nodeAddress);
  // The kubelet wants its root to exist.
  for (const cgroup of cgroupsToMake(name)) mkdirSync(cgroup, { recursive: true });
  return space;
}

/** Starts a program in the node's namespaces; its log is `<name>.log` in the node's folder. */
export function startInside(space: Space, name: string, command: string, args: readonly string[]): ServerProcess {
  return startProcess(name, space.folder, 'nsenter', [...entering(space), command, ...args]);
}

/** Runs a program in the node's namespaces to its end. Rejects with what it said when it fails. */
export async function runInside(space: Space, command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run('nsenter', [...entering(space), command, ...args], { timeout: 120_000, maxBuffer: 1 << 24 });
  return stdout;
}

function entering({ holder }: Space): string[] {
  return ['--target', String(holder.pid), '--mount', '--net', '--'];
}

/** Takes the first number whose network link nobody has, by making that link. */
async function claimNumber(): Promise<number> {
  for (let number = 0; number < NODES; number++) {
    const name = `plinth${number}`;
    try {
      await ip('link', 'add', linkOf(name), 'type', 'veth', 'peer', 'name', peerOf(name));
      return number;
    } catch (error) {
      if (!String(error).includes('File exists')) throw error;
    }
  }
  throw new Error(`${NODES} nodes run on this machine already`);
}

/** The node's end of the link, until it is moved inside. */
function peerOf(name: string): string {
  return `peer-${name}`;
}

async function readSettings(): Promise<Record<string, string>> {
  const { stdout } = await run('sysctl', SETTINGS);
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map(line => line.split(' = ') as [string, string]),
  );
}

async function untilMade(folder: string, holder: ServerProcess): Promise<void> {
  const until = Date.now() + READY_MS;
  while (!existsSync(join(folder, 'space'))) {
    if (!holder.isAlive() || Date.now() > until) throw new Error(`the namespaces of the node were not made: ${logTail(holder.logFile)}`);
    await sleep(20);
  }
}

async function ip(...args: readonly string[]): Promise<string> {
  return (await run('ip', [...args])).stdout;
}
