/** Group `engine`: what the engine costs by itself. */
import { bundled, runChild } from './child.ts';
import type { EngineInput, EngineOutput } from './engine-work.ts';
import type { Figure } from './figures.ts';

const INPUT: EngineInput = { claims: 1_000, rounds: 10 };

/** The best round counts for the rate: whatever else runs on the machine only makes rounds slower. */
export async function engineFigures(): Promise<Figure[]> {
  const out = await runChild<EngineOutput>(await bundled('engine-work'), { ...INPUT });
  const perSecond = (ms: number): number => (INPUT.claims * 1000) / ms;
  const best = Math.min(...out.passes.map(pass => pass.wallMs));
  const bestCpu = Math.min(...out.passes.map(pass => pass.cpuMs));
  return [
    {
      name: 'no-change reconciles',
      value: perSecond(best),
      unit: '/s',
      goal: { least: 2_000 },
      note: `best of ${INPUT.rounds} passes of ${INPUT.claims} claims`,
    },
    { name: 'no-change reconciles, by CPU time', value: perSecond(bestCpu), unit: '/s', note: 'all threads, so with garbage collection' },
    { name: 'store writes in these passes', value: out.writes, unit: '', goal: { most: 0 } },
    { name: 'creating reconciles', value: perSecond(out.create.wallMs), unit: '/s', note: 'from nothing to Ready, cold' },
    { name: 'compile of a composition', value: out.compileMs, unit: 'ms', goal: { most: 20 }, note: 'slowest shipped one, median' },
    { name: 'compile of a composition, first of the process', value: out.compileFirstMs, unit: 'ms', note: 'with loading of code' },
    { name: 'render and plan of one claim', value: out.planMs, unit: 'ms', goal: { most: 1 }, note: 'median' },
  ];
}
