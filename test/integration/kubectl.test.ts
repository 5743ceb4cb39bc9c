/**
 * What an admin and a service owner read with kubectl alone, kept as golden text; and that the engine gets by on the roles of the chart: here
 * it runs as the chart's service account.
 */
import { join } from 'node:path';
import { GetQueueUrlCommand, ListQueueTagsCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, test as anyTest, beforeAll, expect, vi } from 'vitest';
import type { JsonObject } from '../../src/core/types.ts';
import { deleteQueue, everything, makeQueue } from '../e2e/cloud.ts';
import {
  apply,
  type Controller,
  claim,
  ENGINE_NAMESPACE,
  onCluster,
  PATIENCE_MS,
  startController,
  startTestCluster,
  stopTestCluster,
  type TestCluster,
  untilClaimReady,
  untilReady,
} from '../e2e/cluster.ts';
import { part } from '../parts/emulators.ts';
import { engineNeeds, untilMay } from '../parts/kube/allowed.ts';
import { kubeconfigFor, serviceAccountKubeconfig } from '../parts/kube/control-plane.ts';
import { helm, kubectl, runTool } from '../parts/kube/tools.ts';

const test = anyTest.skipIf(!part('kubernetes').available);
const CHART = join(import.meta.dirname, '../../charts/plinth');
const OWN = ['defaults.definitions=false', 'defaults.compositions=false', 'defaults.aws=false'].flatMap(value => ['--set', value]);
let cluster: TestCluster;
let controller: Controller;
/** Kubeconfig of a user with the role `edit` in namespace shop, and nothing else. */
let owner: string;
const as = (...args: string[]) => kubectl({ kubeconfig: owner }, ...args);
const send = (item: JsonObject, ...args: string[]) => kubectl({ kubeconfig: owner, input: JSON.stringify(item) }, ...args, '-f', '-');
const orders = (spec: JsonObject = {}) =>
  claim('Queue', 'shop', 'orders', { deadLetter: { maxReceives: 5 }, subscriptions: [{ topic: 'order-events' }], ...spec });
const golden = (name: string): string => `kubectl/${name}.golden.txt`;

