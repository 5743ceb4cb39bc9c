/** A cluster for one file of stories: a control plane of its own with Plinth's kinds, the emulator of the run, and controllers as processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/core/types.ts';
import { applyAdminCrds } from '../../src/engine/definitions-settle.ts';
import { loadAccess } from '../../src/kube/config.ts';
import { closeApi, openApi } from '../../src/kube/transport.ts';
import { shipped } from '../kill/admin.ts';
import { account, miniStack } from '../parts/emulators.ts';
import { nodeOptions } from '../parts/entrypoint.ts';
import { asAdmin, type LentControlPlane } from '../parts/kube/control-plane.ts';
import { borrowControlPlane } from '../parts/kube/pool.ts';
import { kubectl } from '../parts/kube/tools.ts';
import { type AwsProxy, startProxy } from '../parts/proxy.ts';
import { BUNDLE } from './build.ts';

export const ENGINE_NAMESPACE = 'plinth-system';

export interface TestCluster<Plane extends LentControlPlane = LentControlPlane> {
  readonly plane: Plane;
  /** Before the emulator; its record tells every call. */
  readonly proxy: AwsProxy;
  /** Of the emulator itself, and the account on it. */
  readonly endpoint: string;
  readonly account: string;
  readonly controllers: Controller[];
}

/** A process of `plinth controller`. */
export interface Controller {
  readonly child: ChildProcess;
  /** `http://127.0.0.1:port` of health and metrics; where nobody answers until it has said where they are. */
  readonly url: string;
  /** Everything it logged. */
  log: string;
  readonly ended: Promise<number>;
}

/** Starts all that; the class `local` is the default. */
export async function startTestCluster(): Promise<TestCluster> {
  return await startTestClusterOn(borrowControlPlane());
}

/** startTestCluster on a control plane, which ends with it. */
export async function startTestClusterOn<Plane extends LentControlPlane>(starting: Promise<Plane>): Promise<TestCluster<Plane>> {
  const [plane, emulator] = await Promise.all([starting, miniStack()]);
  const proxy = await startProxy(emulator.endpoint);
  const cluster = { plane, proxy, endpoint: emulator.endpoint, account: account(), controllers: [] };
  const api = openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }));
  await applyAdminCrds({ api, version: '1.0.0', now: () => new Date().toISOString(), log: () => undefined });
  await closeApi(api);
  await onCluster(cluster, 'wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s');
  await onCluster(cluster, 'create', 'namespace', ENGINE_NAMESPACE);
  await apply(cluster, ...shipped({ accessKeyId: cluster.account, secretAccessKey: 'test' }).map(object => atEmulator(object, proxy.endpoint)));
  return cluster;
}

function atEmulator(object: JsonObject, endpoint: string): JsonObject {
  const { spec, metadata } = object as { spec: JsonObject; metadata: JsonObject };
  if (object['kind'] !== 'ProviderConfig' || metadata['name'] !== 'local') return object;
  const credentials = { from: 'Static', accessKeyId: (spec['settings'] as JsonObject)['accessKeyId'], secretAccessKey: 'test' } as JsonObject;
  return { ...object, spec: { ...spec, settings: { region: 'us-east-1', endpoint, credentials } } };
}

/** Ends everything. */
export async function stopTestCluster(cluster: TestCluster | undefined): Promise<void> {
  if (cluster === undefined) return;
  await stopControllers(cluster);
  await cluster.proxy.close();
  await cluster.plane.stop();
}

/** Ends the controllers at once, however they are. */
export async function stopControllers({ controllers }: TestCluster): Promise<void> {
  const all = controllers.splice(0);
  for (const { child } of all) child.kill('SIGKILL');
  await Promise.all(all.map(({ ended }) => ended));
}

/** kubectl as the admin. */
export function onCluster({ plane }: TestCluster, ...args: string[]): Promise<string> {
  return kubectl({ kubeconfig: plane.adminKubeconfig }, ...args);
}

/** kubectl apply of objects. */
export function apply({ plane }: TestCluster, ...objects: JsonObject[]): Promise<string> {
  const input = objects.map(object => JSON.stringify(object)).join('\n---\n');
  return kubectl({ kubeconfig: plane.adminKubeconfig, input }, 'apply', '-f', '-');
}

