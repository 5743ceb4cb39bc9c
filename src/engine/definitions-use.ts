/** What is in use is protected: an admin object that claims use bears a finalizer, and says who uses it when it is to go. */
import { EngineError, sentence } from '../core/errors.ts';
import { ADMIN_NAMES, type AdminKind } from '../core/kinds.ts';
import type { JsonObject } from '../core/types.ts';
import { type Usage, usageOf, usersText } from '../core/usage.ts';
import { adminResource, CRDS, deleteCrd, getOne, listClaims, writeAdminStatus, writeFinalizers } from './definitions-api.ts';
import type { Settling } from './definitions-settle.ts';
import { claimResource } from './kube-objects.ts';
import { metadataOf } from './objects.ts';
import type { Store } from './store.ts';

/** Finalizer of an admin object while claims use it. */
export const IN_USE = 'plinth.dev/in-use';
const KINDS = Object.keys(ADMIN_NAMES) as AdminKind[];

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly scope?: string;
}

/** Puts finalizers on what claims use, takes them from what nobody uses, and tells what keeps an object that is to go. Errors: those of `request`. */
export async function protectInUse(settling: Settling, store: Store): Promise<void> {
  const admin = (await Promise.all(KINDS.map(kind => store.list(kind)))).flat();
  const kinds = claimKinds(admin);
  const claims = (await Promise.all(kinds.map(({ kind }) => store.list(kind)))).flat();
  const usage = usageOf(claims);
  const failures: unknown[] = [];
  // What is about to go is judged by a live look: a cache may not have heard of the last claim yet.
  let live: Promise<Usage> | undefined;
  for (const object of admin) {
    const { finalizers = [], deletionTimestamp } = metadataOf(object);
    const isMarked = finalizers.includes(IN_USE);
    try {
      if (deletionTimestamp === undefined) {
        if (usage.has(keyOf(object)) !== isMarked) await mark(settling, object, !isMarked);
      } else if (isMarked) {
        live ??= liveUsage(settling, kinds);
        await letGo(settling, object, (await live).get(keyOf(object)) ?? [], store);
      }
    } catch (error) {
      // One that was written meanwhile must not hold up the others.
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** The kinds that definitions make, as they are written: one that cannot be parsed still has claims. */
function claimKinds(admin: readonly JsonObject[]): Kind[] {
  return admin.filter(object => object['kind'] === 'ClaimDefinition').map(object => object['spec'] as unknown as Kind);
}

function keyOf(object: JsonObject): string {
  const kind = object['kind'] as string;
  return kind === 'ClaimDefinition' ? `${kind}/${(object['spec'] as unknown as Kind).kind}` : `${kind}/${metadataOf(object).name}`;
}

async function liveUsage({ api }: Settling, kinds: readonly Kind[]): Promise<Usage> {
  const claims = await Promise.all(kinds.map(kind => listClaims(api, claimResource(kind))));
  return usageOf(claims.flat());
}

/** At the version that the cache has: written meanwhile, or begun to go, it is a conflict and looked at again. */
async function mark({ api }: Settling, object: JsonObject, isUsed: boolean): Promise<void> {
  const others = (metadataOf(object).finalizers ?? []).filter(name => name !== IN_USE);
  await writeFinalizers(api, adminResource(object['kind'] as AdminKind), object, isUsed ? [...others, IN_USE] : others);
}

async function letGo(settling: Settling, cached: JsonObject, users: readonly string[], store: Store): Promise<void> {
  const { api, now } = settling;
  const kind = cached['kind'] as AdminKind;
  const { name } = metadataOf(cached);
  const object = await getOne(api, adminResource(kind), name);
  if (object === undefined || metadataOf(object).deletionTimestamp === undefined) return;
  if (users.length === 0) {
    if (kind === 'ClaimDefinition') await removeCrd(settling, name);
    return await mark(settling, object, false);
  }
  const message = sentence(new EngineError('InUse', `${kind} ${name} is in use by ${usersText(users)}`));
  const isNews = await writeAdminStatus(api, adminResource(kind), object, { InUse: { type: 'InUse', status: 'True', reason: 'InUse', message } }, now());
  const wasTold = ((object['status'] as { conditions?: { type: string }[] } | undefined)?.conditions ?? []).some(({ type }) => type === 'InUse');
  if (isNews && !wasTold) store.emit({ kind, namespace: '', name }, { type: 'Warning', reason: 'InUse', message });
}

async function removeCrd({ api }: Settling, name: string): Promise<void> {
  const crd = await getOne(api, CRDS, name);
  if (crd !== undefined && metadataOf(crd).deletionTimestamp === undefined) await deleteCrd(api, crd);
}