/** What differs from run to run, by what it is. */
function steady(text: string): string {
  const { account } = cluster;
  return (
    text
      .replaceAll(account, '<account>')
      .replaceAll(/127\.0\.0\.1:\d+|localhost:\d+/g, '<endpoint>')
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>')
      .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, '<time>')
      .replaceAll(/(Resource Version: +|resourceVersion: ")\d+/g, '$1<version>')
      .replaceAll(/\b[0-9a-f]{12}\b/g, '<digest>')
      .replaceAll(/\/\S*(LIVE|MERGED)-\d+/g, '<$1>')
      .replaceAll(/\t\d{4}-\d{2}-\d{2} [\d:.]+ \+\d+$/gm, '\t<time>')
      .replaceAll(/(?<= )(\d+[smh])+(?=\s|$)/gm, '<age>')
      // The columns of events are as wide as the longest age.
      .replace(/(?<=Events:)[\s\S]*$/, events => events.replaceAll(/ {2,}|-{4,}/g, gap => (gap[0] === ' ' ? '  ' : '----')))
      .replaceAll(/[ \t]+$/gm, '')
  );
}
const expectGolden = async (text: string, name: string): Promise<void> => await expect(steady(text)).toMatchFileSnapshot(golden(name));

beforeAll(async () => {
  if (!part('kubernetes').available) return;
  cluster = await startTestCluster();
  const { plane } = cluster;
  await helm(4, { kubeconfig: plane.adminKubeconfig }, 'install', 'plinth', CHART, '-n', ENGINE_NAMESPACE, '--skip-crds', ...OWN);
  const engine = await serviceAccountKubeconfig(plane, ENGINE_NAMESPACE, 'plinth');
  await untilMay(engine, ...engineNeeds(ENGINE_NAMESPACE));
  controller = await startController(cluster, ['--kubeconfig', engine]);
  await untilReady(controller);
  await onCluster(cluster, 'create', 'namespace', 'shop');
  await onCluster(cluster, 'label', 'namespace', 'shop', 'plinth.dev/class=local');
  await onCluster(cluster, 'create', 'rolebinding', 'owner', '--clusterrole=edit', '--user=owner', '-n', 'shop');
  owner = await kubeconfigFor(plane, 'owner');
  await untilMay(owner, 'create queues.plinth.dev -n shop', 'get events -n shop');
  await onCluster(cluster, 'wait', '--for=condition=Ready', 'claimdefinition,composition,environmentclass,providerconfig', '--all', '--timeout=180s');
});
afterAll(() => stopTestCluster(cluster));

test('apply, and wait until it can be used', async () => {
  await send(claim('Topic', 'shop', 'order-events'), 'apply', '--server-side');
  expect(await send(orders(), 'apply', '--server-side')).toBe('queue.plinth.dev/orders serverside-applied\n');
  expect(await as('wait', '--for=condition=Ready', 'queue/orders', '-n', 'shop', '--timeout=180s')).toBe('queue.plinth.dev/orders condition met\n');
  await untilClaimReady(cluster, 'topic', 'shop', 'order-events');
});

test('get: who provides it, and whether it is ready; wide says why', async () => {
  await expectGolden(await as('get', 'claims', '-n', 'shop'), 'get-claims');
  await expectGolden(await as('get', 'q', 'orders', '-n', 'shop', '-o', 'wide'), 'get-wide');
  await expectGolden(await onCluster(cluster, 'get', 'plinth'), 'get-plinth');
});

test('describe: everything behind it', async () => {
  // Events are sent after what they tell of.
  const told = () => as('get', 'events', '-n', 'shop', '-o', 'name', '--field-selector', 'reason=Available,involvedObject.name=orders');
  await expect.poll(told, { timeout: PATIENCE_MS }).not.toBe('');
  await expectGolden(await as('describe', 'queue', 'orders', '-n', 'shop'), 'describe');
});

test('explain tells what a claim may say', async () => {
  await expectGolden(await as('explain', 'queue.spec'), 'explain-spec');
  await expectGolden(await as('explain', 'queue.spec.deadLetter.maxReceives'), 'explain-field');
});

test('an admin sees what is wrong with what was applied, and when it is mended', async () => {
  const told = () => onCluster(cluster, 'get', 'plinth', '-o', 'wide');
  const broken = (size: string): JsonObject => ({
    apiVersion: 'plinth.dev/v1alpha1',
    kind: 'Composition',
    metadata: { name: 'queue-broken' },
    spec: { claim: 'Topic', resources: [{ id: 'topic', main: true, type: 'aws/sns-topic', spec: { displayName: size } }] },
  });
  await apply(cluster, broken('${claim.spec.?displayNam}'));
  await onCluster(cluster, 'wait', '--for=condition=Ready=False', 'composition/queue-broken', '--timeout=180s');
  const message = await onCluster(cluster, 'get', 'composition', 'queue-broken', '-o', 'jsonpath={.status.conditions[0].message}');
  expect(message).toContain('`claim.spec` has no field `displayNam`; did you mean `displayName`?');
  expect(await told()).toMatch(/queue-broken +Topic +False +InvalidExpression/);
  await onCluster(cluster, 'delete', 'composition', 'queue-broken');
});

test('applied again it is unchanged, whatever the engine wrote, and nothing conflicts', async () => {
  const version = await as('get', 'queue', 'orders', '-n', 'shop', '-o', 'jsonpath={.metadata.resourceVersion}');
  expect(await send(orders(), 'apply', '--server-side')).toBe('queue.plinth.dev/orders serverside-applied\n');
  expect(await as('get', 'queue', 'orders', '-n', 'shop', '-o', 'jsonpath={.metadata.resourceVersion}')).toBe(version);
});

test('diff shows what would change, and only that', async () => {
  const ran = await runTool('kubectl', { kubeconfig: owner, input: JSON.stringify(orders({ delaySeconds: 5 })) }, ['diff', '--server-side', '-f', '-']);
  expect(ran.code).toBe(1);
  await expectGolden(ran.stdout, 'diff');
});

test('a change is there when wait says so', async () => {
  await send(orders({ delaySeconds: 5 }), 'apply', '--server-side');
  const generation = await as('get', 'queue', 'orders', '-n', 'shop', '-o', 'jsonpath={.metadata.generation}');
  await as('wait', `--for=jsonpath={.status.observedGeneration}=${generation}`, 'queue/orders', '-n', 'shop', '--timeout=180s');
  await as('wait', '--for=condition=Ready', 'queue/orders', '-n', 'shop', '--timeout=180s');
});

test('a claim that waits says for what', async () => {
  await send(claim('Queue', 'shop', 'late', { subscriptions: [{ topic: 'nowhere' }] }), 'apply', '--server-side');
  const reason = () => as('get', 'queue', 'late', '-n', 'shop', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}');
  await vi.waitFor(async () => expect(await reason()).toBe('WaitingForReference'), { timeout: PATIENCE_MS, interval: 200 });
  await expectGolden(await as('get', 'q', 'late', '-n', 'shop', '-o', 'wide'), 'get-waiting');
  await as('delete', 'queue', 'late', '-n', 'shop', '--timeout=180s');
});

test('a workload says in its own status which claim it waits for in vain', async () => {
  await makeQueue(cluster, 'shop_taken');
  await send(claim('Queue', 'shop', 'taken'), 'apply', '--server-side');
  const labels = { app: 'reader' };
  const pod = { containers: [{ name: 'reader', image: 'reader', envFrom: [{ secretRef: { name: 'taken-queue' } }] }] };
  const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } };
  const metadata = { name: 'reader', namespace: 'shop', labels: { 'plinth.dev/awaits-claims': 'true' } };
  await send({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }, 'apply', '--server-side');
  await as('wait', '--for=condition=Stalled', 'deployment/reader', '-n', 'shop', '--timeout=180s');
  expect(await as('describe', 'deployment', 'reader', '-n', 'shop')).toMatch(/Stalled +True +Conflict/);
  const message = (what: string) => as('get', what, '-n', 'shop', '-o', 'jsonpath={.status.conditions[?(@.type=="Stalled")].message}');
  expect(await message('deployment/reader')).toBe(`Queue taken: ${await message('queue/taken')}`);
  await as('delete', 'queue', 'taken', '-n', 'shop', '--timeout=180s');
  await vi.waitFor(async () => expect(await message('deployment/reader')).toBe(''), { timeout: PATIENCE_MS, interval: 200 });
  await as('delete', 'deployment', 'reader', '-n', 'shop', '--timeout=180s');
  await deleteQueue(cluster, 'shop_taken');
});

