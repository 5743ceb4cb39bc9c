/** Whether the words noted on an object still mean what is there: asked of the API server by a dry-run apply, which changes nothing. */
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import { APPLY_PATCH } from '../../src/kube/transport.ts';
import { at, equal, isError, type Json, type JsonObject, put } from '../../src/sdk.ts';
import { type Call, send } from './client.ts';
import { manifestOf } from './manifest.ts';
import { type Target, titleOf } from './names.ts';
import { normalManifest } from './normal-form.ts';
import type { Sent } from './sent.ts';

/** Another manager than the one that applies, so that what it leaves out stays. */
const ASKING = 'plinth-look';

/**
 * The note without the words that no longer hold: anybody who may edit the object could have written them. A value that the server now refuses
 * says nothing about what is there.
 */
export async function verified(ctx: Call, target: Target, resource: Resource, found: JsonObject, note: Sent): Promise<Sent> {
  const words = Object.entries(note.words);
  const asked = words.reduce<JsonObject>((all, [path, { sent }]) => put(all, path, sent), {});
  const { uid } = found['metadata'] as { readonly uid: string };
  const { apiVersion, kind } = found as { readonly apiVersion: Json; readonly kind: Json };
  const body = { ...asked, apiVersion, kind, metadata: { name: target.name, namespace: target.namespace, uid } };
  const query = { fieldManager: ASKING, force: true, dryRun: 'All' };
  const path = pathOf(resource, target.namespace, target.name);
  try {
    const answer = await send(ctx, { verb: 'apply', thing: titleOf(target) }, { method: 'PATCH', path, query, contentType: APPLY_PATCH, body });
    const made = normalManifest(manifestOf(answer));
    return { ...note, words: Object.fromEntries(words.filter(([place, { became }]) => equal(at(made, place) ?? null, became))) };
  } catch (error) {
    if (isError(error, 'InvalidRequest')) return { ...note, words: {} };
    throw error;
  }
}
