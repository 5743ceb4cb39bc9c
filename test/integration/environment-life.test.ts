/** What an Environment says of its namespace, and the end of its time, on a real API server. The rules themselves: environment-says.test.ts. */
import { GetQueueAttributesCommand, ListQueuesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { type Clock, realClock } from '../../src/engine/clock.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { part } from '../parts/emulators.ts';
import { object } from '../support.ts';
import { type ClusterGround, openGround } from './cluster-ground.ts';
import { type ClusterEngine, conditionOf, startClusterEngine } from './cluster-home.ts';

const ENVIRONMENTS = '/apis/plinth.dev/v1alpha1/environments';
const NAME = 'env-life';
const HOME: ClaimKey = { kind: 'Environment', namespace: '', name: NAME };
const ORDERS: ClaimKey = { kind: 'Queue', namespace: NAME, name: 'orders' };
let ground: ClusterGround;
let running: ClusterEngine;
let skippedMs = 0;
/** The engine's time, which the test moves; it polls in real time. */
const clock: Clock = {
  now: () => new Date(Date.now() + skippedMs).toISOString(),
  ms: () => performance.now() + skippedMs,
  after: realClock.after,
};

const until = async <T>(check: () => T | Promise<T>, timeout = 60_000): Promise<T> => await vi.waitFor(check, { timeout, interval: 100 });
const get = async (path: string): Promise<JsonObject> => await request(ground.home.api, { method: 'GET', path });
const edit = async (spec: JsonObject): Promise<JsonObject> =>
  await request(ground.home.api, { method: 'PATCH', path: `${ENVIRONMENTS}/${NAME}`, contentType: MERGE_PATCH, body: { spec } });
const ready = async (key: ClaimKey) => await until(async () => expect(await conditionOf(ground.home, key, 'Ready')).toContain('True'));
const waitSeconds = async (): Promise<string> => {
  const { outputs } = (await ground.home.admin.get(ORDERS))!['status'] as unknown as ClaimStatus;
  const asked = new GetQueueAttributesCommand({ QueueUrl: String(outputs['url']), AttributeNames: ['ReceiveMessageWaitTimeSeconds'] });
  return (await ground.cloud.sqs.send(asked)).Attributes!['ReceiveMessageWaitTimeSeconds']!;
};
const replicas = async (): Promise<unknown> => ((await get(`/apis/apps/v1/namespaces/${NAME}/deployments/worker`))['spec'] as JsonObject)['replicas'];

/** A worker beside a queue: what rests when the environment sleeps. */
const worker: JsonObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'worker' },
  spec: {
    replicas: '${environment.asleep ? 0 : 1}',
    selector: { matchLabels: { app: 'worker' } },
    template: {
      metadata: { labels: { app: 'worker' } },
      spec: { containers: [{ name: 'worker', image: 'worker', env: [{ name: 'LEVEL', value: '${environment.config[?"LEVEL"].orValue("info")}' }] }] },
    },
  },
};
const queueWithWorker = object('Composition', 'queue-with-worker', {
  claim: 'Queue',
  parameters: { type: 'object', properties: { wait: { type: 'integer', default: 20 } } },
  resources: [
    { id: 'queue', main: true, type: 'aws/sqs-queue', spec: { receiveWaitSeconds: '${parameters.wait}' } },
    { id: 'worker', type: 'kubernetes/object', spec: { manifest: worker } },
  ],
  connection: {
    provider: 'aws',
    uri: '${queue.state.url}',
    arn: '${queue.state.arn}',
    queue: '${queue.state.name}',
    region: '${queue.state.region}',
  },
  outputs: { arn: '${queue.state.arn}', url: '${queue.state.url}', name: '${queue.state.name}' },
});

describe.skipIf(!part('ministack').available || !part('kubernetes').available)('the life of an Environment', () => {
  beforeAll(async () => {
    ground = await openGround();
    const { admin, proxy } = ground.home;
    const file = proxy.kubeconfig(ground.plane.adminKubeconfig);
    await admin.put(object('ProviderConfig', 'cluster', { provider: 'kubernetes', settings: { credentials: { from: 'File', file } } }));
    await admin.put(queueWithWorker);
    const queue = { claim: 'Queue', composition: 'queue-with-worker', configs: { aws: 'local', kubernetes: 'cluster' } };
    const environment = { composition: 'environment-basic', configs: { kubernetes: 'cluster' } };
    const allow = { parameters: ['wait'] };
    await admin.put(object('EnvironmentClass', 'dev', { implementations: [queue], environment, allow, policies: { graceSeconds: 0 } }));
    running = await startClusterEngine(ground.home, { pollMs: 500, clock });
  });
  afterAll(async () => {
    await running?.stop();
    await ground?.close();
  });

  test('its overrides, config and sleep reach the claims of its namespace, at once and in place', async () => {
    const overrides = [{ claim: 'Queue', parameters: { wait: 7 } }];
    await request(ground.home.api, {
      method: 'POST',
      path: ENVIRONMENTS,
      body: object('Environment', NAME, { class: 'dev', overrides, config: { LEVEL: 'debug' } }),
    });
    await ready(HOME);
    await request(ground.home.api, { method: 'POST', path: `/apis/plinth.dev/v1alpha1/namespaces/${NAME}/queues`, body: object('Queue', 'orders', {}, NAME) });
    // No kubelet runs here, so the worker never gets ready: what matters is what is asked of it.
    await until(async () => expect(await replicas()).toBe(1));
    await until(async () => expect(await waitSeconds()).toBe('7'));
    await edit({ asleep: true });
    await until(async () => expect(await replicas()).toBe(0));
    await ready(ORDERS);
    await edit({ asleep: null, overrides: null });
    await until(async () => expect(await replicas()).toBe(1));
    await until(async () => expect(await waitSeconds()).toBe('20'));
  });

  test('its end is announced, and then it goes with its namespace and everything in it', async () => {
    await edit({ keepUntil: '2026-01-01T00:00:00Z' });
    const events = async (): Promise<JsonObject[]> =>
      ((await get('/apis/events.k8s.io/v1/namespaces/default/events'))['items'] as JsonObject[]).filter(event => event['reason'] === 'Expiring');
    await until(async () => expect(await events()).toMatchObject([{ type: 'Warning', regarding: { kind: 'Environment', name: NAME } }]));
    const [announced] = await events();
    expect(announced!['note']).toContain('set spec.keepUntil to keep it longer');
    // It has a minute to be seen.
    const seen = await ground.home.admin.get(HOME);
    expect(seen).toBeDefined();
    expect(seen!['metadata']).not.toHaveProperty('deletionTimestamp');
    skippedMs = 60_000;
    await until(async () => expect(await ground.home.admin.get(HOME)).toBeUndefined(), 120_000);
    await expect(get(`/api/v1/namespaces/${NAME}`)).rejects.toMatchObject({ code: 'NotFound' });
    expect((await ground.cloud.sqs.send(new ListQueuesCommand({ QueueNamePrefix: NAME }))).QueueUrls ?? []).toEqual([]);
  });
});
