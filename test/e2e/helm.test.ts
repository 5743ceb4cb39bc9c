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
  const round = async (): Promise<void> => {
    const { body } = await asAdmin(cluster.plane, 'GET', `${path}/pods`);
    for (const pod of (body.items ?? []) as Pod[]) await play(path, pod);
  };
  const playing = (async () => {
    // What fails is done in the next round, as a kubelet does.
    for (; !ending.signal.aborted; await sleep(200)) await round().catch(() => undefined);
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

/** Of a helm that waits for what comes. Far from what it takes, so that one that waited to the end is told from one that did not. */
const WAIT_S = 240;
/** A third of that, and less than the chart's `progressDeadlineSeconds`. */
const LONG_BEFORE_MS = 80_000;
const PATIENCE_MS = 120_000;
const STORY_MS = 1_500_000;

for (const version of [3, 4] as const)
  describe.skipIf(!isHere || !part(`helm${version}`).available)(`helm ${version}`, () => {
    const helm = (...args: string[]): Promise<Ran> => runTool(`helm${version}`, { kubeconfig: cluster.plane.adminKubeconfig }, [...args, '-n', namespace]);
    const wait = [...(version === 4 ? ['--wait'] : ['--wait', '--wait-for-jobs']), '--timeout', `${WAIT_S}s`];
    /** Of this story, as the cloud has it. */
    const things = async (): Promise<string[]> => (await everything(cluster)).filter(thing => thing.includes(namespace));
    const maxReceives = async (): Promise<unknown> =>
      (JSON.parse((await queue(cluster, `${namespace}_orders`))['RedrivePolicy'] ?? '{}') as { maxReceiveCount?: unknown }).maxReceiveCount;
    const isReady = async (kind: string, name: string): Promise<string> =>
      await onCluster(cluster, 'get', kind, name, '-n', namespace, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}');

    test(
      'install returns when everything works; upgrade changes the queue in place; rollback converges; uninstall takes all away',
      async () => {
        const installed = await helm('install', 'shop', CHART, ...wait);
        expect(installed.stderr).toBe('');
        expect(installed.code).toBe(0);
        for (const [kind, name] of [
          ['queue', 'orders'],
          ['topic', 'order-events'],
          ['bucket', 'invoices'],
          ['table', 'customers'],
        ] as const)
          await (version === 4
            ? expect(isReady(kind, name), name).resolves.toBe('True')
            : // Helm 3 waits for the pods alone, and the Secret they mount comes a moment before the claim says so.
              expect.poll(() => isReady(kind, name), { timeout: PATIENCE_MS, message: name }).toBe('True'));
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
        const upgraded = await helm('upgrade', 'shop', CHART, ...wait, '--set', 'deadLetter.maxReceives=10');
        expect(upgraded.code, upgraded.stderr).toBe(0);
        // Helm 3 does not wait for claims, and the pods did not change.
        await expect.poll(maxReceives, { timeout: PATIENCE_MS }).toBe(10);
        if (version === 4) expect(await isReady('queue', 'orders')).toBe('True');
        const changed = cluster.proxy.calls.filter(call => call.mutating).map(call => call.operation);
        expect([...new Set(changed)]).toEqual(['SetQueueAttributes']);

        const back = await helm('rollback', 'shop', '1', ...wait);
        expect(back.code, back.stderr).toBe(0);
        await expect.poll(maxReceives, { timeout: PATIENCE_MS }).toBe(5);

        const removed = await helm('uninstall', 'shop', '--wait', '--timeout', `${WAIT_S}s`);
        expect(removed.code, removed.stderr).toBe(0);
        await expect.poll(things, { timeout: PATIENCE_MS }).toEqual([]);
        await untilTrue(
          async () => (await onCluster(cluster, 'get', 'claims', '-n', namespace, '-o', 'name')) === '',
          PATIENCE_MS,
          () => cluster.controllers[0]!.log.slice(-3_000),
        );
      },
      STORY_MS,
    );

    test(
      'a first install that cannot be served fails at once with the message; mended, it goes on',
      async () => {
        await makeQueue(cluster, `${namespace}_orders`);
        // Helm 3 knows nothing of claims and waits to the end; of two values the last one counts.
        const brief = version === 4 ? [] : ['--timeout', '15s'];
        const began = Date.now();
        const failed = await helm('install', 'shop', CHART, ...wait, ...brief);
        expect(failed.code).toBe(1);
        if (version === 4) {
          expect(Date.now() - began).toBeLessThan(LONG_BEFORE_MS);
          // Both are read as failed, so there is nothing left to wait for.
          for (const what of ['Queue/%/orders', 'Deployment/%/shop'])
            expect(failed.stderr).toContain(`${what.replace('%', namespace)} not ready. status: Failed`);
          expect(failed.stderr).toContain(`${namespace}_orders`);
        }
        const said = (): Promise<string> =>
          onCluster(cluster, 'get', 'queue', 'orders', '-n', namespace, '-o', 'jsonpath={.status.conditions[?(@.type=="Stalled")].message}');
        await expect.poll(said, { timeout: PATIENCE_MS }).toContain(`${namespace}_orders`);
        if (version === 4) expect(failed.stderr).toContain((await said()).split(';')[0]);

        await deleteQueue(cluster, `${namespace}_orders`);
        const upgraded = await helm('upgrade', '--install', 'shop', CHART, ...wait, '--set', 'size=large');
        expect(upgraded.code, upgraded.stderr).toBe(0);
        expect((await queue(cluster, `${namespace}_orders`))['VisibilityTimeout']).toBe('300');
        const left = await onCluster(cluster, 'get', 'deployment', 'shop', '-n', namespace, '-o', 'jsonpath={.status.conditions[?(@.type=="Stalled")]}');
        expect(left).toBe('');
        expect((await helm('uninstall', 'shop', '--wait', '--timeout', `${WAIT_S}s`)).code).toBe(0);
        await expect.poll(things, { timeout: PATIENCE_MS }).toEqual([]);
      },
      STORY_MS,
    );

    test(
      'an upgrade that cannot be served fails at once with the message; rolled back it is as before, and what a stranger has stays his',
      async () => {
        const strangers = `${namespace}_orders_deadLetter`;
        const installed = await helm('install', 'shop', CHART, ...wait, '--set', 'deadLetter.enabled=false');
        expect(installed.code, installed.stderr).toBe(0);
        await makeQueue(cluster, strangers);

        const began = Date.now();
        const failed = await helm('upgrade', 'shop', CHART, ...wait, '--set', 'deadLetter.enabled=true');
        const stalled = async (path: string): Promise<string> =>
          await onCluster(cluster, 'get', 'queue', 'orders', '-n', namespace, '-o', `jsonpath={.status.conditions[?(@.type=="Stalled")].${path}}`);
        await expect.poll(() => stalled('message'), { timeout: PATIENCE_MS }).toContain(strangers);
        // The pods did not change, so there is nothing else to wait for; Helm 3 waits for nothing but those.
        expect(failed.code).toBe(version === 4 ? 1 : 0);
        if (version === 4) {
          expect(Date.now() - began).toBeLessThan(LONG_BEFORE_MS);
          expect(failed.stderr).toContain((await stalled('message')).split(';')[0]);
        }

        const back = await helm('rollback', 'shop', '1', ...wait);
        expect(back.code, back.stderr).toBe(0);
        await expect.poll(() => stalled('status'), { timeout: PATIENCE_MS }).toBe('False');
        await expect.poll(() => isReady('queue', 'orders'), { timeout: PATIENCE_MS }).toBe('True');
        expect((await helm('uninstall', 'shop', '--wait', '--timeout', `${WAIT_S}s`)).code).toBe(0);
        await expect.poll(things, { timeout: PATIENCE_MS }).toEqual([`queue ${strangers}`]);
        await deleteQueue(cluster, strangers);
      },
      STORY_MS,
    );
  });
