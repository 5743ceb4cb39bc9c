/** What properties are tried with. */
import { SEED, TIMES } from './depth.ts';

/** For `fc.assert`: so many values, chosen by the seed of the run. */
export function tries(numRuns = 100): { readonly seed: number; readonly numRuns: number } {
  return { seed: SEED, numRuns: numRuns * TIMES };
}
