/** What else may happen to claims and the engine in a cluster: killed at its first starts, statuses emptied at work, claims made anew under their names. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { metadataOf } from '../../src/engine/objects.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { atDepth } from '../depth.ts';
import { part } from '../parts/emulators.ts';
import { fill, losses, wrongs } from './check.ts';
import { DECLARED, type Phase } from './claims.ts';
import { isWork } from './classes.ts';
import { readCloud } from './cloud.ts';
import { dieAt } from './cluster-life.ts';
import { declare, emptyStatuses, kill, listClaims, openPlace, type Place, patchClaim, restless, startFresh, unlike, untilRest } from './cluster-place.ts';
import type { Point } from './life.ts';

const MINUTES_MS = 1_200_000;
/** No requirement: as long as anybody would wait. */
const PATIENCE_MS = 240_000;
/** By how many calls or writes each start is killed later than the one before it. */
const LATER = atDepth({ gate: 2, full: 1 });
/** Of the about six writes for each claim that is made. */
const HALF = 3 * DECLARED.of('create').length;
/** Of a phase, by three of four claims. */
const LEAST_WRITES = 0.75 * DECLARED.of('create').length;
let place: Place;

/** Runs to rest: nothing is wrong with the cloud then. */
async function expectRest(phase: Phase): Promise<void> {
  expect(await untilRest(place, phase)).toBeUndefined();
  expect(wrongs(await readCloud(place.client), place.foreign, phase)).toEqual([]);
}

/** Starts a controller and kills it at the point. False: it came to rest before. */
async function startAndKill(phase: Phase, point: Point): Promise<boolean> {
  place.proxy.reset();
  place.home.proxy.reset();
  const death = dieAt(place, point);
  await startFresh(place);
  await untilRest(place, phase, () => death.isHit);
  death.remove();
  if (death.isHit) await kill(place);
  return death.isHit;
}

