/** Who borrows a control plane finds it as new, whatever the one before did to it. */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadAccess } from '../../../src/kube/config.ts';
import * as transport from '../../../src/kube/transport.ts';
import { part } from '../emulators.ts';
import { asAdmin, type ControlPlane, type LentControlPlane } from './control-plane.ts';
import { borrowAt, openPool } from './pool.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const WIDGETS = '/apis/pool.example/v1/namespaces/mess/widgets';
const said: string[] = [];
let pool: Awaited<ReturnType<typeof openPool>>;
let lent: LentControlPlane;

async function make(plane: ControlPlane, path: string, body: unknown): Promise<void> {
  const answer = await asAdmin(plane, 'POST', path, body);
  expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBe(201);
}

async function patch(plane: ControlPlane, path: string, body: unknown): Promise<void> {
  expect((await asAdmin(plane, 'PATCH', path, body, 'application/merge-patch+json')).status, path).toBe(200);
}

async function define(plane: ControlPlane, type: string): Promise<void> {
  const openAPIV3Schema = { type: 'object', properties: { spec: { type: 'object', properties: { size: { type } } } } };
  const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }];
  const spec = { group: 'pool.example', scope: 'Namespaced', names: { kind: 'Widget', plural: 'widgets' }, versions };
  await make(plane, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { metadata: { name: 'widgets.pool.example' }, spec });
  await expect.poll(async () => (await asAdmin(plane, 'GET', WIDGETS)).status).toBe(200);
}

const widget = (name: string, size: unknown) => ({
  apiVersion: 'pool.example/v1',
  kind: 'Widget',
  metadata: { name, finalizers: ['pool.example/hold'] },
  spec: { size },
});
const tryConfigMap = async (plane: ControlPlane): Promise<number> =>
  (await asAdmin(plane, 'POST', '/api/v1/namespaces/default/configmaps?dryRun=All', { metadata: { name: 'tried' } })).status;
const uidOf = async (plane: ControlPlane): Promise<string> => (await asAdmin(plane, 'GET', '/api/v1/namespaces/kube-system')).body.metadata.uid;

async function mayAll(plane: ControlPlane, user: string): Promise<boolean> {
  const spec = { user, resourceAttributes: { namespace: 'default', verb: 'delete', resource: 'secrets' } };
  return (await asAdmin(plane, 'POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec })).body.status.allowed;
}

interface Served {
  readonly metadata: { readonly name?: string };
  readonly versions: readonly { readonly version: string; readonly resources: readonly { readonly resource: string; readonly verbs: readonly string[] }[] }[];
}

/** Every object of every kind, by `group/version/kind`: all of it that is not another in each cluster or at each moment. */
async function dump(plane: ControlPlane): Promise<Record<string, unknown>> {
  const api = transport.openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }));
  const get = (path: string, accept?: string) => transport.request(api, { method: 'GET', path, ...(accept === undefined ? {} : { accept }) });
  const served = async (path: string) =>
    ((await get(path, 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')) as unknown as { items: Served[] }).items;
  const groups = [...(await served('/api')), ...(await served('/apis'))];
  const paths = groups.flatMap(({ metadata: { name }, versions }) =>
    versions.flatMap(({ version, resources }) =>
      resources.filter(({ verbs }) => verbs.includes('list')).map(({ resource }) => `/${name ? `apis/${name}` : 'api'}/${version}/${resource}`),
    ),
  );
  const all: Record<string, unknown> = { openapi: Object.keys((await get('/openapi/v3'))!['paths'] as object).sort() };
  for (const path of paths.sort()) {
    const { items } = (await get(path)) as unknown as { items: { metadata: Record<string, unknown> }[] };
    const kept = items.map(({ metadata, ...rest }): [string, unknown] => {
      const { uid, resourceVersion, creationTimestamp, managedFields, ...lasting } = metadata;
      return [JSON.stringify([metadata['namespace'], metadata['name']]), { ...lasting, ...(/\/(leases|componentstatuses)$/.test(path) ? {} : rest) }];
    });
    all[path] = Object.fromEntries(kept);
  }
  await transport.closeApi(api);
  return all;
}

async function makeAMess(plane: ControlPlane): Promise<void> {
  await make(plane, '/api/v1/namespaces', { metadata: { name: 'mess' } });
  await define(plane, 'integer');
  await make(plane, WIDGETS, widget('one', 1));
  for (const name of ['stuck', 'free']) {
    await make(plane, '/api/v1/namespaces', { metadata: { name } });
    await make(plane, `/api/v1/namespaces/${name}/configmaps`, { metadata: { name: 'hold', finalizers: ['pool.example/hold'] } });
  }
  await asAdmin(plane, 'DELETE', '/api/v1/namespaces/stuck');
  await make(plane, '/api/v1/namespaces/mess/services', { metadata: { name: 'web' }, spec: { type: 'NodePort', ports: [{ port: 80 }] } });
  await make(plane, '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'mine' }, value: 5 });
  await make(plane, '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases', { metadata: { name: 'mine' } });
  await make(plane, '/api/v1/namespaces/default/events', {
    metadata: { name: 'told' },
    involvedObject: { kind: 'Namespace', name: 'default', namespace: 'default' },
  });
  await patch(plane, '/api/v1/namespaces/kube-system', { metadata: { labels: { mine: 'yes' } } });
  await patch(plane, `${RBAC}/clusterroles/system:basic-user`, { rules: [] });
  expect((await asAdmin(plane, 'DELETE', `${RBAC}/clusterroles/system:discovery`)).status).toBe(200);
  const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
  await make(plane, `${RBAC}/clusterroles`, {
    metadata: { name: 'widgets', labels },
    rules: [{ apiGroups: ['pool.example'], resources: ['widgets'], verbs: ['get'] }],
  });
  await expect.poll(async () => JSON.stringify((await asAdmin(plane, 'GET', `${RBAC}/clusterroles/view`)).body.rules)).toContain('pool.example');
  await make(plane, `${RBAC}/clusterrolebindings`, {
    metadata: { name: 'mallory' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'mallory' }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
  });
  await expect.poll(() => mayAll(plane, 'mallory')).toBe(true);
  await make(plane, `${ADMISSION}/validatingadmissionpolicies`, {
    metadata: { name: 'never' },
    spec: {
      matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }] },
      validations: [{ expression: 'false' }],
    },
  });
  const never = { metadata: { name: 'never' }, spec: { policyName: 'never', validationActions: ['Deny'] } };
  await make(plane, `${ADMISSION}/validatingadmissionpolicybindings`, never);
  await expect.poll(() => tryConfigMap(plane)).toBe(422);
}

