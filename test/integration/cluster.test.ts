/** The engine's reconcile in a cluster: a real API server, a real emulator, the shipped compositions. */
import { GetQueueAttributesCommand, ListQueuesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { wake } from '../../src/engine/controller.ts';
import { keyOf, metadataOf } from '../../src/engine/objects.ts';
import { pathOf } from '../../src/kube/paths.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { withKubernetes as test } from '../parts/with-kubernetes.ts';
import { type ClusterGround, openGround } from './cluster-ground.ts';
import { type ClusterEngine, conditionOf, makeNamespace, startClusterEngine } from './cluster-home.ts';

const NAMESPACE = 'shop';
const QUEUES = { group: 'plinth.dev', version: 'v1alpha1', plural: 'queues', kind: 'Queue', namespaced: true };
const SECRETS = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const orders: ClaimKey = { kind: 'Queue', namespace: NAMESPACE, name: 'orders' };
let ground: ClusterGround;
let home: ClusterGround['home'];
let cloud: ClusterGround['cloud'];
let running: ClusterEngine | undefined;

beforeAll(async () => {
  ground = await openGround();
  ({ home, cloud } = ground);
  await makeNamespace(home.api, NAMESPACE, { 'plinth.dev/class': 'local' });
});
afterAll(() => ground?.close());
beforeEach(() => home.proxy.reset());
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const start = async (options: Parameters<typeof startClusterEngine>[1] = {}): Promise<ClusterEngine> => {
  running = await startClusterEngine(home, options);
  return running;
};
const queue = (name: string, spec: JsonObject = {}): JsonObject => ({
  apiVersion: 'plinth.dev/v1alpha1',
  kind: 'Queue',
  metadata: { name, namespace: NAMESPACE },
  spec,
});
const until = async <T>(check: () => T | Promise<T>): Promise<T> => await vi.waitFor(check, { timeout: 120_000, interval: 50 });
const ready = async (key: ClaimKey) => await until(async () => expect(await conditionOf(home, key, 'Ready')).toBe('True'));
const gone = async (key: ClaimKey) => await until(async () => expect(await home.admin.get(key)).toBeUndefined());
const writes = () => home.proxy.calls.filter(call => call.mutating).map(call => `${call.verb} ${[call.resource, call.subresource].filter(Boolean).join('/')}`);
const statusOf = async (key: ClaimKey) => (await home.admin.get(key))!['status'] as unknown as ClaimStatus;

test('a Queue with a dead letter becomes ready in four writes and one Event, and rests without any', async () => {
  const engine = await start({ pollMs: 500 });
  await home.admin.put(queue('first'));
  await ready({ ...orders, name: 'first' });
  // Its Event comes last, and would be counted with what comes now.
  await until(() => expect(home.proxy.count({ mutating: true, resource: 'events' })).toBe(1));
  home.proxy.reset();
  await home.admin.put(queue('orders', { deadLetter: { maxReceives: 5 } }));
  await ready(orders);
  await until(() => expect(writes()).toHaveLength(5));
  expect(writes().sort()).toEqual(['create events', 'create secrets', 'patch queues', 'patch queues/status', 'patch queues/status']);
  const { resources, binding } = await statusOf(orders);
  expect(resources.map(entry => `${entry.id} ${entry.phase}`).sort()).toEqual(['deadLetter Present', 'queue Present']);
  expect(await home.admin.get({ kind: 'Secret', namespace: NAMESPACE, name: binding!.name })).toMatchObject({ type: 'servicebinding.io/sqs' });
  const passes = () => engine.passes.get('Queue/shop/orders')!;
  const before = passes();
  home.proxy.reset();
  await until(() => expect(passes()).toBeGreaterThan(before + 3));
  expect(writes()).toEqual([]);
  expect(engine.errors).toEqual([]);
});

test('a new claim is taken up without a read; what stands where its Secret goes is looked at first', async () => {
  const engine = await start();
  const reads = () => home.proxy.calls.filter(call => call.name?.startsWith('plain') && !call.mutating).map(call => call.resource);
  await home.admin.put(queue('plain'));
  await ready({ ...orders, name: 'plain' });
  await until(() => expect(engine.controller.queue.running.size).toBe(0));
  expect(reads()).toEqual([]);
  const name = 'taken-queue';
  await request(home.api, { method: 'POST', path: pathOf(SECRETS, NAMESPACE), body: { metadata: { name }, stringData: { of: 'a stranger' } } });
  const taken = { ...orders, name: 'taken' };
  await home.admin.put(queue('taken'));
  await until(async () => expect(await conditionOf(home, taken, 'Ready')).toContain(`Secret ${name} exists and is not ours`));
  expect(await home.admin.get({ kind: 'Secret', namespace: NAMESPACE, name })).toMatchObject({ data: { of: 'a stranger' } });
  await request(home.api, { method: 'DELETE', path: pathOf(SECRETS, NAMESPACE, name) });
  wake(engine.controller, taken);
  await ready(taken);
  for (const key of [taken, { ...orders, name: 'plain' }]) await home.admin.remove(key);
  for (const key of [taken, { ...orders, name: 'plain' }]) await gone(key);
});

test('many claims at once: four writes each, and one revision for all', async () => {
  await start();
  const topics = Array.from({ length: 20 }, (_, n) => ({ ...queue(`many-${n}`), kind: 'Topic' }));
  await Promise.all(topics.map(topic => home.admin.put(topic)));
  for (const topic of topics) await ready(keyOf(topic));
  const kept = () => home.proxy.count({ mutating: true, resource: 'controllerrevisions' });
  await until(() => expect(home.proxy.count({ mutating: true, resource: 'events' })).toBe(20));
  expect([kept(), home.proxy.count({ mutating: true, userAgent: 'engine' })]).toEqual([1, 20 * 5 + 1]);
  await Promise.all(topics.map(topic => home.admin.remove(keyOf(topic))));
  for (const topic of topics) await gone(keyOf(topic));
});

test('drift is mended; a Secret that people edit or delete comes back at once; an edit of the claim is applied', async () => {
  await start({ pollMs: 1_000 });
  await home.admin.put(queue('orders', { deadLetter: { maxReceives: 5 }, visibilityTimeoutSeconds: 30 }));
  await ready(orders);
  const url = (await statusOf(orders)).outputs['url'] as string;
  const seconds = async () =>
    (await cloud.sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['VisibilityTimeout'] }))).Attributes?.['VisibilityTimeout'];
  await cloud.sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { VisibilityTimeout: '77' } }));
  await until(async () => expect(await seconds()).toBe('30'));
  await home.admin.put(queue('orders', { deadLetter: { maxReceives: 5 }, visibilityTimeoutSeconds: 40 }));
  await until(async () => expect(await seconds()).toBe('40'));
  await running!.stop();
  await start({ pollMs: 600_000 });
  await until(() => expect(running!.passes.get('Queue/shop/orders')).toBeGreaterThanOrEqual(1));
  await until(() => expect(running!.controller.queue.running.size).toBe(0));
  const secret = pathOf(SECRETS, NAMESPACE, 'orders-queue');
  await request(home.api, { method: 'PATCH', path: secret, contentType: MERGE_PATCH, body: { data: { uri: Buffer.from('elsewhere').toString('base64') } } });
  await until(async () =>
    expect(((await home.admin.get({ kind: 'Secret', namespace: NAMESPACE, name: 'orders-queue' }))!['data'] as JsonObject)['uri']).toBe(url),
  );
  await request(home.api, { method: 'DELETE', path: secret });
  await until(async () => expect(await home.admin.get({ kind: 'Secret', namespace: NAMESPACE, name: 'orders-queue' })).toBeDefined());
});

