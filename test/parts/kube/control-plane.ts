import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../src/cli/emulator.ts';
import { endDeadRuns, endRunWithThisProcess, runFolder } from '../runs.ts';
import { programPath } from './binaries.ts';
import { type KeyPair, makeAuthority, makeCertificate, makeSigningKey } from './certificates.ts';
import { callKube, type KubeAnswer } from './client.ts';
import { certificateKubeconfig, type Server, writeKubeconfig } from './kubeconfig.ts';
import { logTail, type ServerProcess, startProcess } from './processes.ts';

/** A real Kubernetes control plane (API server with RBAC, etcd, controller manager; no nodes) for tests. Plain data: another process can use it too. */
export interface ControlPlane extends Server {
  /** Its files: certificates, data, logs. Goes when it is stopped. */
  readonly folder: string;
  readonly authority: KeyPair;
  /** Signs the certificate with which a proxy may say whom it speaks for (X-Remote-User, X-Remote-Group). */
  readonly proxyAuthority: KeyPair;
  /** The certificate and key of the API server itself, which a proxy on 127.0.0.1 may show as well. */
  readonly serverPair: KeyPair;
  readonly adminPair: KeyPair;
  /** Path of the kubeconfig of a user in system:masters. */
  readonly adminKubeconfig: string;
}

/** A control plane that one user has to itself, from empty until `stop`. */
export interface LentControlPlane extends ControlPlane {
  /** Ends the use of it: whatever talked to it has ended before. Safe to call again. */
  stop(): Promise<void>;
}

/** A control plane of this process, which may do to it what it likes. */
export interface OwnControlPlane extends LentControlPlane {
  readonly pids: { readonly etcd: number; readonly apiServer: number; readonly controllerManager: number };
  /** Ends the API server as a crash would. */
  killApiServer(): Promise<void>;
  /** Starts the API server again, on the same data and address, ended first if need be; returns when it is ready. */
  restartApiServer(): Promise<void>;
  /** Freezes the API server (connections stay, nothing answers) and lets it go on. */
  pauseApiServer(): void;
  continueApiServer(): void;
}

/** How long each of the programs may take to be ready, in milliseconds; on a quiet machine all are after 4 s. */
const READY_MS = 120_000;
const ATTEMPTS = 3;
const LOOPBACK = ['IP:127.0.0.1', 'DNS:localhost'];
let count = 0;

/**
 * Starts a control plane on free ports of 127.0.0.1 and returns when it is ready: about 5 s on a quiet machine. Its programs must be installed.
 * Throws Error with the end of the log of what did not start; then nothing is left running.
 */
export async function startControlPlane(): Promise<OwnControlPlane> {
  await endDeadRuns(() => {});
  endRunWithThisProcess();
  return launchControlPlane();
}

/** startControlPlane for a process that itself ends its run when it is told to end. */
export async function launchControlPlane(): Promise<OwnControlPlane> {
  return owned(await launchPrograms());
}

/** A control plane as its programs run, for who works on its data past the API server. */
export interface Programs {
  readonly plane: ControlPlane;
  readonly name: string;
  /** `http://127.0.0.1:<port>` */
  readonly etcdUrl: string;
  readonly apiServerArgs: readonly string[];
  readonly etcd: ServerProcess;
  apiServer: ServerProcess;
  controllerManager: ServerProcess;
}

/** launchControlPlane as its programs. */
export async function launchPrograms(): Promise<Programs> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce();
    } catch (error) {
      // Between finding a free port and binding it another process may take it.
      if (attempt === ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

/** One call to the API server as the admin. */
export function asAdmin(plane: ControlPlane, method: string, path: string, body?: unknown, contentType?: string): Promise<KubeAnswer> {
  return callKube(plane, { certificate: plane.adminPair }, method, path, body, contentType);
}

/** Path of a new kubeconfig for a user with these groups, known by a client certificate. */
export function kubeconfigFor(plane: ControlPlane, user: string, groups: readonly string[] = []): Promise<string> {
  return certificateKubeconfig(plane.folder, plane, plane.authority, user, groups);
}

/** A token of a service account, which must exist, good for an hour. */
export async function serviceAccountToken(plane: ControlPlane, namespace: string, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const answer = await asAdmin(plane, 'POST', path, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } });
  if (answer.status !== 201) throw new Error(`no token of ${namespace}/${name}: ${answer.status} ${answer.body?.message ?? ''}`);
  return answer.body.status.token;
}

