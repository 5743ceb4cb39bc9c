/** The one port to where claims, admin objects, Secrets and revisions live: memory, files, or Kubernetes. */
import type { Claim, ClaimStatus, JsonObject, ObjectKey, StringMap } from '../core/types.ts';

/**
 * One request or one atomic file each. All but `revision` are conditional: on the claim's uid and version, or on the object's
 * `resourceVersion` for Secrets.
 */
export type Write =
  | { readonly kind: 'finalizer'; readonly claim: Claim; readonly present: boolean }
  | { readonly kind: 'status'; readonly claim: Claim; readonly status: ClaimStatus }
  /** Removes (undefined) or sets annotations; used to take back a verb of a person once it was obeyed. */
  | { readonly kind: 'annotations'; readonly claim: Claim; readonly set: Readonly<Record<string, string | undefined>> }
  /** Requests the deletion of the claim itself: what a person would do, for a claim whose time is over. */
  | { readonly kind: 'deletion'; readonly claim: Claim }
  /** `data` undefined deletes it. `version` is that of the Secret read before; undefined: it must not exist. */
  | {
      readonly kind: 'secret';
      readonly claim: Claim;
      readonly name: string;
      readonly type: string;
      readonly data: StringMap | undefined;
      readonly version: string | undefined;
      /** Merged into those of the Secret. */
      readonly annotations?: StringMap;
    }
  /** An accepted composition with the class values used, under its content hash. Writing it again is harmless. */
  | { readonly kind: 'revision'; readonly name: string; readonly data: JsonObject };

export interface Event {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/**
 * Objects are plain Kubernetes-shaped JSON: `{apiVersion, kind, metadata: {name, namespace, uid, generation, resourceVersion, annotations,
 * labels, finalizers, deletionTimestamp}, spec, status}`. Kinds beside claims and admin kinds: `Secret` (`type`, `data` as plain text
 * here), `Revision` (`data`), `Namespace`; and `CustomResourceDefinition`, which is only ever read.
 * Errors: StoreConflict when a conditional write finds another version or uid; StoreUnavailable when the home cannot be reached.
 */
export interface Store {
  /**
   * Undefined when it does not exist. A live read, unless `cache` allows an answer as `watch` told it last: enough to judge a change, never
   * to act on something outside.
   */
  get(key: ObjectKey, from?: 'live' | 'cache'): Promise<JsonObject | undefined>;
  /** May be served from a cache that `watch` keeps up to date. */
  list(kind: string, namespace?: string): Promise<JsonObject[]>;
  /**
   * Calls back for every object that changed; resolves once the first snapshot is complete (each object called back once). Secrets may be
   * left out of the snapshot, and what this store's own `write` does to them need not be told.
   */
  watch(onChange: (key: ObjectKey) => void, signal: AbortSignal): Promise<void>;
  /** Returns the object after the write; undefined when the write removed it. */
  write(write: Write): Promise<JsonObject | undefined>;
  /** Never throws, never waits. */
  emit(key: ObjectKey, event: Event): void;
}
