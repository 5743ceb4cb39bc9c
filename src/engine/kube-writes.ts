/** The writes of the port as calls: each conditional on uid and version by what the API server itself checks. */
import { EngineError, isError } from '../core/errors.ts';
import { API_VERSION } from '../core/kinds.ts';
import type { Json, JsonObject, ObjectKey, StringMap } from '../core/types.ts';
import { cacheKey } from '../kube/cache.ts';
import { isTerminating } from '../kube/failure.ts';
import { takeOwnWrite } from '../kube/list-watch.ts';
import { pathOf } from '../kube/paths.ts';
import { JSON_PATCH, MERGE_PATCH } from '../kube/transport.ts';
import { call, getLive, getRaw, goneIsConflict, type KubeHome, resourceFor, written } from './kube-home.ts';
import { encoded, fromKube, MANAGED_BY, MANAGER, RESOURCES, revisionBody } from './kube-objects.ts';
import { CONNECTION_SECRETS } from './kube-watches.ts';
import { conflict, FINALIZER, keyText, metadataOf } from './objects.ts';
import type { Write } from './store.ts';
import { notify } from './watchers.ts';

type WriteOf<K extends Write['kind']> = Extract<Write, { kind: K }>;

export async function writeKube(home: KubeHome, write: Write): Promise<JsonObject | undefined> {
  switch (write.kind) {
    case 'finalizer':
      return await writeFinalizer(home, write);
    case 'status':
      return await patchClaim(home, write.claim, [{ op: 'add', path: '/status', value: write.status as unknown as Json }], 'status');
    case 'annotations':
      return await writeAnnotations(home, write);
    case 'deletion':
      return await deleteClaim(home, write);
    case 'secret':
      return await writeSecret(home, write);
    case 'revision':
      return await writeRevision(home, write);
  }
}

// ── claims ──

interface ClaimAt extends ObjectKey {
  readonly uid: string;
  readonly version: string;
}

/** Patches that set uid and version to what they must be are refused as a conflict when they are not: the condition costs no read. */
async function patchClaim(home: KubeHome, claim: ClaimAt, operations: readonly JsonObject[], subresource = ''): Promise<JsonObject | undefined> {
  const body = [
    { op: 'replace', path: '/metadata/uid', value: claim.uid },
    { op: 'replace', path: '/metadata/resourceVersion', value: claim.version },
    ...operations,
  ];
  return await sendPatch(home, claim, body, JSON_PATCH, subresource);
}

async function sendPatch(home: KubeHome, claim: ClaimAt, body: Json, contentType: string, subresource = ''): Promise<JsonObject | undefined> {
  const { kind, namespace, name } = claim;
  const key = { kind, namespace, name };
  const resource = await resourceFor(home, kind);
  if (resource === undefined) throw conflict(key, 'it is gone');
  const path = pathOf(resource, namespace, name, subresource);
  const answer = await call(home, keyText(key), { method: 'PATCH', path, body, contentType }).catch(goneIsConflict(key));
  return written(home, key, claim.version, answer);
}

/** Other finalizers are none of ours: the list is never replaced. */
async function writeFinalizer(home: KubeHome, { claim, present }: WriteOf<'finalizer'>): Promise<JsonObject | undefined> {
  const names = await finalizersOf(home, claim);
  const at = names.indexOf(FINALIZER);
  if (present === at >= 0) return await unchanged(home, claim);
  if (present && claim.deletionRequested) throw conflict(claim, 'it is being deleted, so no finalizer can be added');
  const add = names.length === 0 ? { path: '/metadata/finalizers', value: [FINALIZER] } : { path: '/metadata/finalizers/-', value: FINALIZER };
  return await patchClaim(home, claim, [present ? { op: 'add', ...add } : { op: 'remove', path: `/metadata/finalizers/${at}` }]);
}

async function finalizersOf(home: KubeHome, claim: ClaimAt): Promise<readonly string[]> {
  const known = home.finalizers.get(keyText(claim));
  if (known?.version === claim.version) return known.names;
  return metadataOf(await unchanged(home, claim)).finalizers ?? [];
}

/** The claim as it is; StoreConflict when that is not what the write was computed from. */
async function unchanged(home: KubeHome, claim: ClaimAt): Promise<JsonObject> {
  const object = await getLive(home, claim);
  if (object === undefined) throw conflict(claim, 'it is gone');
  const { uid, resourceVersion } = metadataOf(object);
  if (uid !== claim.uid) throw conflict(claim, 'it was deleted and made again');
  if (resourceVersion !== claim.version) throw conflict(claim);
  return object;
}

async function writeAnnotations(home: KubeHome, { claim, set }: WriteOf<'annotations'>): Promise<JsonObject | undefined> {
  const annotations = Object.fromEntries(Object.entries(set).map(([key, value]) => [key, value ?? null]));
  const body = { metadata: { uid: claim.uid, resourceVersion: claim.version, annotations } };
  return await sendPatch(home, claim, body, MERGE_PATCH);
}

async function deleteClaim(home: KubeHome, { claim }: WriteOf<'deletion'>): Promise<JsonObject | undefined> {
  const { kind, namespace, name, uid, version } = claim;
  const key = { kind, namespace, name };
  const resource = await resourceFor(home, kind);
  if (resource === undefined) throw conflict(key, 'it is gone');
  const body = { preconditions: { uid, resourceVersion: version } };
  const answer = await call(home, keyText(key), { method: 'DELETE', path: pathOf(resource, namespace, name), body }).catch(goneIsConflict(key));
  // Without finalizers the answer is a Status, and nothing is left.
  return answer['kind'] === kind ? written(home, key, version, answer) : undefined;
}

