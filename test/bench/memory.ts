/** Group `memory`: what the engine holds, and how that grows with the claims. */
import { join } from 'node:path';
import { bundled, runChild, scratch } from './child.ts';
import type { Figure } from './figures.ts';
import type { MemoryInput, MemoryOutput } from './memory-work.ts';

/** The fake cloud lives in the same process and counts in; the group `cloud` tells the same for an emulator. */
export async function memoryFigures(): Promise<Figure[]> {
  const script = await bundled('memory-work');
  const run = async (claims: number): Promise<MemoryOutput> => {
    const input: MemoryInput = { folder: join(scratch(), 'state'), claims };
    return await runChild<MemoryOutput>(script, { ...input }, ['--expose-gc']);
  };
  const [one, thousand, many] = [await run(1), await run(1_000), await run(10_000)];
  const perClaim = ((many.heap - thousand.heap) * 1024) / 9_000;
  return [
    {
      name: 'resident memory at 1,000 claims',
      value: thousand.rss,
      unit: 'MB',
      goal: { most: 150 },
      note: `at most ${Math.round(thousand.rssPeak)} MB on the way`,
    },
    { name: 'resident memory at 1 claim', value: one.rss, unit: 'MB', note: `live objects ${Math.round(one.heap)} MB` },
    { name: 'resident memory at 10,000 claims', value: many.rss, unit: 'MB', note: `at most ${Math.round(many.rssPeak)} MB on the way` },
    { name: 'live objects at 1,000 and 10,000 claims', value: many.heap, unit: 'MB', note: `1,000: ${Math.round(thousand.heap)} MB` },
    { name: 'live objects per claim', value: perClaim, unit: 'KB', note: 'with its two fake queues' },
  ];
}
