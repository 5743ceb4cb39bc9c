/** A cluster of its own for what is measured, and the bundled controller in it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/core/types.ts';
import { pathOf } from '../../src/kube/paths.ts';
import { request } from '../../src/kube/transport.ts';
import { type ClusterHome, openClusterHome } from '../integration/cluster-home.ts';
import { unlike } from '../kill/cluster-place.ts';
import { part } from '../parts/emulators.ts';
import { startControlPlane } from '../parts/kube/control-plane.ts';
import { QUEUES } from './cluster-writer.ts';

const PATIENCE_MS = 240_000;

/** Measures in a cluster that is there for it alone: what one part left must not weigh on the next. */
export async function inOwnCluster<T>(measure: (home: ClusterHome) => Promise<T>): Promise<T> {
  if (!part('kubernetes').available) throw new Error('the Kubernetes programs are missing: see test/parts/README.md');
  const plane = await startControlPlane();
  try {
    const home = await openClusterHome(plane, {});
    return await measure(home).finally(() => home.close());
  } finally {
    await plane.stop();
  }
}

/** Waits until so many Queues are there and all are Ready. */
export function queuesReady({ api }: ClusterHome, count: number): Promise<void> {
  return until(async () => {
    const queues = (await request(api, { method: 'GET', path: pathOf(QUEUES) }))!['items'] as JsonObject[];
    return queues.length === count && queues.every(queue => unlike(queue, 'Ready') === '');
  });
}

/** Asks once a second; gives up after some minutes. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await isSo()); await sleep(1_000)) if (Date.now() > end) throw new Error('the controllers do not get there');
}
