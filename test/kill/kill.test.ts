import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eachOf } from '../at-once.ts';
import { KILL_STRIDE } from '../depth.ts';
import { miniStack, part } from '../parts/emulators.ts';
import { bundleRunner } from './bundle.ts';
import { type Lived, live, type Plan, type Point } from './life.ts';
import { everyNth, killsOf, livesFor, type Points, pointsByClass, pointsByIndex, pointsIn, sureKills, wrongsOf } from './lives.ts';

/** Where to kill: one of each class of call, or every n-th index (1 is all of them: about half an hour on two idle cores). */
const choose = KILL_STRIDE === undefined ? pointsByClass('before') : pointsByIndex(KILL_STRIDE);
const CHOSEN = KILL_STRIDE === undefined ? 'one of each class' : `stride ${KILL_STRIDE}`;
/** What happens after a kill does not depend on the place of the kill as finely when the record of it is gone: every third of them, or sixth. */
const EMPTIED = KILL_STRIDE === undefined ? 6 : 3;
/** Kills of the run that finds everything again: 1 or 15. */
const AGAIN_STRIDE = KILL_STRIDE === undefined ? 60 : 4 * KILL_STRIDE;
/** Lives at once: most of a life is waiting for the emulator and for the engine's own pauses. */
const AT_ONCE = Math.max(1, Number(process.env['PLINTH_KILL_AT_ONCE'] ?? '6'));
const HOUR_MS = 3_600_000;
/** Writes of such a run until all claims are found: the folder, the admin objects, two for each claim. */
const FOUND_WRITES = 60;
const started = performance.now();

const home = mkdtempSync(join(tmpdir(), 'plinth-kill-'));
const base = { endpoint: '', script: '' };
let points: Points = { create: [], update: [], delete: [] };

describe.skipIf(!part('ministack').available)('killed at every mutating call and every state write, by class or by index', () => {
  beforeAll(async () => {
    base.endpoint = (await miniStack()).endpoint;
    base.script = await bundleRunner(home);
    const lived = await live({ ...base, points: { create: 'none', update: 'none', delete: 'none' }, emptied: false });
    expect(lived.flatMap(phase => phase.wrongs)).toEqual([]);
    points = pointsIn(lived, choose);
    console.log(`[kill] without a kill: ${lived.map(({ phase, calls, writes }) => `${phase} ${calls.length} calls, ${writes.length} writes`).join('; ')}`);
  }, 600_000);
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test(
    'then run to rest: exactly what is declared exists, nothing twice, nothing left, nothing foreign touched',
    async () => check('', await inParallel(livesFor(points).map(life => ({ ...base, points: life, emptied: false }))), sureKills(points)),
    HOUR_MS,
  );

  test(
    'and the same with the state folder emptied after the kill',
    async () => {
      const some = everyNth(points, EMPTIED);
      check(', state folder emptied', await inParallel(livesFor(some).map(life => ({ ...base, points: life, emptied: true }))), sureKills(some));
    },
    HOUR_MS,
  );

  test(
    'and when the run that finds everything again is killed too',
    async () => {
      const point: Point = { seam: 'call', when: 'after', index: 12 };
      const count = Math.ceil(FOUND_WRITES / AGAIN_STRIDE);
      const chosen = Array.from(
        { length: count },
        (_, index): Point => ({ seam: 'write', when: index % 2 === 0 ? 'before' : 'after', index: index * AGAIN_STRIDE + 1 }),
      );
      const plans = chosen.map(again => ({ ...base, points: { create: point, update: point, delete: point }, emptied: true, again }));
      check(', state folder emptied, killed again', await inParallel(plans), chosen.length * 2);
    },
    HOUR_MS,
  );
});

/** `least`: fewer kills mean that runs ended before the index they were to be killed at. */
function check(kind: string, lived: readonly Lived[], least: number): void {
  const seconds = Math.round((performance.now() - started) / 1_000);
  console.log(`[kill] ${killsOf(lived)}${kind}; ${lived.filter(one => one.killedAgain).length} killed again; ${seconds} s so far, ${CHOSEN}`);
  expect(wrongsOf(lived)).toBe('');
  expect(lived.filter(phase => phase.killed).length).toBeGreaterThanOrEqual(least);
}

async function inParallel(plans: readonly Plan[]): Promise<Lived[]> {
  const lived: Lived[] = [];
  await eachOf(plans, AT_ONCE, async plan => lived.push(...(await live(plan))));
  return lived;
}
