/** Finding again what was made from a state folder that has lost its files: by the marks on the things themselves. */
import { EngineError, isError } from '../core/errors.ts';
import { identityKey } from '../core/match.ts';
import type { Claim, ClaimKey, JsonObject } from '../core/types.ts';
import { loadConfig } from '../engine/catalogue.ts';
import { namedBy } from '../engine/clients.ts';
import { connectFor } from '../engine/links.ts';
import { FINALIZER, metadataOf, parseKey } from '../engine/objects.ts';
import { entriesFor, type Found, findOwned } from '../engine/rebuild.ts';
import type { Project } from './project.ts';
import { statusOf } from './standing.ts';

/** On a claim that stands for what was found: its spec is not known, so the engine keeps its hands off until somebody declares it. */
export const REBUILT = 'found by its marks; the spec is not known';
const PAUSED = 'plinth.dev/paused';

/** Claims that are remembered and not in the store, or there without their inventory (a run was killed while it found them); none when nothing is remembered. */
export async function missingClaims(project: Project): Promise<ReadonlyMap<string, string>> {
  const missing = new Map<string, string>();
  for (const [text, uid] of Object.entries(project.remembered?.claims ?? {})) {
    const object = await project.store.get(parseKey(text));
    if (object === undefined || isHalfFound(object, uid)) missing.set(text, uid);
  }
  return missing;
}

function isHalfFound(object: JsonObject, uid: string): boolean {
  const { uid: found, finalizers = [] } = metadataOf(object);
  return found === uid && finalizers.includes(FINALIZER) && statusOf(object).inventoryFor !== uid;
}

/**
 * Puts a claim with the old uid and the inventory found for each of the missing. `declared`: claims of the input by keyText, whose spec is
 * known. `forgotten`: configs whose emulator lost everything. Returns the keys put. Throws when a config cannot be searched: what is
 * there would be made twice, or taken for somebody else's.
 */
export async function recoverClaims(
  project: Project,
  missing: ReadonlyMap<string, string>,
  declared: ReadonlyMap<string, JsonObject>,
  forgotten: ReadonlySet<string>,
): Promise<ClaimKey[]> {
  const found = new Map<string, Found>();
  for (const config of Object.keys(project.remembered?.configs ?? {})) {
    if (forgotten.has(config)) continue;
    for (const thing of await search(project, config)) found.set(identityKey({ scope: thing.connection.scope, type: thing.type, name: thing.name }), thing);
  }
  const recovered: ClaimKey[] = [];
  for (const [text, uid] of missing) {
    const things = [...found.values()].filter(thing => thing.owner.uid === uid);
    if (things.length === 0 && (await project.store.get(parseKey(text))) === undefined) continue;
    await putFound(project, parseKey(text), uid, declared.get(text), things);
    recovered.push(parseKey(text));
  }
  return recovered;
}

async function search(project: Project, name: string): Promise<Found[]> {
  const nobody = { kind: '', namespace: project.namespace, name: '', spec: {} };
  try {
    const config = await loadConfig(project.store, name);
    return await findOwned(project.engine, await connectFor(project.engine, nobody, config), name);
  } catch (error) {
    if (!isError(error)) throw error;
    const message = `${project.folder} lost its files, and what was made from it cannot be searched for through ${namedBy(name, error).message}`;
    throw new EngineError('StateCorrupt', message, { hint: `${error.hint}; then run again: nothing was touched`, cause: error });
  }
}

async function putFound(project: Project, key: ClaimKey, uid: string, declared: JsonObject | undefined, things: readonly Found[]): Promise<void> {
  const { kind, namespace, name } = key;
  const base = declared ?? { apiVersion: 'plinth.dev/v1alpha1', kind, metadata: { name, namespace, annotations: { [PAUSED]: REBUILT } }, spec: {} };
  project.uids.next = uid;
  const object = await project.store.put({ ...base, metadata: { ...(base['metadata'] as JsonObject), finalizers: [FINALIZER] } });
  project.uids.next = undefined;
  const status = { ...statusOf(object), inventoryFor: uid, resources: entriesFor(things, project.engine.clock.now()) };
  await project.store.write({ kind: 'status', claim: rawClaim(object), status });
}

/** As much of a claim as a conditional write needs, whatever its spec is. */
export function rawClaim(object: JsonObject): Claim {
  const { name, namespace = '', uid, generation, resourceVersion, annotations = {}, finalizers = [], deletionTimestamp } = metadataOf(object);
  return {
    kind: String(object['kind']),
    namespace,
    name,
    uid,
    generation,
    annotations,
    spec: {},
    lifecycle: {},
    deletionRequested: deletionTimestamp !== undefined,
    hasFinalizer: finalizers.includes(FINALIZER),
    status: statusOf(object),
    version: resourceVersion,
  };
}

/** True for a claim that only stands for what was found. */
export function isRebuilt(object: JsonObject): boolean {
  return metadataOf(object).annotations?.[PAUSED] === REBUILT;
}

/** Lets the engine work a rebuilt claim again, e.g. to delete it. Returns the object after. */
export async function unpause(project: Project, object: JsonObject): Promise<JsonObject> {
  return (await project.store.write({ kind: 'annotations', claim: rawClaim(object), set: { [PAUSED]: undefined } })) ?? object;
}
