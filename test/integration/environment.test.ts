/** An Environment on a real API server: its namespace, what is in it, and what becomes of it. */
import { ListQueuesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { part } from '../parts/emulators.ts';
import { type ClusterGround, openGround } from './cluster-ground.ts';
import { type ClusterEngine, conditionOf, makeNamespace, startClusterEngine } from './cluster-home.ts';

const ENVIRONMENTS = '/apis/plinth.dev/v1alpha1/environments';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
let ground: ClusterGround;
let running: ClusterEngine;
let name: string;
let count = 0;

const object = (kind: string, name: string, spec: JsonObject): JsonObject => ({ apiVersion: 'plinth.dev/v1alpha1', kind, metadata: { name }, spec });
const until = async <T>(check: () => T | Promise<T>): Promise<T> => await vi.waitFor(check, { timeout: 60_000, interval: 100 });
const environment = (of = name): ClaimKey => ({ kind: 'Environment', namespace: '', name: of });
const queue = (of = name): ClaimKey => ({ kind: 'Queue', namespace: of, name: 'orders' });
const says = async (key: ClaimKey, type: string, words: string) => await until(async () => expect(await conditionOf(ground.home, key, type)).toContain(words));
const statusOf = async (key: ClaimKey) => (await ground.home.admin.get(key))!['status'] as unknown as ClaimStatus;
const gone = async (key: ClaimKey) => await until(async () => expect(await ground.home.admin.get(key)).toBeUndefined());
const send = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: JsonObject, contentType = MERGE_PATCH): Promise<JsonObject> =>
  await request(ground.home.api, { method, path, ...(body === undefined ? {} : { body }), ...(method === 'PATCH' ? { contentType } : {}) });
const wants = async (spec: JsonObject, of = name): Promise<JsonObject> => await send('POST', ENVIRONMENTS, object('Environment', of, spec));
const edits = async (body: JsonObject): Promise<JsonObject> => await send('PATCH', `${ENVIRONMENTS}/${name}`, body);
const there = async (path: string): Promise<JsonObject | undefined> =>
  await send('GET', path).catch((error: { code?: string }) => {
    if (error.code === 'NotFound') return undefined;
    throw error;
  });
const space = async (of = name) => await there(`/api/v1/namespaces/${of}`);
const subjects = async (role: string) => (await there(`${RBAC}/namespaces/${name}/rolebindings/environment-${role}`))?.['subjects'] ?? [];
const queues = async () => ((await ground.cloud.sqs.send(new ListQueuesCommand({ QueueNamePrefix: name }))).QueueUrls ?? []).length;

describe.skipIf(!part('ministack').available || !part('kubernetes').available)('an Environment', () => {
  beforeAll(async () => {
    ground = await openGround();
    const { admin, proxy } = ground.home;
    const file = proxy.kubeconfig(ground.plane.adminKubeconfig);
    await admin.put(object('ProviderConfig', 'cluster', { provider: 'kubernetes', settings: { credentials: { from: 'File', file } } }));
    const implementations = [{ claim: 'Queue', composition: 'queue-sqs', configs: { aws: 'local' } }];
    const environment = { composition: 'environment-basic', configs: { kubernetes: 'cluster' } };
    await admin.put(object('EnvironmentClass', 'dev', { implementations, environment, policies: { graceSeconds: 0 } }));
    running = await startClusterEngine(ground.home, { pollMs: 500 });
  });
  afterAll(async () => {
    await running?.stop();
    await ground?.close();
  });
  beforeEach(() => {
    count += 1;
    name = `env-${count}`;
  });

  test('makes its namespace with its class, users, config and quota; claims in it work', async () => {
    await wants({
      class: 'dev',
      users: [
        { kind: 'User', name: 'alice' },
        { kind: 'ServiceAccount', name: 'deployer', role: 'admin' },
      ],
      config: { COLOUR: 'green' },
      quota: { 'count/configmaps': '10', 'requests.cpu': '1000m' },
    });
    await says(environment(), 'Ready', 'True');
    expect((await space())!['metadata']).toMatchObject({ labels: { 'plinth.dev/class': 'dev' } });
    expect(await subjects('edit')).toEqual([{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'alice' }]);
    expect(await subjects('admin')).toEqual([{ kind: 'ServiceAccount', name: 'deployer', namespace: name }]);
    expect(await subjects('view')).toEqual([]);
    expect(await there(`/api/v1/namespaces/${name}/configmaps/environment`)).toMatchObject({ data: { COLOUR: 'green' } });
    expect(await there(`/api/v1/namespaces/${name}/resourcequotas/environment`)).toMatchObject({ spec: { hard: { 'requests.cpu': '1' } } });
    const status = await statusOf(environment());
    expect(status).toMatchObject({ class: 'dev', outputs: { namespace: name } });
    expect(status.binding).toBeUndefined();
    expect(status.resources).toMatchObject([{ id: 'space', name: `Namespace/${name}`, holds: 'data' }, {}, {}, {}, {}, {}]);

    await send('POST', `/apis/plinth.dev/v1alpha1/namespaces/${name}/queues`, object('Queue', 'orders', {}));
    await says(queue(), 'Ready', 'True');
    expect(await queues()).toBe(1);

    await edits({ spec: { users: [{ kind: 'User', name: 'bob', role: 'view' }] } });
    await until(async () => expect(await subjects('view')).toMatchObject([{ name: 'bob' }]));
    await until(async () => expect(await subjects('edit')).toEqual([]));
    expect(await subjects('admin')).toEqual([]);
    await says(environment(), 'Ready', 'True');

    await send('PATCH', `${RBAC}/namespaces/${name}/rolebindings/environment-admin`, {
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'eve' }],
    });
    await until(async () => expect(await subjects('admin')).toEqual([]));
    await until(async () => expect((await statusOf(environment())).drift).toMatchObject([{ resource: 'users[admin]' }]));

    await send('DELETE', `${ENVIRONMENTS}/${name}`);
    await gone(environment());
    expect(await space()).toBeUndefined();
    expect(await queues()).toBe(0);
  });

  test('leaves a namespace alone that was there before it', async () => {
    await makeNamespace(ground.home.api, name, { theirs: 'true' });
    const before = await space();
    await wants({ class: 'dev', users: [{ kind: 'User', name: 'alice' }] });
    await says(environment(), 'Ready', 'False Conflict');
    expect(await space()).toEqual(before);
    expect((await there(`${RBAC}/namespaces/${name}/rolebindings`))!['items']).toEqual([]);
    await send('DELETE', `${ENVIRONMENTS}/${name}`);
    await gone(environment());
    expect(await space()).toEqual(before);
  });
});
