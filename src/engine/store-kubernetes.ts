/** A Store in a Kubernetes cluster: claims and admin objects are its own objects, revisions ControllerRevisions, events Events. */
import { newDiscovery } from '../kube/discovery.ts';
import type { Api } from '../kube/transport.ts';
import { putKube, removeKube } from './kube-edits.ts';
import { type EventSender, newEventSender, sendEvent } from './kube-events.ts';
import { getCached, getLive, type KubeHome, listAll } from './kube-home.ts';
import { watchKube } from './kube-watches.ts';
import { writeKube } from './kube-writes.ts';
import type { EditableStore } from './objects.ts';

export interface KubernetesStoreOptions {
  readonly api: Api;
  /** The engine's own namespace; it must exist before anything is written. */
  readonly namespace: string;
  /** Who tells events, e.g. the name of the pod; `plinth` by default. */
  readonly reporter?: string;
  /** Told of what is tried again or lost behind the engine's back: watches, events. */
  readonly onError?: (error: unknown) => void;
  /** A watch that is silent for so long is taken for dead, ms; 90 s by default: a bookmark comes each minute. */
  readonly idleMs?: number;
}

/** Beside the port: what health, pruning and the tests look at. */
export interface KubernetesStore extends EditableStore {
  readonly home: KubeHome;
  readonly events: EventSender;
}

/** Nothing is connected before the first call. The Api is the caller's to close. */
export function kubernetesStore({ api, namespace, reporter = 'plinth', onError = () => undefined, idleMs }: KubernetesStoreOptions): KubernetesStore {
  const home: KubeHome = {
    api,
    discovery: newDiscovery(api),
    namespace,
    watchers: new Set(),
    kinds: new Map(),
    secrets: new Map(),
    finalizers: new Map(),
    writing: new Map(),
    onError,
    idleMs,
  };
  const events = newEventSender(home, reporter);
  return {
    home,
    events,
    get: (key, from) => (from === 'cache' ? getCached(home, key) : getLive(home, key)),
    list: (kind, inNamespace) => listAll(home, kind, inNamespace),
    watch: (onChange, signal) => watchKube(home, onChange, signal),
    write: write => writeKube(home, write),
    emit: (key, event) => sendEvent(events, key, event),
    put: object => putKube(home, object),
    remove: key => removeKube(home, key),
  };
}
