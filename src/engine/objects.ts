/**
 * What a write does to an object, the same in memory and on disk, and true to Kubernetes: pure functions from the object before to the
 * object after. Stores only keep the answers.
 */
import { equal } from '../core/digest.ts';
import { EngineError } from '../core/errors.ts';
import type { Json, JsonObject, ObjectKey, StringMap, Timestamp } from '../core/types.ts';
import type { Event, Store, Write } from './store.ts';

/** A store that people write to as well: apply and delete. */
export interface EditableStore extends Store {
  /**
   * Applies an object. With `metadata.resourceVersion` it replaces exactly that version (StoreConflict otherwise); without, it sets what
   * is written and takes back the labels and annotations that an earlier put wrote and this one leaves out, so that what others set
   * stays. `status`, uid, generation and finalizers are not the user's to set (finalizers: only with a resourceVersion). What changes
   * nothing is no write. Returns the object as stored. InvalidObject: no kind, or a name that is not safe.
   */
  put(object: JsonObject): Promise<JsonObject>;
  /** Deletes; an object with finalizers is only marked. Returns what is left: the marked object, or undefined when it is gone. */
  remove(key: ObjectKey): Promise<JsonObject | undefined>;
}

/** An event as kept. */
export interface StoredEvent extends Event {
  readonly at: Timestamp;
  readonly object: ObjectKey;
}

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** The metadata of a stored object. `applied`: keys that the last put wrote. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  readonly creationTimestamp: Timestamp;
  readonly deletionTimestamp?: Timestamp;
  readonly labels?: StringMap;
  readonly annotations?: StringMap;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly ObjectReference[];
  readonly applied?: readonly string[];
}

/** Where new ids come from: the one door for time and randomness. */
export interface Mint {
  readonly uid: () => string;
  readonly version: () => string;
  readonly now: () => Timestamp;
}

export const FINALIZER = 'plinth.dev/claim';
/** DNS labels with dots, short enough for a file name with its endings. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,198}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const KIND = /^[A-Za-z][A-Za-z0-9]{0,62}$/;

/** `Queue/dev/orders`, and `EnvironmentClass//dev` for what is cluster-scoped: the key as one text. */
export function keyText(key: ObjectKey): string {
  return `${key.kind}/${key.namespace}/${key.name}`;
}

/** The key of a text made by keyText. */
export function parseKey(text: string): ObjectKey {
  const [kind = '', namespace = '', name = ''] = text.split('/');
  return { kind, namespace, name };
}

/** The key of an object; InvalidObject when a part is missing or could be more than a plain file name. */
export function keyOf(object: JsonObject): ObjectKey {
  const metadata = (object['metadata'] ?? {}) as JsonObject;
  const key = { kind: object['kind'], namespace: metadata['namespace'] ?? '', name: metadata['name'] };
  return checkedKey(key as unknown as ObjectKey);
}

/** The same key, known to be safe as a file name; InvalidObject otherwise. */
export function checkedKey(key: ObjectKey): ObjectKey {
  const { kind, namespace, name } = key;
  if (typeof kind !== 'string' || !KIND.test(kind)) throw invalid(`${JSON.stringify(kind) ?? 'nothing'} is not a kind`, 'kind');
  if (typeof name !== 'string' || !NAME.test(name) || name.includes('..')) {
    throw invalid(`${kind} ${JSON.stringify(name) ?? ''}: a name is lower-case letters, digits, - and ., at most 200 of them`, 'metadata.name');
  }
  if (typeof namespace !== 'string' || (namespace !== '' && !NAMESPACE.test(namespace))) {
    throw invalid(`${kind} ${name}: ${JSON.stringify(namespace)} is not a namespace name`, 'metadata.namespace');
  }
  return key;
}

function invalid(message: string, path: string): EngineError {
  return new EngineError('InvalidObject', message, { path });
}

/** The metadata of a stored object. */
export function metadataOf(object: JsonObject): Metadata {
  return object['metadata'] as unknown as Metadata;
}

/** A copy that cannot be changed in place; undefined members vanish as they would in a file. */
export function frozen<T extends JsonObject>(value: unknown): T {
  return freeze(JSON.parse(JSON.stringify(value)) as T);
}

function freeze<T extends Json>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  for (const item of Object.values(value)) freeze(item as Json);
  return Object.freeze(value);
}

