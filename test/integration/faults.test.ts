/** The whole life of twenty claims under every fault of the proxy and every AWS behaviour that it imitates. */
import { describe, expect, test } from 'vitest';
import { fill, losses, wrongs } from '../kill/check.ts';
import type { Phase } from '../kill/claims.ts';
import { type Cloud, readCloud } from '../kill/cloud.ts';
import { part } from '../parts/emulators.ts';
import type { BehaviourId } from '../parts/proxy/behaviours.ts';
import type { Call } from '../parts/proxy/call.ts';
import type { Act } from '../parts/proxy/rules.ts';
import type { AwsProxy } from '../parts/proxy.ts';
import { chance, seeded } from '../simulation/random.ts';
import { livePhase, openVillage, type Village } from './village.ts';

const NOTHING = { queues: [], topics: [], subscriptions: [], buckets: [], tables: [] };
/** Real time a phase may take: no requirement, but the end of all patience. What it costs is told by the calls. */
const WITHIN_MS = 240_000;
const LIFE_MS = 5 * WITHIN_MS;
/** Calls of a phase without a fault are about 400. */
const MOST_CALLS = 8_000;
/** Back again after the update, and once more under the same names after the end. */
const PHASES: readonly Phase[] = ['create', 'update', 'create', 'delete', 'create'];

/** Lives through all phases and checks after each one. */
async function live(village: Village, mostCalls: number): Promise<void> {
  for (const [index, phase] of PHASES.entries()) {
    const before = village.proxy.count();
    const start = performance.now();
    await livePhase(village, phase, WITHIN_MS);
    const calls = village.proxy.count() - before;
    console.log(`[faults] ${phase}: ${calls} calls, ${Math.round(performance.now() - start)} ms`);
    const cloud = await readCloud(village.client);
    expect(wrongs(firstNamed(cloud), NOTHING, phase), `phase ${index + 1}, ${phase}`).toEqual([]);
    if (index === 0) await fill(village.client, cloud);
    if (index === 1 || index === 2) expect(losses(cloud)).toEqual([]);
    expect(calls, `calls of phase ${index + 1}, ${phase}`).toBeLessThan(mostCalls);
  }
}

/** A dead letter queue that is wanted again while the old one still goes is a successor, with a number in its name. */
const firstNamed = (cloud: Cloud): Cloud => JSON.parse(JSON.stringify(cloud).replaceAll(/_deadLetter_\d+/g, '_deadLetter')) as Cloud;

/** `share` of the calls, the same in each run. Not every n-th: a look of n calls would then lose the same one each time. */
function faulty(proxy: AwsProxy, share: number, act: Act, mutating?: boolean): void {
  const random = seeded(1);
  proxy.onBefore((call: Call) => {
    if (mutating !== undefined && call.mutating !== mutating) return;
    if (!chance(random, share)) return;
    proxy.addRule({ match: { index: call.index }, times: 1, do: act });
  });
}

async function withVillage(options: Parameters<typeof openVillage>[0], run: (village: Village) => Promise<void>): Promise<void> {
  const village = await openVillage(options);
  try {
    await run(village);
  } finally {
    await village.close();
  }
}

describe.skipIf(!part('ministack').available)('twenty claims, created, changed and deleted, come to rest as declared, nothing lost or made twice', () => {
  test('without a fault', () => withVillage({ provider: 'localstack' }, village => live(village, 1_500)), LIFE_MS);

  test.each<[string, number, Act, boolean | undefined]>([
    ['30 % of the calls are throttled', 0.3, { kind: 'throttle' }, undefined],
    ['20 % of the connections are reset', 0.2, { kind: 'reset' }, undefined],
    ['20 % of the calls fail with 500 before the work', 0.2, { kind: 'serverError' }, undefined],
    ['30 % of the changes fail with 503 after the work', 0.3, { kind: 'failAfterWork', status: 503 }, true],
    ['30 % of the answers to changes are lost', 0.3, { kind: 'dropAfterWork' }, true],
    ['every change is slow, but in time', 1, { kind: 'delay', ms: 300 }, true],
  ])(
    '%s',
    (_, share, act, mutating) =>
      withVillage({ provider: 'localstack', faster: 100 }, async village => {
        faulty(village.proxy, share, act, mutating);
        await live(village, MOST_CALLS);
      }),
    LIFE_MS,
  );

  test.each<[string, Act]>([
    ['10 % of the changes are done, and answered after the deadline', { kind: 'hold', when: 'after' }],
    ['10 % of the changes hang before the work', { kind: 'hold' }],
  ])(
    '%s',
    (_, act) =>
      withVillage({ provider: 'localstack', callTimeoutMs: 2_000, faster: 100 }, async village => {
        faulty(village.proxy, 0.1, act, true);
        await live(village, MOST_CALLS);
      }),
    LIFE_MS,
  );
});

/** Shortened like the clock: a minute of the service is 3 s, and the engine knows only its own times. */
const BEHAVIOURS: readonly [BehaviourId, number | undefined][] = [
  ['sqs-deleted-recently', 2_500],
  ['sqs-attribute-propagation', 2_500],
  ['sqs-retention-propagation', 30_000],
  ['sqs-read-after-delete', 2_500],
  ['sqs-not-found-after-create', 800],
  ['dynamodb-not-found-after-create', 800],
  ['dynamodb-table-status', 1_200],
  ['dynamodb-one-index-change', undefined],
  ['dynamodb-ttl-twice', 3_000],
  ['tag-propagation', 1_000],
  ['s3-name-release', 3_000],
  ['s3-versioning-propagation', 30_000],
  ['s3-secure-defaults', undefined],
  ['sns-concurrent-tags', 200],
];

describe.skipIf(!part('ministack').available)('the same on AWS as the proxy imitates it', () => {
  test.each(BEHAVIOURS)(
    '%s',
    (id, ms) =>
      withVillage({ provider: 'aws' }, async village => {
        village.proxy.imitate(id, ms);
        await live(village, 3_000);
      }),
    LIFE_MS,
  );

  test(
    'all of it at once',
    () =>
      withVillage({ provider: 'aws' }, async village => {
        for (const [id, ms] of BEHAVIOURS) village.proxy.imitate(id, ms);
        await live(village, 4_000);
      }),
    LIFE_MS,
  );
});
