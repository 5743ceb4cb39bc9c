/** Many schedules, and what a failing one is told with. */
import { expect } from 'vitest';
import { hash } from '../../src/core/digest.ts';
import { FIRST_SCHEDULE, ONE_SCHEDULE, SCHEDULES } from '../depth.ts';
import { runSchedule } from './schedule.ts';

const SHOWN = 5;

/** Runs every `of`-th seed, beginning with the `first` of them; fails with the seeds that broke a rule, the rules, and the trace of the first. */
export async function runMany(first: number, of: number): Promise<void> {
  if (ONE_SCHEDULE !== undefined) return await runOne(ONE_SCHEDULE);
  const bad: string[] = [];
  for (let seed = FIRST_SCHEDULE + first - 1; seed < FIRST_SCHEDULE + SCHEDULES; seed += of) {
    const { breaches, trace } = await runSchedule(seed);
    if (breaches.length > 0) bad.push(`PLINTH_SIMULATION_SEED=${seed}: ${breaches.join('; ')}${bad.length === 0 ? `\n  ${trace.join('\n  ')}` : ''}`);
    if (bad.length === SHOWN) break;
  }
  expect(bad).toEqual([]);
}

async function runOne(seed: number): Promise<void> {
  const { breaches, trace } = await runSchedule(seed);
  console.log(trace.join('\n'));
  expect(breaches).toEqual([]);
}

/** The same seed twice gives the very same trace. */
export async function isReproducible(seed: number): Promise<void> {
  const [one, two] = [await runSchedule(seed), await runSchedule(seed)];
  expect(one.trace.length).toBeGreaterThan(5);
  expect(hash([...one.trace])).toBe(hash([...two.trace]));
}
