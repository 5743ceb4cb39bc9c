/**
 * How deep the tests look. `gate`, the default: every capability once, at the smallest depth that can fail. `full`: everything.
 * The variables beside it override one number, e.g. to find a seed again. This is the only file that reads any of them.
 */
export type Depth = 'gate' | 'full';

/** `PLINTH_TEST_DEPTH`. Throws Error on another text than `gate` or `full`. */
export const DEPTH: Depth = readDepth(process.env['PLINTH_TEST_DEPTH']);

/** One of two values, by the depth. */
export const atDepth = <T>({ gate, full }: { readonly gate: T; readonly full: T }): T => (DEPTH === 'gate' ? gate : full);

/** Seeded schedules of the simulation, in both halves together. */
export const SCHEDULES = overridden('PLINTH_SIMULATION_SCHEDULES') ?? atDepth({ gate: 2_000, full: 10_000 });
/** The seed that the schedules begin with: another one, other schedules. */
export const FIRST_SCHEDULE = overridden('PLINTH_SIMULATION_FIRST') ?? 1;
/** That schedule alone, with its trace. */
export const ONE_SCHEDULE = overridden('PLINTH_SIMULATION_SEED');
/** Seeded stories of people and admins. */
export const STORIES = overridden('PLINTH_STORIES') ?? atDepth({ gate: 30, full: 150 });
/** The story of that seed alone, with what happened. */
export const ONE_STORY = overridden('PLINTH_STORY');
/** Generated specs that each resource type reads back, in the conformance kit. */
export const SPECS = atDepth({ gate: 25, full: 100 });
/** Property tests try so many times as many values. */
export const TIMES = overridden('PLINTH_TEST_TIMES') ?? 1;
/** Chooses the values of property tests and the generated specs; the same in every run, so that none fails by luck. */
export const SEED = overridden('PLINTH_TEST_SEED') ?? 20_261_130;
/** Kills at every n-th index, on a laptop; undefined: one for each class of call. */
export const KILL_STRIDE = overridden('PLINTH_KILL_STRIDE') ?? atDepth({ gate: undefined, full: 1 });
/** The same in a cluster. */
export const CLUSTER_KILL_STRIDE = overridden('PLINTH_CLUSTER_KILL_STRIDE') ?? atDepth({ gate: undefined, full: 1 });

function readDepth(text: string | undefined): Depth {
  if (text === undefined || text === '' || text === 'gate') return 'gate';
  if (text === 'full') return 'full';
  throw new Error(`PLINTH_TEST_DEPTH is "${text}": it is gate or full`);
}

function overridden(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${variable} is "${text}": it is a whole number from 1`);
  return value;
}
