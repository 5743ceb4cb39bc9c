/** What properties are tried with. */

/** The same in every run, so that none fails by luck; `PLINTH_TEST_SEED` names another. */
export const SEED = Number(process.env['PLINTH_TEST_SEED'] ?? '20261130');
/** `PLINTH_TEST_TIMES=100` tries a hundred times as many. */
const TIMES = Number(process.env['PLINTH_TEST_TIMES'] ?? '1');

/** For `fc.assert`: so many values, chosen by the seed of the run. */
export function tries(numRuns = 100): { readonly seed: number; readonly numRuns: number } {
  return { seed: SEED, numRuns: numRuns * TIMES };
}
