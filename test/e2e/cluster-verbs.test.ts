/** The verbs of the command line on a cluster: the same words as on a laptop, from a real API server with a controller at work. */
import { afterAll, beforeAll, expect } from 'vitest';
import type { JsonObject } from '../../src/core/types.ts';
import { part } from '../parts/emulators.ts';
import { untilMay } from '../parts/kube/allowed.ts';
import { kubeconfigFor } from '../parts/kube/control-plane.ts';
import { withKubernetes } from '../parts/with-kubernetes.ts';
import { object } from '../support.ts';
import { makeQueue } from './cloud.ts';
import {
  apply,
  claim,
  onCluster,
  PATIENCE_MS,
  startController,
  startTestCluster,
  stopTestCluster,
  type TestCluster,
  untilClaimReady,
  untilReady,
  untilTrue,
} from './cluster.ts';
import { plinth, type Result, workplace, write } from './plinth.ts';

let cluster: TestCluster;

beforeAll(async () => {
  if (!part('kubernetes').available) return;
  cluster = await startTestCluster();
  await onCluster(cluster, 'create', 'namespace', 'shop');
  await onCluster(cluster, 'label', 'namespace', 'shop', 'plinth.dev/class=local');
  const controller = await startController(cluster, ['--poll-interval', '2s']);
  await untilReady(controller);
  await apply(
    cluster,
    claim('Queue', 'shop', 'orders', { deadLetter: { maxReceives: 3 } }),
    claim('Table', 'shop', 'customers', { key: { partition: { name: 'id' } } }),
  );
  await untilClaimReady(cluster, 'queue', 'shop', 'orders');
  await untilClaimReady(cluster, 'table', 'shop', 'customers');
});
afterAll(() => stopTestCluster(cluster));

/** Runs a verb in a folder of its own, which must stay as it is. */
function verb(...args: string[]): Promise<Result> {
  return plinth(workplace(), [...args, '--kubeconfig', cluster.plane.adminKubeconfig]);
}

withKubernetes('status lists one namespace, or all; as data it is what a laptop gives', async () => {
  const { stdout, code } = await verb('status', '-n', 'shop');
  expect(stdout).toMatch(/CLAIM +READY +CLASS +IMPLEMENTATION/);
  expect(stdout).toMatch(/Queue\/orders +yes +local +queue-sqs +2\/2 +Available/);
  expect(code).toBe(0);
  const all = JSON.parse((await verb('status', '-A', '--output', 'json')).stdout) as { claims: { name: string; ready: boolean; resources: unknown[] }[] };
  expect(all.claims.map(({ name, ready }) => ({ name, ready }))).toEqual([
    { name: 'orders', ready: true },
    { name: 'customers', ready: true },
  ]);
  expect((await verb('status')).stdout).toContain('no claims here; -A looks at every namespace');
});

withKubernetes('what belongs to no namespace is known from every one', async () => {
  const credentials = { from: 'File', file: cluster.plane.adminKubeconfig };
  const environment = { composition: 'environment-basic', configs: { kubernetes: 'cluster' } };
  await apply(
    cluster,
    object('ProviderConfig', 'cluster', { provider: 'kubernetes', settings: { credentials } }),
    object('EnvironmentClass', 'spaces', { environment }),
    object('Environment', 'team', { class: 'spaces' }),
  );
  await onCluster(cluster, 'wait', '--for=condition=Ready', 'env/team', '--timeout=120s');
  expect((await verb('status', '-A')).stdout).toMatch(/\n +Environment\/team +yes +spaces +environment-basic +5\/5 +Available/);
  expect((await verb('status', '-n', 'shop')).stdout).not.toContain('Environment');
  const explained = (await verb('explain', 'env/team', '-n', 'shop')).stdout;
  expect(explained).toMatch(/^Environment\/team\n/);
  expect(explained).toMatch(/class +spaces +named by it \(spec\.class\)/);
  const traced = (await verb('trace', 'Environment/team')).stdout;
  expect(traced).toMatch(/^Environment\/team: ready\n/);
  expect(traced).toContain('Namespace/team');
  expect(traced).toMatch(/Available: environment-basic: Namespace\/team,/);
  const edited = object('Environment', 'team', { class: 'spaces', users: [{ kind: 'User', name: 'alice' }] });
  const place = workplace();
  write(place, 'team.yaml', JSON.stringify(edited));
  const planned = await plinth(place, ['plan', 'team.yaml', '-n', 'shop', '--kubeconfig', cluster.plane.adminKubeconfig]);
  expect(planned.stdout).toMatch(/^Environment\/team/m);
  expect(planned.stdout).toContain('users[edit]');
  await onCluster(cluster, 'delete', 'env', 'team', '--timeout=120s');
  await onCluster(cluster, 'delete', 'environmentclass/spaces', 'providerconfig/cluster');
});

