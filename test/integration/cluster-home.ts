/** An engine of this process on a real API server, behind a proxy that counts and breaks its calls, with what Plinth ships. */
import { aws } from '../../providers/aws/index.ts';
import { kubernetes } from '../../providers/kubernetes/index.ts';
import { localstack } from '../../providers/localstack/index.ts';
import { adminCrds, claimCrd } from '../../src/core/crd.ts';
import { parseDefinition } from '../../src/core/parse.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { newBudgets } from '../../src/engine/budget.ts';
import { closeAll, newConnections } from '../../src/engine/clients.ts';
import { type Clock, realClock } from '../../src/engine/clock.ts';
import { type Controller, startController, stopController } from '../../src/engine/controller.ts';
import { DEFAULT_OPTIONS, type Engine } from '../../src/engine/engine.ts';
import { eventsSent } from '../../src/engine/kube-events.ts';
import { kubeInstance } from '../../src/engine/kube-instance.ts';
import { keyText, metadataOf } from '../../src/engine/objects.ts';
import { reconcile } from '../../src/engine/reconcile.ts';
import { type KubernetesStore, kubernetesStore } from '../../src/engine/store-kubernetes.ts';
import { newTracker, track } from '../../src/engine/tracker.ts';
import { loadAccess } from '../../src/kube/config.ts';
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import { APPLY_PATCH, type Api, closeApi, openApi, request } from '../../src/kube/transport.ts';
import { shipped } from '../kill/admin.ts';
import type { ControlPlane } from '../parts/kube/control-plane.ts';
import { type KubeProxy, startKubeProxy } from '../parts/kube/proxy.ts';

export const OWN_NAMESPACE = 'plinth-system';
const CRDS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** A cluster with Plinth's kinds and admin objects. */
export interface ClusterHome {
  readonly plane: ControlPlane;
  /** Past every proxy: what people do, and what a test looks at. */
  readonly api: Api;
  readonly admin: KubernetesStore;
  readonly proxy: KubeProxy;
  close(): Promise<void>;
}
/** One engine at work in it. */
export interface ClusterEngine {
  readonly engine: Engine;
  readonly store: KubernetesStore;
  readonly controller: Controller;
  /** By keyText: how often a claim was reconciled. */
  readonly passes: Map<string, number>;
  /** What was told of in the background. */
  readonly errors: unknown[];
  stop(): Promise<void>;
}

/** Applies CRDs and the shipped admin objects. `settings`: of the ProviderConfig `local`. */
export async function openClusterHome(plane: ControlPlane, settings: JsonObject): Promise<ClusterHome> {
  const api = openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }), { userAgent: 'people' });
  const proxy = await startKubeProxy(plane);
  const admin = kubernetesStore({ api, namespace: OWN_NAMESPACE });
  const objects = shipped(settings);
  const definitions = objects.filter(object => object['kind'] === 'ClaimDefinition').map(parseDefinition);
  await Promise.all([...adminCrds('0.0.0'), ...definitions.map(definition => claimCrd(definition, '0.0.0'))].map(crd => applyCrd(api, crd)));
  await makeNamespace(api, OWN_NAMESPACE);
  for (const object of objects) await admin.put(object);
  const close = async (): Promise<void> => {
    await proxy.close();
    await closeApi(api);
  };
  return { plane, api, admin, proxy, close };
}

async function applyCrd(api: Api, crd: JsonObject): Promise<void> {
  const { name } = crd['metadata'] as { name: string };
  const path = pathOf(CRDS, '', name);
  await request(api, { method: 'PATCH', path, body: crd, contentType: APPLY_PATCH, query: { fieldManager: 'test', force: true } });
  for (;;) {
    const { status } = (await request(api, { method: 'GET', path })) as { status?: { conditions?: { type: string; status: string }[] } };
    if (status?.conditions?.some(condition => condition.type === 'Established' && condition.status === 'True')) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

export async function makeNamespace(api: Api, name: string, labels: Record<string, string> = {}): Promise<void> {
  await request(api, { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name, labels } } });
}

export interface EngineOptions {
  /** As whom it calls; the admin when left out. */
  readonly kubeconfig?: string;
  readonly workers?: number;
  readonly pollMs?: number;
  readonly timeoutMs?: number;
  readonly callTimeoutMs?: number;
  readonly idleMs?: number;
  /** Of the engine; the real one when left out. */
  readonly clock?: Clock;
}

/** Starts an engine whose calls to the API server go through the proxy. */
export async function startClusterEngine(home: ClusterHome, options: EngineOptions = {}): Promise<ClusterEngine> {
  const { workers = 16, pollMs = 60_000, timeoutMs = 10_000, callTimeoutMs = 10_000, clock = realClock } = options;
  const errors: unknown[] = [];
  const access = await loadAccess({ kubeconfig: home.proxy.kubeconfig(options.kubeconfig ?? home.plane.adminKubeconfig) });
  const api = openApi(access, { userAgent: 'engine', timeoutMs });
  const store = kubernetesStore({
    api,
    namespace: OWN_NAMESPACE,
    onError: error => errors.push(error),
    ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
  });
  const [ending, tracker, passes] = [new AbortController(), newTracker(), new Map<string, number>()];
  const engine: Engine = {
    store,
    clock,
    instance: await kubeInstance(store.home),
    providers: new Map([aws, localstack, kubernetes].map(provider => [provider.name, provider])),
    connections: newConnections(clock, { deadlineMs: callTimeoutMs }),
    budgets: newBudgets(clock),
    options: { ...DEFAULT_OPTIONS, pollMs, callTimeoutMs },
    log: () => undefined,
    signal: ending.signal,
    memory: new Map(),
    compiled: new Map(),
    track: (claim, on) => track(tracker, claim, on),
  };
  const controller = await startController({
    store,
    clock,
    random: Math.random,
    tracker,
    isClaim: async kind => (await store.list('ClaimDefinition')).some(object => (object['spec'] as JsonObject)['kind'] === kind),
    reconcileOne: async key => {
      passes.set(keyText(key), (passes.get(keyText(key)) ?? 0) + 1);
      return await reconcile(engine, key);
    },
    onError: (_, error) => errors.push(error),
    concurrency: workers,
    stopMs: 5_000,
  });
  const stop = async (): Promise<void> => {
    ending.abort();
    await stopController(controller);
    await eventsSent(store.events);
    await closeAll(engine.connections);
    await closeApi(api);
  };
  return { engine, store, controller, passes, errors, stop };
}

/** `Ready`, `Drifted`, …: the status of a condition of a claim, with the reason and message behind it; undefined: no such claim. */
export async function conditionOf(home: ClusterHome, key: ClaimKey, type: string): Promise<string | undefined> {
  const object = await home.admin.get(key);
  if (object === undefined) return undefined;
  const { conditions = [], observedGeneration } = (object['status'] ?? {}) as Partial<ClaimStatus>;
  const found = conditions.find(condition => condition.type === type);
  const isNew = observedGeneration === metadataOf(object).generation;
  return found === undefined || !isNew ? 'Unknown' : found.status === 'True' ? 'True' : `${found.status} ${found.reason}: ${found.message}`;
}
