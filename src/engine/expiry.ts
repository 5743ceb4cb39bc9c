/** The end of an Environment: announced, put off, and carried out as if a person had deleted it. */
import { ENVIRONMENT, EXPIRES, expiryOf } from '../core/environment.ts';
import { isError } from '../core/errors.ts';
import { ownClass } from '../core/own-class.ts';
import { parseClaim } from '../core/parse.ts';
import type { Schedule } from '../core/report.ts';
import { classFor } from '../core/selection.ts';
import type { Claim, ClaimDefinition, Timestamp } from '../core/types.ts';
import { loadClasses } from './catalogue.ts';
import type { Engine } from './engine.ts';
import { metadataOf } from './objects.ts';

/** `dueMs`: in what time it is to be looked at again for this; undefined for never. `isOver`: its deletion is requested. */
export interface Expired {
  readonly claim: Claim;
  readonly dueMs: number | undefined;
  readonly isOver: boolean;
}

/** Judges a claim that lives, and does what is due; all but Environments live until somebody deletes them. Errors: those of Store.write. */
export async function expire(engine: Engine, claim: Claim, definition: ClaimDefinition, createdAt: Timestamp): Promise<Expired> {
  if (claim.kind !== ENVIRONMENT) return { claim, dueMs: undefined, isOver: false };
  const { ttl, keepUntil } = claim.spec as { ttl?: string; keepUntil?: Timestamp };
  const now = engine.clock.now();
  const expiry = expiryOf({ createdAt, ttl: ttl ?? (await ttlOfClass(engine, claim)), keepUntil, announced: claim.annotations[EXPIRES], now });
  const dueMs = 'at' in expiry ? Math.max(0, Date.parse(expiry.at) - Date.parse(now)) : undefined;
  if (expiry.kind === 'end') {
    await engine.store.write({ kind: 'deletion', claim });
    engine.log('warn', 'deleted because its time is over', { kind: claim.kind, namespace: claim.namespace, name: claim.name });
    return { claim, dueMs: 0, isOver: true };
  }
  if (expiry.kind === 'announce') {
    const marked = await annotate(engine, claim, definition, expiry.at);
    const message = `its time is over soon: it is deleted with everything in its namespace at ${expiry.at}; set spec.keepUntil to keep it longer`;
    engine.store.emit(claim, { type: 'Warning', reason: 'Expiring', message });
    return { claim: marked, dueMs, isOver: false };
  }
  return { claim: expiry.kind === 'withdraw' ? await annotate(engine, claim, definition, undefined) : claim, dueMs, isOver: false };
}

/** The schedule, or the look that is due before it. */
export function noLaterThan(schedule: Schedule, dueMs: number | undefined): Schedule {
  if (dueMs === undefined || (schedule.kind === 'again' && schedule.afterMs <= dueMs)) return schedule;
  return { kind: 'again', afterMs: dueMs, because: 'poll' };
}

async function annotate(engine: Engine, claim: Claim, definition: ClaimDefinition, at: Timestamp | undefined): Promise<Claim> {
  const object = (await engine.store.write({ kind: 'annotations', claim, set: { [EXPIRES]: at } }))!;
  return { ...parseClaim(object, definition), status: claim.status, version: metadataOf(object).resourceVersion };
}

/** While its class cannot be told it says nothing, and nothing ends by it. */
async function ttlOfClass({ store }: Engine, claim: Claim): Promise<string | undefined> {
  try {
    return classFor(await loadClasses(store), ownClass(claim)).ttl;
  } catch (error) {
    if (isError(error)) return undefined;
    throw error;
  }
}
