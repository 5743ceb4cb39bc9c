/** The whole life of many claims under every fault of the proxy and every AWS behaviour that it imitates. */
import { describe, expect, test } from 'vitest';
import { atDepth } from '../depth.ts';
import { fill, losses, wrongs } from '../kill/check.ts';
import { only, type Phase, TWENTY } from '../kill/claims.ts';
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
/** Every shape of claim and every change of one; the others are more of the same. */
const SOME = ['plain-b', 'dead-a', 'ear-b', 'ear-c', 'news-a', 'news-b', 'news-c', 'files-a', 'files-c', 'items-a', 'items-d'];
const CLAIMS = atDepth({ gate: only(SOME), full: TWENTY });
/** Calls of a phase of the twenty without a fault are about 400. */
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
    expect(wrongs(firstNamed(cloud), NOTHING, phase, CLAIMS.expected(phase)), `phase ${index + 1}, ${phase}`).toEqual([]);
    if (index === 0) await fill(village.client, cloud);
    if (index === 1 || index === 2) expect(losses(cloud)).toEqual([]);
    expect(calls, `calls of phase ${index + 1}, ${phase}`).toBeLessThan(mostCalls);
  }
}

/** A dead letter queue that is wanted again while the old one still goes is a successor, with a number in its name. */
const firstNamed = (cloud: Cloud): Cloud => JSON.parse(JSON.stringify(cloud).replaceAll(/_deadLetter_\d+/g, '_deadLetter')) as Cloud;

interface Fault {
  readonly does: string;
  /** Of the calls, or of those that change something. */
  readonly share: number;
  readonly act: Act;
  readonly mutating?: boolean;
}

/** The share of a fault that has not struck yet: rare ones strike too, however the calls come. */
const FIRST_SHARE = 0.25;

/** A share of the calls, by seeded chance. Not every n-th: a look of n calls would then lose the same one each time. */
function faulty(proxy: AwsProxy, faults: readonly Fault[]): ReadonlyMap<string, number> {
  const random = seeded(1);
  const hits = new Map(faults.map(({ does }) => [does, 0]));
  proxy.onBefore((call: Call) => {
    const shareOf = ({ does, share }: Fault): number => (hits.get(does) === 0 ? Math.max(share, FIRST_SHARE) : share);
    const found = faults.find(fault => (fault.mutating === undefined || call.mutating === fault.mutating) && chance(random, shareOf(fault)));
    if (found === undefined) return;
    hits.set(found.does, hits.get(found.does)! + 1);
    proxy.addRule({ match: { index: call.index }, times: 1, do: found.act });
  });
  return hits;
}

async function withVillage(options: Parameters<typeof openVillage>[0], run: (village: Village) => Promise<void>): Promise<void> {
  const village = await openVillage({ claims: CLAIMS, ...options });
  try {
    await run(village);
  } finally {
    await village.close();
  }
}

const FAULTS: readonly Fault[] = [
  { does: '30 % of the calls are throttled', share: 0.3, act: { kind: 'throttle' } },
  { does: '20 % of the connections are reset', share: 0.2, act: { kind: 'reset' } },
  { does: '20 % of the calls fail with 500 before the work', share: 0.2, act: { kind: 'serverError' } },
  { does: '30 % of the changes fail with 503 after the work', share: 0.3, act: { kind: 'failAfterWork', status: 503 }, mutating: true },
  { does: '30 % of the answers to changes are lost', share: 0.3, act: { kind: 'dropAfterWork' }, mutating: true },
  { does: 'every change is slow, but in time', share: 1, act: { kind: 'delay', ms: 300 }, mutating: true },
];
const HANGING: readonly Fault[] = [
  { does: '10 % of the changes are done, and answered after the deadline', share: 0.1, act: { kind: 'hold', when: 'after' }, mutating: true },
  { does: '10 % of the changes hang before the work', share: 0.1, act: { kind: 'hold' }, mutating: true },
];
/** Of all calls together about a third, so that none is so frequent that it hides another. A call has one at most, and the rarest are asked first. */
const MIXED: readonly Fault[] = [
  ...HANGING.map(fault => ({ ...fault, share: 0.02 })),
  ...FAULTS.map(fault => ({ ...fault, share: fault.mutating ? 0.1 : 0.07 })),
];

describe.skipIf(!part('ministack').available)('claims, created, changed and deleted, come to rest as declared, nothing lost or made twice', () => {
  test('without a fault', () => withVillage({ provider: 'localstack' }, village => live(village, 1_500)), LIFE_MS);

  test.each(atDepth({ gate: [], full: FAULTS }).map(fault => [fault.does, fault] as const))(
    '%s',
    (_, fault) =>
      withVillage({ provider: 'localstack', faster: 100 }, async village => {
        faulty(village.proxy, [fault]);
        await live(village, MOST_CALLS);
      }),
    LIFE_MS,
  );

  test.each(atDepth({ gate: [], full: HANGING }).map(fault => [fault.does, fault] as const))(
    '%s',
    (_, fault) =>
      withVillage({ provider: 'localstack', callTimeoutMs: 2_000, faster: 100 }, async village => {
        faulty(village.proxy, [fault]);
        await live(village, MOST_CALLS);
      }),
    LIFE_MS,
  );

  test(
    'some calls throttled, reset, failed before or after the work, unanswered, slow, held before or after the work',
    () =>
      withVillage({ provider: 'localstack', callTimeoutMs: 2_000, faster: 100 }, async village => {
        const hits = faulty(village.proxy, MIXED);
        await live(village, MOST_CALLS);
        console.log(`[faults] hits: ${JSON.stringify(Object.fromEntries(hits))}`);
        expect([...hits].filter(([, count]) => count === 0)).toEqual([]);
      }),
    LIFE_MS,
  );
});

/** In the time of the village, and a little shorter than on AWS: the engine knows only its own times. */
const BEHAVIOURS: readonly [BehaviourId, number | undefined][] = [
  ['sqs-deleted-recently', 50_000],
  ['sqs-attribute-propagation', 50_000],
  ['sqs-retention-propagation', 600_000],
  ['sqs-read-after-delete', 50_000],
  ['sqs-not-found-after-create', 16_000],
  ['dynamodb-not-found-after-create', 16_000],
  ['dynamodb-table-status', 24_000],
  ['dynamodb-one-index-change', undefined],
  ['dynamodb-ttl-twice', 60_000],
  ['tag-propagation', 20_000],
  ['s3-name-release', 60_000],
  ['s3-versioning-propagation', 600_000],
  ['s3-secure-defaults', undefined],
  ['sns-concurrent-tags', 4_000],
];

describe.skipIf(!part('ministack').available)('the same on AWS as the proxy imitates it', () => {
  test.each(atDepth({ gate: [], full: BEHAVIOURS }))(
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
