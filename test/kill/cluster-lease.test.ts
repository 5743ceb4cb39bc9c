/**
 * A leader that loses the Lease without knowing it: another name is written into it, or the process stands still. Told by the proxies' records.
 * The Lease is as in earnest, 15 s.
 */
import { setTimeout as sleep, setImmediate as turnOver } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { atDepth } from '../depth.ts';
import { part } from '../parts/emulators.ts';
import { freeze, thaw } from '../parts/freeze.ts';
import { type KubeCall, type KubeProxy, startKubeProxy } from '../parts/kube/proxy.ts';
import type { Call } from '../parts/proxy/call.ts';
import { wrongs } from './check.ts';
import type { Phase } from './claims.ts';
import { isWork } from './classes.ts';
import { readCloud } from './cloud.ts';
import { declare, kill, LEASE, openPlace, type Place, type Running, startController, startFresh, untilQuiet, untilRest } from './cluster-place.ts';

const MINUTES_MS = 900_000;
/** What had left when the leader was told may still be on its way on a busy machine. */
const UNDER_WAY_MS = 1_000;
/** How long a leader stands still that another replaces: longer than the Lease in any case. */
const STANDS_MS = atDepth({ gate: 20_000, full: 60_000 });
/** No requirement: as long as anybody would wait. */
const PATIENCE_MS = 120_000;
let place: Place;

async function expectRest(phase: Phase): Promise<void> {
  expect(await untilRest(place, phase)).toBeUndefined();
  expect(wrongs(await readCloud(place.client), place.foreign, phase)).toEqual([]);
}

const saying = async (running: () => Running, text: string, since = 0): Promise<void> =>
  await expect.poll(() => running().log.slice(since), { timeout: PATIENCE_MS, interval: 50 }).toContain(text);
const leads = async (): Promise<void> => await saying(() => place.running!, 'this process holds the lease');

/** The moment from which on every call that comes has left after this one was called: the proxies run in this process and may be late to listen. */
async function afterUnderWay(): Promise<number> {
  await sleep(UNDER_WAY_MS);
  for (let turn = 0; turn < 50; turn += 1) await turnOver();
  return Date.now();
}

/**
 * What was asked of the cloud or through these proxies at or after a moment of the wall clock: `12 ms: CreateQueue shop_plain-a`. Events are left
 * out: what a leader did may still be told when it leads no more.
 */
function workSince(moment: number, ...proxies: KubeProxy[]): string[] {
  const calls: (Call | KubeCall)[] = [...place.proxy.calls, ...proxies.flatMap(proxy => proxy.calls)];
  const late = calls.filter(call => isWork(call) && call.startedAt >= moment && !('resource' in call && call.resource === 'events'));
  return late.map(call => `${call.startedAt - moment} ms: ${'operation' in call ? `${call.operation} ${call.target}` : `${call.method} ${call.path}`}`);
}