withKubernetes('trace and explain tell one claim from top to bottom', async () => {
  // Events are sent after what they tell of.
  const told = async (): Promise<string> => await onCluster(cluster, 'get', 'events', '-n', 'shop', '-o', 'name', '--field-selector', 'reason=Available');
  await expect.poll(told, { timeout: PATIENCE_MS }).not.toBe('');
  const { stdout } = await verb('trace', 'queue/orders', '-n', 'shop');
  expect(stdout).toContain('Queue/orders in shop: ready');
  expect(stdout).toContain('shop_orders_deadLetter');
  expect(stdout).toContain('Secret orders-queue in namespace shop');
  expect(stdout).toMatch(/events:\n.*Available/);
  const explained = (await verb('explain', 'q/orders', '-n', 'shop')).stdout;
  expect(explained).toContain('namespace shop has it (its label plinth.dev/class)');
  expect((await verb('trace', 'Queue/nothing', '-n', 'shop')).said).toContain('there is no Queue/nothing in namespace shop');
});

withKubernetes('a tenant with view rights reads the same', async () => {
  const role = ['--verb=get,list', '--resource=queues.plinth.dev,topics.plinth.dev,buckets.plinth.dev,tables.plinth.dev,events.events.k8s.io'];
  await onCluster(cluster, 'create', 'role', 'reader', '-n', 'shop', ...role);
  await onCluster(cluster, 'create', 'rolebinding', 'reader', '-n', 'shop', '--role=reader', '--user=ann');
  const admin = ['--verb=get,list', '--resource=claimdefinitions.plinth.dev,environmentclasses.plinth.dev'];
  await onCluster(cluster, 'create', 'clusterrole', 'kinds', ...admin);
  await onCluster(cluster, 'create', 'clusterrolebinding', 'kinds', '--clusterrole=kinds', '--user=ann');
  const kubeconfig = await kubeconfigFor(cluster.plane, 'ann');
  await untilMay(kubeconfig, 'list tables.plinth.dev -n shop', 'list environmentclasses.plinth.dev');
  const asAnn = (...args: string[]): Promise<Result> => plinth(workplace(), [...args, '--kubeconfig', kubeconfig, '-n', 'shop']);
  expect((await asAnn('status')).stdout).toContain('Queue/orders');
  expect((await asAnn('trace', 'Queue/orders')).code).toBe(0);
  expect((await asAnn('explain', 'Queue/orders')).stdout).toContain('queue-sqs');
  const refused = await asAnn('status', '-A');
  expect(refused.code).toBe(1);
  expect(refused.said).toContain('User "ann" cannot list resource');
});

withKubernetes('plan shows what a change would do; of an admin object, for every claim it touches', async () => {
  const place = workplace();
  write(
    place,
    'queue.yaml',
    'apiVersion: plinth.dev/v1alpha1\nkind: Queue\nmetadata: {name: orders, namespace: shop}\nspec: {deadLetter: {maxReceives: 3}, visibilityTimeoutSeconds: 99}\n',
  );
  const plan = (...args: string[]): Promise<Result> => plinth(place, ['plan', ...args, '--kubeconfig', cluster.plane.adminKubeconfig]);
  const changed = await plan('queue.yaml');
  expect(changed.stdout).toMatch(/visibilityTimeoutSeconds: 30 → 99/);
  expect(changed.stdout).toContain('1 to change.');
  expect(changed.code).toBe(3);
  const composition = JSON.parse(await onCluster(cluster, 'get', 'composition', 'queue-sqs', '-o', 'json')) as {
    spec: { resources: { id: string; spec: Record<string, unknown> }[] };
  };
  composition.spec.resources.find(({ id }) => id === 'queue')!.spec['receiveWaitSeconds'] = 7;
  write(
    place,
    'composition.json',
    JSON.stringify({ apiVersion: 'plinth.dev/v1alpha1', kind: 'Composition', metadata: { name: 'queue-sqs' }, spec: composition.spec }),
  );
  const touched = await plan('composition.json');
  expect(touched.stdout).toContain('shop/Queue/orders');
  expect(touched.stdout).toMatch(/receiveWaitSeconds: \d+ → 7/);
  expect(touched.stdout).not.toContain('Table/customers');
});

