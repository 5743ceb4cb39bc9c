/** A claim as `plinth status --output json` shows it. A stable interface: README and docs describe it, others build on it. */
import { conditionOf, isCondition } from '../core/conditions.ts';
import { isOwned } from '../core/match.ts';
import type { Json, JsonObject } from '../core/types.ts';
import { metadataOf } from '../engine/objects.ts';
import { statusOf, troubleOf } from './standing.ts';

export interface ClaimView {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
  readonly class: string;
  readonly composition: string;
  /** `name` and `scope` are '' while the name of a resource is not known yet. */
  readonly resources: readonly {
    readonly id: string;
    readonly type: string;
    readonly name: string;
    readonly scope: string;
    readonly phase: string;
    readonly ready: boolean;
  }[];
  /** What was changed outside, mended or not; null where there is no value. */
  readonly drift: readonly { readonly resource: string; readonly path: string; readonly desired: Json; readonly observed: Json }[];
}

/** The view of a claim object. */
export function viewOf(object: JsonObject): ClaimView {
  const { name, namespace = '', generation } = metadataOf(object);
  const status = statusOf(object);
  const ready = isCondition(status.conditions, 'Ready') && status.observedGeneration === generation;
  const told = troubleOf(status.conditions) ?? conditionOf(status.conditions, 'Ready');
  return {
    kind: String(object['kind']),
    namespace,
    name,
    ready,
    reason: told?.reason ?? 'NotLookedAt',
    message: told?.message ?? 'not looked at yet',
    class: status.class,
    composition: status.composition,
    resources: status.resources.map(entry => {
      const { name: real, scope } = isOwned(entry) ? entry : { name: '', scope: '' };
      return { id: entry.id, type: entry.type, name: real, scope, phase: entry.phase, ready: entry.ready };
    }),
    drift: status.drift.map(({ resource, path, desired = null, observed = null }) => ({ resource, path, desired, observed })),
  };
}