/** A claim of the API group. */
export function claim(kind: string, namespace: string, name: string, spec: JsonObject = {}): JsonObject {
  return { apiVersion: 'plinth.dev/v1alpha1', kind, metadata: { name, namespace }, spec };
}

/** Of a controller that has not said where it is. */
const NOWHERE = 'http://127.0.0.1:9';

/** Starts a controller and returns at once; it goes with the cluster. */
export async function startController(cluster: TestCluster, args: readonly string[] = []): Promise<Controller> {
  // It takes a free port itself: one that was chosen here could be another's by then.
  const flags = ['--kubeconfig', cluster.plane.adminKubeconfig, '--metrics-address', '127.0.0.1:0', '--log-level', 'debug', ...args];
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', AWS_EC2_METADATA_DISABLED: 'true' };
  const child = spawn(process.execPath, [...nodeOptions(), BUNDLE, 'controller', ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number>(resolve => child.once('close', code => resolve(code ?? -1)));
  const controller = {
    child,
    log: '',
    ended,
    get url(): string {
      return /health and metrics at (http:[^"]+)"/.exec(this.log)?.[1] ?? NOWHERE;
    },
  };
  const hear = (chunk: Buffer): void => {
    controller.log += chunk.toString();
  };
  child.stderr.on('data', hear);
  child.stdout.on('data', hear);
  cluster.controllers.push(controller);
  return controller;
}

/** What it logged, without a line that has not come whole. */
export function linesOf({ log }: Pick<Controller, 'log'>): Record<string, unknown>[] {
  return log
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Record<string, unknown>);
}

/** As long as anybody would wait for what is no requirement. */
export const PATIENCE_MS = 120_000;

/** Waits until it works or waits for its turn. Throws with its log when it ends or takes too long. */
export async function untilReady(controller: Controller, ms = PATIENCE_MS): Promise<void> {
  const what = async (): Promise<boolean> => (await fetch(`${controller.url}/readyz`).catch(() => undefined))?.status === 200;
  await untilTrue(what, ms, () => `the controller is not ready:\n${controller.log.slice(-3_000)}`);
}

/** The value of a metric line that begins like this; undefined when there is none. */
export async function metric({ url }: Pick<Controller, 'url'>, line: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.split('\n').filter(item => item.startsWith(line));
  return found.length === 0 ? undefined : found.reduce((sum, item) => sum + Number(item.slice(item.lastIndexOf(' '))), 0);
}

/** Asks every 100 ms. Throws what `otherwise` says when it takes longer than `ms`. */
export async function untilTrue(isTrue: () => Promise<boolean>, ms: number, otherwise: () => string): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(100)) if (await isTrue()) return;
  throw new Error(otherwise());
}

/** A claim as the API server has it. */
export interface ClaimObject {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly generation: number };
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** The claims of a kind in all namespaces; none where they cannot be listed. By a plain request: kubectl would cost too much in a wait. */
export async function listClaims({ plane }: TestCluster, kind: string): Promise<readonly ClaimObject[]> {
  const answer = await asAdmin(plane, 'GET', `/apis/plinth.dev/v1alpha1/${kind.toLowerCase()}s`).catch(() => undefined);
  return answer?.status === 200 ? (answer.body as { items: ClaimObject[] }).items : [];
}

/** Whether it is ready for its newest generation. */
export const isReady = ({ metadata, status }: ClaimObject): boolean =>
  status?.observedGeneration === metadata.generation && status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';

/** Waits until a claim is ready for its newest generation. */
export async function untilClaimReady(cluster: TestCluster, kind: string, namespace: string, name: string, ms = PATIENCE_MS): Promise<void> {
  let last: ClaimObject | undefined;
  const isIt = async (): Promise<boolean> => {
    last = (await listClaims(cluster, kind)).find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
    return last !== undefined && isReady(last);
  };
  const logs = (): string => cluster.controllers.map(controller => controller.log.slice(-2_000)).join('\n---\n');
  await untilTrue(isIt, ms, () => `${kind}/${name} is not ready: ${JSON.stringify(last)?.slice(0, 3_000)}\n${logs()}`);
}
