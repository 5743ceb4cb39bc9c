/** A real node with Plinth installed by its chart, an emulator that its pods can reach, and the image of the service of the story. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../../src/core/types.ts';
import { account, miniStack } from '../../parts/emulators.ts';
import { helm, kubectl } from '../../parts/kube/tools.ts';
import { type Node, startNode } from '../../parts/node/node.ts';
import { writePlinthImage, writeProgramImage } from '../../parts/node/plinth-image.ts';
import { type AwsProxy, startProxy } from '../../parts/proxy.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

export const ENGINE_NAMESPACE = 'plinth-system';
/** Those that the chart brings. */
const COMPOSITIONS = { Queue: 'queue-sqs', Topic: 'topic-sns', Bucket: 'bucket-s3', Table: 'table-dynamodb' };
export const APP_IMAGE = 'localhost/shop:1';

export interface NodeCluster {
  readonly node: Node;
  /** Before the emulator; its record tells every call of the controller and of the service. */
  readonly proxy: AwsProxy;
  /** Of the emulator itself, for who looks from outside; and the account on it. */
  readonly endpoint: string;
  readonly account: string;
  /** For kubectl and helm, as the admin. */
  readonly options: { readonly kubeconfig: string };
}

/** Starts the node, installs Plinth by its chart (helm 4, `--wait`), and makes the class `cluster`, whose claims the emulator serves. */
export async function startNodeCluster(): Promise<NodeCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-images-'));
  const plinth = await writePlinthImage(join(folder, 'plinth.tar'), `localhost/plinth:${version}`);
  const app = await writeProgramImage(join(folder, 'app.tar'), APP_IMAGE, join(import.meta.dirname, 'app.ts'));
  const [node, emulator] = await Promise.all([startNode([plinth, app]), miniStack()]);
  rmSync(folder, { recursive: true, force: true });
  const proxy = await startProxy(emulator.endpoint);
  const cluster = { node, proxy, endpoint: emulator.endpoint, account: account(), options: { kubeconfig: node.adminKubeconfig } };
  const values = ['--set', 'image.repository=localhost/plinth', '--set', 'pollInterval=5s', '--set', 'defaults.aws=false'];
  const where = ['--namespace', ENGINE_NAMESPACE, '--create-namespace'];
  await helm(4, cluster.options, 'install', 'plinth', join(ROOT, 'charts', 'plinth'), ...where, ...values, '--wait', '--timeout', '240s');
  await apply(cluster, ...adminObjects(await node.expose(Number(new URL(proxy.endpoint).port)), cluster.account));
  const crds = ['queues', 'topics', 'buckets', 'tables'].map(plural => `crd/${plural}.plinth.dev`);
  await onNode(cluster, 'wait', ...crds, '--for=create', '--timeout=240s');
  await onNode(cluster, 'wait', ...crds, '--for=condition=Established', '--timeout=240s');
  return cluster;
}

/** Ends all of it. */
export async function stopNodeCluster(cluster: NodeCluster | undefined): Promise<void> {
  await cluster?.node.stop();
  await cluster?.proxy.close();
}

/** kubectl as the admin. */
export function onNode({ options }: NodeCluster, ...args: string[]): Promise<string> {
  return kubectl(options, ...args);
}

/** kubectl apply of objects. */
export function apply({ options }: NodeCluster, ...objects: JsonObject[]): Promise<string> {
  return kubectl({ ...options, input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) }, 'apply', '-f', '-');
}

function adminObjects(endpoint: string, accessKeyId: string): JsonObject[] {
  const settings = { region: 'us-east-1', endpoint, credentials: { from: 'Static', accessKeyId, secretAccessKey: 'test' } };
  const implementations = Object.entries(COMPOSITIONS).map(([claim, composition]) => ({ claim, composition, configs: { aws: 'emulator' } }));
  const apiVersion = 'plinth.dev/v1alpha1';
  return [
    { apiVersion, kind: 'ProviderConfig', metadata: { name: 'emulator' }, spec: { provider: 'localstack', settings } },
    { apiVersion, kind: 'EnvironmentClass', metadata: { name: 'cluster' }, spec: { implementations, policies: { purgeOnDelete: true, graceSeconds: 0 } } },
  ];
}
