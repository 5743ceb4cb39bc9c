/** `plinth controller`: the engine as a process of a cluster. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Schedule } from '../core/report.ts';
import type { ClaimKey } from '../core/types.ts';
import { newBudgets } from '../engine/budget.ts';
import { loadDefinition } from '../engine/catalogue.ts';
import { closeAll, watchThings } from '../engine/clients.ts';
import { realClock } from '../engine/clock.ts';
import { wake } from '../engine/controller.ts';
import type { Engine, Log } from '../engine/engine.ts';
import { eventsSent } from '../engine/kube-events.ts';
import { fenceCall } from '../engine/kube-fence.ts';
import { type KubeInstance, kubeInstance } from '../engine/kube-instance.ts';
import { kubeLeases } from '../engine/kube-leases.ts';
import { takeCluster } from '../engine/kube-owner.ts';
import { isSynced } from '../engine/kube-watches.ts';
import {
  clearedFirst,
  endLooks,
  followClaims,
  looksEnded,
  onShare,
  startWorkloads,
  stopWorkloads,
  type Workloads,
  type WorkloadsOptions,
} from '../engine/kube-workloads.ts';
import { LEADER_LEASE, LEASED_CALL_MS } from '../engine/lease.ts';
import { reconcile } from '../engine/reconcile.ts';
import { holds, type Runtime, type RuntimeOptions, startRuntime, stopRuntime } from '../engine/runtime.ts';
import { lead, leadAlone, share, type Tenure } from '../engine/tenure.ts';
import { newTracker, type Tracker } from '../engine/tracker.ts';
import { pause } from '../kube/transport.ts';
import { allClaims } from './apply.ts';
import { assertInstalled, type Cluster, closeCluster, openCluster } from './cluster.ts';
import { type Duties, newDuties, stopDuties, turnDuties } from './duties.ts';
import { type HealthServer, startHealthServer } from './health-server.ts';
import type { Context, ExitCode } from './host.ts';
import { type Interrupt, listenForInterrupt } from './interrupt.ts';
import { logAsJson } from './log-json.ts';
import { count, countApiCall, countReconcile, exposition, type Metrics, newMetrics, showBuild } from './metrics.ts';
import { newEngine } from './project.ts';
import { PATIENCE_MS, unsettledKinds } from './readiness.ts';
import { tellFailure, told } from './telling.ts';

export interface ControllerFlags {
  /** In the marks of what is made, with a hash of the cluster; undefined: as decided before, else `plinth`. */
  readonly instance?: string;
  /** False: takes the lease or fails, instead of waiting for it. */
  readonly leaderElect: boolean;
  /** Replicas share the work by namespace instead of one doing all. */
  readonly sharding: boolean;
  /** HOST:PORT, or `off`. */
  readonly metricsAddress: string;
}

/** Claims at once; 32 gain nothing on a small API server. */
const WORKERS = 16;
/** Twice this, and giving back the lease, fit into the 30 s that Kubernetes gives a pod to end. */
const STOP_MS = 10_000;

/** For events that wait to be sent. */
const EVENTS_MS = 2_000;

interface Process {
  readonly context: Context;
  readonly flags: ControllerFlags;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly cluster: Cluster;
  readonly instance: KubeInstance;
  readonly tracker: Tracker;
  /** Ours alone; also the name of a member's Lease. */
  readonly id: string;
  runtime: Runtime | undefined;
  isStopping: boolean;
  readonly startedMs: number;
  /** Once they were, or nobody waits for it any longer. */
  areKindsSettled: boolean;
}

/** Runs until it is told to stop: 0 then. Errors: those of openCluster; NotInstalled; TwoInstallations; LeaseHeld; BadUse for an address that cannot be had. */
export async function runController(context: Context, flags: ControllerFlags): Promise<ExitCode> {
  const log = logAsJson(context.globals.logLevel ?? 'info');
  const interrupt = listenForInterrupt(line => log('info', line));
  const metrics = newMetrics();
  let process: Process | undefined;
  const cluster = await openCluster(context, {
    namespace: context.globals.namespace,
    onCall: record => countApiCall(metrics, record),
    fence: (call, namespace) => {
      if (process?.runtime !== undefined) fenceCall(call, namespace, held => holds(process!.runtime!, held));
    },
    onError: error => tellFailure(log, error),
  });
  await assertInstalled(cluster);
  await takeCluster(cluster.store.home);
  const instance = await kubeInstance(cluster.store.home, flags.instance);
  const id = `plinth-${hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, 40)}-${randomBytes(4).toString('hex')}`;
  process = {
    context,
    flags,
    log,
    metrics,
    cluster,
    instance,
    tracker: newTracker(),
    id,
    runtime: undefined,
    isStopping: false,
    startedMs: realClock.ms(),
    areKindsSettled: false,
  };
  showBuild(metrics, context.host.version, instance.id);
  const health = flags.metricsAddress === 'off' ? undefined : await serveHealth(process);
  try {
    await work(process, interrupt);
    return 0;
  } finally {
    await health?.close();
    await closeCluster(cluster);
    interrupt.dispose();
  }
}

async function serveHealth(process: Process): Promise<HealthServer> {
  const { flags, metrics, cluster, log } = process;
  const health = await startHealthServer(flags.metricsAddress, {
    sickness: () => undefined,
    missing: () => missing(process),
    metrics: async () => exposition(metrics, process.runtime, process.runtime === undefined ? [] : await allClaims(cluster.store)),
  });
  log('info', `health and metrics at ${health.url}`);
  return health;
}

