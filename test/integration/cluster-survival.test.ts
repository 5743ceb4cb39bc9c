/** What a cluster does to claims behind the engine's back: namespaces that go, restores, kinds that go, and statuses full of rubbish. */

import { GetBucketTaggingCommand, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { GetTopicAttributesCommand, ListTopicsCommand } from '@aws-sdk/client-sns';
import { ListQueuesCommand } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import type { ClaimKey, ClaimStatus, Json, JsonObject } from '../../src/core/types.ts';
import { FINALIZER, metadataOf } from '../../src/engine/objects.ts';
import { pathOf } from '../../src/kube/paths.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { type OwnControlPlane, startControlPlane } from '../parts/kube/control-plane.ts';
import { kubectl, runTool } from '../parts/kube/tools.ts';
import { withKubernetes as test } from '../parts/with-kubernetes.ts';
import { type ClusterGround, openGroundOn } from './cluster-ground.ts';
import { type ClusterEngine, conditionOf, makeNamespace, startClusterEngine } from './cluster-home.ts';

let ground: ClusterGround<OwnControlPlane>;
let plane: OwnControlPlane;
let home: ClusterGround['home'];
let cloud: ClusterGround['cloud'];
let running: ClusterEngine | undefined;

beforeAll(async () => {
  ground = await openGroundOn(await startControlPlane());
  ({ home, cloud, plane } = ground);
});
afterAll(() => ground?.close());
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const start = async (options: Parameters<typeof startClusterEngine>[1] = { pollMs: 500 }): Promise<ClusterEngine> => {
  running = await startClusterEngine(home, options);
  return running;
};
const claim = ({ kind, namespace, name }: ClaimKey, spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'plinth.dev/v1alpha1',
  kind,
  metadata: { name, namespace, ...metadata },
  spec,
});
const key = (kind: string, namespace: string, name: string): ClaimKey => ({ kind, namespace, name });
const PLURALS: Readonly<Record<string, string>> = { Queue: 'queues', Topic: 'topics', Bucket: 'buckets', Table: 'tables' };
const place = ({ kind, namespace, name }: ClaimKey, subresource = ''): string =>
  pathOf({ group: 'plinth.dev', version: 'v1alpha1', plural: PLURALS[kind]!, kind, namespaced: true }, namespace, name, subresource);
const until = async <T>(check: () => T | Promise<T>): Promise<T> => await vi.waitFor(check, { timeout: 120_000, interval: 100 });
const ready = async (claimKey: ClaimKey) => await until(async () => expect(await conditionOf(home, claimKey, 'Ready')).toBe('True'));
const gone = async (claimKey: ClaimKey) => await until(async () => expect(await home.admin.get(claimKey)).toBeUndefined());
const statusOf = async (claimKey: ClaimKey) => (await home.admin.get(claimKey))!['status'] as unknown as ClaimStatus;
const reconciled = async (claimKey: ClaimKey, times = 2): Promise<void> => {
  const text = `${claimKey.kind}/${claimKey.namespace}/${claimKey.name}`;
  const before = running!.passes.get(text) ?? 0;
  await until(() => expect(running!.passes.get(text) ?? 0).toBeGreaterThanOrEqual(before + times));
};

