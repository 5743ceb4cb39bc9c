/** What belongs to no namespace itself may make one namespace, of its own name, and objects in that as long as it is its own. */
import { EngineError, isError, type JsonObject, type Owner, ownerOf, type StringMap } from '../../src/sdk.ts';
import { type Call, send } from './client.ts';
import { annotationsOf } from './manifest.ts';
import { isNamespace, type Target, titleOf } from './names.ts';

/**
 * Asked before a thing is made. NotAllowed for a namespace that is not named like its owner; Conflict in one that is not the owner's; Busy while it
 * goes; DependencyMissing before it is there. What is there already was judged by its marks.
 */
export async function mayMake(ctx: Call, target: Target, marks: Readonly<StringMap>): Promise<void> {
  const owner = ownerOf(marks);
  if (owner === undefined || owner.namespace !== '') return;
  if (!isNamespace(target)) return await isOwn(ctx, target, owner);
  if (target.name === owner.name) return;
  throw new EngineError('NotAllowed', `${owner.kind} ${owner.name} makes one namespace, and that is named like itself, not ${target.name}`, {
    path: 'manifest.metadata.name',
    hint: 'name it `${claim.name}`',
  });
}

/** Who has the right to make objects everywhere must not be led into a namespace that was there before. */
async function isOwn(ctx: Call, target: Target, { instance, uid }: Owner): Promise<void> {
  const thing = `Namespace ${target.namespace}`;
  const path = `/api/v1/namespaces/${encodeURIComponent(target.namespace)}`;
  const found = await send(ctx, { verb: 'get', thing }, { method: 'GET', path }).catch((error: unknown) => {
    if (!isError(error, 'NotFound')) throw error;
    throw new EngineError('DependencyMissing', `${titleOf(target)} is not made: ${thing} is not there`, {
      hint: 'let the composition make the namespace first: `dependsOn`',
    });
  });
  const owner = ownerOf(annotationsOf(found));
  if (owner?.uid !== uid || owner.instance !== instance) {
    throw new EngineError('Conflict', `${titleOf(target)} is not made: ${thing} is somebody else's`, {
      hint: 'choose another name, or let the composition make the namespace first',
    });
  }
  if ((found['metadata'] as JsonObject)['deletionTimestamp'] !== undefined) throw new EngineError('Busy', `${thing} is being deleted`);
}
