/** What an engine does with a picture of the cluster that is no longer true: nothing outside. */
import { DeleteQueueCommand, GetQueueUrlCommand, ListQueuesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import type { ClaimKey, JsonObject } from '../../src/core/types.ts';
import { wake } from '../../src/engine/controller.ts';
import { keyText, metadataOf } from '../../src/engine/objects.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { withKubernetes as test } from '../parts/with-kubernetes.ts';
import { type ClusterGround, openGround } from './cluster-ground.ts';
import { type ClusterEngine, conditionOf, makeNamespace, startClusterEngine } from './cluster-home.ts';

const QUEUE: ClaimKey = { kind: 'Queue', namespace: 'shop', name: 'orders' };
const PATH = '/apis/plinth.dev/v1alpha1/namespaces/shop/queues/orders';
let ground: ClusterGround;
let home: ClusterGround['home'];
let proxy: ClusterGround['proxy'];
let cloud: ClusterGround['cloud'];
let engine: ClusterEngine;

beforeAll(async () => {
  ground = await openGround();
  ({ home, proxy, cloud } = ground);
  await makeNamespace(home.api, 'shop', { 'plinth.dev/class': 'local' });
});
afterAll(() => ground?.close());
beforeEach(async () => {
  home.proxy.reset();
  engine = await startClusterEngine(home, { pollMs: 600_000 });
  await home.admin.put(claim(30));
  await until(async () => expect(await conditionOf(home, QUEUE, 'Ready')).toBe('True'));
  await until(() => expect(engine.controller.queue.running.size).toBe(0));
  proxy.reset();
});
afterEach(async () => {
  home.proxy.reset();
  await home.admin.remove(QUEUE);
  await until(async () => expect(await home.admin.get(QUEUE)).toBeUndefined());
  await engine.stop();
});

const until = async (check: () => void | Promise<void>) => await vi.waitFor(check, { timeout: 120_000, interval: 50 });
const claim = (visibilityTimeoutSeconds: number): JsonObject => ({
  apiVersion: 'plinth.dev/v1alpha1',
  kind: 'Queue',
  metadata: { name: 'orders', namespace: 'shop' },
  spec: { visibilityTimeoutSeconds, deadLetter: { maxReceives: 3 } },
});
const mutations = (): string[] => proxy.calls.filter(call => call.mutating).map(call => call.operation);
const passes = (): number => engine.passes.get(keyText(QUEUE)) ?? 0;
const holdWatches = () => home.proxy.addRule({ match: { verb: 'watch' }, do: { kind: 'holdEvents' } });
/** Somebody edits the queue, so that a look finds something to put back. */
async function editOutside(): Promise<void> {
  const { QueueUrl } = await cloud.sqs.send(new GetQueueUrlCommand({ QueueName: 'shop_orders' }));
  await cloud.sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '7' } }));
}
/** Looks more often than anything has to be seen before it is believed. */
async function lookAgain(): Promise<void> {
  for (let look = 0; look < 4; look += 1) {
    const before = passes();
    wake(engine.controller, QUEUE);
    await until(() => expect(passes()).toBeGreaterThan(before));
    await until(() => expect(engine.controller.queue.running.size).toBe(0));
  }
}

test('a cache that has not heard of the deletion puts nothing back', async () => {
  const rule = holdWatches();
  await home.admin.remove(QUEUE);
  await editOutside();
  await lookAgain();
  expect(mutations()).toEqual([]);
  rule.remove();
  await until(async () => expect(await home.admin.get(QUEUE)).toBeUndefined());
  expect(new Set(mutations())).toEqual(new Set(['DeleteQueue']));
});

test('a cache that still shows a claim that was deleted and made again touches nothing of the new one', async () => {
  const rule = holdWatches();
  await request(home.api, { method: 'PATCH', path: PATH, contentType: MERGE_PATCH, body: { metadata: { finalizers: null } } });
  await home.admin.remove(QUEUE);
  const { uid } = metadataOf(await home.admin.put(claim(45)));
  await editOutside();
  await lookAgain();
  expect(mutations()).toEqual([]);
  rule.remove();
  // What the former claim left holds a backlog: the new one does not take it for its own, and says so.
  await until(async () => expect(await conditionOf(home, QUEUE, 'Ready')).not.toBe('Unknown'));
  expect(metadataOf((await home.admin.get(QUEUE))!).uid).toBe(uid);
  await request(home.api, { method: 'PATCH', path: PATH, contentType: MERGE_PATCH, body: { metadata: { annotations: { 'plinth.dev/abandon': 'true' } } } });
  for (const url of (await cloud.sqs.send(new ListQueuesCommand({}))).QueueUrls ?? []) await cloud.sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
});

test('an edit that the cache has not heard of stops the call that was planned without it', async () => {
  const rule = holdWatches();
  await home.admin.put(claim(45));
  await editOutside();
  await lookAgain();
  expect(mutations()).toEqual([]);
  rule.remove();
  await until(async () => expect(await conditionOf(home, QUEUE, 'Ready')).toBe('True'));
});
