/** Child: the controller's engine on a Kubernetes API server and an emulator or the fake provider. */
import { setTimeout as sleep } from 'node:timers/promises';
import { providers } from '../../providers/index.ts';
import { usage } from '../../src/engine/budget.ts';
import { eventsSent } from '../../src/engine/kube-events.ts';
import { kubeInstance } from '../../src/engine/kube-instance.ts';
import { kubernetesStore } from '../../src/engine/store-kubernetes.ts';
import { loadAccess } from '../../src/kube/config.ts';
import { openApi } from '../../src/kube/transport.ts';
import { eachOf, numbers } from '../at-once.ts';
import { type Cost, costOf, inputOf, takeTurns } from './child.ts';
import { createClaim, openWriter } from './cluster-writer.ts';
import { benchEngine, keysOf, passOver, queueClaims, startWork } from './world.ts';

export interface ClusterInput {
  readonly kubeconfig: string;
  readonly perTurn: number;
  readonly workers: number;
  readonly pollMs: number;
  /** Claims that are there already; they are waited for before the first turn. */
  readonly there: number;
  /** No-change passes over all claims at the end. */
  readonly passes: number;
}
export interface ClusterOutput {
  /** From the start of the process until all claims were listed, ms. */
  readonly listedMs: number;
  /** Cloud calls of the passes, and what one cost. */
  readonly passes: readonly { readonly cost: Cost; readonly calls: number }[];
  /** Resident memory at rest and at most, MB. */
  readonly rss: number;
  readonly rssPeak: number;
}

const REST_MS = 15_000;
const input = inputOf<ClusterInput>();
const api = openApi(await loadAccess({ kubeconfig: input.kubeconfig }), { userAgent: 'engine' });
const store = kubernetesStore({ api, namespace: 'plinth-system' });
const bench = benchEngine(store, await kubeInstance(store.home), providers, input.pollMs);
const work = await startWork(bench, input.workers);
const listedMs = Date.now() - performance.timeOrigin;
const writer = await openWriter(input.kubeconfig);
let count = input.there;

takeTurns(
  async () => {
    const first = count;
    count += input.perTurn;
    // As many at once as the engine works: a release of many claims comes as fast as it can be stored.
    await eachOf(numbers(input.perTurn, first), input.workers, index => createClaim(writer, index));
    await work.ready(count);
    await eventsSent(store.events);
  },
  async (): Promise<ClusterOutput> => {
    await work.ready(count);
    const passes = [];
    for (let pass = 0; pass < input.passes; pass++) {
      const before = usage(bench.engine.budgets).reduce((sum, row) => sum + row.calls, 0);
      const cost = await costOf(() => passOver(bench, keysOf(queueClaims(count)), input.workers));
      passes.push({ cost, calls: usage(bench.engine.budgets).reduce((sum, row) => sum + row.calls, 0) - before });
    }
    await sleep(REST_MS);
    return { listedMs, passes, rss: process.memoryUsage.rss() / 2 ** 20, rssPeak: process.resourceUsage().maxRSS / 1024 };
  },
);
