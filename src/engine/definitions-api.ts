/** The few calls about CustomResourceDefinitions and admin objects that are no claim's business, so not the Store's. */
import { CLAIM_KIND } from '../core/crd.ts';
import { equal } from '../core/digest.ts';
import { isError } from '../core/errors.ts';
import { ADMIN_NAMES, type AdminKind, API_VERSION, ENVIRONMENTS } from '../core/kinds.ts';
import type { Json, JsonObject } from '../core/types.ts';
import { pathOf, type Resource } from '../kube/paths.ts';
import { type Api, MERGE_PATCH, request } from '../kube/transport.ts';
import { metadataOf } from './objects.ts';

const [GROUP = '', VERSION = ''] = API_VERSION.split('/');
export const CRDS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
const ACCESS_REVIEWS: Resource = { group: 'authorization.k8s.io', version: 'v1', plural: 'selfsubjectaccessreviews', kind: '', namespaced: false };
const PAGE = 500;

/** Where the objects of an admin kind are. */
export function adminResource(kind: AdminKind): Resource {
  return { group: GROUP, version: VERSION, plural: ADMIN_NAMES[kind].plural, kind, namespaced: false };
}

/** A live read; undefined when there is none. Errors: those of `request`, here and below. */
export async function getOne(api: Api, resource: Resource, name: string): Promise<JsonObject | undefined> {
  return await request(api, { method: 'GET', path: pathOf(resource, '', name) }).catch((error: unknown) => {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  });
}

/** Live claims of a kind, all of them or the first few; none when the kind is not served. Items name their kind. */
export async function listClaims(api: Api, resource: Resource, atMost = Number.POSITIVE_INFINITY): Promise<JsonObject[]> {
  const found: JsonObject[] = [];
  let token: string | undefined;
  do {
    const query = { limit: Math.min(PAGE, atMost - found.length), continue: token };
    const page = await request(api, { method: 'GET', path: pathOf(resource), query }).catch((error: unknown): JsonObject => {
      if (isError(error, 'NotFound')) return {};
      throw error;
    });
    found.push(...((page['items'] ?? []) as JsonObject[]).map(item => ({ ...item, kind: resource.kind })));
    token = ((page['metadata'] as { continue?: string } | undefined)?.continue ?? '') || undefined;
  } while (token !== undefined && found.length < atMost);
  return found;
}

/** Writes a CustomResourceDefinition over the one that was read, or makes it. StoreConflict when somebody wrote it in between. */
export async function writeCrd(api: Api, existing: JsonObject | undefined, wanted: JsonObject): Promise<JsonObject> {
  if (existing === undefined) return await request(api, { method: 'POST', path: pathOf(CRDS), body: wanted });
  const [old, now] = [existing['metadata'] as JsonObject, wanted['metadata'] as JsonObject];
  const merged = (field: string): JsonObject => ({ ...(old[field] as JsonObject | undefined), ...(now[field] as JsonObject) });
  const metadata = { ...old, labels: merged('labels'), annotations: merged('annotations') };
  // A replacement, not an apply: what an older schema demanded must not stay because another manager owns it too.
  return await request(api, { method: 'PUT', path: pathOf(CRDS, '', metadataOf(existing).name), body: { ...wanted, metadata } });
}

/** Stays without its definition: it comes with the installation, perhaps a moment before that, and whoever applies crds/ would bring it again. */
export const ENVIRONMENT_CRD = `${ENVIRONMENTS}.${GROUP}`;

/** Deletes exactly the CustomResourceDefinition that was read; only one of ours, and never that of Environment. */
export async function deleteCrd(api: Api, crd: JsonObject): Promise<void> {
  const { name, uid, resourceVersion, labels } = metadataOf(crd);
  if (labels?.[CLAIM_KIND] === undefined || name === ENVIRONMENT_CRD) return;
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } };
  await request(api, { method: 'DELETE', path: pathOf(CRDS, '', name), body });
}

/** Replaces the finalizers of an object as it was read. */
export async function writeFinalizers(api: Api, resource: Resource, object: JsonObject, finalizers: readonly string[]): Promise<void> {
  const { name, uid, resourceVersion } = metadataOf(object);
  const body = { metadata: { uid, resourceVersion, finalizers: [...finalizers] } };
  await request(api, { method: 'PATCH', path: pathOf(resource, '', name), contentType: MERGE_PATCH, body });
}

/** One condition of an admin object. */
export interface AdminCondition {
  readonly type: 'Ready' | 'InUse';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/**
 * Writes conditions, and other status fields, if they say something new; a condition that is undefined is taken away. `now`: for the
 * transition time. True when something was written.
 */
export async function writeAdminStatus(
  api: Api,
  resource: Resource,
  object: JsonObject,
  told: { readonly [type in AdminCondition['type']]?: AdminCondition | undefined },
  now: string,
  fields: JsonObject = {},
): Promise<boolean> {
  const { name, generation } = metadataOf(object);
  const status = (object['status'] ?? {}) as { conditions?: (JsonObject & AdminCondition)[] } & JsonObject;
  const before = status.conditions ?? [];
  const kept = before.filter(({ type }) => !Object.hasOwn(told, type));
  const fresh = Object.values(told).flatMap(condition => {
    if (condition === undefined) return [];
    const old = before.find(({ type }) => type === condition.type);
    const since = old?.status === condition.status ? (old['lastTransitionTime'] as string) : now;
    return [{ ...condition, observedGeneration: generation, lastTransitionTime: since }];
  });
  const next = { ...status, ...fields, observedGeneration: generation, conditions: [...kept, ...fresh] } as unknown as JsonObject;
  if (equal(status as Json, next)) return false;
  // Replaced as a whole, and only at the version that was read: a merge would leave in what an accepted spec no longer says.
  await request(api, { method: 'PUT', path: pathOf(resource, '', name, 'status'), body: { ...object, status: next } });
  return true;
}

/** Of these verbs on a kind's claims, those that we may not use; `verb/subresource` asks about a subresource. */
export async function forbiddenVerbs(api: Api, { group, plural }: Resource, verbs: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(
    verbs.map(async item => {
      const [verb = '', subresource] = item.split('/');
      const resourceAttributes = { group, resource: plural, verb, ...(subresource === undefined ? {} : { subresource }) };
      const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
      const review = await request(api, { method: 'POST', path: pathOf(ACCESS_REVIEWS), body });
      return (review['status'] as { allowed?: boolean }).allowed === true ? [] : [item];
    }),
  );
  return answers.flat();
}