// ── the connection Secret ──

/** Our own write wakes nobody: only what others do to the Secret is news, also while we write. */
async function writeSecret(home: KubeHome, write: WriteOf<'secret'>): Promise<JsonObject | undefined> {
  const key = { kind: 'Secret', namespace: write.claim.namespace, name: write.name };
  const told: string[] = [];
  home.writing.set(keyText(key), told);
  let own = '';
  try {
    const secret = await sendSecret(home, key, write);
    own = secret === undefined ? '' : metadataOf(secret).resourceVersion;
    return secret;
  } finally {
    home.writing.delete(keyText(key));
    if (told.length > 0 && told.at(-1) !== own) notify(home.watchers, key);
  }
}

async function sendSecret(home: KubeHome, key: ObjectKey, write: WriteOf<'secret'>): Promise<JsonObject | undefined> {
  if (write.version === undefined && write.data !== undefined) return await createSecret(home, key, write);
  const found = await getRaw(home, key);
  const version = found === undefined ? undefined : metadataOf(found).resourceVersion;
  if (write.data === undefined && found === undefined) return undefined;
  if (found === undefined || version !== write.version) throw conflict(key, found === undefined ? 'it is gone' : undefined);
  if (write.data === undefined) return await deleteSecret(home, key, found);
  // The type of a Secret, and all of one marked immutable, can be changed only by making it anew.
  if (found['type'] === write.type && found['immutable'] !== true) return await replaceSecret(home, key, write, found);
  await deleteSecret(home, key, found);
  return await createSecret(home, key, write, found);
}

function secretObject(write: WriteOf<'secret'>, before?: JsonObject): JsonObject {
  const { claim, name, type, data = {}, annotations } = write;
  const old = before === undefined ? undefined : metadataOf(before);
  const owner = { apiVersion: API_VERSION, kind: claim.kind, name: claim.name, uid: claim.uid };
  const others = (old?.ownerReferences ?? []).filter(item => item.uid !== claim.uid && (item.kind !== claim.kind || item.name !== claim.name));
  const metadata = {
    name,
    namespace: claim.namespace,
    labels: { ...old?.labels, [MANAGED_BY]: MANAGER },
    annotations: { ...old?.annotations, ...annotations },
    ownerReferences: [...others, owner],
  };
  return { apiVersion: 'v1', kind: 'Secret', type, metadata: metadata as unknown as JsonObject, data: encoded(data, (before?.['data'] ?? {}) as StringMap) };
}

async function createSecret(home: KubeHome, key: ObjectKey, write: WriteOf<'secret'>, before?: JsonObject): Promise<JsonObject> {
  const path = pathOf(RESOURCES['Secret']!, key.namespace);
  const answer = await call(home, keyText(key), { method: 'POST', path, body: secretObject(write, before) })
    .catch((error: unknown) => {
      // The claim will be told in a moment that it goes too.
      if (isTerminating(error)) throw conflict(key, 'its namespace is being deleted');
      throw error;
    })
    .catch(goneIsConflict(key));
  return writtenSecret(home, key, undefined, answer);
}

async function replaceSecret(home: KubeHome, key: ObjectKey, write: WriteOf<'secret'>, found: JsonObject): Promise<JsonObject> {
  const body = secretObject(write, found);
  const { uid, resourceVersion } = metadataOf(found);
  const metadata = { ...(body['metadata'] as JsonObject), uid, resourceVersion };
  const path = pathOf(RESOURCES['Secret']!, key.namespace, key.name);
  const answer = await call(home, keyText(key), { method: 'PUT', path, body: { ...body, metadata } }).catch(goneIsConflict(key));
  return writtenSecret(home, key, resourceVersion, answer);
}

async function deleteSecret(home: KubeHome, key: ObjectKey, found: JsonObject): Promise<undefined> {
  const { uid, resourceVersion } = metadataOf(found);
  const path = pathOf(RESOURCES['Secret']!, key.namespace, key.name);
  await call(home, keyText(key), { method: 'DELETE', path, body: { preconditions: { uid, resourceVersion } } }).catch(goneIsConflict(key));
}

function writtenSecret(home: KubeHome, key: ObjectKey, from: string | undefined, answer: JsonObject): JsonObject {
  const watch = home.secrets.get(CONNECTION_SECRETS);
  if (watch !== undefined) takeOwnWrite(watch, cacheKey(key.namespace, key.name), from, answer, true);
  return fromKube('Secret', answer);
}

// ── revisions ──

async function writeRevision(home: KubeHome, { name, data }: WriteOf<'revision'>): Promise<JsonObject> {
  const key = { kind: 'Revision', namespace: '', name };
  const path = pathOf(RESOURCES['Revision']!, home.namespace);
  try {
    return fromKube('Revision', await call(home, keyText(key), { method: 'POST', path, body: revisionBody(name, home.namespace, data) }));
  } catch (error) {
    if (!isError(error, 'AlreadyExists')) throw error;
    const found = await getLive(home, key);
    if (found === undefined) throw new EngineError('StoreConflict', `revision ${name} came and went`);
    return found;
  }
}
