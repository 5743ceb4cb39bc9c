/**
 * What an object is called: its natural key, e.g. `apps/Deployment/shop/worker`, or `ConfigMap/shop/settings` in the core group. The one kind that
 * belongs to no namespace and may be made is Namespace: `Namespace/shop`. Pure.
 */
import { type JsonObject, type Owner, ownerOf } from '../../src/sdk.ts';

/** Which object, whatever the version it is read in: one object is served in several. */
export interface Target {
  /** '' for the core group. */
  readonly group: string;
  readonly kind: string;
  /** '' for a Namespace. */
  readonly namespace: string;
  readonly name: string;
}

/** The kind of a namespace, in the core group. */
export const NAMESPACE = 'Namespace';

/** `apps` of `apps/v1`, '' of `v1`. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

export function keyOf({ group, kind, namespace, name }: Target): string {
  return [group, kind, namespace, name].filter(part => part !== '').join('/');
}

/** The reverse of keyOf; undefined for a text that is no such key. */
export function targetOf(key: string): Target | undefined {
  const parts = key.split('/');
  if (parts.includes('')) return undefined;
  if (parts.length === 2 && parts[0] === NAMESPACE) return { group: '', kind: NAMESPACE, namespace: '', name: parts[1]! };
  if (parts.length < 3 || parts.length > 4) return undefined;
  const [name, namespace, kind, group = ''] = parts.reverse() as [string, string, string, string?];
  return { group, kind, namespace, name };
}

/**
 * The namespace of what an owner makes: its own one. What belongs to no namespace itself makes one of its own name, and the rest in that. '' for
 * that namespace.
 */
function placeOf(owner: Owner, group: string, kind: string): string {
  if (owner.namespace !== '') return owner.namespace;
  return group === '' && kind === NAMESPACE ? '' : owner.name;
}

/** The natural key of a marked spec: where it is, is told by whose it is. Undefined while a part of it is not there yet. */
export function keyOfSpec(spec: { readonly manifest?: unknown; readonly marks?: unknown }): string | undefined {
  const { apiVersion, kind, metadata } = (spec.manifest ?? {}) as { apiVersion?: string; kind?: string; metadata?: { name?: string } };
  const owner = ownerOf((spec.marks ?? {}) as JsonObject);
  const name = metadata?.name;
  if (apiVersion === undefined || kind === undefined || name === undefined || owner === undefined) return undefined;
  const group = groupOf(apiVersion);
  return keyOf({ group, kind, namespace: placeOf(owner, group, kind), name });
}

/** True when the owner could have made what stands there: in its own namespace, or in the one of its own name. `namespace`: '' for a namespace itself. */
export function mayHaveMade(owner: Pick<Owner, 'namespace' | 'name'>, namespace: string, name: string): boolean {
  return owner.namespace === '' ? owner.name === (namespace || name) : owner.namespace === namespace;
}

/** True for a namespace itself. */
export function isNamespace({ kind, namespace }: Target): boolean {
  return kind === NAMESPACE && namespace === '';
}

/** `Deployment shop/worker`, as people know it. */
export function titleOf({ kind, namespace, name }: Target): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}
