/** Puts what was loaded into the store of a project. */

import { EngineError, isError } from '../core/errors.ts';
import { isClusterKind } from '../core/install/defaults.ts';
import { parseConfig } from '../core/parse.ts';
import { suggestion } from '../core/similar.ts';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { loadClasses } from '../engine/catalogue.ts';
import { type EditableStore, keyOf } from '../engine/objects.ts';
import type { Loaded } from './load.ts';

/** What stands for the missing endpoint of configs that reach an emulator. */
export interface LocalEndpoint {
  readonly endpoint: string;
  /** Set when the emulator is our own: its identity does not depend on the port. */
  readonly instance: string | undefined;
}

/** Claims with their namespace, as they will be stored. `without`: kinds whose claims belong to none. */
export function inNamespace(claims: readonly JsonObject[], namespace: string, without: ReadonlySet<string>): JsonObject[] {
  return claims.map(claim => {
    if (without.has(String(claim['kind']))) return claim;
    const metadata = claim['metadata'] as JsonObject;
    return metadata['namespace'] === undefined || metadata['namespace'] === '' ? { ...claim, metadata: { ...metadata, namespace } } : claim;
  });
}

/** True for a ProviderConfig that reaches an emulator which it does not name. */
export function lacksEndpoint(object: JsonObject): boolean {
  if (object['kind'] !== 'ProviderConfig') return false;
  const { provider, settings } = parseConfig(object);
  return provider === 'localstack' && (settings['endpoint'] === undefined || settings['endpoint'] === '');
}

/** The config with the endpoint filled in. */
export function withEndpoint(object: JsonObject, local: LocalEndpoint): JsonObject {
  const spec = object['spec'] as JsonObject;
  const settings = { ...(spec['settings'] as JsonObject | undefined), endpoint: local.endpoint };
  return { ...object, spec: { ...spec, settings: local.instance === undefined ? settings : { ...settings, instance: local.instance } } };
}

/** The admin objects: shipped and given, each with its endpoint. Without an endpoint, configs that need one are left out. */
export function adminObjects({ known, admin }: Pick<Loaded, 'known' | 'admin'>, local: LocalEndpoint | undefined): JsonObject[] {
  return [...known, ...admin].flatMap(object => {
    if (!lacksEndpoint(object)) return [object];
    return local === undefined ? [] : [withEndpoint(object, local)];
  });
}

/** Puts admin objects, namespaces and their class. Reads what is there first: what does not change is no write. */
export async function putAdmin(store: EditableStore, loaded: Pick<Loaded, 'known' | 'admin' | 'others'>, local: LocalEndpoint | undefined): Promise<void> {
  for (const object of [...loaded.others, ...adminObjects(loaded, local)]) await store.put(storable(object));
}

/** Secrets come as Kubernetes writes them; a store keeps plain text. */
function storable(object: JsonObject): JsonObject {
  if (object['kind'] !== 'Secret') return object;
  const { data = {}, stringData = {}, ...rest } = object as { data?: Record<string, string>; stringData?: Record<string, string> };
  const plain = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
  return { ...rest, data: { ...plain, ...stringData } };
}

/** Throws NoClass when the class is not among those that are there. */
export function requireClass(name: string, classes: readonly string[]): void {
  if (!classes.includes(name)) throw new EngineError('NoClass', `there is no EnvironmentClass \`${name}\``, { hint: suggestion(name, classes) });
}

/** Kinds whose claims belong to no namespace, of the definitions of a store. */
export async function clusterKinds(store: Pick<EditableStore, 'list'>): Promise<Set<string>> {
  return clusterKindsOf(await store.list('ClaimDefinition'));
}

/** The same, of objects that need not be stored. */
export function clusterKindsOf(objects: readonly JsonObject[]): Set<string> {
  return new Set(objects.filter(isClusterKind).map(({ spec }) => (spec as { kind: string }).kind));
}

/** Labels the namespaces with the class. NoClass when there is none of the name. */
export async function setClass(store: EditableStore, namespaces: Iterable<string>, name: string): Promise<void> {
  const classes = (await loadClasses(store)).map(item => item.name);
  requireClass(name, classes);
  for (const namespace of new Set(namespaces)) {
    if (namespace === '') continue;
    const before = await store.get({ kind: 'Namespace', namespace: '', name: namespace });
    const labels = { ...((before?.['metadata'] as JsonObject | undefined)?.['labels'] as JsonObject | undefined), 'plinth.dev/class': name };
    await store.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
  }
}

/** Puts claims and returns their keys, in order. */
export async function putClaims(store: EditableStore, claims: readonly JsonObject[]): Promise<ObjectKey[]> {
  for (const claim of claims) await store.put(claim);
  return claims.map(keyOf);
}

/** Every claim of the store, or of one namespace. */
export async function allClaims(store: EditableStore, namespace?: string): Promise<JsonObject[]> {
  return await claimsOf(store, namespace, kind => store.list(kind));
}

/** The same to be looked at. What belongs to no namespace is the platform's: who may not read it is shown the rest. */
export async function visibleClaims(store: EditableStore, namespace?: string): Promise<JsonObject[]> {
  return await claimsOf(store, namespace, kind => store.list(kind).catch(noneIfDenied));
}

async function claimsOf(store: EditableStore, namespace: string | undefined, listWide: (kind: string) => Promise<JsonObject[]>): Promise<JsonObject[]> {
  const definitions = await store.list('ClaimDefinition');
  const wide = clusterKindsOf(definitions);
  const kinds = definitions.map(definition => String((definition['spec'] as JsonObject)['kind']));
  const claims = kinds.map(async kind => {
    if (!wide.has(kind)) return await store.list(kind, namespace);
    return namespace === undefined ? await listWide(kind) : [];
  });
  return (await Promise.all(claims)).flat();
}

function noneIfDenied(error: unknown): JsonObject[] {
  if (isError(error, 'AccessDenied')) return [];
  throw error;
}
