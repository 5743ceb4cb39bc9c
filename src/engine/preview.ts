/** What a reconcile of a claim would do: the same choice and the same plan, without a write or a mutating call. */
import type { EngineError } from '../core/errors.ts';
import { parseClaim } from '../core/parse.ts';
import { emptyStatus } from '../core/parse-status.ts';
import type { ClaimDefinition, JsonObject, Plan, Rendering, Selection } from '../core/types.ts';
import { choose } from './choice.ts';
import type { Engine } from './engine.ts';
import { beginPass, planAhead, planOnly } from './pass.ts';

export interface Preview {
  readonly selection: Selection | undefined;
  readonly plan: Plan | undefined;
  readonly rendering: Rendering | undefined;
  /** Why the newest choice cannot be had; `plan` is then that of the last good one, if there is one. */
  readonly error: EngineError | undefined;
}

/** The plan of one claim on a store to which only harmless writes (revisions) come. Throws what parsing the claim throws. */
export async function preview(engine: Engine, object: JsonObject, definition: ClaimDefinition): Promise<Preview> {
  const parsed = parseClaim(object, definition);
  const claim = parsed.status.inventoryFor === parsed.uid ? parsed : { ...parsed, status: emptyStatus() };
  if (claim.deletionRequested) return { ...(await planOnly(beginPass(engine, claim, definition), undefined)), selection: undefined, error: undefined };
  const { newest, last, error } = await choose(engine, claim);
  const served = newest ?? last;
  if (served === undefined) return { selection: undefined, plan: undefined, rendering: undefined, error };
  const { first, plan, rendering } = await planAhead(beginPass(engine, claim, definition), served);
  // A change of the choice is approved by its first plan, one of the claim by what the engine comes to.
  const hash = newest !== undefined && last !== undefined ? first.hash : plan.hash;
  return { plan: { ...plan, hash }, rendering, selection: served.selection, error };
}