describe.skipIf(!part('kubernetes').available)('a pool that keeps one control plane', () => {
  beforeAll(async () => {
    pool = await openPool(line => said.push(line), 1);
  });
  afterAll(() => pool?.end());

  test('the next borrower finds it as new', async () => {
    const first = await borrowAt(pool.url);
    const [before, uid] = [await dump(first), await uidOf(first)];
    await makeAMess(first);
    await first.stop();
    lent = await borrowAt(pool.url);
    expect([lent.url, said.length]).toEqual([first.url, 1]);
    expect(await tryConfigMap(lent)).toBe(201);
    expect(await mayAll(lent, 'mallory')).toBe(false);
    expect(await dump(lent)).toEqual(before);
    expect(await uidOf(lent)).not.toBe(uid);
  });

  test('a kind of the same name may be another, and a namespace of the same name lives and goes with what is in it', async () => {
    await make(lent, '/api/v1/namespaces', { metadata: { name: 'mess' } });
    await define(lent, 'string');
    await make(lent, WIDGETS, { ...widget('one', 'large'), metadata: { name: 'one' } });
    expect((await asAdmin(lent, 'POST', WIDGETS, widget('two', 2))).status).toBe(422);
    await expect.poll(async () => (await asAdmin(lent, 'GET', '/api/v1/namespaces/mess/serviceaccounts/default')).status).toBe(200);
    await asAdmin(lent, 'DELETE', '/api/v1/namespaces/mess');
    await expect.poll(async () => (await asAdmin(lent, 'GET', '/api/v1/namespaces/mess')).status).toBe(404);
    expect((await asAdmin(lent, 'GET', '/apis/pool.example/v1/widgets')).body.items).toEqual([]);
  });

  test('nobody waits for another to give back: one more is started, and ended when it is given back', async () => {
    const more = await borrowAt(pool.url);
    expect([more.url === lent.url, said.length]).toEqual([false, 2]);
    await more.stop();
    await expect.poll(() => existsSync(more.folder)).toBe(false);
    expect((await asAdmin(lent, 'GET', '/version')).status).toBe(200);
  });

  test('what a dead borrower had is not lent again', async () => {
    await lent.stop();
    const plane = await new Promise<ControlPlane>((resolve, reject) => {
      const loan = request(pool.url, { method: 'POST', agent: false });
      loan.once('error', reject);
      loan.once('response', answer => {
        answer.once('error', () => undefined);
        answer.once('data', (chunk: Buffer) => {
          resolve(JSON.parse(chunk.toString()) as ControlPlane);
          loan.destroy();
        });
      });
      loan.flushHeaders();
    });
    expect(plane.url).toBe(lent.url);
    await expect.poll(() => existsSync(plane.folder)).toBe(false);
  });
});
