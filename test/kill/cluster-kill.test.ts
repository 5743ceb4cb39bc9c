/** The engine in a cluster, killed at every mutating call to the cloud and to the API server. The single cases stand in cluster-cases.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLUSTER_KILL_STRIDE } from '../depth.ts';
import { part } from '../parts/emulators.ts';
import { type ClusterPlan, liveInCluster } from './cluster-life.ts';
import { openPlace, type Place, startFresh } from './cluster-place.ts';
import type { Lived } from './life.ts';
import { everyNth, killsOf, livesFor, type Points, pointsByClass, pointsByIndex, pointsIn, sureKills, wrongsOf } from './lives.ts';

/**
 * Where to kill: one of each class of call, after it where a laptop is killed before it, or every n-th index (1 is all of them, about 450). A kill costs
 * about 5 s on two quiet cores: a process that starts, a run to rest, the way back to nothing.
 */
const choose = CLUSTER_KILL_STRIDE === undefined ? pointsByClass('after') : pointsByIndex(CLUSTER_KILL_STRIDE);
const CHOSEN = CLUSTER_KILL_STRIDE === undefined ? 'one of each class' : `stride ${CLUSTER_KILL_STRIDE}`;
/** What happens after a kill does not depend on the place of the kill as finely when the record of it is gone: every third of them, or sixth. */
const EMPTIED = CLUSTER_KILL_STRIDE === undefined ? 6 : 3;
/** Clusters, each with one life at a time: a controller works all claims of its cluster. */
const AT_ONCE = Math.max(1, Number(process.env['PLINTH_CLUSTER_KILL_AT_ONCE'] ?? '2'));
/** Lives between two lines of progress. */
const TOLD_EVERY = 20;
const HOUR_MS = 3_600_000;

const places: Place[] = [];
let points: Points = { create: [], update: [], delete: [] };
const NO_KILL: ClusterPlan = { points: { create: 'none', update: 'none', delete: 'none' }, emptied: false };
let started = performance.now();

describe.skipIf(!part('ministack').available || !part('kubernetes').available)('killed at every mutating call, by class or by index', () => {
  beforeAll(async () => {
    for (let count = 0; count < AT_ONCE; count += 1) places.push(await openPlace());
    await Promise.all(places.map(startFresh));
    // In the first life of a cluster there is more to write, e.g. the kinds of the claims.
    const firsts = await Promise.all(places.map(place => liveInCluster(place, NO_KILL)));
    const lived = await liveInCluster(places[0]!, NO_KILL);
    expect(wrongsOf([...firsts.flat(), ...lived])).toBe('');
    points = pointsIn(lived, choose);
    console.log(
      `[cluster kill] without a kill: ${lived.map(({ phase, calls, writes, ms }) => `${phase} ${calls.length} calls, ${writes.length} writes, ${Math.round(ms)} ms`).join('; ')}`,
    );
    started = performance.now();
  }, 900_000);
  afterAll(async () => {
    await Promise.all(places.map(place => place.close()));
  });

  test(
    'then run to rest: exactly what is declared exists, nothing twice, nothing left, nothing foreign touched',
    async () => await run(points, false),
    HOUR_MS,
  );

  test('and the same with every status emptied after the kill', async () => await run(everyNth(points, EMPTIED), true), HOUR_MS);
});

async function run(chosen: Points, emptied: boolean): Promise<void> {
  const plans = livesFor(chosen).map(life => ({ points: life, emptied }));
  const lived = (await Promise.all(places.map(place => work(place, plans)))).flat();
  const kills = lived.filter(phase => phase.killed).length;
  const seconds = Math.round((performance.now() - started) / 1_000);
  console.log(`[cluster kill] ${killsOf(lived)}${emptied ? ', statuses emptied' : ''}; ${seconds} s so far, ${CHOSEN}`);
  expect(wrongsOf(lived)).toBe('');
  expect(kills).toBeGreaterThanOrEqual(sureKills(chosen));
}

/** Takes lives from `plans` until none is left; a cluster in which something is wrong is used no more. */
async function work(place: Place, plans: ClusterPlan[]): Promise<Lived[]> {
  const lived: Lived[] = [];
  for (let plan = plans.shift(); plan !== undefined; plan = plans.shift()) {
    lived.push(...(await liveInCluster(place, plan)));
    if (lived.at(-1)!.wrongs.length > 0) break;
    if (plans.length % TOLD_EVERY === 0) console.log(`[cluster kill] ${plans.length} lives to begin`);
  }
  return lived;
}
