/** A real API server as ground of the kit: names of its own for every case, behind the proxy. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyOf, targetOf } from '../../providers/kubernetes/names.ts';
import { at, put } from '../../src/core/paths.ts';
import type { Json, JsonObject, Path } from '../../src/core/types.ts';
import { loadAccess } from '../../src/kube/config.ts';
import { closeApi, openApi, request } from '../../src/kube/transport.ts';
import { TRIAL } from '../around.ts';
import { asAdmin, type ControlPlane, type LentControlPlane, serviceAccountKubeconfig } from '../parts/kube/control-plane.ts';
import { borrowControlPlane } from '../parts/kube/pool.ts';
import { type KubeAct, type KubeCall, type KubeProxy, startKubeProxy } from '../parts/kube/proxy.ts';
import { controlPlane } from '../parts/kube/shared.ts';
import type { RuleHandle } from '../parts/proxy/rules.ts';
import type { Fault, Faults, Ground, Seen } from './subject.ts';
import { STRANGER } from './verbs.ts';

/** One kind of object: where it lives in the API. */
export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}
interface Place<Plane extends ControlPlane = ControlPlane> {
  readonly plane: Plane;
  readonly kubeconfig: string;
}

const ACCOUNT = { namespace: 'conformance', name: 'plinth' };
const RBAC = 'rbac.authorization.k8s.io';

/** The namespaces of the claims and a user with what the provider needs and no more; made once a process. */
const places = { here: undefined as Promise<Place> | undefined, elsewhere: undefined as Promise<Place<LentControlPlane>> | undefined };
const here = (kinds: readonly Kind[]): Promise<Place> => (places.here ??= controlPlane().then(plane => furnish(plane, kinds)));
const elsewhere = (kinds: readonly Kind[]): Promise<Place> => (places.elsewhere ??= borrowControlPlane().then(plane => furnish(plane, kinds)));

/** Ends what the grounds of this process stand on. */
export async function endKubernetesGrounds(): Promise<void> {
  await (await places.elsewhere)?.plane.stop();
}