test('a deleted claim takes its queues along, and an engine that was away catches up', async () => {
  await start();
  await ready(orders);
  await running!.stop();
  await home.admin.remove(orders);
  expect(metadataOf((await home.admin.get(orders))!).deletionTimestamp).toBeDefined();
  await start();
  await gone(orders);
  await home.admin.remove({ ...orders, name: 'first' });
  await gone({ ...orders, name: 'first' });
  expect((await cloud.sqs.send(new ListQueuesCommand({}))).QueueUrls ?? []).toEqual([]);
});

test('a claim that is made anew before its old Secret was collected takes that over', async () => {
  await start({ pollMs: 600_000 });
  const secret = async () => (await home.admin.get({ kind: 'Secret', namespace: NAMESPACE, name: 'again-queue' }))!;
  const key = { ...orders, name: 'again' };
  for (let round = 0; round < 3; round += 1) {
    const { uid } = metadataOf(await home.admin.put(queue('again')));
    await ready(key);
    expect(metadataOf(await secret()).ownerReferences).toMatchObject([{ uid, kind: 'Queue', name: 'again' }]);
    await home.admin.remove(key);
    await gone(key);
  }
});

test('a label on the namespace and a Secret with credentials wake the claims they concern', async () => {
  await makeNamespace(home.api, 'later');
  const key = { ...orders, namespace: 'later' };
  await start({ pollMs: 600_000 });
  const local = (await home.admin.get({ kind: 'EnvironmentClass', namespace: '', name: 'local' }))!;
  await request(home.api, {
    method: 'PATCH',
    path: '/apis/plinth.dev/v1alpha1/environmentclasses/local',
    contentType: MERGE_PATCH,
    body: { spec: { default: false } },
  });
  await home.admin.put({ ...queue('orders'), metadata: { name: 'orders', namespace: 'later' } });
  await until(async () => expect(await conditionOf(home, key, 'Ready')).toContain('NoClass'));
  await request(home.api, {
    method: 'PATCH',
    path: '/api/v1/namespaces/later',
    contentType: MERGE_PATCH,
    body: { metadata: { labels: { 'plinth.dev/class': 'local' } } },
  });
  await ready(key);
  await home.admin.remove(key);
  await gone(key);
  const { default: isDefault = false } = local['spec'] as { default?: boolean };
  await request(home.api, {
    method: 'PATCH',
    path: '/apis/plinth.dev/v1alpha1/environmentclasses/local',
    contentType: MERGE_PATCH,
    body: { spec: { default: isDefault } },
  });
});

test('a status that somebody filled with rubbish is set right; an emptied one is rebuilt, and nothing is made twice', async () => {
  await start({ pollMs: 500 });
  await home.admin.put(queue('orders', { deadLetter: { maxReceives: 5 } }));
  await ready(orders);
  const queues = async () => (await cloud.sqs.send(new ListQueuesCommand({}))).QueueUrls?.length;
  expect(await queues()).toBe(2);
  for (const status of [null, { inventoryFor: 'someone', resources: [], conditions: [] }]) {
    await request(home.api, { method: 'PATCH', path: pathOf(QUEUES, NAMESPACE, 'orders', 'status'), contentType: MERGE_PATCH, body: { status } });
    await until(async () => expect((await statusOf(orders)).resources ?? []).toHaveLength(2));
    await ready(orders);
    expect(await queues()).toBe(2);
  }
  await home.admin.remove(orders);
  await gone(orders);
});
