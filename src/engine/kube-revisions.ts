/** Taking away revisions that serve no claim any more. */
import { isError } from '../core/errors.ts';
import { pathOf } from '../kube/paths.ts';
import { call, listAll } from './kube-home.ts';
import { placeOf, RESOURCES } from './kube-objects.ts';
import { revisionsInUse } from './kube-watches.ts';
import { keyOf, metadataOf } from './objects.ts';
import type { KubernetesStore } from './store-kubernetes.ts';

/** Younger ones are left: their claim may not have been written yet, ms. */
const YOUNG_MS = 60 * 60_000;

/**
 * Deletes the revisions that no claim names and that are older than an hour; `now`: wall time, ms. Returns their names. Does nothing before
 * the store is synced. Run by the leader alone, e.g. once an hour. Errors: StoreUnavailable, AccessDenied.
 */
export async function pruneRevisions(store: KubernetesStore, now: number): Promise<string[]> {
  const { home } = store;
  const used = revisionsInUse(home);
  if (used === undefined) return [];
  const all = await listAll(home, 'Revision');
  const gone = all.filter(object => !used.has(metadataOf(object).name) && now - Date.parse(metadataOf(object).creationTimestamp) > YOUNG_MS);
  for (const object of gone) {
    const { uid } = metadataOf(object);
    const { namespace, name } = placeOf(keyOf(object), home.namespace);
    await call(home, `revision ${name}`, {
      method: 'DELETE',
      path: pathOf(RESOURCES['Revision']!, namespace, name),
      body: { preconditions: { uid } },
    }).catch(unlessGone);
  }
  return gone.map(object => metadataOf(object).name);
}

function unlessGone(error: unknown): undefined {
  if (isError(error, 'NotFound') || isError(error, 'StoreConflict')) return undefined;
  throw error;
}
