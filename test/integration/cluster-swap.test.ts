/** A field of a claim that only a new thing can have, changed in a cluster: the same as on a laptop (test/e2e/outside.test.ts). */
import { ListQueuesCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { withKubernetes as test } from '../parts/with-kubernetes.ts';
import { type ClusterGround, openGround } from './cluster-ground.ts';
import { type ClusterEngine, conditionOf, makeNamespace, startClusterEngine } from './cluster-home.ts';

const NAMESPACE = 'shop';
const PATH = `/apis/plinth.dev/v1alpha1/namespaces/${NAMESPACE}/queues`;
const orders: ClaimKey = { kind: 'Queue', namespace: NAMESPACE, name: 'orders' };
let ground: ClusterGround;
let running: ClusterEngine;

beforeAll(async () => {
  ground = await openGround();
  const { api, admin } = ground.home;
  await makeNamespace(api, NAMESPACE, { 'plinth.dev/class': 'careful' });
  const local = (await admin.get({ kind: 'EnvironmentClass', namespace: '', name: 'local' }))!;
  await admin.put({
    apiVersion: 'plinth.dev/v1alpha1',
    kind: 'EnvironmentClass',
    metadata: { name: 'careful' },
    spec: { implementations: (local['spec'] as JsonObject)['implementations']!, policies: { swap: 'Approve', graceSeconds: 0 } },
  });
  running = await startClusterEngine(ground.home);
});
afterAll(async () => {
  await running?.stop();
  await ground?.close();
});

const until = async <T>(check: () => T | Promise<T>): Promise<T> => await vi.waitFor(check, { timeout: 30_000, interval: 50 });
const said = async (type: string, words: string) => await until(async () => expect(await conditionOf(ground.home, orders, type)).toContain(words));
const statusOf = async () => (await ground.home.admin.get(orders))!['status'] as unknown as ClaimStatus;
/** The last part of an URL: the engine reaches the emulator through a proxy. */
const nameIn = (url: unknown): string => String(url).split('/').at(-1)!;
const queues = async () => ((await ground.cloud.sqs.send(new ListQueuesCommand({}))).QueueUrls ?? []).map(nameIn);
const patch = async (body: JsonObject) => await request(ground.home.api, { method: 'PATCH', path: `${PATH}/${orders.name}`, contentType: MERGE_PATCH, body });

test('a changed `fifo` is taken, waits for approval while the old queue serves, and then is a queue that works', async () => {
  const metadata = { name: orders.name, namespace: NAMESPACE };
  await request(ground.home.api, { method: 'POST', path: PATH, body: { apiVersion: 'plinth.dev/v1alpha1', kind: 'Queue', metadata, spec: {} } });
  await said('Ready', 'True');
  const [old] = await queues();

  await patch({ spec: { fifo: true } });
  await said('Synced', 'SwapPending');
  await patch({ spec: { fifo: false } });
  await said('Synced', 'True');
  await patch({ spec: { fifo: true } });
  await said('Synced', 'SwapPending');
  const held = await statusOf();
  expect(await conditionOf(ground.home, orders, 'Ready')).toBe('True');
  expect(nameIn(held.outputs['url'])).toBe(old);
  expect(await queues()).toEqual([old]);

  await patch({ metadata: { annotations: { 'plinth.dev/approve': held.pendingPlan!.hash } } });
  await said('Synced', 'True');
  await until(async () => expect(await queues()).toEqual([expect.stringMatching(/\.fifo$/)]));
  await said('Ready', 'True');
  const { outputs, binding } = await statusOf();
  const secret = (await ground.home.admin.get({ kind: 'Secret', namespace: NAMESPACE, name: binding!.name }))!;
  expect(nameIn(outputs['url'])).toMatch(/\.fifo$/);
  expect((secret['data'] as JsonObject)['uri']).toBe(outputs['url']);
  const message = { QueueUrl: outputs['url'] as string, MessageBody: 'hello', MessageGroupId: 'a', MessageDeduplicationId: '1' };
  expect((await ground.cloud.sqs.send(new SendMessageCommand(message))).SequenceNumber).toBeDefined();
});
