/** One log line for what was done to a real thing, or could not be done: what a person reads at night. Neither values nor texts of a provider. */
import { isOwned } from '../core/match.ts';
import type { ClaimKey, Condition, JsonObject, Outcome } from '../core/types.ts';
import type { Engine } from './engine.ts';

/** Whose call it was. `status`: as on record, which tells what is no news. */
export type Told = ClaimKey & { readonly status?: { readonly conditions: readonly Pick<Condition, 'reason'>[] } };

const MOST_PATHS = 10;
/** Of `forget` its reason is said. */
const DONE = { create: 'created', update: 'updated', delete: 'deletion asked for', forget: 'let go' } as const;

/** At info; at debug when the claim already says that calls of it fail like this. */
export function logOutcome({ log }: Pick<Engine, 'log'>, claim: Told, outcome: Outcome): void {
  const { action } = outcome;
  if (!(action.kind in DONE) || !isOwned(action.entry)) return;
  const verb = action.kind as keyof typeof DONE;
  const { id, type, name, config } = action.entry;
  const { kind, namespace, name: claimName } = claim;
  const fields: JsonObject = { claim: { kind, namespace, name: claimName }, verb, resource: id, type, name, config, ...detailOf(outcome) };
  if (outcome.result === 'done') {
    log('info', `${action.kind === 'forget' ? action.because : DONE[verb]}: ${type} ${name}`, fields);
    return;
  }
  const { code } = outcome.error;
  const isKnown = claim.status?.conditions.some(({ reason }) => reason === code) === true;
  log(isKnown ? 'debug' : 'info', `${verb} failed: ${type} ${name}: ${code}`, { ...fields, error: code });
}

function detailOf({ action }: Outcome): JsonObject {
  if (action.kind === 'update') {
    const paths = action.changes.map(({ path }) => path);
    return { causes: [...new Set(action.changes.map(({ cause }) => cause))].sort(), paths: paths.slice(0, MOST_PATHS), changes: paths.length };
  }
  return action.kind === 'create' || action.kind === 'forget' ? { because: action.because } : {};
}