/** Ready is who works, or waits for its turn, while every kind of claim can be created. */
async function missing(process: Process): Promise<string | undefined> {
  const { store } = process.cluster;
  if (process.isStopping) return 'stopping';
  if (process.runtime === undefined || !isSynced(store.home)) return 'the caches are not filled yet';
  if (process.areKindsSettled) return undefined;
  const kinds = unsettledKinds(await store.list('ClaimDefinition'));
  process.areKindsSettled = kinds.length === 0 || realClock.ms() > process.startedMs + PATIENCE_MS;
  return process.areKindsSettled ? undefined : `not served yet: ${kinds.join(', ')}`;
}

async function work(process: Process, interrupt: Interrupt): Promise<void> {
  const { context, cluster, instance, log, flags } = process;
  const bare = await engineOf(process);
  const workloads = startWorkloads(workloadsOptions(process));
  const engine: Engine = { ...bare, store: clearedFirst(workloads, cluster.store) };
  const duties = newDuties({ cluster, version: context.host.version, clock: realClock, random: Math.random, log, providers: engine.providers });
  log('info', `instance ${instance.id}, namespace ${cluster.namespace}, ${flags.sharding ? 'sharing' : 'leading'} as ${process.id}`);
  try {
    // A cluster that does not answer keeps it from starting, and must not keep it from stopping.
    const runtime = await Promise.race([startRuntime(runtimeOptions(process, engine, duties, workloads)), stopAsked(interrupt)]);
    process.runtime = runtime;
    if (runtime !== undefined) {
      watchThings(engine.connections, instance.id, key => wake(runtime.controller!, key));
      await Promise.race([followClaims(workloads, cluster.store), stopAsked(interrupt)]);
    }
    await stopAsked(interrupt);
  } finally {
    process.isStopping = true;
    log('info', 'stopping');
    await Promise.all([stopDuties(duties), endLooks(workloads)]);
    if (process.runtime !== undefined && !(await stopRuntime(process.runtime)))
      log('warn', 'some calls did not end in time; whoever goes on looks at what they did');
    await stopWorkloads(workloads);
    await Promise.all([closeAll(engine.connections), Promise.race([eventsSent(cluster.store.events), pause(EVENTS_MS)])]);
    log('info', 'stopped');
  }
}

function stopAsked({ signal }: Interrupt): Promise<undefined> {
  return new Promise(resolve => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function workloadsOptions(process: Process): WorkloadsOptions {
  const { cluster, log } = process;
  const isHeld = (namespace: string): boolean => process.runtime !== undefined && holds(process.runtime, namespace);
  return { home: cluster.store.home, clock: realClock, random: Math.random, log, holds: isHeld, onError: error => tellFailure(log, error) };
}

async function engineOf({ context, cluster, instance, tracker, log, metrics }: Process): Promise<Engine> {
  const engine = await newEngine(context, cluster.store, instance, tracker, cluster.abort.signal, await context.host.providers());
  const onCall = (config: string, service: string, operation: string): void => count(metrics, 'plinth_cloud_calls_total', { config, service, operation });
  return { ...engine, log, budgets: newBudgets(realClock, onCall), options: { ...engine.options, callTimeoutMs: LEASED_CALL_MS } };
}

function runtimeOptions(process: Process, engine: Engine, duties: Duties, workloads: Workloads): RuntimeOptions {
  const { context, cluster, tracker, metrics } = process;
  return {
    engine,
    tracker,
    random: Math.random,
    isClaim: async kind => (await loadDefinition(cluster.store, kind)) !== undefined,
    work: (fenced, key) => reconcile(told(metrics, fenced, key), key),
    workers: context.globals.workers ?? WORKERS,
    stopMs: STOP_MS,
    begin: (onChange, drained) => begin(process, workloads, onChange, drained),
    onWorked: (key, result) => {
      countReconcile(metrics, key.kind, result);
      tellWorked(process, key, result);
    },
    onTenure: (namespace, isHeld) => {
      if (namespace === '') turnDuties(duties, isHeld);
    },
  };
}

async function begin(
  { flags, cluster, id, log }: Process,
  workloads: Workloads,
  changed: () => void,
  claimsDrained: (isMoving: (namespace: string) => boolean) => Promise<void>,
): Promise<Tenure> {
  const port = kubeLeases(cluster.api, cluster.namespace);
  const onChange = (): void => {
    changed();
    onShare(workloads);
  };
  const drained: typeof claimsDrained = async isMoving => {
    await claimsDrained(isMoving);
    await looksEnded(workloads, isMoving);
  };
  const common = { port, clock: realClock, log, onChange };
  if (flags.sharding) return share({ ...common, id, drained });
  const leader = { ...common, name: LEADER_LEASE, holder: id, random: Math.random };
  return flags.leaderElect ? lead(leader) : await leadAlone(leader);
}

function tellWorked(
  { log }: Process,
  key: ClaimKey,
  { schedule, error, ms }: { readonly schedule?: Schedule; readonly error?: unknown; readonly ms: number },
): void {
  const fields = { claim: { kind: key.kind, namespace: key.namespace, name: key.name }, ms: Math.round(ms) };
  if (error !== undefined) log('warn', `not worked: ${error instanceof Error ? error.message : String(error)}`, fields);
  else
    log('debug', 'looked', {
      ...fields,
      next: schedule?.kind === 'again' ? `${schedule.because} in ${Math.round(schedule.afterMs)} ms` : 'when something changes',
    });
}