describe.skipIf(!part('ministack').available || !part('kubernetes').available)('a leader that lost the Lease', () => {
  beforeEach(async () => {
    place ??= await openPlace();
    place.proxy.reset();
    place.home.proxy.reset();
  }, MINUTES_MS);
  afterAll(async () => await place?.close());

  // At the gate each of the two is under way once: the cloud's in those below.
  test.each<['cloud' | 'API server']>(atDepth({ gate: [['API server']], full: [['cloud'], ['API server']] }))(
    'stolen while a call to the %s is under way: once it was told, nothing more is asked of anybody; when the thief is silent it goes on',
    async seam => {
      await startFresh(place);
      await leads();
      const held =
        seam === 'cloud'
          ? place.proxy.addRule({ match: { operation: 'CreateQueue' }, times: 1, do: { kind: 'hold' } })
          : place.home.proxy.addRule({ match: { resource: 'queues', subresource: 'status', mutating: true }, times: 1, do: { kind: 'hold' } });
      await declare(place, 'create');
      await expect.poll(() => held.holding(), { timeout: PATIENCE_MS, interval: 10 }).toBe(1);
      const said = place.running!.log.length;
      const thief = { spec: { holderIdentity: 'thief', leaseDurationSeconds: 10 } };
      await request(place.home.api, { method: 'PATCH', path: LEASE, contentType: MERGE_PATCH, body: thief });
      await saying(() => place.running!, 'thief holds the lease', said);
      const told = afterUnderWay();
      held.release();
      await sleep(6_000);
      expect(workSince(await told, place.home.proxy)).toEqual([]);
      await expectRest('create');
      await declare(place, 'delete');
      await expectRest('delete');
      await kill(place);
    },
    MINUTES_MS,
  );

  const UPDATE: ['update', number] = ['update', 5];
  test.each<['create' | 'update' | 'delete', number]>(atDepth({ gate: [UPDATE], full: [['create', 8], UPDATE, ['delete', 12]] }))(
    'frozen in the middle of a %s for longer than the Lease, and alone: it does nothing before it leads again',
    async (phase, index) => {
      await startFresh(place);
      for (const before of ['create', 'update', 'delete'] as const) {
        if (before === phase) break;
        await declare(place, before);
        await expectRest(before);
      }
      await leads();
      const frozen = freezeAt((_, count) => count === index);
      await declare(place, phase);
      await frozen.done;
      await sleep(17_000);
      const waking = Date.now();
      thaw(place.running!.child);
      frozen.release();
      await expectRest(phase);
      const isRenewal = (call: KubeCall): boolean => call.resource === 'leases' && call.mutating && call.startedAt >= waking && call.status === 200;
      const leading = place.home.proxy.calls.find(isRenewal)!.endedAt! - waking;
      const early = workSince(waking, place.home.proxy).filter(line => Number.parseInt(line, 10) < leading);
      expect(early).toEqual([]);
      expect(workSince(waking, place.home.proxy)).not.toEqual([]);
      if (phase !== 'delete') await declare(place, 'delete');
      await expectRest('delete');
      await kill(place);
    },
    MINUTES_MS,
  );

  test(
    `frozen for ${STANDS_MS / 1_000} s while another finishes its work and goes on: when it wakes it does nothing`,
    async () => {
      await startFresh(place);
      const old = place.running!;
      await leads();
      // It comes among the last, changes nothing when it is let go late, and its table stays as it is in the update.
      const frozen = freezeAt(({ operation, target }) => operation === 'CreateTable' && target === 'shop_items-c');
      await declare(place, 'create');
      await frozen.done;
      const began = Date.now();
      const other = await startKubeProxy(place.home.plane);
      place.running = startController(place.home, other);
      try {
        await expectRest('create');
        await declare(place, 'update');
        await expectRest('update');
        expect(Date.now() - began).toBeGreaterThan(12_000);
        await untilQuiet(place, 5_000, other);
        await sleep(Math.max(0, STANDS_MS - (Date.now() - began)));
        const waking = Date.now();
        thaw(old.child);
        frozen.release();
        await sleep(8_000);
        expect(workSince(waking, place.home.proxy, other)).toEqual([]);
        await declare(place, 'delete');
        await expectRest('delete');
        expect(workSince(waking, place.home.proxy).filter(line => / \/apis?\//.test(line))).toEqual([]);
      } finally {
        old.child.kill('SIGKILL');
        await old.ended;
        await kill(place);
        await other.close();
      }
    },
    MINUTES_MS,
  );
});

/** Freezes the process while such a change of the cloud is under way, the `count`-th; that goes on when it is released. `done`: it stands still. */
function freezeAt(isIt: (call: Call, count: number) => boolean): { readonly done: Promise<void>; readonly release: () => void } {
  let [count, isHit, release] = [0, false, (): void => {}];
  const released = new Promise<void>(resolve => {
    release = resolve;
  });
  const { child } = place.running!;
  const done = new Promise<void>((resolve, reject) => {
    const remove = place.proxy.onBefore(async call => {
      if (isHit || !isWork(call) || !isIt(call, ++count)) return;
      isHit = true;
      await freeze(child).then(resolve, reject);
      await released;
      remove();
    });
  });
  return { done, release: () => release() };
}
