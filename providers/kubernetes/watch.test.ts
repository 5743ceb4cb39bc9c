/** Objects are watched rather than polled, on a real API server: what somebody else changes is mended at once, and our own writes wake nobody. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { marksOf } from '../../src/core/ownership.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { watchThings } from '../../src/engine/clients.ts';
import { realClock } from '../../src/engine/clock.ts';
import { settled, startController, stopController, wake } from '../../src/engine/controller.ts';
import { reconcile } from '../../src/engine/reconcile.ts';
import { around, trial } from '../../test/around.ts';
import { part } from '../../test/parts/emulators.ts';
import { asAdmin, type ControlPlane } from '../../test/parts/kube/control-plane.ts';
import { controlPlane, newNamespace } from '../../test/parts/kube/shared.ts';
import { putAll, type TestEngine, testEngine } from '../../test/support.ts';
import { kubernetes } from './index.ts';
import { INSTANCE_LABEL, labelFor } from './manifest.ts';
import { object } from './object.ts';

const { available, reason, cure } = part('kubernetes');
if (!available) test.skip(`Kubernetes is not here: ${reason}. ${cure}`);

interface Bench {
  readonly plane: ControlPlane;
  readonly engine: TestEngine;
  readonly key: ClaimKey;
  readonly looks: () => number;
  readonly path: string;
  /** Resolves when whatever happened to objects before it has been told, and what that led to is over. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

/** A controller that would look again after an hour. */
async function start(): Promise<Bench> {
  const plane = await controlPlane();
  const namespace = await newNamespace(plane);
  const key = { kind: 'Trial', namespace, name: 'subject' };
  const instance = { id: `watch-${randomBytes(4).toString('hex')}`, key: 'k' };
  const engine = testEngine({ providers: [kubernetes], instance, options: { pollMs: 3_600_000 } });
  const settings = { credentials: { from: 'File', file: plane.adminKubeconfig } };
  await putAll(engine, around({ type: object, provider: 'kubernetes', settings }));
  let looks = 0;
  const controller = await startController({
    store: engine.store,
    clock: realClock,
    random: Math.random,
    tracker: engine.tracker,
    isClaim: kind => kind === 'Trial',
    reconcileOne: async claim => {
      looks += 1;
      return await reconcile(engine.engine, claim);
    },
    onError: (_, error) => console.error(error),
  });
  const told = new Set<string>();
  watchThings(engine.engine.connections, instance.id, claim => {
    told.add(claim.name);
    if (claim.name === key.name) wake(controller, claim);
  });
  const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
  let markers = 0;
  const caughtUp = async (): Promise<void> => {
    markers += 1;
    const name = `marker-${markers}`;
    const annotations = marksOf({ instance: instance.id, kind: 'Trial', namespace, name, uid: 'none', id: 'it' });
    const metadata = { name, labels: { [INSTANCE_LABEL]: labelFor(instance.id) }, annotations };
    await asAdmin(plane, 'POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
    // A watch tells in order. One that is only now beginning takes what it finds for known: so it is touched again.
    await until(async () => {
      await asAdmin(plane, 'PATCH', `${configMaps}/${name}`, { data: { at: randomBytes(4).toString('hex') } }, 'application/merge-patch+json');
      return told.has(name);
    });
    await settled(controller);
  };
  const stop = async (): Promise<void> => {
    await stopController(controller);
    await engine.stop();
  };
  return { plane, engine, key, looks: () => looks, path: `${configMaps}/watched`, caughtUp, stop };
}

async function until(what: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 60_000;
  while (!(await what())) {
    if (Date.now() > endMs) throw new Error('it does not come true');
    await sleep(50);
  }
}
const dataOf = async ({ plane, path }: Bench): Promise<JsonObject | undefined> => (await asAdmin(plane, 'GET', path)).body.data;
const statusOf = async ({ engine, key }: Bench): Promise<ClaimStatus | undefined> => (await engine.store.get(key))?.['status'] as unknown as ClaimStatus;
const isReady = async (bench: Bench): Promise<boolean> =>
  (await statusOf(bench))?.conditions.some(condition => condition.type === 'Ready' && condition.status === 'True') === true;

test.skipIf(!available)('an outside edit and a deletion are mended at once; an echo of our own write wakes nobody', async () => {
  const bench = await start();
  const { plane, path } = bench;
  try {
    const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'watched' }, data: { a: '1' } };
    await bench.engine.store.put(trial({ manifest }, undefined, bench.key));
    await until(() => isReady(bench));
    await bench.caughtUp();
    const before = bench.looks();
    await sleep(1_000);
    await bench.caughtUp();
    expect(bench.looks(), 'at rest').toBe(before);
    await asAdmin(plane, 'PATCH', path, { data: { a: '2' } }, 'application/merge-patch+json');
    await until(async () => (await dataOf(bench))?.['a'] === '1');
    await until(async () => (await statusOf(bench))?.drift.some(row => row.path === 'manifest.data.a' && row.correctedAt !== undefined) === true);
    await bench.caughtUp();
    expect(bench.looks() - before, 'one look for the edit, perhaps one more for the echo').toBeLessThanOrEqual(2);
    await asAdmin(plane, 'DELETE', path);
    await until(async () => (await dataOf(bench))?.['a'] === '1');
    await bench.caughtUp();
    const marks = { 'plinth.dev/namespace': 'elsewhere', 'plinth.dev/uid': 'forged' };
    const atRest = bench.looks();
    await asAdmin(plane, 'PATCH', path, { metadata: { annotations: marks } }, 'application/merge-patch+json');
    await until(async () => bench.looks() > atRest);
  } finally {
    await bench.stop();
  }
});
