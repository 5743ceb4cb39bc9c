import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programPath } from '../kube/binaries.ts';
import { callKube } from '../kube/client.ts';
import { apiServerFlags, asAdmin, type ControlPlane, controllerManagerFlags, etcdFlags } from '../kube/control-plane.ts';
import { logTail, type ServerProcess } from '../kube/processes.ts';
import { kubectl } from '../kube/tools.ts';
import { endDeadRuns, endRunWithThisProcess, runFolder } from '../runs.ts';
import {
  containerdSocket,
  makeNodeFiles,
  type NodeFiles,
  nodeApiServerFlags,
  nodeControllerFlags,
  writeContainerdConfig,
  writeKubeletConfig,
  writeProxyConfig,
} from './config.ts';
import { baseImages } from './layers.ts';
import { endNode } from './remains.ts';
import { openSpace, runInside, type Space, startInside } from './space.ts';

/** A whole cluster of one real node: what a ControlPlane has, and a kubelet that runs pods, with DNS, services and volumes. */
export interface Node extends ControlPlane {
  readonly name: string;
  /** This machine's address as pods reach it; nothing else outside can be reached from the node. */
  readonly hostAddress: string;
  readonly pids: Readonly<Record<Component, number>>;
  /** Takes an image archive in (see writeImage); pods must not be made before. */
  importImage(archive: string): Promise<void>;
  /** Ends one of its programs as a crash would, and starts it again; returns when the node is ready again. Pods go on running. */
  restart(component: 'apiServer' | 'kubelet' | 'containerd'): Promise<void>;
  /** Lets pods reach what listens on 127.0.0.1:`port` of this machine, until the node stops. Returns `http://<hostAddress>:<another port>`. */
  expose(port: number): Promise<string>;
  /** Ends everything that runs on it, and undoes what it changed on this machine. Safe to call again. */
  stop(): Promise<void>;
}

type Component = 'containerd' | 'etcd' | 'apiServer' | 'controllerManager' | 'scheduler' | 'kubelet' | 'kubeProxy';

interface Running {
  readonly space: Space;
  readonly files: NodeFiles;
  readonly servers: Partial<Record<Component, ServerProcess>>;
  readonly closing: (() => Promise<void>)[];
}

const READY_MS = 120_000;
const ETCD_PORT = 2379;
/** In the order in which they are told to end: what makes pods first. */
const COMPONENTS: readonly Component[] = ['controllerManager', 'scheduler', 'kubelet', 'kubeProxy', 'apiServer', 'etcd', 'containerd'];
let count = 0;

/**
 * Starts a cluster of one node with the images of the archives, and returns when pods can run and DNS answers: about 10 s on a quiet machine.
 * Root on Linux only. Throws Error with the end of the log of what did not start; then nothing is left behind.
 */
