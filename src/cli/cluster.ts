/** A cluster in use: the connection, the store, and who this installation is. */
import { EngineError } from '../core/errors.ts';
import { API_VERSION } from '../core/kinds.ts';
import { type KubernetesStore, kubernetesStore } from '../engine/store-kubernetes.ts';
import { type Access, loadAccess } from '../kube/config.ts';
import { resourceOf } from '../kube/discovery.ts';
import { type Api, type ApiOptions, closeApi, openApi } from '../kube/transport.ts';
import type { Context } from './host.ts';

export interface Cluster {
  readonly access: Access;
  readonly api: Api;
  readonly store: KubernetesStore;
  /** The engine's own. */
  readonly namespace: string;
  /** Ends every call. */
  readonly abort: AbortController;
}

export interface ClusterOptions {
  /** The engine's own namespace; undefined: as the command line says, the pod's own, or the usual one. */
  readonly namespace?: string | undefined;
  /** Told of each try of a call to the API server. */
  readonly onCall?: NonNullable<ApiOptions['onCall']>;
  /** Asked before each call, with the engine's namespace. */
  readonly fence?: (call: Parameters<NonNullable<ApiOptions['fence']>>[0], namespace: string) => void;
  /** Told of what is tried again behind the engine's back. */
  readonly onError?: (error: unknown) => void;
}

/** Where `plinth install` and the chart put the engine unless told otherwise. */
export const ENGINE_NAMESPACE = 'plinth-system';

/** Nothing is asked of the cluster yet. Errors: those of loadAccess. */
export async function openCluster({ globals, host }: Context, { namespace: wanted, onCall, fence, onError }: ClusterOptions = {}): Promise<Cluster> {
  const access = await loadAccess({ kubeconfig: globals.kubeconfig, context: globals.context });
  const namespace = wanted ?? globals.engineNamespace ?? (isPod(globals.kubeconfig) ? access.namespace : ENGINE_NAMESPACE);
  const api = openApi(access, {
    userAgent: `plinth/${host.version}`,
    ...(onCall === undefined ? {} : { onCall }),
    ...(fence === undefined ? {} : { fence: call => fence(call, namespace) }),
  });
  const store = kubernetesStore({ api, namespace, ...(onError === undefined ? {} : { onError }) });
  return { access, api, store, namespace, abort: new AbortController() };
}

const isPod = (kubeconfig: string | undefined): boolean =>
  kubeconfig === undefined && process.env['KUBECONFIG'] === undefined && process.env['KUBERNETES_SERVICE_HOST'] !== undefined;

/** NotInstalled when the cluster lacks our kinds or the engine's namespace; Unreachable, AccessDenied and the like. */
export async function assertInstalled({ store, access, namespace }: Cluster): Promise<void> {
  const where = access.context === '' ? 'this cluster' : `the cluster of context ${access.context}`;
  if ((await resourceOf(store.home.discovery, API_VERSION, 'ClaimDefinition')) === undefined)
    throw new EngineError('NotInstalled', `${where} does not have the kinds of Plinth`);
  if ((await store.get({ kind: 'Namespace', namespace: '', name: namespace })) === undefined) {
    throw new EngineError('NotInstalled', `${where} has no namespace ${namespace}`, {
      hint: 'run `plinth install`, or name the namespace of the engine with --engine-namespace',
    });
  }
}

/** Ends everything: watches, events that wait to be sent, connections. */
export async function closeCluster({ api, abort }: Cluster): Promise<void> {
  abort.abort();
  await closeApi(api);
}
