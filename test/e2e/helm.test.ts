/** The shop chart and real helms, with the controller as its own process. No node is here: what a kubelet would do with the pods is played. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { part } from '../parts/emulators.ts';
import { asAdmin } from '../parts/kube/control-plane.ts';
import { type Ran, runTool } from '../parts/kube/tools.ts';
import { deleteQueue, everything, makeQueue, queue } from './cloud.ts';
import { onCluster, startController, startTestCluster, stopTestCluster, type TestCluster, untilReady, untilTrue } from './cluster.ts';

const CHART = join(import.meta.dirname, '..', '..', 'examples', 'shop', 'chart');
const isHere = part('kubernetes').available;
let cluster: TestCluster;
let namespace: string;
let count = 0;
let stopPods: () => Promise<void>;

beforeAll(async () => {
  if (!isHere) return;
  cluster = await startTestCluster();
  await untilReady(await startController(cluster, ['--poll-interval', '5s']));
});
afterAll(() => stopTestCluster(cluster));

beforeEach(async () => {
  if (!isHere) return;
  namespace = `shop-${++count}`;
  await onCluster(cluster, 'create', 'namespace', namespace);
  await onCluster(cluster, 'label', 'namespace', namespace, 'plinth.dev/class=local');
  stopPods = playPods(namespace);
});
afterEach(async () => await stopPods?.());

interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly volumes?: { readonly secret?: { readonly secretName: string } }[] };
  readonly status: { readonly phase?: string; readonly conditions?: { readonly type: string; readonly status: string }[] };
}

/** Every pod runs and is ready once the Secrets that it mounts are there, as on a node. */
function playPods(inNamespace: string): () => Promise<void> {
  const ending = new AbortController();
  const path = `/api/v1/namespaces/${inNamespace}`;
  const playing = (async () => {
    while (!ending.signal.aborted) {
      const { body } = await asAdmin(cluster.plane, 'GET', `${path}/pods`);
      for (const pod of (body.items ?? []) as Pod[]) await play(path, pod);
      await sleep(200);
    }
  })();
  return async () => {
    ending.abort();
    await playing;
  };
}

async function play(path: string, { metadata, spec, status }: Pod): Promise<void> {
  if (status.phase === 'Running' || metadata.deletionTimestamp !== undefined) return;
  const secrets = (spec.volumes ?? []).flatMap(({ secret }) => (secret === undefined ? [] : [secret.secretName]));
  for (const name of secrets) if ((await asAdmin(cluster.plane, 'GET', `${path}/secrets/${name}`)).status !== 200) return;
  const conditions = ['Ready', 'ContainersReady'].map(type => ({ type, status: 'True', lastTransitionTime: new Date().toISOString() }));
  await asAdmin(cluster.plane, 'PATCH', `${path}/pods/${metadata.name}/status`, { status: { phase: 'Running', conditions } }, 'application/merge-patch+json');
}

const HELMS = ([3, 4] as const).filter(version => part(`helm${version}`).available);

describe.skipIf(!isHere).each(HELMS)('helm %i', version => {
  const helm = (...args: string[]): Promise<Ran> => runTool(`helm${version}`, { kubeconfig: cluster.plane.adminKubeconfig }, [...args, '-n', namespace]);
  const wait = version === 4 ? ['--wait'] : ['--wait', '--wait-for-jobs'];
  /** Of this story, as the cloud has it. */
  const things = async (): Promise<string[]> => (await everything(cluster)).filter(thing => thing.includes(namespace));
  const maxReceives = async (): Promise<unknown> =>
    (JSON.parse((await queue(cluster, `${namespace}_orders`))['RedrivePolicy'] ?? '{}') as { maxReceiveCount?: unknown }).maxReceiveCount;
  const isReady = async (kind: string, name: string): Promise<string> =>
    await onCluster(cluster, 'get', kind, name, '-n', namespace, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}');

  test('install returns when everything works; upgrade changes the queue in place; rollback converges; uninstall takes all away', async () => {
    const installed = await helm('install', 'shop', CHART, ...wait, '--timeout', '90s');
    expect(installed.stderr).toBe('');
    expect(installed.code).toBe(0);
    for (const [kind, name] of [
      ['queue', 'orders'],
      ['topic', 'order-events'],
      ['bucket', 'invoices'],
      ['table', 'customers'],
    ] as const)
      expect([name, await isReady(kind, name)]).toEqual([name, 'True']);
    expect(await things()).toEqual([
      `bucket ${namespace}-invoices-…`,
      `queue ${namespace}_orders`,
      `queue ${namespace}_orders_deadLetter`,
      `subscription ${namespace}_order-events to ${namespace}_orders`,
      `table ${namespace}_customers`,
      `topic ${namespace}_order-events`,
    ]);
    expect(await maxReceives()).toBe(5);

    cluster.proxy.reset();
    const upgraded = await helm('upgrade', 'shop', CHART, ...wait, '--timeout', '90s', '--set', 'deadLetter.maxReceives=10');
    expect(upgraded.code, upgraded.stderr).toBe(0);
    // Helm 3 does not wait for claims, and the pods did not change.
    await expect.poll(maxReceives, { timeout: 20_000 }).toBe(10);
    if (version === 4) expect(await isReady('queue', 'orders')).toBe('True');
    const changed = cluster.proxy.calls.filter(call => call.mutating).map(call => call.operation);
    expect([...new Set(changed)]).toEqual(['SetQueueAttributes']);

    const back = await helm('rollback', 'shop', '1', ...wait, '--timeout', '90s');
    expect(back.code, back.stderr).toBe(0);
    await expect.poll(maxReceives, { timeout: 20_000 }).toBe(5);

    const removed = await helm('uninstall', 'shop', '--wait', '--timeout', '90s');
    expect(removed.code, removed.stderr).toBe(0);
    await expect.poll(things, { timeout: 30_000 }).toEqual([]);
    await untilTrue(
      async () => (await onCluster(cluster, 'get', 'claims', '-n', namespace, '-o', 'name')) === '',
      30_000,
      () => cluster.controllers[0]!.log.slice(-3_000),
    );
  }, 300_000);

  test('a claim that cannot be served fails the release with the message, long before the timeout; mended, it goes on', async () => {
    await makeQueue(cluster, `${namespace}_orders`);
    const began = Date.now();
    const failed = await helm('install', 'shop', CHART, ...wait, '--timeout', version === 4 ? '90s' : '15s', '--set', 'progressDeadlineSeconds=8');
    expect(failed.code).toBe(1);
    if (version === 4) {
      expect(Date.now() - began).toBeLessThan(30_000);
      expect(failed.stderr).toContain(`${namespace}_orders`);
    }
    const told = await onCluster(cluster, 'get', 'queue', 'orders', '-n', namespace, '-o', 'jsonpath={.status.conditions[?(@.type=="Stalled")].message}');
    expect(told).toContain(`${namespace}_orders`);
    if (version === 4) expect(failed.stderr).toContain(told.split(';')[0]);

    await deleteQueue(cluster, `${namespace}_orders`);
    const upgraded = await helm('upgrade', '--install', 'shop', CHART, ...wait, '--timeout', '120s', '--set', 'size=large');
    expect(upgraded.code, upgraded.stderr).toBe(0);
    expect((await queue(cluster, `${namespace}_orders`))['VisibilityTimeout']).toBe('300');
    expect((await helm('uninstall', 'shop', '--wait', '--timeout', '90s')).code).toBe(0);
    await expect.poll(things, { timeout: 30_000 }).toEqual([]);
  }, 300_000);
});
