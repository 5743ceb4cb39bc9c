/** Where a claim stands, read from its object and from what its last reconcile asked for. Pure. */
import { conditionOf, isCondition } from '../core/conditions.ts';
import { ERRORS } from '../core/errors.ts';
import { isOwned } from '../core/match.ts';
import type { Schedule } from '../core/report.ts';
import type { ClaimStatus, Condition, JsonObject } from '../core/types.ts';
import { metadataOf } from '../engine/objects.ts';

/**
 * ready: all is as declared · held: works, and a change waits for approval · failed: only an edit or a person can mend it ·
 * referring: waits for another claim · working: goes on by itself · gone: deleted.
 */
export type Standing = 'ready' | 'held' | 'failed' | 'referring' | 'working' | 'gone';

/** Waiting that no run can end by itself: everything there is was put into the store before it began. */
const HOPELESS = new Set([
  'NoDefinition',
  'NoClass',
  'TwoDefaultClasses',
  'NoImplementation',
  'AmbiguousImplementation',
  'NoComposition',
  'NoProviderConfig',
  'UnknownProvider',
  'InvalidComposition',
  'InvalidExpression',
  'Cycle',
  'MissingConnectionKey',
  'SecretMisuse',
  'TooComplex',
  'EvaluationFailed',
  'InvalidCredentials',
  'AccessDenied',
  'QuotaExceeded',
  'NotConverging',
  'Contested',
]);
/** A later look that is further away than this is not worth waiting for. */
const LONG_MS = 15_000;

/** The status of a claim object; empty parts where it has none yet. */
export function statusOf(object: JsonObject): ClaimStatus {
  const none = { inventoryFor: '', observedGeneration: -1, conditions: [], class: '', composition: '', revision: '', outputs: {}, resources: [], drift: [] };
  return { ...none, ...(object['status'] as Partial<ClaimStatus> | undefined) };
}

/** What was replaced and still stands, in a line; undefined when there is none. `next`: who takes it away. */
export function leavingLine(object: JsonObject, next: string): string | undefined {
  const names = statusOf(object).resources.flatMap(entry => (isOwned(entry) && entry.phase === 'Retiring' ? [`${entry.type} ${entry.name}`] : []));
  return names.length === 0 ? undefined : `replaced, and to go when the grace of the class is over, ${next}: ${names.join(', ')}`;
}

/** `schedule`: of the last reconcile; undefined when it was not looked at in this run. */
export function standingOf(object: JsonObject | undefined, schedule: Schedule | undefined): Standing {
  if (object === undefined) return 'gone';
  if (schedule === undefined) return 'working';
  const { conditions, pendingPlan, observedGeneration } = statusOf(object);
  if (observedGeneration !== metadataOf(object).generation) return schedule.kind === 'done' ? 'ready' : 'working';
  if (pendingPlan !== undefined) return 'held';
  if (isCondition(conditions, 'Stalled') || HOPELESS.has(reasonOf(conditions))) return 'failed';
  if (isReady(conditions)) return isResting(schedule) ? 'ready' : 'working';
  return reasonOf(conditions) === 'WaitingForReference' ? 'referring' : 'working';
}

const isReady = (conditions: readonly Condition[]): boolean => isCondition(conditions, 'Ready');
const isResting = (schedule: Schedule): boolean => schedule.kind === 'done' || schedule.because === 'resync' || schedule.afterMs > LONG_MS;

function reasonOf(conditions: readonly Condition[]): string {
  return troubleOf(conditions)?.reason ?? '';
}

/** The condition that says what is wrong or waited for; undefined when all is well. */
export function troubleOf(conditions: readonly Condition[]): Condition | undefined {
  const [stalled, ready, synced] = (['Stalled', 'Ready', 'Synced'] as const).map(type => conditionOf(conditions, type));
  if (stalled?.status === 'True') return stalled;
  if (synced !== undefined && synced.status !== 'True' && Object.hasOwn(ERRORS, synced.reason)) return synced;
  if (ready !== undefined && ready.status !== 'True') return ready;
  return undefined;
}
