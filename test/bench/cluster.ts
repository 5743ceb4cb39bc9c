/** Group `cluster`: claims on a real API server and an emulator, beside the same calls and writes without an engine. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetQueueAttributesCommand, GetQueueUrlCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { startMiniStack } from '../../src/cli/emulator.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { eachOf, numbers } from '../at-once.ts';
import buildBundle from '../e2e/build.ts';
import { metric } from '../e2e/cluster.ts';
import { type ClusterHome, makeNamespace } from '../integration/cluster-home.ts';
import { type Running, startController } from '../kill/cluster-place.ts';
import { account } from '../parts/emulators.ts';
import { clients } from '../parts/proxy/test-clients.ts';
import { bundled, type Cost, scratch, startTurns } from './child.ts';
import type { ClusterInput, ClusterOutput } from './cluster-work.ts';
import { createClaim } from './cluster-writer.ts';
import { type Figure, median } from './figures.ts';
import type { FloorInput, FloorOutput } from './floor.ts';
import { inOwnCluster, queuesReady } from './own-cluster.ts';
import { fakeObjects, NAMESPACE } from './world.ts';

/** Smaller numbers try the script; the figures of the docs are of the numbers that stand here. */
const SCALE = Number(process.env['BENCH_SCALE'] ?? '1');
const TURNS = 10;
const PER_TURN = Math.max(1, Math.round(100 * SCALE));
const CLAIMS = TURNS * PER_TURN;
const MANY = Math.round(10_000 * SCALE);
const WORKERS = 32;
const REST = { workers: WORKERS, pollMs: 3_600_000, there: 0, passes: 0 };
/** A look at every claim, and some rest. */
const SETTLED_MS = 50_000;
/** How many queues are edited outside at once, and how often the engine looks. */
const EDITS = 20;
const POLL_MS = 20_000;

interface Bench {
  readonly home: ClusterHome;
  readonly endpoint: string;
  readonly scripts: { readonly work: string; readonly floor: string };
}

/** A cluster of its own for each part. */
export async function clusterFigures(): Promise<Figure[]> {
  const [work, floor] = await Promise.all([bundled('cluster-work'), bundled('floor'), buildBundle()]);
  const server = await startMiniStack({ logFile: join(scratch(), 'ministack.log'), detached: false });
  const parts = [timeFigures, memoryFigure, countFigures, driftFigures, manyFigures];
  try {
    const figures: Figure[] = [];
    for (const measure of parts) figures.push(...(await inOwnCluster(home => measure({ home, endpoint: server.endpoint, scripts: { work, floor } }))));
    return figures;
  } finally {
    await server.stop();
  }
}

/** The account that class `local` reaches from now on. */
async function useAccount({ home, endpoint }: Bench): Promise<string> {
  const key = account();
  const settings = { region: 'us-east-1', endpoint, accessKeyId: key };
  const config = { apiVersion: 'plinth.dev/v1alpha1', kind: 'ProviderConfig', metadata: { name: 'local' }, spec: { provider: 'localstack', settings } };
  await home.admin.put(config);
  return key;
}

/** Engine, floor and bare calls in turn, so that whatever else the machine does touches all. Floor and bare run in a cluster of their own. */
async function timeFigures(bench: Bench): Promise<Figure[]> {
  await useAccount(bench);
  await makeNamespace(bench.home.api, NAMESPACE, { 'plinth.dev/class': 'local' });
  return await inOwnCluster(async other => {
    await makeNamespace(other.api, NAMESPACE);
    const input: ClusterInput = { ...REST, kubeconfig: bench.home.plane.adminKubeconfig, perTurn: PER_TURN };
    const floorInput = (more: Partial<FloorInput>): JsonObject => ({
      endpoint: bench.endpoint,
      account: account(),
      perTurn: PER_TURN,
      workers: WORKERS,
      ...more,
    });
    const engine = startTurns<ClusterOutput>(bench.scripts.work, { ...input });
    const floor = startTurns<FloorOutput>(bench.scripts.floor, floorInput({ kubeconfig: other.plane.adminKubeconfig }));
    const bare = startTurns<FloorOutput>(bench.scripts.floor, floorInput({ bare: true }));
    const costs: { engine: Cost; floor: Cost; bare: Cost }[] = [];
    for (let turn = 0; turn < TURNS; turn++) costs.push({ floor: await floor.turn(), bare: await bare.turn(), engine: await engine.turn() });
    await Promise.all([floor.end(), bare.end(), engine.end()]);
    return timesOf(costs);
  });
}

function timesOf(costs: readonly { engine: Cost; floor: Cost; bare: Cost }[]): Figure[] {
  const sum = (pick: (cost: (typeof costs)[number]) => number): number => costs.reduce((total, cost) => total + pick(cost), 0);
  const [engine, floor, bare] = [sum(cost => cost.engine.wallMs), sum(cost => cost.floor.wallMs), sum(cost => cost.bare.wallMs)];
  const each = costs.map(cost => (cost.engine.wallMs / cost.floor.wallMs).toFixed(2)).join(', ');
  return [
    { name: `time until ${CLAIMS} claims are Ready, to floor`, value: engine / floor, unit: '×', goal: { most: 2 }, note: `each turn: ${each}` },
    { name: `time until ${CLAIMS} claims are Ready, to bare calls`, value: engine / bare, unit: '×', goal: { most: 10 } },
    {
      name: `time until ${CLAIMS} claims are Ready`,
      value: engine / 1_000,
      unit: 's',
      note: `floor ${(floor / 1_000).toFixed(1)} s, bare ${(bare / 1_000).toFixed(1)} s`,
    },
    {
      name: 'CPU time per claim',
      value: sum(cost => cost.engine.cpuMs) / CLAIMS,
      unit: 'ms',
      note: `floor ${(sum(cost => cost.floor.cpuMs) / CLAIMS).toFixed(1)} ms`,
    },
  ];
}

