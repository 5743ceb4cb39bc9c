/** Who is told when an object of ours changes: one watch a kind, of metadata alone, begun when the first object of the kind is looked at. */
import { type Change, type ListWatch, startListWatch, stopListWatch } from '../../src/kube/list-watch.ts';
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import type { Api } from '../../src/kube/transport.ts';
import { type JsonObject, type Owner, ownerOf } from '../../src/sdk.ts';
import { annotationsOf, INSTANCE_LABEL, labelFor } from './manifest.ts';
import { mayHaveMade } from './names.ts';

export interface Watches {
  /** By the path of the kind. */
  readonly running: Map<string, ListWatch>;
  /** By uid: the version our own last write made, which is no news. */
  readonly written: Map<string, string>;
  /** Undefined: nobody wants to know. */
  told: { readonly instance: string; readonly onChange: (owner: Owner) => void } | undefined;
}

export function newWatches(): Watches {
  return { running: new Map(), written: new Map(), told: undefined };
}

/** From now on changes of objects of the instance are told, until the signal. */
export function beginWatching(watches: Watches, instance: string, onChange: (owner: Owner) => void, signal: AbortSignal): void {
  watches.told = { instance, onChange };
  signal.addEventListener('abort', () => endWatching(watches), { once: true });
}

/** Ends all watches. */
export function endWatching(watches: Watches): void {
  watches.told = undefined;
  for (const watch of watches.running.values()) stopListWatch(watch);
  watches.running.clear();
}

/** Watches the kind if somebody wants to know and it is not watched yet. Without the right to, it is asked for again, and polled meanwhile. */
export function watchKind(watches: Watches, api: Api, resource: Resource): void {
  const path = pathOf(resource);
  if (watches.told === undefined || watches.running.has(path)) return;
  const labelSelector = `${INSTANCE_LABEL}=${labelFor(watches.told.instance)}`;
  const onChange = (change: Change): void => {
    // What the first list finds is no change: whoever asked has just looked.
    if (watch.isSynced()) tell(watches, change);
  };
  const watch = startListWatch({ api, resource, labelSelector, metadataOnly: true, optional: true, onChange });
  watches.running.set(path, watch);
}

/** Our own write: its echo wakes nobody. */
export function noteWritten(watches: Watches, answer: JsonObject): void {
  if (watches.told === undefined) return;
  const { uid, resourceVersion } = answer['metadata'] as { readonly uid: string; readonly resourceVersion: string };
  watches.written.set(uid, resourceVersion);
}

function tell({ told, written }: Watches, { object, before }: Change): void {
  const { uid, resourceVersion, name, namespace } = (object ?? before)!['metadata'] as {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly name: string;
    readonly namespace?: string;
  };
  if (object === undefined) written.delete(uid);
  else if (written.get(uid) === resourceVersion) return;
  // Whoever may edit an object may name any owner on it: only claims of its own namespace are woken, and the one that made that namespace.
  const owners = [before, object].flatMap(one => (one === undefined ? [] : [ownerOf(annotationsOf(one))]));
  const known = owners.find(owner => owner !== undefined && owner.instance === told?.instance && mayHaveMade(owner, namespace ?? '', name));
  if (known !== undefined) told?.onChange(known);
}
