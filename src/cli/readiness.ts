/** What keeps a controller from being called ready. Pure. */
import type { JsonObject } from '../core/types.ts';
import { metadataOf } from '../engine/objects.ts';

/** Whoever waits for the controller will create claims next; after this long it is not what they wait for, ms. */
export const PATIENCE_MS = 60_000;

/** Kinds of ClaimDefinitions that nobody has judged yet, or whose claims the API server does not serve yet. What was refused is settled, too. */
export function unsettledKinds(definitions: readonly JsonObject[]): string[] {
  return definitions
    .filter(object => {
      const { conditions = [] } = (object['status'] ?? {}) as { conditions?: readonly JsonObject[] };
      const ready = conditions.find(condition => condition['type'] === 'Ready');
      return ready?.['observedGeneration'] !== metadataOf(object).generation || ready['reason'] === 'NoDefinition';
    })
    .map(object => String((object['spec'] as JsonObject | undefined)?.['kind']))
    .sort();
}
