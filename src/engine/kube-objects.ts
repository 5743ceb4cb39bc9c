/** How the objects of the port stand in Kubernetes: which resource keeps a kind, and what its content looks like there. Pure. */
import { API_VERSION } from '../core/kinds.ts';
import type { JsonObject, ObjectKey, StringMap } from '../core/types.ts';
import { trimmed } from '../kube/cache.ts';
import type { Resource } from '../kube/paths.ts';
import { frozen, metadataOf } from './objects.ts';

/** Label and value of what Plinth itself keeps in a cluster. */
export const MANAGED_BY = 'app.kubernetes.io/managed-by';
export const MANAGER = 'plinth';
const [GROUP, VERSION] = API_VERSION.split('/') as [string, string];
const REVISION_PREFIX = 'plinth-';

const admin = (kind: string, plural: string): Resource => ({ group: GROUP, version: VERSION, plural, kind, namespaced: false });
const core = (kind: string, plural: string, namespaced: boolean): Resource => ({ group: '', version: 'v1', plural, kind, namespaced });

/** Resources of the kinds that are always there. */
export const RESOURCES: Readonly<Record<string, Resource>> = {
  ClaimDefinition: admin('ClaimDefinition', 'claimdefinitions'),
  Composition: admin('Composition', 'compositions'),
  EnvironmentClass: admin('EnvironmentClass', 'environmentclasses'),
  ProviderConfig: admin('ProviderConfig', 'providerconfigs'),
  Namespace: core('Namespace', 'namespaces', false),
  Secret: core('Secret', 'secrets', true),
  // Only read: whether a claim kind is being deleted.
  CustomResourceDefinition: {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    namespaced: false,
  },
  Revision: { group: 'apps', version: 'v1', plural: 'controllerrevisions', kind: 'ControllerRevision', namespaced: true },
};

/** Where the claims of a kind are: in namespaces, unless its scope is Cluster. */
export function claimResource({ kind, plural, scope }: { readonly kind: string; readonly plural: string; readonly scope?: string | undefined }): Resource {
  return { group: GROUP, version: VERSION, plural, kind, namespaced: scope !== 'Cluster' };
}

/** Where an object is kept: revisions in the engine's own namespace under a name of their own, everything else where its key says. */
export function placeOf(key: ObjectKey, ownNamespace: string): { readonly namespace: string; readonly name: string } {
  return key.kind === 'Revision' ? { namespace: ownNamespace, name: `${REVISION_PREFIX}${key.name}` } : key;
}

/** An object as the port hands it out: frozen, without managedFields, data of a Secret as plain text. */
export function fromKube(kind: string, object: JsonObject): JsonObject {
  if (kind === 'Secret') return frozen({ ...trimmed(object, kind, 'v1'), data: decoded(object['data'] as StringMap | undefined) });
  if (kind === 'Revision') return revisionOf(object);
  return trimmed(object, kind, String(object['apiVersion'] ?? 'v1'));
}

function revisionOf(object: JsonObject): JsonObject {
  const { name, uid, resourceVersion, creationTimestamp } = metadataOf(object);
  const metadata = { name: name.slice(REVISION_PREFIX.length), uid, generation: 1, resourceVersion, creationTimestamp };
  return frozen({ apiVersion: API_VERSION, kind: 'Revision', metadata, data: object['data'] });
}

/** An accepted revision as ControllerRevision: its data cannot be changed once it is there. */
export function revisionBody(name: string, namespace: string, data: JsonObject): JsonObject {
  const metadata = { name: `${REVISION_PREFIX}${name}`, namespace, labels: { [MANAGED_BY]: MANAGER } };
  return { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata, revision: 1, data };
}

const utf8 = new TextDecoder();
const fromBase64 = (value: string): string => utf8.decode(Buffer.from(value, 'base64'));

function decoded(data: StringMap = {}): StringMap {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, fromBase64(value)]));
}

/** The data as base64. What `before` (base64) holds under a key is kept byte for byte where its text is the same: it may be no text at all. */
export function encoded(data: Readonly<StringMap>, before: Readonly<StringMap> = {}): StringMap {
  const value = (key: string, text: string): string => {
    const old = before[key];
    return old !== undefined && fromBase64(old) === text ? old : Buffer.from(text, 'utf8').toString('base64');
  };
  return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, value(key, text)]));
}
