/** Objects of an installation on an API server: applied, found and removed. */
import { equal } from '../core/digest.ts';
import { EngineError, isError } from '../core/errors.ts';
import { LABELS, NAME } from '../core/install/roles.ts';
import type { JsonObject } from '../core/types.ts';
import { metadataOf } from '../engine/objects.ts';
import { pathOf, type Resource } from '../kube/paths.ts';
import { APPLY_PATCH, type Api, request } from '../kube/transport.ts';

export type Change = 'created' | 'changed' | 'unchanged' | 'removed';

const MANAGER = 'plinth-install';
const HELM_RELEASE = 'meta.helm.sh/release-name';
const resource = (group: string, version: string, kind: string, plural: string, namespaced: boolean): Resource => ({
  group,
  version,
  kind,
  plural,
  namespaced,
});
const RBAC = 'rbac.authorization.k8s.io';
const ADMISSION = 'admissionregistration.k8s.io';
const PLINTH = 'plinth.dev';

/** Every kind of object that an installation has, in the order in which it is removed: first what works, last what lets it. */
const RESOURCES: readonly Resource[] = [
  resource('apps', 'v1', 'Deployment', 'deployments', true),
  resource('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets', true),
  resource('', 'v1', 'Service', 'services', true),
  resource(ADMISSION, 'v1', 'ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings', false),
  resource(ADMISSION, 'v1', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies', false),
  resource(RBAC, 'v1', 'ClusterRoleBinding', 'clusterrolebindings', false),
  resource(RBAC, 'v1', 'RoleBinding', 'rolebindings', true),
  resource(RBAC, 'v1', 'ClusterRole', 'clusterroles', false),
  resource(RBAC, 'v1', 'Role', 'roles', true),
  resource('', 'v1', 'ServiceAccount', 'serviceaccounts', true),
];
/** What stays when the engine goes. */
const LASTING: readonly Resource[] = [
  resource('', 'v1', 'Namespace', 'namespaces', false),
  resource('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', 'customresourcedefinitions', false),
  resource(PLINTH, 'v1alpha1', 'ClaimDefinition', 'claimdefinitions', false),
  resource(PLINTH, 'v1alpha1', 'Composition', 'compositions', false),
  resource(PLINTH, 'v1alpha1', 'EnvironmentClass', 'environmentclasses', false),
  resource(PLINTH, 'v1alpha1', 'ProviderConfig', 'providerconfigs', false),
];
const BY_KIND = new Map([...RESOURCES, ...LASTING].map(item => [item.kind, item]));

/** `Deployment plinth-system/plinth`, `ClusterRole plinth-engine`. */
export function titleOf(object: JsonObject): string {
  const { namespace, name } = metadataOf(object);
  return `${object['kind'] as string} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** The objects of what runs that are there, of a namespace where they have one. Errors here and below: those of `request`. */
export async function installedObjects(api: Api, namespace: string): Promise<JsonObject[]> {
  const labelSelector = `app.kubernetes.io/name=${LABELS['app.kubernetes.io/name']}`;
  const lists = await Promise.all(
    RESOURCES.map(async found => {
      const { items = [] } = (await request(api, { method: 'GET', path: pathOf(found, namespace), query: { labelSelector } })) as { items?: JsonObject[] };
      return items.map(item => ({ ...item, kind: found.kind }));
    }),
  );
  return lists.flat();
}

/** Applies one object, so that what others set beside it stays. */
export async function applyObject(api: Api, object: JsonObject): Promise<Change> {
  const path = placeOf(object);
  const before = await found(api, path);
  const query = { fieldManager: MANAGER, force: true };
  const after = await request(api, { method: 'PATCH', path, contentType: APPLY_PATCH, query, body: object });
  if (before === undefined) return 'created';
  return equal(content(before), content(after)) ? 'unchanged' : 'changed';
}

/** What an apply sets: versions, book-keeping and status change by themselves. */
function content({ metadata, status: _, ...rest }: JsonObject): JsonObject {
  const { labels = {}, annotations = {} } = metadata as JsonObject;
  return { ...rest, labels, annotations };
}

/** Deletes one object; none there is fine. */
export async function removeObject(api: Api, object: JsonObject): Promise<Change> {
  await request(api, { method: 'DELETE', path: placeOf(object), query: { propagationPolicy: 'Background' } }).catch(unlessGone);
  return 'removed';
}

function placeOf(object: JsonObject): string {
  const { namespace, name } = metadataOf(object);
  return pathOf(BY_KIND.get(object['kind'] as string)!, namespace, name);
}

async function found(api: Api, path: string): Promise<JsonObject | undefined> {
  return await request(api, { method: 'GET', path }).catch(unlessGone);
}

function unlessGone(error: unknown): undefined {
  if (!isError(error, 'NotFound')) throw error;
}

/** BadUse when Helm looks after what is there: two who write the same objects undo each other's work. */
export function assertNotHelms(objects: readonly JsonObject[], verb: string): void {
  const release = objects.map(object => metadataOf(object).annotations?.[HELM_RELEASE]).find(name => name !== undefined);
  if (release === undefined) return;
  throw new EngineError('BadUse', `${NAME} was installed here by Helm, as release ${release}`, { hint: `use \`helm ${verb} ${release}\`` });
}