export async function startNode(archives: readonly string[] = [], report: (line: string) => void = () => {}): Promise<Node> {
  await endDeadRuns(() => {});
  endRunWithThisProcess();
  const folder = join(runFolder(), `node-${++count}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  try {
    const images = [...(await baseImages(report)), ...archives];
    const space = await openSpace(folder);
    const running: Running = { space, files: await makeNodeFiles(space), servers: {}, closing: [] };
    await startAll(running, images);
    return nodeOf(running);
  } catch (error) {
    await endNode(folder);
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startAll(running: Running, images: readonly string[]): Promise<void> {
  const { space, files } = running;
  for (const component of ['containerd', 'etcd', 'apiServer'] as const) start(running, component);
  const imported = importAll(running, images);
  // It is awaited below; until then its failure must not end the process.
  imported.catch(() => {});
  await until(running, 'the API server', () => isReady(files));
  for (const component of ['controllerManager', 'scheduler', 'kubelet', 'kubeProxy'] as const) start(running, component);
  await until(running, 'the node', () => isNodeReady(files, space.name));
  // A pod that is made before its image is there waits for ten seconds.
  await imported;
  const addons = readFileSync(join(import.meta.dirname, 'addons.yaml'), 'utf8').replaceAll('DNS_ADDRESS', space.dnsAddress);
  await kubectl({ kubeconfig: files.adminKubeconfig, input: addons }, 'apply', '-f', '-');
  await until(running, 'the DNS', () => isDnsReady(files));
}

function nodeOf(running: Running): Node {
  const { space, files, servers, closing } = running;
  const { users: _, nodePair: __, proxyPair: ___, ...plane } = files;
  return {
    ...plane,
    name: space.name,
    hostAddress: space.hostAddress,
    get pids() {
      return Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, server.pid])) as Record<Component, number>;
    },
    importImage: archive => importAll(running, [archive]),
    restart: component => restart(running, component),
    expose: port => expose(running, port),
    stop: async () => {
      for (const close of closing.splice(0)) await close();
      await endPods(running);
      for (const component of COMPONENTS) servers[component]?.signal('SIGKILL');
      await endNode(space.folder);
      rmSync(space.folder, { recursive: true, force: true });
    },
  };
}

function start(running: Running, component: Component): void {
  const { space, files, servers } = running;
  const [command, flags] = commandOf(component, space, files);
  servers[component] = startInside(space, `${space.name}-${component}`, command, flags);
}

function commandOf(component: Component, space: Space, files: NodeFiles): [string, readonly string[]] {
  const { folder, name, address, services } = space;
  switch (component) {
    case 'containerd':
      return ['containerd', ['--config', writeContainerdConfig(space)]];
    case 'etcd':
      return [programPath('etcd'), etcdFlags(folder, ETCD_PORT, ETCD_PORT + 1)];
    case 'apiServer': {
      const common = { address, port: 6443, etcdPort: ETCD_PORT, services, issuer: 'https://kubernetes.default.svc.cluster.local' };
      return [programPath('kube-apiserver'), [...apiServerFlags(files, common), ...nodeApiServerFlags(files, space)]];
    }
    case 'controllerManager': {
      const common = controllerManagerFlags(files, files.users.controllerManager);
      return [programPath('kube-controller-manager'), [...common, ...nodeControllerFlags(files)]];
    }
    case 'scheduler': {
      const { scheduler } = files.users;
      const asks = [`--authentication-kubeconfig=${scheduler}`, `--authorization-kubeconfig=${scheduler}`];
      return [programPath('kube-scheduler'), [`--kubeconfig=${scheduler}`, ...asks, '--leader-elect=false', '--bind-address=127.0.0.1']];
    }
    case 'kubelet': {
      const places = [`--root-dir=${join(folder, 'kubelet')}`, `--cert-dir=${folder}`];
      const self = [`--hostname-override=${name}`, `--node-ip=${address}`, `--kubeconfig=${files.users.kubelet}`];
      return [programPath('kubelet'), [`--config=${writeKubeletConfig(space, files)}`, ...places, ...self]];
    }
    case 'kubeProxy':
      return [programPath('kube-proxy'), [`--config=${writeProxyConfig(space, files)}`]];
  }
}

async function importAll(running: Running, archives: readonly string[]): Promise<void> {
  const ctr = (...args: string[]) => runInside(running.space, 'ctr', '--address', containerdSocket(running.space.folder), '--namespace', 'k8s.io', ...args);
  await until(running, 'containerd', async () => (await ctr('version')) !== '');
  for (const archive of archives) await ctr('images', 'import', archive);
}

async function restart(running: Running, component: 'apiServer' | 'kubelet' | 'containerd'): Promise<void> {
  const server = running.servers[component];
  server?.signal('SIGKILL');
  await server?.stop();
  start(running, component);
  if (component === 'containerd') await importAll(running, []);
  await until(running, 'the API server', () => isReady(running.files));
  // What the API server says of the node may be from before.
  await until(running, 'the kubelet', () => isKubeletHealthy(running.files, running.space.name));
  await until(running, 'the node', () => isNodeReady(running.files, running.space.name));
}

/** Pods are ended by the kubelet, which gives back what they were given; what does not end in time is killed later. */
async function endPods({ space, files, servers }: Running): Promise<void> {
  for (const component of ['controllerManager', 'scheduler'] as const) servers[component]?.signal('SIGKILL');
  if (!servers.apiServer?.isAlive() || !servers.kubelet?.isAlive()) return;
  const options = { kubeconfig: files.adminKubeconfig, timeoutMs: 20_000 };
  await kubectl(options, 'delete', 'pods', '--all', '--all-namespaces', '--grace-period=1', '--wait=false').catch(() => {});
  const tasks = ['ctr', '--address', containerdSocket(space.folder), '--namespace', 'k8s.io', 'tasks', 'ls', '-q'] as const;
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(100)) {
    if ((await runInside(space, ...tasks).catch(() => '')).trim() === '') return;
  }
}

/** A relay on this machine's end of the link to the node. */
async function expose({ space, closing }: Running, port: number): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer(inner => {
    const outer = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => sockets.delete(socket));
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, space.hostAddress, resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>(resolve => void server.close(() => resolve()));
  });
  const bound = server.address();
  return `http://${space.hostAddress}:${typeof bound === 'object' && bound ? bound.port : 0}`;
}

async function isReady(files: NodeFiles): Promise<boolean> {
  return (await callKube(files, undefined, 'GET', '/readyz')).status === 200;
}

async function isKubeletHealthy(files: NodeFiles, name: string): Promise<boolean> {
  return (await asAdmin(files, 'GET', `/api/v1/nodes/${name}/proxy/healthz`)).status === 200;
}

async function isNodeReady(files: NodeFiles, name: string): Promise<boolean> {
  const { status, body } = await asAdmin(files, 'GET', `/api/v1/nodes/${name}`);
  return status === 200 && isTrue(body.status?.conditions, 'Ready');
}

async function isDnsReady(files: NodeFiles): Promise<boolean> {
  const { body } = await asAdmin(files, 'GET', '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns');
  return body.items.some((pod: { status: { conditions?: Condition[] } }) => isTrue(pod.status.conditions, 'Ready'));
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditions?.some(condition => condition.type === type && condition.status === 'True') ?? false;
}

async function until({ servers }: Running, what: string, isThere: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + READY_MS;
  while (!(await isThere().catch(() => false))) {
    const dead = Object.values(servers).find(server => !server.isAlive());
    if (!dead && Date.now() < end) await sleep(50);
    else {
      const guilty = dead ? [dead] : Object.values(servers);
      throw new Error(`${what} is not ready. ${guilty.map(({ logFile }) => `End of ${logFile}:\n${logTail(logFile)}`).join('\n')}`);
    }
  }
}
