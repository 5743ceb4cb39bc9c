/** In a child: how long rendering and planning of one claim take, with everything looked at already. */
import { parseClaim } from '../../src/core/parse.ts';
import type { ClaimKey } from '../../src/core/types.ts';
import { loadDefinition } from '../../src/engine/catalogue.ts';
import { choose } from '../../src/engine/choice.ts';
import { beginPass, planOnly } from '../../src/engine/pass.ts';
import { median } from './figures.ts';
import type { Bench } from './world.ts';

const TIMES = 500;

/** Milliseconds, the middle of many; finding the connections is in it. */
export async function renderAndPlan({ engine }: Bench, key: ClaimKey): Promise<number> {
  const definition = (await loadDefinition(engine.store, key.kind))!;
  const claim = parseClaim((await engine.store.get(key))!, definition);
  const { newest } = await choose(engine, claim);
  const pass = beginPass(engine, claim, definition);
  const times: number[] = [];
  // The first one also looks at the things.
  for (let time = 0; time <= TIMES; time++) {
    const start = performance.now();
    await planOnly(pass, newest);
    times.push(performance.now() - start);
  }
  return median(times.slice(1));
}
