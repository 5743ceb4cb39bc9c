/**
 * Makes a used control plane one that nobody has used, in a fraction of the time a new one takes. The data goes back to what it was, in etcd: every object
 * at once, whatever finalizers, owners or policies it has. The API server follows what changes there. The controller manager starts anew: what it
 * learnt of kinds that are gone would change how it ends namespaces.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../../../src/core/types.ts';
import { loadAccess } from '../../../src/kube/config.ts';
import { type Api, closeApi, openApi, request } from '../../../src/kube/transport.ts';
import { asAdmin, type ControlPlane, type Programs, startControllers, stopControllers } from './control-plane.ts';
import { type Data, readData, writeData } from './etcd.ts';

/** A control plane as it is before anybody uses it. */
export interface Fresh {
  readonly data: Data;
  /** The kinds it serves, and how they are described. */
  readonly served: string;
}

/** How long each step may take; on a quiet machine all do within 3 s. */
const STEP_MS = 120_000;
/** An API server that has written nothing for so long has written all it starts with. */
const QUIET_MS = 500;
const SYSTEM = '/registry/namespaces/kube-system';
const NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
/** What the controller manager makes in each namespace. */
const MADE = NAMESPACES.flatMap(name => [`/registry/serviceaccounts/${name}/default`, `/registry/configmaps/${name}/kube-root-ca.crt`]);
/** What the API server makes some time after it is ready. */
const LATE = [
  ...NAMESPACES.map(name => `/registry/namespaces/${name}`),
  '/registry/configmaps/kube-system/extension-apiserver-authentication',
  '/registry/configmaps/kube-system/kube-apiserver-legacy-service-account-token-tracking',
  '/registry/services/specs/default/kubernetes',
  '/registry/servicecidrs/kubernetes',
];
/** Of the API server itself, written by time. */
const ITS_OWN = /^\/registry\/(masterleases\/|leases\/kube-system\/apiserver-|services\/endpoints\/default\/kubernetes$|endpointslices\/default\/kubernetes$)/;
const POLICIES = /^\/registry\/(validating|mutating)admissionpolic/;
const WEBHOOKS = /^\/registry\/(validating|mutating)webhookconfigurations\//;
const AGGREGATED = ['admin', 'edit', 'view'];
const RBAC = 'rbac.authorization.k8s.io';
const ADMISSION = 'admissionregistration.k8s.io';

/** Waits until a control plane that was just started has all that a new one has, and remembers it. */
export async function remember({ plane, etcdUrl }: Programs): Promise<Fresh> {
  const api = await adminApi(plane);
  try {
    await until('the roles are put together', async () => {
      const roles = await Promise.all(AGGREGATED.map(name => asAdmin(plane, 'GET', `/apis/${RBAC}/v1/clusterroles/${name}`)));
      return roles.every(({ body }) => body.rules?.length > 0);
    });
    const data = await settledData(etcdUrl);
    return { data, served: await servedBy(api) };
  } finally {
    await closeApi(api);
  }
}

/** Returns when the control plane is as it was, but for the uid of kube-system, which is another. Throws when that does not come about. */
export async function empty(programs: Programs, fresh: Fresh): Promise<void> {
  const { plane, etcdUrl } = programs;
  const data = withUid(fresh.data, randomUUID());
  const api = await adminApi(plane);
  try {
    await stopControllers(programs);
    const first = changesTo(data, await readData(etcdUrl));
    const touched = [...first.keys()];
    if (touched.some(key => WEBHOOKS.test(key))) throw new Error('when webhooks are called no more cannot be told');
    await writeData(etcdUrl, first);
    await until('the kinds are those of a new one', async () => {
      await writeData(etcdUrl, changesTo(data, await readData(etcdUrl)));
      return (await servedBy(api)) === fresh.served;
    });
    await Promise.all([startControllers(programs), forgetRoles(plane), touched.some(key => POLICIES.test(key)) ? forgetPolicies(plane) : undefined]);
    await until('the data are those of a new one', async () => {
      const left = await readData(etcdUrl);
      const changes = new Map([...changesTo(data, left)].filter(([key]) => !MADE.includes(key)));
      await writeData(etcdUrl, changes);
      return changes.size === 0 && MADE.every(key => left.has(key));
    });
  } finally {
    await closeApi(api);
  }
}

async function adminApi(plane: ControlPlane): Promise<Api> {
  return openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }), { userAgent: 'emptying' });
}

async function settledData(etcdUrl: string): Promise<Data> {
  let [last, since] = [await readData(etcdUrl), performance.now()];
  await until('nothing is written any more', async () => {
    const now = await readData(etcdUrl);
    const isSame = changesTo(last, now, []).size === 0 && [...LATE, ...MADE].every(key => now.has(key));
    if (!isSame) [last, since] = [now, performance.now()];
    return performance.now() > since + QUIET_MS;
  });
  return last;
}

