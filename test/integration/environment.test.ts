/** An Environment on a real API server: its namespace, what is in it, and what becomes of it. */
import { ListQueuesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { applyObject } from '../../src/cli/install-objects.ts';
import { policyObjects } from '../../src/core/install/policies.ts';
import { roleObjects } from '../../src/core/install/roles.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { part } from '../parts/emulators.ts';
import { engineNeeds, untilMay } from '../parts/kube/allowed.ts';
import { kubeconfigFor, serviceAccountKubeconfig } from '../parts/kube/control-plane.ts';
import type { KubeCall, KubeCallFilter } from '../parts/kube/proxy.ts';
import { kubectl, runTool } from '../parts/kube/tools.ts';
import { object } from '../support.ts';
import { type ClusterGround, openGround } from './cluster-ground.ts';
import { type ClusterEngine, conditionOf, makeNamespace, OWN_NAMESPACE, startClusterEngine } from './cluster-home.ts';

const ENVIRONMENTS = '/apis/plinth.dev/v1alpha1/environments';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
let ground: ClusterGround;
let running: ClusterEngine;
let name: string;
let count = 0;
let kubeconfig: string;
const start = async (): Promise<void> => {
  running = await startClusterEngine(ground.home, { pollMs: 500, kubeconfig });
};

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
    const { admin, api, proxy } = ground.home;
    // With the rights of the installed engine and no more.
    const plurals = ['buckets', 'queues', 'tables', 'topics'];
    for (const item of [...roleObjects({ namespace: OWN_NAMESPACE, plurals, environments: true }), ...policyObjects(OWN_NAMESPACE)])
      await applyObject(api, item);
    await send('POST', `/api/v1/namespaces/${OWN_NAMESPACE}/serviceaccounts`, { metadata: { name: 'plinth' } });
    kubeconfig = await serviceAccountKubeconfig(ground.plane, OWN_NAMESPACE, 'plinth');
    await untilMay(kubeconfig, ...engineNeeds(OWN_NAMESPACE), 'create namespaces', 'bind clusterroles.rbac.authorization.k8s.io/admin', 'delete rolebindings');
    const file = proxy.kubeconfig(kubeconfig);
    await admin.put(object('ProviderConfig', 'cluster', { provider: 'kubernetes', settings: { credentials: { from: 'File', file } } }));
    const implementations = [{ claim: 'Queue', composition: 'queue-sqs', configs: { aws: 'local' } }];
    const environment = { composition: 'environment-basic', configs: { kubernetes: 'cluster' } };
    await admin.put(object('EnvironmentClass', 'dev', { implementations, environment, policies: { graceSeconds: 0 } }));
    await admin.put(object('EnvironmentClass', 'qa', { implementations, environment }));
    await start();
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

  test('says that its namespace is lost when somebody deletes it, and makes it again only when it is told to', async () => {
    await wants({ class: 'dev', users: [{ kind: 'User', name: 'alice' }] });
    await says(environment(), 'Ready', 'True');
    const { uid } = (await space())!['metadata'] as { uid: string };
    await send('DELETE', `/api/v1/namespaces/${name}`);
    await says(environment(), 'Ready', `False Lost: space: kubernetes/object Namespace/${name} held data and is gone`);
    expect(await space()).toBeUndefined();
    await edits({ metadata: { annotations: { 'plinth.dev/recreate': 'true' } } });
    await says(environment(), 'Ready', 'True');
    expect(((await space())!['metadata'] as { uid: string }).uid).not.toBe(uid);
    expect(await subjects('edit')).toMatchObject([{ name: 'alice' }]);
  });

  test('goes to another class with its namespace, and leaves that behind when it is told to', async () => {
    await wants({ class: 'dev' });
    await says(environment(), 'Ready', 'True');
    const { uid } = (await space())!['metadata'] as { uid: string };
    await edits({ spec: { class: 'qa', lifecycle: { deletion: 'Retain' } } });
    await until(async () => expect((await space())!['metadata']).toMatchObject({ uid, labels: { 'plinth.dev/class': 'qa' } }));
    await until(async () => expect((await statusOf(environment())).class).toBe('qa'));
    await send('DELETE', `${ENVIRONMENTS}/${name}`);
    await gone(environment());
    expect((await space())!['metadata']).toMatchObject({ uid, annotations: { 'plinth.dev/retained': 'true' } });
    await wants({ class: 'qa' });
    await says(environment(), 'Ready', 'False Conflict');
    expect(await conditionOf(ground.home, environment(), 'Ready')).toContain('was left by an earlier claim of this name and holds data');
    await send('DELETE', `${ENVIRONMENTS}/${name}`);
    await gone(environment());
    expect((await space())!['metadata']).toMatchObject({ uid });
  });

  test('made again under the same name at once, has a namespace of its own', async () => {
    await wants({ class: 'dev' });
    await says(environment(), 'Ready', 'True');
    const { uid } = (await space())!['metadata'] as { uid: string };
    await send('DELETE', `${ENVIRONMENTS}/${name}`);
    await until(() => wants({ class: 'dev', config: { again: 'yes' } }));
    await says(environment(), 'Ready', 'True');
    expect(((await space())!['metadata'] as { uid: string }).uid).not.toBe(uid);
    expect(await there(`/api/v1/namespaces/${name}/configmaps/environment`)).toMatchObject({ data: { again: 'yes' } });
  });

  /** From the call on nothing of the engine reaches the API server any more; then another one begins. */
  const killedAt = async (match: KubeCallFilter, when: 'before' | 'after', work: () => Promise<unknown>): Promise<void> => {
    const { proxy } = ground.home;
    const dead = new Promise<void>(resolve => {
      const hook = (call: KubeCall): void => {
        if (!isLike(call, match)) return;
        proxy.addRule({ match: { mutating: true }, do: { kind: 'drop' } });
        resolve();
      };
      if (when === 'before') proxy.onBefore(hook);
      else proxy.onAfter(hook);
    });
    await work();
    await dead;
    await running.stop();
    proxy.reset();
    await start();
  };
  const isLike = (call: KubeCall, match: KubeCallFilter): boolean => Object.entries(match).every(([field, value]) => call[field as keyof KubeCall] === value);

  test.each([
    ['before its namespace is made', { verb: 'create', resource: 'namespaces' }, 'before'],
    ['after its namespace was made', { verb: 'create', resource: 'namespaces' }, 'after'],
    ['after a role was given', { verb: 'create', resource: 'rolebindings' }, 'after'],
  ] as const)('is finished by the next engine when one is killed %s', async (_, match, when) => {
    await killedAt(match, when, () => wants({ class: 'dev', users: [{ kind: 'User', name: 'alice' }] }));
    await says(environment(), 'Ready', 'True');
    expect(await subjects('edit')).toMatchObject([{ name: 'alice' }]);
  });

  test.each([
    ['before its namespace is deleted', 'before'],
    ['after its namespace was deleted', 'after'],
  ] as const)('goes with all that is in it when the engine is killed %s', async (_, when) => {
    await wants({ class: 'dev' });
    await says(environment(), 'Ready', 'True');
    await send('POST', `/apis/plinth.dev/v1alpha1/namespaces/${name}/queues`, object('Queue', 'orders', {}));
    await says(queue(), 'Ready', 'True');
    await killedAt({ verb: 'delete', resource: 'namespaces' }, when, () => send('DELETE', `${ENVIRONMENTS}/${name}`));
    await gone(environment());
    expect(await space()).toBeUndefined();
    expect(await queues()).toBe(0);
  });

  test('is written by the platform alone, and by who may use its class', async () => {
    await wants({ class: 'dev', users: [{ kind: 'User', name: 'alice', role: 'admin' }] });
    await says(environment(), 'Ready', 'True');
    const { api } = ground.home;
    const role = (called: string, rules: JsonObject[]): JsonObject => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: called },
      rules,
    });
    const bound = (called: string, user: string): JsonObject => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: user },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: called },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    });
    await applyObject(api, role('environment-writer', [{ apiGroups: ['plinth.dev'], resources: ['environments'], verbs: ['get', 'create', 'patch'] }]));
    for (const item of [bound('environment-writer', 'nina'), bound('plinth-platform-admin', 'paula')]) await applyObject(api, item);
    const [alice, nina, paula] = await Promise.all(['alice', 'nina', 'paula'].map(user => kubeconfigFor(ground.plane, user)));
    await untilMay(alice!, `create queues.plinth.dev -n ${name}`);
    await untilMay(nina!, 'create environments.plinth.dev');
    await untilMay(paula!, 'create environments.plinth.dev', 'use environmentclasses.plinth.dev/dev');
    const create = async (file: string, of: string) =>
      await runTool('kubectl', { kubeconfig: file, input: JSON.stringify(object('Environment', of, { class: 'dev' })) }, ['create', '-f', '-']);
    expect((await create(alice!, `${name}-alice`)).stderr).toContain('cannot create resource "environments"');
    expect((await runTool('kubectl', { kubeconfig: alice! }, ['get', 'environments'])).stderr).toContain('cannot list resource "environments"');
    expect((await create(nina!, `${name}-nina`)).stderr).toContain('may not use the environment class dev');
    expect(await create(paula!, `${name}-paula`)).toMatchObject({ code: 0 });
    await says(environment(`${name}-paula`), 'Ready', 'True');
    const left = await runTool('kubectl', { kubeconfig: nina! }, ['patch', 'environment', `${name}-paula`, '--type=merge', '-p', '{"spec":{"class":null}}']);
    expect(left.stderr).toContain('without spec.class the default class serves the Environment');
    const engine = async (...args: string[]) => (await runTool('kubectl', { kubeconfig }, args)).stderr;
    await makeNamespace(api, `${name}-theirs`);
    expect(await engine('delete', 'namespace', `${name}-theirs`)).toContain('the engine writes only Namespaces with the label plinth.dev/instance');
    expect(await engine('create', 'namespace', 'wild')).toContain('the engine writes only Namespaces with the label plinth.dev/instance');
    expect(await engine('create', 'rolebinding', 'wild', '--clusterrole=cluster-admin', '--user=eve', '-n', name)).toContain('forbidden');
  });

  test('reads well with kubectl', async () => {
    await wants({ class: 'dev' });
    await says(environment(), 'Ready', 'True');
    const get = async (...args: string[]) => (await kubectl({ kubeconfig: ground.plane.adminKubeconfig }, 'get', ...args)).replaceAll(/ +/g, ' ');
    expect(await get('env', name)).toMatch(new RegExp(`^NAME CLASS IMPLEMENTATION READY AGE\n${name} dev environment-basic True \\d+s\n$`));
    expect(await get('claims', '-A', '-o', 'name')).not.toContain('environment');
    expect(await get('plinth', '-o', 'name')).toContain(`environment.plinth.dev/${name}`);
    const events = await get('events', '-n', 'default', '--field-selector', `involvedObject.name=${name}`, '-o', 'jsonpath={.items[*].reason}');
    expect(events).toContain('Available');
  });
});
