/** A cluster as the home of commands. Its engine works there; commands read, ask by annotations, and wait. */
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { closeAll } from '../engine/clients.ts';
import type { Engine } from '../engine/engine.ts';
import { EVENTS } from '../engine/kube-events.ts';
import { kubeInstance } from '../engine/kube-instance.ts';
import { keyOf, keyText, metadataOf, type StoredEvent } from '../engine/objects.ts';
import { newTracker } from '../engine/tracker.ts';
import { pathOf } from '../kube/paths.ts';
import { pause, request } from '../kube/transport.ts';
import { type Cluster, closeCluster, openCluster } from './cluster.ts';
import type { Home, Limits, Settled } from './home.ts';
import type { Context } from './host.ts';
import { namesOf } from './names.ts';
import { newProgress, type Progress, showLine } from './progress.ts';
import { newEngine } from './project.ts';
import { textOf } from './run.ts';
import { type Standing, standingOf, statusOf } from './standing.ts';

/** Between two looks at a claim that is waited for, ms. */
const LOOK_MS = 500;

/** Connects. Errors: those of loadAccess. */
export async function openClusterHome(context: Context): Promise<Home> {
  const cluster = await openCluster(context);
  const { globals } = context;
  const namespace = globals.namespace ?? cluster.access.namespace;
  let engine: Promise<Engine> | undefined;
  return {
    context,
    store: cluster.store,
    namespace,
    scope: globals.allNamespaces ? undefined : namespace,
    problems: () => [],
    events: of => eventsOf(cluster, of),
    connection: (inNamespace, binding) => [`Secret ${binding} in namespace ${inNamespace}`],
    configs: () => [],
    engine: () => {
      engine ??= lookingEngine(context, cluster);
      return engine;
    },
    settle: (claim, verb, limits) => settle(context, cluster, namespace, claim, verb, limits),
    close: async () => {
      if (engine !== undefined) await engine.then(({ connections }) => closeAll(connections)).catch(() => undefined);
      await closeCluster(cluster);
    },
  };
}

async function lookingEngine(context: Context, cluster: Cluster): Promise<Engine> {
  const instance = await kubeInstance(cluster.store.home);
  return await newEngine(context, cluster.store, instance, newTracker(), cluster.abort.signal, await context.host.providers());
}

interface EventObject {
  readonly eventTime?: string | null;
  readonly deprecatedLastTimestamp?: string | null;
  readonly type?: string;
  readonly reason?: string;
  readonly note?: string;
  readonly series?: { readonly lastObservedTime?: string };
  readonly regarding?: { readonly kind?: string; readonly name?: string };
}

/** As the cluster keeps them: for an hour, by default. */
async function eventsOf({ api }: Cluster, of: ObjectKey): Promise<StoredEvent[]> {
  const query = { fieldSelector: `regarding.kind=${of.kind},regarding.name=${of.name}` };
  const { items = [] } = (await request(api, { method: 'GET', path: pathOf(EVENTS, of.namespace || 'default'), query })) as { items?: JsonObject[] };
  const events = (items as unknown as EventObject[]).map(({ eventTime, deprecatedLastTimestamp, series, type, reason = '', note = '' }): StoredEvent => {
    const at = series?.lastObservedTime ?? eventTime ?? deprecatedLastTimestamp ?? '';
    return { at, object: of, type: type === 'Warning' ? 'Warning' : 'Normal', reason, message: note };
  });
  return events.sort((a, b) => a.at.localeCompare(b.at));
}

async function settle(
  context: Context,
  { store }: Cluster,
  namespace: string,
  claim: JsonObject,
  verb: string | undefined,
  { timeoutMs, interrupt }: Limits,
): Promise<Settled> {
  const key = keyOf(claim);
  const progress = newProgress(context.out);
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const object = await store.get(key);
    const standing = seenStanding(claim, object, verb);
    show(progress, key, namespace, object, standing);
    if (standing === 'gone' || standing !== 'working') return { ending: 'settled', object: standing === 'gone' ? undefined : object, standing };
    if (interrupt.signal.aborted) return { ending: 'interrupted', object, standing };
    if (performance.now() >= endMs) return { ending: 'timeout', object, standing };
    await pause(LOOK_MS, interrupt.signal);
  }
}

function show(progress: Progress, key: ObjectKey, namespace: string, object: JsonObject | undefined, standing: Standing): void {
  const name = namesOf([key], namespace).get(keyText(key))!;
  showLine(progress, keyText(key), { name, standing, text: textOf(object, standing) });
}

/** Until the engine has taken the verb back, what the claim says is of before; another plan that waits meanwhile is news, though. */
function seenStanding(asked: JsonObject, object: JsonObject | undefined, verb: string | undefined): Standing {
  if (object === undefined || metadataOf(object).uid !== metadataOf(asked).uid) return 'gone';
  if (verb === undefined) return 'working';
  const value = metadataOf(object).annotations?.[verb];
  const { pendingPlan } = statusOf(object);
  if (value !== undefined && (pendingPlan === undefined || pendingPlan.hash === value || value === 'true')) return 'working';
  return standingOf(object, { kind: 'again', afterMs: 60_000, because: 'resync' });
}