/** Path of a new kubeconfig of a service account, which must exist; its token is good for an hour. */
export async function serviceAccountKubeconfig(plane: ControlPlane, namespace: string, name: string): Promise<string> {
  const token = await serviceAccountToken(plane, namespace, name);
  return writeKubeconfig(join(plane.folder, `account-${token.slice(-12).replaceAll(/\W/g, '')}.kubeconfig`), plane, { token }, namespace);
}

async function startOnce(): Promise<Programs> {
  const name = `kube-${++count}`;
  const folder = join(runFolder(), name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const started: ServerProcess[] = [];
  try {
    const [clientPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
    const plane = await makeFiles(folder, `https://127.0.0.1:${port}`);
    const etcd = startProcess(`${name}-etcd`, folder, programPath('etcd'), etcdFlags(folder, clientPort, peerPort));
    started.push(etcd);
    const options = { address: '127.0.0.1', port, etcdPort: clientPort, services: '10.96.0.0/16', issuer: plane.url };
    const apiServerArgs = [...apiServerFlags(plane, options), ...ALONE];
    const apiServer = startApiServer({ plane, name, apiServerArgs });
    started.push(apiServer);
    await untilReady(plane, [etcd, apiServer]);
    const controllerManager = startControllerManager({ plane, name });
    started.push(controllerManager);
    await untilControlled(plane, [controllerManager]);
    return { plane, name, etcdUrl: `http://127.0.0.1:${clientPort}`, apiServerArgs, etcd, apiServer, controllerManager };
  } catch (error) {
    await Promise.all(started.map(server => server.stop()));
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function startApiServer({ plane, name, apiServerArgs }: Pick<Programs, 'plane' | 'name' | 'apiServerArgs'>): ServerProcess {
  return startProcess(`${name}-api-server`, plane.folder, programPath('kube-apiserver'), apiServerArgs);
}

function startControllerManager({ plane, name }: Pick<Programs, 'plane' | 'name'>): ServerProcess {
  const flags = controllerManagerFlags(plane, plane.adminKubeconfig);
  return startProcess(`${name}-controller-manager`, plane.folder, programPath('kube-controller-manager'), flags);
}

/** Ends the controller manager, and with it all it remembers. */
export async function stopControllers({ controllerManager }: Programs): Promise<void> {
  controllerManager.signal('SIGKILL');
  await controllerManager.stop();
}

/** Starts a controller manager in place of the one that ended; returns when it works. */
export async function startControllers(programs: Programs): Promise<void> {
  programs.controllerManager = startControllerManager(programs);
  await untilControlled(programs.plane, [programs.etcd, programs.apiServer, programs.controllerManager]);
}

/** Ends everything and removes the folder. Safe to call again. */
export async function stopPrograms({ plane, etcd, apiServer, controllerManager }: Programs): Promise<void> {
  // The data goes with it: nothing is worth an orderly end, which waits for open watches.
  for (const server of [controllerManager, apiServer, etcd]) server.signal('SIGKILL');
  for (const server of [controllerManager, apiServer, etcd]) await server.stop();
  rmSync(plane.folder, { recursive: true, force: true });
}

function owned(programs: Programs): OwnControlPlane {
  const { plane, etcd } = programs;
  const crash = async (): Promise<void> => {
    programs.apiServer.signal('SIGKILL');
    await programs.apiServer.stop();
  };
  return {
    ...plane,
    get pids() {
      return { etcd: etcd.pid, apiServer: programs.apiServer.pid, controllerManager: programs.controllerManager.pid };
    },
    killApiServer: crash,
    restartApiServer: async () => {
      await crash();
      programs.apiServer = startApiServer(programs);
      await untilReady(plane, [etcd, programs.apiServer]);
    },
    pauseApiServer: () => programs.apiServer.signal('SIGSTOP'),
    continueApiServer: () => programs.apiServer.signal('SIGCONT'),
    stop: () => stopPrograms(programs),
  };
}

async function makeFiles(folder: string, url: string): Promise<ControlPlane> {
  const authority = await makeAuthority(folder, 'ca');
  const proxyAuthority = await makeAuthority(folder, 'proxy-ca');
  await makeSigningKey(folder, 'service-accounts');
  const serverPair = await makeCertificate(folder, 'server', { authority, use: 'server', commonName: 'kube-apiserver', names: LOOPBACK });
  const adminPair = await makeCertificate(folder, 'admin', { authority, use: 'client', commonName: 'admin', organisations: ['system:masters'] });
  const server = { url, caFile: authority.certFile };
  const adminKubeconfig = writeKubeconfig(join(folder, 'admin.kubeconfig'), server, { certificate: adminPair });
  return { ...server, folder, authority, proxyAuthority, serverPair, adminPair, adminKubeconfig };
}

/** Flags of etcd with its data in the folder, on ports of 127.0.0.1. */
export function etcdFlags(folder: string, clientPort: number, peerPort: number): string[] {
  const [client, peer] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
  const addresses = [`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`, `--listen-peer-urls=${peer}`];
  const cluster = [`--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`];
  return [`--data-dir=${join(folder, 'etcd')}`, ...addresses, ...cluster, '--unsafe-no-fsync', '--log-level=warn'];
}

/** Where an API server listens and what it stands on. */
export interface ApiServerOptions {
  readonly address: string;
  readonly port: number;
  readonly etcdPort: number;
  readonly services: string;
  /** Of the tokens of service accounts. */
  readonly issuer: string;
}

/** Flags that every API server of the tests has. */
export function apiServerFlags({ folder, authority, proxyAuthority, serverPair }: ControlPlane, options: ApiServerOptions): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${options.etcdPort}`,
    `--secure-port=${options.port}`,
    `--bind-address=${options.address}`,
    `--tls-cert-file=${serverPair.certFile}`,
    `--tls-private-key-file=${serverPair.keyFile}`,
    `--client-ca-file=${authority.certFile}`,
    `--requestheader-client-ca-file=${proxyAuthority.certFile}`,
    '--requestheader-allowed-names=front-proxy',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--service-account-issuer=${options.issuer}`,
    `--service-account-key-file=${join(folder, 'service-accounts.pub')}`,
    `--service-account-signing-key-file=${join(folder, 'service-accounts.key')}`,
    `--service-cluster-ip-range=${options.services}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
  ];
}

/** Flags that every controller manager of the tests has. */
export function controllerManagerFlags({ authority }: ControlPlane, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--root-ca-file=${authority.certFile}`,
    '--leader-elect=false',
    '--secure-port=0',
    // By default its own limit on calls makes the start of its controllers take 5 s.
    '--kube-api-qps=300',
    '--kube-api-burst=600',
  ];
}

/** Without nodes. */
const ALONE = [
  // A loopback address is refused here. This one is for documentation: nothing inside this cluster calls it.
  '--advertise-address=192.0.2.1',
  // Pods would otherwise wait for the token controller to know their service account; nothing runs them here.
  '--disable-admission-plugins=ServiceAccount',
];

function untilReady(plane: ControlPlane, servers: readonly ServerProcess[]): Promise<void> {
  return until(servers, 'the API server', async () => (await callKube(plane, undefined, 'GET', '/readyz')).status === 200);
}

/** The service account of a namespace is the first thing its controllers make. */
function untilControlled(plane: ControlPlane, servers: readonly ServerProcess[]): Promise<void> {
  return until(servers, 'the controller manager', async () => {
    const answer = await asAdmin(plane, 'GET', '/api/v1/namespaces/default/serviceaccounts/default');
    return answer.status === 200;
  });
}

async function until(servers: readonly ServerProcess[], what: string, isThere: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + READY_MS;
  for (;;) {
    const dead = servers.find(server => !server.isAlive());
    const late = Date.now() > end ? servers.at(-1) : undefined;
    const guilty = dead ?? late;
    if (guilty) throw new Error(`${what} is not ready${dead ? ': its process ended' : ''}. End of ${guilty.logFile}:\n${logTail(guilty.logFile)}`);
    if (await isThere().catch(() => false)) return;
    await sleep(50);
  }
}