test('delete returns when the real things are gone', async () => {
  expect(await everything(cluster)).toContain('queue shop_orders');
  expect(await as('delete', 'queue', 'orders', '-n', 'shop', '--wait', '--timeout=180s')).toBe('queue.plinth.dev "orders" deleted from shop namespace\n');
  expect((await everything(cluster)).filter(name => name.includes('orders'))).toEqual([]);
});

test('a namespace that is deleted finishes, with its Secrets, and nothing of its claims stays outside', async () => {
  await onCluster(cluster, 'create', 'namespace', 'leaving');
  await onCluster(cluster, 'label', 'namespace', 'leaving', 'plinth.dev/class=local');
  await apply(cluster, claim('Topic', 'leaving', 'news'), claim('Bucket', 'leaving', 'files'));
  await apply(cluster, claim('Queue', 'leaving', 'mail', { deadLetter: { maxReceives: 3 }, subscriptions: [{ topic: 'news' }] }));
  await untilClaimReady(cluster, 'queue', 'leaving', 'mail');
  await untilClaimReady(cluster, 'bucket', 'leaving', 'files');
  const ours = async (): Promise<string[]> => (await everything(cluster)).filter(name => name.includes('leaving'));
  expect(await ours()).toHaveLength(5);
  await onCluster(cluster, 'delete', 'namespace', 'leaving', '--timeout=180s');
  expect(await ours()).toEqual([]);
});

test('a kind that is deleted takes its claims, and keeps and names what they made', async () => {
  await send(claim('Queue', 'shop', 'kept'), 'apply', '--server-side');
  await untilClaimReady(cluster, 'queue', 'shop', 'kept');
  await onCluster(cluster, 'delete', 'crd', 'queues.plinth.dev', '--timeout=180s');
  const sqs = new SQSClient({ endpoint: cluster.endpoint, region: 'us-east-1', credentials: { accessKeyId: cluster.account, secretAccessKey: 'test' } });
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'shop_kept' }));
  const { Tags = {} } = await sqs.send(new ListQueueTagsCommand({ QueueUrl }));
  expect(Tags['plinth.dev/retained']).toBe('true');
  await expect.poll(() => controller.log).toContain('the kind Queue is being deleted, so what the claim made is kept: queue (aws/sqs-queue shop_kept)');
  const events = () => as('get', 'events', '-n', 'shop', '--field-selector', 'reason=Retained', '-o', 'jsonpath={.items[*].message}');
  await expect.poll(events, { timeout: PATIENCE_MS }).toContain('queue (aws/sqs-queue shop_kept)');
  // The definition stands, so the kind comes back.
  await onCluster(cluster, 'wait', '--for=condition=Established', 'crd/queues.plinth.dev', '--timeout=180s');
  await onCluster(cluster, 'wait', '--for=condition=Ready', 'claimdefinition/queues.plinth.dev', '--timeout=180s');
});

test('what is in use says by whom when it is to be deleted', async () => {
  await onCluster(cluster, 'delete', 'environmentclass', 'local', '--wait=false');
  await onCluster(cluster, 'wait', '--for=condition=InUse', 'environmentclass/local', '--timeout=180s');
  const message = await onCluster(cluster, 'get', 'environmentclass', 'local', '-o', 'jsonpath={.status.conditions[?(@.type=="InUse")].message}');
  expect(message).toBe('EnvironmentClass local is in use by Topic shop/order-events; delete the claims named, or give them another');
  await as('delete', 'topic', 'order-events', '-n', 'shop', '--timeout=180s');
  await onCluster(cluster, 'wait', '--for=delete', 'environmentclass/local', '--timeout=180s');
});

test('through all of it the engine lacked no permission, and no call of it was refused', () => {
  expect(controller.log).not.toMatch(/forbidden|AccessDenied|cannot (get|list|watch|create|update|patch|delete) resource/i);
});
