/** Group `replicas`: several replicas of the bundled controller on Leases as they are by default. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pathOf } from '../../src/kube/paths.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { eachOf } from '../at-once.ts';
import buildBundle from '../e2e/build.ts';
import { type ClusterHome, makeNamespace } from '../integration/cluster-home.ts';
import { type Running, startController } from '../kill/cluster-place.ts';
import { type KubeCall, type KubeProxy, startKubeProxy } from '../parts/kube/proxy.ts';
import { QUEUES } from './cluster-writer.ts';
import type { Figure } from './figures.ts';
import { inOwnCluster, queuesReady, until } from './own-cluster.ts';
import { fakeObjects } from './world.ts';

const SCALE = Number(process.env['BENCH_SCALE'] ?? '1');
const CLAIMS = Math.round(4_000 * SCALE);
const SHARING = 4;
/** Of each namespace; many small ones are what sharing by namespace is for. */
const PER_NAMESPACE = 4;
const AT_ONCE = 32;

/** One process, and its own way to the API server: what it does is read there. */
interface Replica {
  readonly running: Running;
  readonly proxy: KubeProxy;
}

/** How evenly four replicas share the claims, and how long a claim waits for the second of two when the first is killed. */
export async function replicaFigures(): Promise<Figure[]> {
  await buildBundle();
  return await inOwnCluster(figuresOf);
}

async function figuresOf(home: ClusterHome): Promise<Figure[]> {
  for (const object of fakeObjects()) if (object['kind'] !== 'ClaimDefinition' && object['kind'] !== 'Namespace') await home.admin.put(object);
  const namespaces = Array.from({ length: Math.ceil(CLAIMS / PER_NAMESPACE) }, (_, index) => `team-${index}`);
  await eachOf(namespaces, AT_ONCE, namespace => makeNamespace(home.api, namespace, { 'plinth.dev/class': 'fake' }));
  return [...(await sharingFigures(home, namespaces)), await failOverFigure(home, namespaces[0]!)];
}

async function sharingFigures(home: ClusterHome, namespaces: readonly string[]): Promise<Figure[]> {
  const replicas = await startReplicas(home, SHARING, 'sharing', ['--sharding', 'true']);
  try {
    // As long as no view was published that names all four, less is shared.
    await sleep(10_000);
    await eachOf(namespaces, AT_ONCE, namespace => createQueues(home, namespace));
    await queuesReady(home, namespaces.length * PER_NAMESPACE);
    const shards = replicas.map(({ proxy }) => new Set(proxy.calls.filter(isStatusWrite).map(call => `${call.namespace}/${call.name}`)));
    const sizes = shards.map(shard => shard.size);
    const worked = new Set(shards.flatMap(shard => [...shard]));
    const mean = worked.size / SHARING;
    const name = `${SHARING} replicas sharing ${worked.size} claims in ${namespaces.length} namespaces`;
    return [
      { name: `${name}: largest shard to the mean`, value: Math.max(...sizes) / mean, unit: '×', goal: { most: 1.3 }, note: `shards: ${sizes.join(', ')}` },
      { name: `${name}: claims that two worked`, value: sizes.reduce((sum, size) => sum + size, 0) - worked.size, unit: '', goal: { most: 0 } },
    ];
  } finally {
    await stopReplicas(replicas);
  }
}

async function failOverFigure(home: ClusterHome, namespace: string): Promise<Figure> {
  const replicas = await startReplicas(home, 2, 'leading', []);
  try {
    await until(async () => replicas.some(leads));
    const leader = replicas.find(leads)!;
    const other = replicas.find(replica => replica !== leader)!;
    leader.running.child.kill('SIGKILL');
    const killed = Date.now();
    const path = pathOf(QUEUES, namespace, 'orders-0');
    await request(home.api, { method: 'PATCH', path, contentType: MERGE_PATCH, body: { spec: { visibilityTimeoutSeconds: 61 } } });
    const isWork = (call: KubeCall): boolean => isStatusWrite(call) && call.namespace === namespace && call.startedAt > killed;
    await until(async () => other.proxy.calls.some(isWork));
    const waited = other.proxy.calls.find(isWork)!.startedAt - killed;
    return {
      name: 'leader of two killed, a changed claim worked by the other after',
      value: waited / 1_000,
      unit: 's',
      goal: { most: 20 },
      note: 'Lease of 15 s',
    };
  } finally {
    await stopReplicas(replicas);
  }
}

async function startReplicas(home: ClusterHome, count: number, said: string, flags: readonly string[]): Promise<Replica[]> {
  const replicas: Replica[] = [];
  for (let index = 0; index < count; index++) {
    const proxy = await startKubeProxy(home.plane);
    replicas.push({ proxy, running: startController(home, proxy, flags) });
  }
  await until(async () => replicas.every(({ running }) => running.log.includes(said)));
  return replicas;
}

async function stopReplicas(replicas: readonly Replica[]): Promise<void> {
  for (const { running, proxy } of replicas) {
    running.child.kill('SIGKILL');
    await running.ended;
    await proxy.close();
  }
}

const leads = ({ running }: Replica): boolean => running.log.includes('this process holds the lease');

const isStatusWrite = ({ resource, subresource, mutating }: KubeCall): boolean => mutating && resource === QUEUES.plural && subresource === 'status';

async function createQueues({ api }: ClusterHome, namespace: string): Promise<void> {
  for (let index = 0; index < PER_NAMESPACE; index++) {
    const body = { apiVersion: 'plinth.dev/v1alpha1', kind: 'Queue', metadata: { name: `orders-${index}`, namespace }, spec: { visibilityTimeoutSeconds: 60 } };
    await request(api, { method: 'POST', path: pathOf(QUEUES, namespace), body });
  }
}