withKubernetes('recreate and approve say when there is nothing to do', async () => {
  const { stdout, code } = await verb('recreate', 'Table/customers', '-n', 'shop', '--timeout', '180s');
  expect(stdout).toContain('Table/customers: ready');
  expect(code).toBe(0);
  const annotations = (): Promise<string> => onCluster(cluster, 'get', 'table', 'customers', '-n', 'shop', '-o', 'jsonpath={.metadata.annotations}');
  await expect.poll(annotations, { timeout: PATIENCE_MS }).not.toContain('recreate');
  const refused = await verb('approve', 'Table/customers', '-n', 'shop', '--plan', 'abc');
  expect(refused.code).toBe(2);
  expect(refused.said).toContain('no change of Table/customers waits for approval');
});

withKubernetes(
  'approve lets a held change go ahead',
  async () => {
    const careful = (config: string): JsonObject =>
      object('EnvironmentClass', 'careful', {
        implementations: [{ claim: 'Queue', composition: 'queue-sqs', configs: { aws: config } }],
        policies: { swap: 'Approve' },
      });
    const { spec } = JSON.parse(await onCluster(cluster, 'get', 'providerconfig', 'local', '-o', 'json')) as { spec: { settings: JsonObject } };
    const credentials = { from: 'Static', accessKeyId: '333333333333', secretAccessKey: 'test' };
    await apply(cluster, careful('local'), object('ProviderConfig', 'elsewhere', { ...spec, settings: { ...spec.settings, credentials } }));
    await onCluster(cluster, 'create', 'namespace', 'guarded');
    await onCluster(cluster, 'label', 'namespace', 'guarded', 'plinth.dev/class=careful');
    await apply(cluster, claim('Queue', 'guarded', 'held'));
    await untilClaimReady(cluster, 'queue', 'guarded', 'held');
    await apply(cluster, careful('elsewhere'));
    const read = async (): Promise<{ pendingPlan?: { hash: string } }> =>
      (JSON.parse(await onCluster(cluster, 'get', 'queue', 'held', '-n', 'guarded', '-o', 'json')) as { status: { pendingPlan?: { hash: string } } }).status;
    await untilTrue(
      async () => (await read()).pendingPlan !== undefined,
      PATIENCE_MS,
      () => cluster.controllers[0]!.log.slice(-3_000),
    );
    const { hash } = (await read()).pendingPlan!;
    expect((await verb('status', '-n', 'guarded')).stdout).toContain(`approve Queue/held --plan ${hash}`);
    const { code, said } = await verb('approve', 'Queue/held', '-n', 'guarded', '--plan', hash, '--timeout', '180s');
    expect(said).toContain('Queue/held: ready');
    expect(code).toBe(0);
  },
  600_000,
);

withKubernetes(
  'orphans names what bears our marks and belongs to no claim',
  async () => {
    await makeQueue(cluster, 'nobodys');
    expect((await verb('orphans')).stdout).toContain('no orphans');
    await apply(cluster, claim('Queue', 'shop', 'left', { lifecycle: { deletion: 'Retain' } }));
    await untilClaimReady(cluster, 'queue', 'shop', 'left');
    await onCluster(cluster, 'delete', 'queue', 'left', '-n', 'shop', '--timeout=120s');
    const { stdout, code } = await verb('orphans');
    expect(stdout).toMatch(/aws\/sqs-queue +shop_left +Queue\/left queue +shop/);
    expect(stdout).not.toContain('nobodys');
    expect(code).toBe(3);
  },
  300_000,
);

withKubernetes(
  'abandon lets a claim go',
  async () => {
    const { stdout, code } = await verb('abandon', 'Queue/orders', '-n', 'shop', '--timeout', '180s');
    expect(stdout).toContain('Queue/orders is gone');
    expect(code).toBe(0);
  },
  300_000,
);

withKubernetes('doctor tells what is there and who works', async () => {
  const { stdout, code } = await verb('doctor');
  expect(stdout).toMatch(/API server +https:.*Kubernetes v1\.34/);
  expect(stdout).toMatch(/claim kinds +Bucket, Environment, Queue, Table, Topic/);
  expect(stdout).toMatch(/controller +plinth-/);
  expect(code).toBe(0);
});

withKubernetes('up and down say what to use instead; nothing is put on the disk', async () => {
  const place = workplace();
  write(place, 'queue.yaml', 'apiVersion: plinth.dev/v1alpha1\nkind: Queue\nmetadata: {name: orders}\n');
  const up = await plinth(place, ['up', 'queue.yaml', '--context', 'some']);
  expect(up.code).toBe(2);
  expect(up.said).toContain('`up` works on a state folder, not on a cluster');
  expect((await plinth(place, ['down', '--context', 'some'])).said).toContain('kubectl delete');
});
