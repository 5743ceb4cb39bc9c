/** Other claims that a claim refers to: which, and what they publish. */
import { isCondition } from '../core/conditions.ts';
import { type Referral, referralsOf } from '../core/render.ts';
import type { Claim, ClaimStatus, JsonObject, ObjectKey, ReferencedClaim, RenderScope } from '../core/types.ts';
import type { Served } from './choice.ts';
import type { Store } from './store.ts';

export interface References {
  readonly scope: RenderScope['references'];
  /** Whose change concerns the referring claim. */
  readonly keys: readonly ObjectKey[];
}

/** Reads the referred claims of the same namespace. A missing one is there as not ready, with the reason. */
export async function resolveReferences(store: Store, claim: Claim, { compiled, selection, environment }: Served): Promise<References> {
  if (compiled.references.length === 0) return { scope: {}, keys: [] };
  const { kind, namespace, name, spec } = claim;
  const { class: className, parameters } = selection;
  const referrals = referralsOf(compiled, { claim: { kind, namespace, name, spec }, class: className, parameters, environment });
  const found = await Promise.all(referrals.map(async referral => ({ id: referral.id, claim: await look(store, namespace, referral) })));
  const of = (id: string): ReferencedClaim[] => found.filter(item => item.id === id).map(item => item.claim);
  type Slot = readonly [string, ReferencedClaim | ReferencedClaim[]];
  const scope = compiled.references.flatMap(({ id, forEach }): Slot[] => (forEach !== undefined ? [[id, of(id)]] : of(id).map(item => [id, item])));
  return { scope: Object.fromEntries(scope), keys: referrals.map(referral => ({ kind: referral.kind, namespace, name: referral.name })) };
}

async function look(store: Store, namespace: string, { kind, name, item }: Referral): Promise<ReferencedClaim> {
  const object = await store.get({ kind, namespace, name });
  if (object === undefined) return { kind, name, item, ready: false, outputs: {}, reason: `${kind}/${name} does not exist` };
  const status = (object['status'] ?? {}) as unknown as Partial<ClaimStatus>;
  const ready = isCondition(status.conditions ?? [], 'Ready');
  const isGoing = (object['metadata'] as JsonObject)['deletionTimestamp'] !== undefined;
  const reason = isGoing ? `${kind}/${name} is being deleted` : ready ? '' : `${kind}/${name} is not ready`;
  return { kind, name, item, ready, outputs: status.outputs ?? {}, reason };
}