async function furnish<Plane extends ControlPlane>(plane: Plane, kinds: readonly Kind[]): Promise<Place<Plane>> {
  for (const kind of kinds.filter(({ apiVersion }) => apiVersion.startsWith('acme.example/'))) await define(plane, kind);
  const named = (name: string): JsonObject => ({ metadata: { name } });
  for (const name of [ACCOUNT.namespace, TRIAL.namespace, STRANGER.namespace])
    await make(plane, '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', ...named(name) });
  await make(plane, `/api/v1/namespaces/${ACCOUNT.namespace}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', ...named(ACCOUNT.name) });
  const all = ['get', 'list', 'create', 'patch', 'delete'];
  const rules = [
    { apiGroups: [''], resources: ['namespaces'], resourceNames: ['kube-system'], verbs: ['get'] },
    ...kinds.map(({ apiVersion, plural }) => ({ apiGroups: [apiVersion.includes('/') ? apiVersion.split('/')[0]! : ''], resources: [plural], verbs: all })),
  ];
  await make(plane, `/apis/${RBAC}/v1/clusterroles`, { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', ...named('conformance'), rules });
  const binding = { roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'conformance' }, subjects: [{ kind: 'ServiceAccount', ...ACCOUNT }] };
  await make(plane, `/apis/${RBAC}/v1/clusterrolebindings`, { apiVersion: `${RBAC}/v1`, kind: 'ClusterRoleBinding', ...named('conformance'), ...binding });
  const kubeconfig = await serviceAccountKubeconfig(plane, ACCOUNT.namespace, ACCOUNT.name);
  await mayList(kubeconfig, kinds);
  return { plane, kubeconfig };
}

/** What a user may do is known a moment after it was written. */
async function mayList(kubeconfig: string, kinds: readonly Kind[]): Promise<void> {
  const api = openApi(await loadAccess({ kubeconfig }));
  for (const kind of kinds)
    await until(`${kind.plural} may be listed`, () =>
      request(api, { method: 'GET', path: pathOf(kind) }).then(
        () => true,
        () => false,
      ),
    );
  await closeApi(api);
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 120_000; !(await isTrue()); await sleep(50)) if (performance.now() > endMs) throw new Error(`not in time: ${what}`);
}

/** A kind of somebody else: of its fields nothing is known here. */
async function define(plane: ControlPlane, { apiVersion, kind, plural }: Kind): Promise<void> {
  const [group, name] = apiVersion.split('/') as [string, string];
  const rule = { type: 'object', properties: { port: { type: 'integer', default: 80 }, host: { type: 'string' } } };
  const spec = {
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    properties: { mode: { type: 'string', default: 'plain' }, rules: { type: 'array', items: rule } },
  };
  const versions = [{ name, served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec } } } }];
  const definition = { group, scope: 'Namespaced', names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` }, versions };
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const head = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}` } };
  await make(plane, path, { ...head, spec: definition as unknown as JsonObject });
  await until(`${plural}.${group} is served`, async () => (await asAdmin(plane, 'GET', pathOf({ apiVersion, kind, plural }))).status === 200);
  await until(`${plural}.${group} is listed among the kinds`, async () => {
    const { body } = await asAdmin(plane, 'GET', `/apis/${apiVersion}`);
    return ((body.resources ?? []) as { readonly name: string }[]).some(resource => resource.name === plural);
  });
}

/** Made unless it is there: other files share the API server. */
export async function make(plane: ControlPlane, path: string, object: JsonObject): Promise<void> {
  const { status, body } = await asAdmin(plane, 'POST', path, object);
  if (status !== 201 && status !== 409) throw new Error(`POST ${path}: ${status} ${JSON.stringify(body)}`);
}

/** `kinds`: all that cases of the subject make, each of them listed. */
export async function kubernetesGround(kinds: readonly Kind[], granted: readonly Kind[] = kinds): Promise<Ground> {
  const [place, other] = await Promise.all([here(granted), elsewhere(granted)]);
  const proxy = await startKubeProxy(place.plane);
  const id = randomBytes(5).toString('hex');
  const settings = (file: string): JsonObject => ({ credentials: { from: 'File', file } });
  const kubeconfig = proxy.kubeconfig(place.kubeconfig);
  const { users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as { users: { user: { token: string } }[] };
  return {
    settings: settings(kubeconfig),
    elsewhere: settings(other.kubeconfig),
    secret: users[0]!.user.token,
    faults: faultsOf(proxy),
    list: async where => await namesOf((where === 'elsewhere' ? other : place).plane, kinds, id),
    edit: async (name, path, value) => await edit(place.plane, kinds, name, path, value),
    remove: async name => await remove(place.plane, kinds, name),
    fit: spec => named(spec, id),
    realMs: 20,
    close: () => proxy.close(),
  };
}

/** Cases share the namespace of the claims, so each has names that nobody else has. */
function named(spec: JsonObject, id: string): JsonObject {
  const name = String(at(spec, 'manifest.metadata.name'));
  return name.endsWith(id) ? spec : put(spec, 'manifest.metadata.name', `${name}-${id}`);
}

function pathOf({ apiVersion, plural }: Kind, namespace = '', name = ''): string {
  const parts = [apiVersion.includes('/') ? 'apis' : 'api', apiVersion, ...(namespace === '' ? [] : ['namespaces', namespace]), plural, name];
  return `/${parts.filter(part => part !== '').join('/')}`;
}

async function namesOf(plane: ControlPlane, kinds: readonly Kind[], id: string): Promise<string[]> {
  const found: string[] = [];
  for (const kind of kinds) {
    const { body } = await asAdmin(plane, 'GET', pathOf(kind));
    const group = kind.apiVersion.includes('/') ? kind.apiVersion.split('/')[0]! : '';
    const items = body.items as { readonly metadata: { readonly namespace: string; readonly name: string } }[];
    found.push(...items.filter(({ metadata }) => metadata.name.endsWith(id)).map(({ metadata }) => keyOf({ group, kind: kind.kind, ...metadata })));
  }
  return found;
}

function placeOf(kinds: readonly Kind[], key: string): string {
  const { kind, namespace, name } = targetOf(key)!;
  return pathOf(kinds.find(item => item.kind === kind)!, namespace, name);
}

/** As somebody with kubectl would: a field of the object, or an annotation. */
async function edit(plane: ControlPlane, kinds: readonly Kind[], key: string, path: Path, value: Json | undefined): Promise<void> {
  const where = path.startsWith('marks') ? path.replace(/^marks/, 'metadata.annotations') : path.replace(/^manifest\./, '');
  const { status, body } = await asAdmin(plane, 'PATCH', placeOf(kinds, key), put({}, where, value ?? null), 'application/merge-patch+json');
  if (status !== 200) throw new Error(`${key} was not edited: ${status} ${JSON.stringify(body)}`);
}

async function remove(plane: ControlPlane, kinds: readonly Kind[], key: string): Promise<void> {
  const { status, body } = await asAdmin(plane, 'DELETE', placeOf(kinds, key));
  if (status !== 200) throw new Error(`${key} was not removed: ${status} ${JSON.stringify(body)}`);
}

const ACTS: Readonly<Record<Fault, KubeAct>> = {
  credentials: { kind: 'refuse', status: 403 },
  throttled: { kind: 'refuse', status: 429 },
  hang: { kind: 'hold' },
  'failed-after': { kind: 'refuse', status: 500, when: 'after' },
  'not-found': { kind: 'refuse', status: 404 },
};

const seen = (call: KubeCall): Seen => ({ name: `${call.verb} ${call.resource}`, writes: call.mutating });

function faultsOf(proxy: KubeProxy): Faults {
  const hanging: RuleHandle[] = [];
  return {
    calls: () => proxy.calls.map(seen),
    inject: (fault, { writes, times }) => {
      const match = fault === 'not-found' ? { verb: 'create' as const } : { mutating: writes };
      const rule = proxy.addRule({ match, do: ACTS[fault], ...(times === undefined ? {} : { times }) });
      if (fault === 'hang') hanging.push(rule);
      return rule.remove;
    },
    hung: () => hanging.reduce((sum, rule) => sum + rule.hits(), 0),
    onWrite: hook => {
      const removers = [
        proxy.onBefore(call => (call.mutating ? hook('before', seen(call)) : undefined)),
        proxy.onAfter(call => (call.mutating ? hook('after', seen(call)) : undefined)),
      ];
      return () => {
        for (const each of removers) each();
      };
    },
  };
}