/** The controller as it is installed, with leases, health and metrics, which tell what it holds; claims made from outside, then looked at again and again. */
async function memoryFigure(bench: Bench): Promise<Figure[]> {
  const { home } = bench;
  await useAccount(bench);
  await makeNamespace(home.api, NAMESPACE, { 'plinth.dev/class': 'local' });
  const controller = startController(home, home.proxy, ['--metrics-address', '127.0.0.1:0', '--poll-interval', '30s', '--workers', String(WORKERS)]);
  try {
    await eachOf(numbers(CLAIMS), WORKERS, index => createClaim(home, index));
    await queuesReady(home, CLAIMS);
    const peak = await residentMb(controller);
    await sleep(SETTLED_MS);
    const note = `${Math.round(peak)} MB when the last was Ready`;
    return [{ name: `resident memory of the controller at ${CLAIMS} claims`, value: await residentMb(controller), unit: 'MB', goal: { most: 150 }, note }];
  } finally {
    controller.child.kill('SIGKILL');
    await controller.ended;
  }
}

/** As the controller's own metrics tell it. */
async function residentMb({ log }: Running): Promise<number> {
  const [, url = ''] = /health and metrics at (http[^"\s]+)/.exec(log) ?? [];
  return (await metric({ url }, 'process_resident_memory_bytes'))! / 2 ** 20;
}

/** A run of its own through the counting proxy, which sees what really leaves. */
async function countFigures(bench: Bench): Promise<Figure[]> {
  const { home, scripts } = bench;
  await useAccount(bench);
  await makeNamespace(home.api, NAMESPACE, { 'plinth.dev/class': 'local' });
  const kubeconfig = home.proxy.kubeconfig(home.plane.adminKubeconfig);
  const child = startTurns<ClusterOutput>(scripts.work, { ...REST, kubeconfig, perTurn: PER_TURN, passes: 3 });
  const [engine, mutating] = [{ userAgent: 'engine' } as const, { userAgent: 'engine', mutating: true } as const];
  // The first claims bring what all share: the revision, the instance, the lists of the start.
  await child.turn();
  home.proxy.reset();
  await child.turn();
  const [events, all] = [home.proxy.count({ ...mutating, resource: 'events' }), home.proxy.count(mutating)];
  const [reads, before] = [home.proxy.count(engine) - all, home.proxy.count(mutating)];
  const { passes } = await child.end();
  const after = home.proxy.count(mutating) - before;
  return [
    { name: 'Kubernetes writes per claim to create', value: (all - events) / PER_TURN, unit: '', goal: { most: 4 } },
    { name: 'Events per claim to create', value: events / PER_TURN, unit: '', goal: { most: 1 } },
    { name: 'Kubernetes reads per claim to create', value: reads / PER_TURN, unit: '' },
    { name: 'Kubernetes writes in 3 no-change passes', value: after, unit: '', goal: { most: 0 } },
    { name: 'cloud calls per claim and steady pass', value: median(passes.map(pass => pass.calls)) / (2 * PER_TURN), unit: '', goal: { most: 2 } },
  ];
}

/** Queues edited outside, at all claims. */
async function driftFigures(bench: Bench): Promise<Figure[]> {
  const key = await useAccount(bench);
  await makeNamespace(bench.home.api, NAMESPACE, { 'plinth.dev/class': 'local' });
  const { adminKubeconfig: kubeconfig } = bench.home.plane;
  const child = startTurns<ClusterOutput>(bench.scripts.work, { ...REST, kubeconfig, perTurn: CLAIMS, pollMs: POLL_MS });
  await child.turn();
  const { sqs } = clients(bench.endpoint, key);
  const numbers = Array.from({ length: EDITS }, (_, index) => Math.floor((index * CLAIMS) / EDITS));
  const late = await Promise.all(
    numbers.map(async number => {
      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: `${NAMESPACE}_orders-${number}` }));
      await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '7' } }));
      const begin = performance.now();
      for (;;) {
        const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }));
        if (Attributes?.['VisibilityTimeout'] === '60') return performance.now() - begin;
        await new Promise(resolve => setTimeout(resolve, 200));
      }
    }),
  );
  await child.end();
  const most = Math.max(...late) / 1_000;
  return [
    {
      name: `outside change at ${CLAIMS} claims, corrected after`,
      value: most,
      unit: 's',
      goal: { most: POLL_MS / 1_000 + 5 },
      note: `poll interval ${POLL_MS / 1_000} s`,
    },
  ];
}

/** Many claims of the fake provider: a second engine starts beside what the first has left. */
async function manyFigures({ home, scripts }: Bench): Promise<Figure[]> {
  for (const object of fakeObjects()) if (object['kind'] !== 'ClaimDefinition') await home.admin.put(object);
  const input: ClusterInput = { ...REST, kubeconfig: home.plane.adminKubeconfig, perTurn: MANY };
  const first = startTurns<ClusterOutput>(scripts.work, { ...input });
  await first.turn();
  const { rss, rssPeak } = await first.end();
  const second = startTurns<ClusterOutput>(scripts.work, { ...input, there: MANY });
  const { listedMs } = await second.end();
  return [
    { name: `start with ${MANY} claims to the first reconcile`, value: listedMs / 1_000, unit: 's', goal: { most: 10 } },
    { name: `resident memory at ${MANY} claims`, value: rss, unit: 'MB', note: `goal 350; at most ${Math.round(rssPeak)} MB on the way` },
  ];
}