/** What leads from `now` to `data`. Of `made` nothing is left: whoever makes it makes it again. */
function changesTo(data: Data, now: Data, made: readonly string[] = MADE): Map<string, Buffer | undefined> {
  const wanted = (key: string): Buffer | undefined => (made.includes(key) ? undefined : data.get(key));
  const keys = [...new Set([...data.keys(), ...now.keys()])].filter(key => !ITS_OWN.test(key));
  const isOther = (key: string): boolean => {
    const [there, then] = [now.get(key), wanted(key)];
    return there === undefined || then === undefined ? there !== then : !there.equals(then);
  };
  return new Map(keys.filter(isOther).map(key => [key, wanted(key)]));
}

/** Who derives names from the uid of a cluster, as Plinth does, finds another cluster. The value is Protobuf: only the bytes of the uid change. */
function withUid(data: Data, uid: string): Data {
  const value = data.get(SYSTEM)!.toString('latin1');
  const found = [...value.matchAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g)];
  if (found.length !== 1) throw new Error(`kube-system has ${found.length} uids`);
  return new Map([...data, [SYSTEM, Buffer.from(value.replace(found[0]![0], uid), 'latin1')]]);
}

/** Group, version, names and verbs of all kinds; and the hashes of their descriptions, which are the last to follow. */
async function servedBy(api: Api): Promise<string> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const { items } = (await request(api, { method: 'GET', path: '/apis', accept })) as unknown as { items: { metadata: { name: string }; versions: Json }[] };
  const kinds = items.map(({ metadata, versions }) => JSON.stringify([metadata.name, versions])).sort();
  const { paths } = (await request(api, { method: 'GET', path: '/openapi/v3' })) as unknown as { paths: Record<string, unknown> };
  const namespaces = (await request(api, { method: 'GET', path: '/api/v1/namespaces' })) as unknown as { items: { metadata: { name: string } }[] };
  return JSON.stringify([kinds, Object.entries(paths).sort(), namespaces.items.map(({ metadata }) => metadata.name).sort()]);
}

/** The API server learns of roles in the order in which they were written: when it has learnt of one more, and that it is gone, it knows the others. */
async function forgetRoles(plane: ControlPlane): Promise<void> {
  const name = `marker-${randomBytes(4).toString('hex')}`;
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }];
  const subjects = [{ kind: 'User', apiGroup: RBAC, name }];
  const bound = (prefix: string, kind: 'ClusterRole' | 'Role') => [
    { path: `${prefix}/${kind.toLowerCase()}s`, body: { metadata: { name }, rules } },
    { path: `${prefix}/${kind.toLowerCase()}bindings`, body: { metadata: { name }, subjects, roleRef: { apiGroup: RBAC, kind, name } } },
  ];
  const may = async (): Promise<boolean> => {
    const spec = { user: name, resourceAttributes: { namespace: 'default', verb: 'get', resource: 'configmaps' } };
    const { body } = await asAdmin(plane, 'POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', { spec });
    return body.status.allowed;
  };
  const pairs = [bound(`/apis/${RBAC}/v1`, 'ClusterRole'), bound(`/apis/${RBAC}/v1/namespaces/default`, 'Role')];
  for (const pair of pairs) {
    for (const { path, body } of pair) await made(plane, path, body);
    await until('a role is known', may);
    for (const { path } of pair) await asAdmin(plane, 'DELETE', `${path}/${name}`);
    await until('a role is forgotten', async () => !(await may()));
  }
}

/** The same of admission policies, which the API server reads again once a second. */
async function forgetPolicies(plane: ControlPlane): Promise<void> {
  const name = `marker-${randomBytes(4).toString('hex')}`;
  const [policies, bindings] = ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'].map(plural => `/apis/${ADMISSION}/v1/${plural}`);
  const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'], resourceNames: [name] }];
  const spec = { matchConstraints: { resourceRules }, validations: [{ expression: 'false' }] };
  const isDenied = async (): Promise<boolean> => {
    const { status } = await asAdmin(plane, 'POST', '/api/v1/namespaces/default/configmaps?dryRun=All', { metadata: { name } });
    return status !== 201;
  };
  await made(plane, policies!, { metadata: { name }, spec });
  await made(plane, bindings!, { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } });
  await until('a policy is known', isDenied);
  await Promise.all([policies, bindings].map(path => asAdmin(plane, 'DELETE', `${path}/${name}`)));
  await until('a policy is forgotten', async () => !(await isDenied()));
}

async function made(plane: ControlPlane, path: string, body: unknown): Promise<void> {
  const answer = await asAdmin(plane, 'POST', path, body);
  if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${answer.body?.message ?? ''}`);
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + STEP_MS; !(await isTrue()); await sleep(30)) if (performance.now() > end) throw new Error(`not in time: ${what}`);
}
