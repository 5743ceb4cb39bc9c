/** Deleting claims: pins are set as the person asked, then the engine's one path of deletion does the rest. */
import { isOwned } from '../core/match.ts';
import type { InventoryEntry, JsonObject, ObjectKey } from '../core/types.ts';
import { keyOf } from '../engine/objects.ts';
import type { Project } from './project.ts';
import { isRebuilt, rawClaim, unpause } from './recover.ts';
import { statusOf } from './standing.ts';

/** Asks for the deletion of claims. `keepData`: what holds data stays. Returns their keys. */
export async function requestRemoval(project: Project, claims: readonly JsonObject[], keepData: boolean): Promise<ObjectKey[]> {
  for (const claim of claims) {
    // The pins first: a claim that is no longer paused is taken for one whose class set them.
    const pinned = await pin(project, claim, isRebuilt(claim), keepData);
    await project.store.remove(keyOf(isRebuilt(pinned) ? await unpause(project, pinned) : pinned));
  }
  return claims.map(keyOf);
}

/** Nobody pinned what was found by marks: a person asked for it to go, and everything does. */
async function pin(project: Project, claim: JsonObject, isFound: boolean, keepData: boolean): Promise<JsonObject> {
  if (!isFound && !keepData) return claim;
  const status = statusOf(claim);
  const resources = status.resources.map((entry): InventoryEntry => {
    if (!isOwned(entry)) return entry;
    if (keepData && entry.holds === 'data') return { ...entry, deletion: 'Retain' };
    return isFound ? { ...entry, deletion: 'Delete', onDelete: { purge: true, ...entry.onDelete } } : entry;
  });
  return (await project.store.write({ kind: 'status', claim: rawClaim(claim), status: { ...status, resources } })) ?? claim;
}

/** What stays behind when these claims go: `type name`. */
export function keptBy(claims: readonly JsonObject[], keepData: boolean): string[] {
  return claims.flatMap(claim =>
    statusOf(claim)
      .resources.filter(isOwned)
      .filter(entry => (isRebuilt(claim) ? false : entry.deletion === 'Retain') || (keepData && entry.holds === 'data'))
      .map(entry => `${entry.type} ${entry.name}`),
  );
}