const queues = async (prefix: string): Promise<string[]> =>
  ((await cloud.sqs.send(new ListQueuesCommand({ QueueNamePrefix: prefix }))).QueueUrls ?? []).map(url => url.replace(/^.*\//, '')).sort();
const topics = async (part: string): Promise<string[]> =>
  ((await cloud.sns.send(new ListTopicsCommand({}))).Topics ?? []).map(topic => topic.TopicArn!).filter(arn => arn.includes(part));
const buckets = async (prefix: string): Promise<string[]> =>
  ((await cloud.s3.send(new ListBucketsCommand({}))).Buckets ?? []).map(bucket => bucket.Name!).filter(name => name.startsWith(prefix));

/** What was logged that begins so. Once: a pass that loses a race with another writer says it again. */
const toldOf = (logged: readonly string[], begin: string): string[] => [...new Set(logged.filter(line => line.startsWith(begin)))];
/** What somebody with the right to it writes into the status, as kubectl does it; again when the engine has written meanwhile. */
async function replaceStatus(claimKey: ClaimKey, status: JsonObject): Promise<void> {
  await until(async () => {
    const input = JSON.stringify({ ...(await home.admin.get(claimKey))!, status });
    await kubectl({ kubeconfig: plane.adminKubeconfig, input }, 'replace', '--subresource=status', '-f', '-');
  });
}

const deleteNamespace = async (name: string) => await request(home.api, { method: 'DELETE', path: `/api/v1/namespaces/${name}` });
const namespaceGone = async (name: string) =>
  await until(async () => await expect(request(home.api, { method: 'GET', path: `/api/v1/namespaces/${name}` })).rejects.toMatchObject({ code: 'NotFound' }));

// ── a namespace that goes ──

test('a namespace goes with its claims, and nothing leaks', async () => {
  await makeNamespace(home.api, 'going', { 'plinth.dev/class': 'local' });
  await start();
  const keys = [key('Topic', 'going', 'events'), key('Queue', 'going', 'orders'), key('Bucket', 'going', 'files')];
  await home.admin.put(claim(keys[0]!));
  await home.admin.put(claim(keys[1]!, { deadLetter: { maxReceives: 5 }, subscriptions: [{ topic: 'events' }] }));
  await home.admin.put(claim(keys[2]!));
  for (const one of keys) await ready(one);
  expect(await queues('going_')).toEqual(['going_orders', 'going_orders_deadLetter']);
  await deleteNamespace('going');
  await namespaceGone('going');
  expect([await queues('going_'), await topics('going_'), await buckets('going-')]).toEqual([[], [], []]);
});

test('a claim that is still alive in a namespace that goes is held: nothing is made, mended or told', async () => {
  await makeNamespace(home.api, 'held', { 'plinth.dev/class': 'local' });
  const stays = key('Queue', 'held', 'orders');
  // The engine is away while the namespace begins to go, and a finalizer of somebody else keeps it there.
  await request(home.api, {
    method: 'POST',
    path: '/api/v1/namespaces/held/configmaps',
    body: { metadata: { name: 'hold', finalizers: ['acme.example/hold'] } },
  });
  await home.admin.put(claim(stays));
  process.kill(plane.pids.controllerManager, 'SIGSTOP');
  await deleteNamespace('held');
  await start();
  await reconciled(stays, 1);
  expect(await queues('held_')).toEqual([]);
  const object = (await home.admin.get(stays))!;
  if (metadataOf(object).deletionTimestamp === undefined) expect((object['status'] as JsonObject)['conditions']).toBeUndefined();
  process.kill(plane.pids.controllerManager, 'SIGCONT');
  const path = '/api/v1/namespaces/held/configmaps/hold';
  await request(home.api, { method: 'PATCH', path, contentType: MERGE_PATCH, body: { metadata: { finalizers: null } } });
  await namespaceGone('held');
  expect(await queues('held_')).toEqual([]);
});

test('what only a person could delete does not hold a namespace up: it is kept, marked and named', async () => {
  await home.admin.put({
    apiVersion: 'plinth.dev/v1alpha1',
    kind: 'EnvironmentClass',
    metadata: { name: 'careful' },
    spec: {
      implementations: [
        { claim: 'Bucket', composition: 'bucket-s3', configs: { aws: 'local' } },
        { claim: 'Queue', composition: 'queue-sqs', configs: { aws: 'local' } },
      ],
      policies: { purgeOnDelete: false },
    },
  });
  await makeNamespace(home.api, 'full', { 'plinth.dev/class': 'careful' });
  const engine = await start();
  const logged: string[] = [];
  Object.assign(engine.engine, { log: (level: string, message: string) => void logged.push(`${level} ${message}`) });
  const [bucket, queue] = [key('Bucket', 'full', 'files'), key('Queue', 'full', 'orders')];
  await home.admin.put(claim(bucket));
  await home.admin.put(claim(queue));
  for (const one of [bucket, queue]) await ready(one);
  const [name] = await buckets('full-');
  await cloud.s3.send(new PutObjectCommand({ Bucket: name, Key: 'precious', Body: 'x' }));
  await deleteNamespace('full');
  await namespaceGone('full');
  expect(await queues('full_'), 'what can be deleted is').toEqual([]);
  expect(await buckets('full-')).toEqual([name]);
  const tags = (await cloud.s3.send(new GetBucketTaggingCommand({ Bucket: name }))).TagSet ?? [];
  expect(tags).toContainEqual({ Key: 'plinth.dev/retained', Value: 'true' });
  expect(toldOf(logged, 'warn the namespace full is being deleted')).toEqual([
    expect.stringContaining(`NotEmpty), so it is kept: bucket (aws/s3-bucket ${name})`),
  ]);
});

// ── a restore ──

/** As Velero does it: the object as it was, with its finalizers, without status and uid. */
async function restore(claimKey: ClaimKey): Promise<void> {
  const before = (await home.admin.get(claimKey))!;
  const { finalizers = [] } = metadataOf(before);
  expect(finalizers).toContain(FINALIZER);
  await request(home.api, { method: 'PATCH', path: place(claimKey), contentType: MERGE_PATCH, body: { metadata: { finalizers: null } } });
  await request(home.api, { method: 'DELETE', path: place(claimKey) }).catch(() => undefined);
  const copy = claim(claimKey, before['spec'] as JsonObject, { finalizers: finalizers as Json });
  await request(home.api, { method: 'POST', path: place({ ...claimKey, name: '' }), body: copy });
}

test('a restored claim takes back what holds nothing; a backlog is a conflict, until the class says reuse', async () => {
  await makeNamespace(home.api, 'restored', { 'plinth.dev/class': 'local' });
  await start();
  const [topic, queue] = [key('Topic', 'restored', 'events'), key('Queue', 'restored', 'orders')];
  await home.admin.put(claim(topic));
  await home.admin.put(claim(queue));
  for (const one of [topic, queue]) await ready(one);
  const made = (await statusOf(queue)).outputs['arn'];
  await running!.stop();
  for (const one of [topic, queue]) await restore(one);
  await start();
  await ready(topic);
  await until(async () => expect(await conditionOf(home, queue, 'Ready')).toMatch(/^False Conflict: .*reclaim: Reuse/));
  const [arn] = await topics('restored_events');
  expect((await cloud.sns.send(new GetTopicAttributesCommand({ TopicArn: arn! }))).Attributes?.['TopicArn']).toBe(arn);
  const classPath = '/apis/plinth.dev/v1alpha1/environmentclasses/local';
  const policies = async (reclaim: string | null) =>
    await request(home.api, { method: 'PATCH', path: classPath, contentType: MERGE_PATCH, body: { spec: { policies: { reclaim } } } });
  await policies('Reuse');
  await ready(queue);
  expect((await statusOf(queue)).outputs['arn']).toBe(made);
  expect(await queues('restored_')).toEqual(['restored_orders']);
  await policies(null);
  for (const one of [topic, queue]) await home.admin.remove(one);
  for (const one of [topic, queue]) await gone(one);
  expect([await queues('restored_'), await topics('restored_')]).toEqual([[], []]);
});

test('a claim deleted right after its restore goes, and leaves to nobody what was never its own', async () => {
  await makeNamespace(home.api, 'briefly', { 'plinth.dev/class': 'local' });
  await start();
  const queue = key('Queue', 'briefly', 'orders');
  await home.admin.put(claim(queue));
  await ready(queue);
  await running!.stop();
  await restore(queue);
  await home.admin.remove(queue);
  await start();
  await gone(queue);
  expect(await queues('briefly_'), 'it bears the marks of the claim before').toEqual(['briefly_orders']);
});

// ── rubbish ──

test('whatever somebody writes into a status, the engine sets it right and touches nothing of others', async () => {
  await makeNamespace(home.api, 'rubbish', { 'plinth.dev/class': 'local' });
  await start();
  const [mine, other] = [key('Queue', 'rubbish', 'mine'), key('Queue', 'rubbish', 'other')];
  for (const one of [mine, other]) await home.admin.put(claim(one));
  for (const one of [mine, other]) await ready(one);
  const good = await statusOf(mine);
  const foreign = (await statusOf(other)).resources;
  const { uid } = metadataOf((await home.admin.get(mine))!);
  const time = '2020-01-01T00:00:00Z';
  const lies: JsonObject[] = [
    {},
    { observedGeneration: 99 },
    { inventoryFor: 'somebody-else', resources: foreign as unknown as Json },
    { inventoryFor: uid, observedGeneration: 1, resources: [] },
    {
      inventoryFor: uid,
      observedGeneration: 1,
      resources: foreign.map(entry => ({ ...entry, id: 'old', phase: 'Retiring', deletion: 'Delete', since: time })) as unknown as Json,
    },
    { inventoryFor: uid, resources: [{ id: 'queue', type: 'aws/sqs-queue', phase: 'Present' }] },
    { inventoryFor: uid, resources: [{ id: 'queue', type: 'no/such', config: 'nowhere', scope: 'x', name: 'y', phase: 'Present', since: time }] },
    { ...(good as unknown as JsonObject), revision: 'nonsense', composition: 'nonsense', class: 'nonsense', lifecycle: { deletion: 'Retain' } },
    { ...(good as unknown as JsonObject), conditions: [], drift: [{ resource: 'x', path: 'a[[', detectedAt: time }], pendingPlan: { hash: 'x', summary: [] } },
  ];
  for (const status of lies) {
    await replaceStatus(mine, status);
    await until(async () => {
      const now = await statusOf(mine);
      expect(
        now.resources?.map(entry => [entry.id, entry.phase === 'Waiting' ? '' : entry.name]),
        JSON.stringify(status),
      ).toEqual([['queue', 'rubbish_mine']]);
      expect(now).toMatchObject({ inventoryFor: uid, class: 'local', composition: 'queue-sqs', revision: good.revision, outputs: good.outputs });
    });
    await ready(mine);
    expect(await queues('rubbish_'), JSON.stringify(status)).toEqual(['rubbish_mine', 'rubbish_other']);
  }
  // What only the marks can tell: the claim then touches neither, says so, and is whole again when the lie is gone.
  const forged = { ...(good as unknown as JsonObject), resources: foreign as unknown as Json };
  await request(home.api, { method: 'PATCH', path: place(mine, 'status'), contentType: MERGE_PATCH, body: { status: forged } });
  await until(async () => expect(await conditionOf(home, mine, 'Ready')).toMatch(/^False MarksGone: .*rubbish_other now bears the marks of somebody else/));
  expect(await queues('rubbish_')).toEqual(['rubbish_mine', 'rubbish_other']);
  await request(home.api, { method: 'PATCH', path: place(mine, 'status'), contentType: MERGE_PATCH, body: { status: null } });
  await ready(mine);
  const { code } = await runTool(
    'kubectl',
    { kubeconfig: plane.adminKubeconfig, input: JSON.stringify({ ...(await home.admin.get(mine))!, status: { resources: 'all' } }) },
    ['replace', '--subresource=status', '-f', '-'],
  );
  expect(code, 'what is no status at all is refused by the schema').not.toBe(0);
  await ready(other);
  for (const one of [mine, other]) await home.admin.remove(one);
  for (const one of [mine, other]) await gone(one);
  expect(await queues('rubbish_')).toEqual([]);
});

// ── a kind that goes: last, as it does not come back ──

test('a CRD that is deleted takes its claims, and what they made is kept, marked and named', async () => {
  await makeNamespace(home.api, 'kinds', { 'plinth.dev/class': 'local' });
  const engine = await start();
  const logged: string[] = [];
  Object.assign(engine.engine, { log: (level: string, message: string) => void logged.push(`${level} ${message}`) });
  const topic = key('Topic', 'kinds', 'events');
  await home.admin.put(claim(topic));
  await ready(topic);
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/topics.plinth.dev';
  await request(home.api, { method: 'DELETE', path });
  await until(async () => await expect(request(home.api, { method: 'GET', path })).rejects.toMatchObject({ code: 'NotFound' }));
  expect(await topics('kinds_events')).toHaveLength(1);
  expect(toldOf(logged, 'warn the kind Topic is being deleted')).toHaveLength(1);
});
