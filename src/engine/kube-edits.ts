/** What people do to objects of a cluster through Plinth: apply and delete. */
import { EngineError, isError } from '../core/errors.ts';
import type { JsonObject, ObjectKey, StringMap } from '../core/types.ts';
import { pathOf, type Resource } from '../kube/paths.ts';
import { APPLY_PATCH } from '../kube/transport.ts';
import { call, goneIsConflict, type KubeHome, resourceFor } from './kube-home.ts';
import { encoded, fromKube, placeOf } from './kube-objects.ts';
import { checkedKey, keyOf, keyText, type Metadata, metadataOf } from './objects.ts';

/** Field manager of `plinth apply`: labels, annotations and fields that an apply no longer holds are taken back by it alone. */
const FIELD_MANAGER = 'plinth-cli';

/** As EditableStore.put: a server-side apply, or a replacement of exactly the version given. Also AccessDenied, InvalidRequest as the server says. */
export async function putKube(home: KubeHome, object: JsonObject): Promise<JsonObject> {
  const key = keyOf(object);
  const resource = await resourceFor(home, key.kind);
  if (resource === undefined) throw new EngineError('UnknownKind', `the cluster has no kind ${key.kind}`);
  const exact = (object['metadata'] as Partial<Metadata>).resourceVersion !== undefined;
  const { status: _, ...given } = object;
  const body = key.kind === 'Secret' ? { ...given, data: encoded((object['data'] ?? {}) as StringMap) } : given;
  const path = pathOf(resource, key.namespace, key.name);
  const answer = exact
    ? await call(home, keyText(key), { method: 'PUT', path, body }).catch(goneIsConflict(key))
    : await call(home, keyText(key), {
        method: 'PATCH',
        path,
        body: applied(body),
        contentType: APPLY_PATCH,
        query: { fieldManager: FIELD_MANAGER, force: true },
      });
  return fromKube(key.kind, answer);
}

/** What an apply may say of metadata: the rest is the server's. */
function applied(object: JsonObject): JsonObject {
  const { name, namespace, labels, annotations } = metadataOf(object);
  const metadata = { name, ...(namespace ? { namespace } : {}), ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) };
  return { ...object, metadata };
}

/** As EditableStore.remove. */
export async function removeKube(home: KubeHome, key: ObjectKey): Promise<JsonObject | undefined> {
  checkedKey(key);
  const resource = await resourceFor(home, key.kind);
  if (resource === undefined) return undefined;
  const answer = await deleted(home, key, resource);
  const isMarked = answer !== undefined && answer['kind'] !== 'Status' && metadataOf(answer).deletionTimestamp !== undefined;
  return isMarked && metadataOf(answer).finalizers?.length ? fromKube(key.kind, answer) : undefined;
}

async function deleted(home: KubeHome, key: ObjectKey, resource: Resource): Promise<JsonObject | undefined> {
  const { namespace, name } = placeOf(key, home.namespace);
  try {
    return await call(home, keyText(key), { method: 'DELETE', path: pathOf(resource, namespace, name), query: { propagationPolicy: 'Background' } });
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}