describe.skipIf(!part('ministack').available || !part('kubernetes').available)('in a cluster', () => {
  beforeEach(async () => {
    place ??= await openPlace();
    place.proxy.reset();
    place.home.proxy.reset();
  }, MINUTES_MS);
  afterAll(async () => await place?.close());

  test(
    'an engine that is killed from its first start on, each time a little later, gets there',
    async () => {
      for (const phase of ['create', 'update', 'delete'] as const) {
        await declare(place, phase);
        let start = 1;
        const pointAt = (n: number): Point => ({
          seam: n % 3 === 0 ? 'call' : 'write',
          when: n % 2 === 0 ? 'after' : 'before',
          index: 1 + (n - 1) * LATER,
        });
        while (await startAndKill(phase, pointAt(start))) start += 1;
        console.log(`[cases] ${phase}: ${start - 1} kills`);
        expect(start, phase).toBeGreaterThan(3);
        await expectRest(phase);
        await kill(place);
      }
    },
    MINUTES_MS,
  );

  test(
    'statuses emptied again and again while it works are written anew, and nothing is made twice or forgotten',
    async () => {
      await startFresh(place);
      for (const phase of ['create', 'update', 'delete'] as const) {
        let count = 0;
        const remove = place.home.proxy.onAfter(async call => {
          if (isWork(call) && ++count % 15 === 1 && count < 100) await emptyStatuses(place);
        });
        await declare(place, phase);
        await expectRest(phase);
        remove();
        expect(count, phase).toBeGreaterThan(LEAST_WRITES);
      }
      await kill(place);
    },
    MINUTES_MS,
  );

  test(
    'claims that are deleted and lose their statuses while it is away: nothing is left of them',
    async () => {
      await startFresh(place);
      await declare(place, 'create');
      await expectRest('create');
      await fill(place.client, await readCloud(place.client));
      await kill(place);
      await declare(place, 'delete');
      await emptyStatuses(place);
      await startFresh(place);
      await expectRest('delete');
      await kill(place);
    },
    MINUTES_MS,
  );

  const MADE: [string, Point | 'none'][] = [
    ['when everything is there', 'none'],
    ['when half of it is made', { seam: 'write', when: 'before', index: HALF }],
  ];
  const FIRST_MADE: [string, Point] = ['when the first things are made', { seam: 'call', when: 'after', index: 6 }];
  test.each(atDepth({ gate: MADE, full: [...MADE, FIRST_MADE] }))(
    'claims whose finalizer is taken away and that are made anew %s: what holds nothing is taken back, what holds data is a conflict until the class allows it',
    async (_, point) => {
      await declare(place, 'create');
      if (point !== 'none') await startAndKill('create', point);
      else {
        await startFresh(place);
        await expectRest('create');
        await fill(place.client, await readCloud(place.client));
        await kill(place);
      }
      const before = await listClaims(place);
      const made = await readCloud(place.client);
      await makeAnew();
      await startFresh(place);
      await expect.poll(() => openClaims(), { timeout: PATIENCE_MS, interval: 200 }).toEqual([]);
      const cloud = await readCloud(place.client);
      expect(wrongs(cloud, place.foreign, 'create').filter(text => !/missing|should be/.test(text))).toEqual([]);
      const after = await listClaims(place);
      expect(after.filter(claim => before.some(old => metadataOf(old).uid === metadataOf(claim).uid))).toEqual([]);
      expect(after.filter(claim => claim['kind'] === 'Topic' && restless(claim) !== '')).toEqual([]);
      const conflicts = after.filter(claim => claim['kind'] !== 'Topic' && unlike(claim, 'Ready').includes('Conflict'));
      // One claim for one thing of it that was there; a queue may have two.
      const holding = [...made.queues, ...made.buckets, ...made.tables].filter(thing => thing.tags['plinth.dev/uid'] !== undefined && !isForeign(thing.name));
      const held = new Set(holding.map(thing => `${thing.tags['plinth.dev/kind']}/${thing.tags['plinth.dev/name']}`));
      expect(conflicts.map(claim => `${String(claim['kind'])}/${metadataOf(claim).name}`).sort()).toEqual([...held].sort());
      expect(cloud.queues.filter(({ name }) => holding.some(thing => thing.name === name)).map(({ tags }) => tags)).toEqual(
        made.queues.filter(({ name }) => holding.some(thing => thing.name === name)).map(({ tags }) => tags),
      );
      await allowReuse(true);
      await expectRest('create');
      if (point === 'none') expect(losses(await readCloud(place.client))).toEqual([]);
      await declare(place, 'delete');
      await expectRest('delete');
      await allowReuse(false);
      await kill(place);
    },
    MINUTES_MS,
  );
});

const isForeign = (name: string): boolean => [...place.foreign.queues, ...place.foreign.buckets, ...place.foreign.tables].some(thing => thing.name === name);

/** Claims that neither work nor are refused for good. */
async function openClaims(): Promise<string[]> {
  const claims = await listClaims(place);
  const isRefused = (claim: JsonObject): boolean =>
    ((claim['status'] as Partial<ClaimStatus> | undefined)?.conditions ?? []).some(
      ({ type, status, reason }) => type === 'Stalled' && status === 'True' && reason === 'Conflict',
    );
  return claims.flatMap(claim => (restless(claim) === '' || isRefused(claim) ? [] : [`${metadataOf(claim).name}: ${restless(claim)}`]));
}

/** Finalizers off by hand, deleted, declared again. */
async function makeAnew(): Promise<void> {
  await declare(place, 'delete');
  for (const claim of await listClaims(place)) await patchClaim(place, claim, { metadata: { finalizers: null } });
  expect(await listClaims(place)).toEqual([]);
  await declare(place, 'create');
}

async function allowReuse(isAllowed: boolean): Promise<void> {
  const path = '/apis/plinth.dev/v1alpha1/environmentclasses/local';
  const body = { spec: { policies: { reclaim: isAllowed ? 'Reuse' : null } } };
  await request(place.home.api, { method: 'PATCH', path, contentType: MERGE_PATCH, body });
}
