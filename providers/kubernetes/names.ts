/** What an object is called: its natural key, e.g. `apps/Deployment/shop/worker`, or `ConfigMap/shop/settings` in the core group. Pure. */
import { type JsonObject, ownerOf } from '../../src/sdk.ts';

/** Which object, whatever the version it is read in: one object is served in several. */
export interface Target {
  /** '' for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `apps` of `apps/v1`, '' of `v1`. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

export function keyOf({ group, kind, namespace, name }: Target): string {
  return [...(group === '' ? [] : [group]), kind, namespace, name].join('/');
}

/** The reverse of keyOf; undefined for a text that is no such key. */
export function targetOf(key: string): Target | undefined {
  const parts = key.split('/');
  if (parts.length < 3 || parts.length > 4 || parts.includes('')) return undefined;
  const [name, namespace, kind, group = ''] = parts.reverse() as [string, string, string, string?];
  return { group, kind, namespace, name };
}

/** The natural key of a marked spec: the namespace is always that of the claim. Undefined while a part of it is not there yet. */
export function keyOfSpec(spec: { readonly manifest?: unknown; readonly marks?: unknown }): string | undefined {
  const { apiVersion, kind, metadata } = (spec.manifest ?? {}) as { apiVersion?: string; kind?: string; metadata?: { name?: string } };
  const namespace = ownerOf((spec.marks ?? {}) as JsonObject)?.namespace;
  const name = metadata?.name;
  if (apiVersion === undefined || kind === undefined || name === undefined || namespace === undefined) return undefined;
  return keyOf({ group: groupOf(apiVersion), kind, namespace, name });
}

/** `Deployment shop/worker`, as people know it. */
export function titleOf({ kind, namespace, name }: Target): string {
  return `${kind} ${namespace}/${name}`;
}