/** By namespace, then name: the order of every list. */
export function byKey(a: JsonObject, b: JsonObject): number {
  const [left, right] = [metadataOf(a), metadataOf(b)];
  const [x, y] = [`${left.namespace ?? ''}/${left.name}`, `${right.namespace ?? ''}/${right.name}`];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** True for a Secret that goes when the object of this uid goes. */
export function isOwnedBy(object: JsonObject, uid: string): boolean {
  return (metadataOf(object).ownerReferences ?? []).some(reference => reference.uid === uid);
}

/** The object after a put; the very same value when it changes nothing. Undefined: the put took the last finalizer of a deleted object. */
export function afterPut(before: JsonObject | undefined, input: JsonObject, mint: Mint): JsonObject | undefined {
  const given = (input['metadata'] ?? {}) as unknown as Partial<Metadata>;
  const { metadata: _, status: __, ...content } = input;
  if (before === undefined) {
    if (given.resourceVersion !== undefined) throw conflict(keyOf(input), 'it is gone');
    return created(content, given, mint);
  }
  const old = metadataOf(before);
  if (given.uid !== undefined && given.uid !== old.uid) throw conflict(keyOf(input), 'it was deleted and made again');
  const exact = given.resourceVersion !== undefined;
  if (exact && given.resourceVersion !== old.resourceVersion) throw conflict(keyOf(input));
  const metadata = mergedMetadata(old, given, exact);
  return changed(before, content, metadata, mint);
}

function created(content: JsonObject, given: Partial<Metadata>, mint: Mint): JsonObject {
  const metadata = {
    name: given.name,
    ...(given.namespace ? { namespace: given.namespace } : {}),
    uid: mint.uid(),
    generation: 1,
    resourceVersion: mint.version(),
    creationTimestamp: mint.now(),
    labels: given.labels,
    annotations: given.annotations,
    finalizers: given.finalizers?.length ? given.finalizers : undefined,
    ownerReferences: given.ownerReferences,
    applied: appliedBy(given),
  };
  return frozen({ ...content, metadata });
}

function appliedBy(given: Partial<Metadata>): string[] {
  return [...Object.keys(given.labels ?? {}).map(key => `label ${key}`), ...Object.keys(given.annotations ?? {}).map(key => `annotation ${key}`)].sort();
}

function mergedMetadata(old: Metadata, given: Partial<Metadata>, exact: boolean): Metadata {
  if (exact) {
    const finalizers = given.finalizers?.length ? given.finalizers : undefined;
    return { ...old, labels: given.labels, annotations: given.annotations, finalizers } as unknown as Metadata;
  }
  const applied = appliedBy(given);
  const dropped = new Set((old.applied ?? []).filter(key => !applied.includes(key)));
  const merge = (kind: string, before: StringMap = {}, now: StringMap = {}): StringMap | undefined => {
    const kept = Object.entries({ ...before, ...now }).filter(([key]) => !dropped.has(`${kind} ${key}`));
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  };
  const [labels, annotations] = [merge('label', old.labels, given.labels), merge('annotation', old.annotations, given.annotations)];
  return { ...old, labels, annotations, applied } as unknown as Metadata;
}

/** `content`: everything but metadata and status. Raises the generation when that changed, as a custom resource with a status does. */
function changed(before: JsonObject, content: JsonObject, metadata: Metadata, mint: Mint): JsonObject | undefined {
  const { metadata: _, status, ...oldContent } = before;
  const same = equal(oldContent, frozen(content));
  const next = frozen({ ...content, ...(status === undefined ? {} : { status }), metadata });
  if (same && equal(before['metadata'], next['metadata'])) return before;
  if (metadata.deletionTimestamp !== undefined && !metadata.finalizers?.length) return undefined;
  return touched(next, { ...metadata, generation: metadata.generation + (same ? 0 : 1) }, mint);
}

/** All but the metadata is frozen already, and stays the very same. */
function touched(object: JsonObject, metadata: Metadata, mint: Mint): JsonObject {
  return Object.freeze({ ...object, metadata: frozen({ ...metadata, resourceVersion: mint.version() }) });
}

/** The object after a deletion; undefined when it goes at once. Marking raises the generation, as Kubernetes does. */
export function afterRemove(before: JsonObject, mint: Mint): JsonObject | undefined {
  const old = metadataOf(before);
  if (!old.finalizers?.length) return undefined;
  if (old.deletionTimestamp !== undefined) return before;
  return touched(before, { ...old, deletionTimestamp: mint.now(), generation: old.generation + 1 }, mint);
}

/** The claim after a finalizer, status, annotations or deletion write; undefined: gone with its last finalizer. StoreConflict as the port says. */
export function afterClaimWrite(
  before: JsonObject | undefined,
  write: Extract<Write, { kind: 'finalizer' | 'status' | 'annotations' | 'deletion' }>,
  mint: Mint,
): JsonObject | undefined {
  const { claim } = write;
  if (before === undefined) throw conflict(claim, 'it is gone');
  const old = metadataOf(before);
  if (old.uid !== claim.uid) throw conflict(claim, 'it was deleted and made again');
  if (old.resourceVersion !== claim.version) throw conflict(claim);
  if (write.kind === 'status') {
    const status = frozen(write.status);
    return equal(before['status'], status) ? before : touched({ ...before, status }, old, mint);
  }
  if (write.kind === 'deletion') return afterRemove(before, mint);
  return write.kind === 'finalizer' ? withFinalizer(before, old, write.present, mint) : withAnnotations(before, old, write.set, mint);
}

function withFinalizer(before: JsonObject, old: Metadata, present: boolean, mint: Mint): JsonObject | undefined {
  const rest = (old.finalizers ?? []).filter(name => name !== FINALIZER);
  if (present === (rest.length !== (old.finalizers ?? []).length)) return before;
  if (present && old.deletionTimestamp !== undefined) throw conflict(keyOf(before), 'it is being deleted, so no finalizer can be added');
  if (!present && old.deletionTimestamp !== undefined && rest.length === 0) return undefined;
  const { finalizers: _, ...metadata } = old;
  const finalizers = present ? [...rest, FINALIZER] : rest;
  return touched(before, finalizers.length === 0 ? metadata : { ...metadata, finalizers }, mint);
}

function withAnnotations(before: JsonObject, old: Metadata, set: Readonly<Record<string, string | undefined>>, mint: Mint): JsonObject {
  const annotations = frozen<StringMap>({ ...old.annotations, ...set });
  if (equal(annotations, old.annotations ?? {})) return before;
  return touched(before, { ...old, annotations }, mint);
}

/**
 * An object that was edited behind the store's back: it gets a new version, so that writes computed before it conflict. `alone`: nobody else is there who
 * gives versions, so that another one than before is an old one.
 */
export function afterForeignEdit(before: JsonObject, found: JsonObject, mint: Mint, alone: boolean): JsonObject {
  const [old, now] = [metadataOf(before), metadataOf(found)];
  if (old.uid !== now.uid || (old.resourceVersion !== now.resourceVersion && !alone) || equal(before, found)) return found;
  const raised = equal(before['spec'], found['spec']) ? 0 : 1;
  return touched(found, { ...now, generation: Math.max(old.generation, now.generation) + raised }, mint);
}

/**
 * The Secret after a secret write; undefined when it is deleted. StoreConflict when it is not at the version named, or when its owner
 * is gone (a cluster would collect it at once).
 */
export function afterSecretWrite(
  before: JsonObject | undefined,
  owner: JsonObject | undefined,
  write: Extract<Write, { kind: 'secret' }>,
  mint: Mint,
): JsonObject | undefined {
  const key = { kind: 'Secret', namespace: write.claim.namespace, name: write.name };
  const found = before === undefined ? undefined : metadataOf(before).resourceVersion;
  if (write.data === undefined && before === undefined) return undefined;
  if (found !== write.version) throw conflict(key, before === undefined ? 'it is gone' : undefined);
  if (write.data === undefined) return undefined;
  if (owner === undefined || metadataOf(owner).uid !== write.claim.uid) throw conflict(write.claim, 'it is gone');
  const reference = { apiVersion: String(owner['apiVersion'] ?? ''), kind: write.claim.kind, name: write.claim.name, uid: write.claim.uid };
  const content = { apiVersion: 'v1', kind: 'Secret', type: write.type, data: write.data };
  const annotations = { ...(before === undefined ? {} : metadataOf(before).annotations), ...write.annotations };
  if (before === undefined) return created(content, { name: key.name, namespace: key.namespace, ownerReferences: [reference], annotations }, mint);
  const old = metadataOf(before);
  const others = (old.ownerReferences ?? []).filter(item => item.uid !== reference.uid && (item.kind !== reference.kind || item.name !== reference.name));
  return changed(before, content, { ...old, ownerReferences: [...others, reference], annotations }, mint);
}

/** The Revision after a revision write: the very same value when it was there already. */
export function afterRevisionWrite(before: JsonObject | undefined, write: Extract<Write, { kind: 'revision' }>, mint: Mint): JsonObject {
  const content = { apiVersion: 'plinth.dev/v1alpha1', kind: 'Revision', data: write.data };
  if (before === undefined) return created(content, { name: write.name }, mint);
  return changed(before, content, metadataOf(before), mint) ?? before;
}

/** StoreConflict about one object. */
export function conflict(key: ObjectKey, why = 'it was changed by someone else'): EngineError {
  return new EngineError('StoreConflict', `${key.kind}/${key.name}${key.namespace === '' ? '' : ` in ${key.namespace}`}: ${why}`);
}
