/** The metrics of a controller: counted as things happen, measured when somebody asks. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { conditionOf } from '../core/conditions.ts';
import { isError } from '../core/errors.ts';
import type { Schedule } from '../core/report.ts';
import type { ClaimStatus, JsonObject } from '../core/types.ts';
import { type Budgets, usage } from '../engine/budget.ts';
import { metadataOf } from '../engine/objects.ts';
import { holds, type Runtime } from '../engine/runtime.ts';
import type { CallRecord } from '../kube/transport.ts';
import { METRICS, type MetricName, type MetricSpec } from './metric-names.ts';
import { statusOf, troubleOf } from './standing.ts';

type Labels = Readonly<Record<string, string | number>>;

export interface Metrics {
  readonly registry: Registry;
  readonly counters: ReadonlyMap<string, Counter>;
  readonly gauges: ReadonlyMap<string, Gauge>;
  readonly histograms: ReadonlyMap<string, Histogram>;
  /** By config and service: how often was throttled when it was counted last. */
  readonly throttled: Map<string, number>;
}

/** All at nothing. */
export function newMetrics(): Metrics {
  const registry = new Registry();
  const all = Object.entries<MetricSpec>(METRICS);
  const make = <T>(type: MetricSpec['type'], build: (options: { name: string; help: string; labelNames: string[]; buckets?: number[] }) => T): Map<string, T> =>
    new Map(
      all
        .filter(([, spec]) => spec.type === type)
        .map(([name, { help, labels, buckets }]) => {
          const options = { name, help, labelNames: Object.keys(labels), registers: [registry] };
          return [name, build(buckets === undefined ? options : { ...options, buckets: [...buckets] })];
        }),
    );
  const metrics = {
    registry,
    counters: make('counter', options => new Counter(options)),
    gauges: make('gauge', options => new Gauge(options)),
    histograms: make('histogram', options => new Histogram(options)),
    throttled: new Map<string, number>(),
  };
  collectDefaultMetrics({ register: registry });
  return metrics;
}

/** Adds to a counter. */
export function count({ counters }: Metrics, name: MetricName, labels: Labels, by = 1): void {
  counters.get(name)!.inc(labels, by);
}

function measure({ histograms }: Metrics, name: MetricName, labels: Labels, seconds: number): void {
  histograms.get(name)!.observe(labels, seconds);
}

function show({ gauges }: Metrics, name: MetricName, labels: Labels, value: number): void {
  gauges.get(name)!.set(labels, value);
}

/** After each look at a claim. */
export function countReconcile(metrics: Metrics, kind: string, result: { readonly schedule?: Schedule; readonly error?: unknown; readonly ms: number }): void {
  const { schedule, error, ms } = result;
  const failure = isError(error) ? error.code : 'Error';
  const outcome = schedule === undefined ? failure : schedule.kind === 'done' ? 'done' : schedule.because;
  count(metrics, 'plinth_reconciles_total', { kind, outcome });
  measure(metrics, 'plinth_reconcile_duration_seconds', { kind }, ms / 1_000);
}

/** After each try of a call to the API server. */
export function countApiCall(metrics: Metrics, { verb, resource, code, durationMs }: CallRecord): void {
  count(metrics, 'plinth_api_calls_total', { verb, resource, code });
  measure(metrics, 'plinth_api_call_duration_seconds', { verb }, durationMs / 1_000);
}

/** Counts drift rows that the status before did not have. */
export function countDrift(metrics: Metrics, kind: string, before: ClaimStatus, after: ClaimStatus): void {
  const known = new Set(before.drift.map(row => `${row.resource} ${row.path} ${row.detectedAt}`));
  for (const row of after.drift) {
    if (!known.has(`${row.resource} ${row.path} ${row.detectedAt}`)) count(metrics, 'plinth_drift_total', { kind, provider: providerOf(after, row.resource) });
  }
}

/** Of a resource id, by the type it has in the inventory; drift of the connection Secret is our own. */
function providerOf({ resources }: ClaimStatus, id: string): string {
  return resources.find(entry => entry.id === id)?.type.split('/')[0] ?? 'plinth';
}

/** What there is now, as Prometheus reads it. `claims`: all there are; only those that are worked here count. */
export async function exposition(metrics: Metrics, runtime: Runtime | undefined, claims: readonly JsonObject[]): Promise<string> {
  if (runtime !== undefined) {
    showClaims(metrics, runtime, claims);
    showQueue(metrics, runtime);
    showBudgets(metrics, runtime.options.engine.budgets);
    show(metrics, 'plinth_leader', {}, holds(runtime, '') ? 1 : 0);
  }
  return await metrics.registry.metrics();
}

function showClaims(metrics: Metrics, runtime: Runtime, claims: readonly JsonObject[]): void {
  const [ready, drift] = [new Map<string, number>(), new Map<string, number>()];
  const namespaces = new Set<string>();
  const add = (map: Map<string, number>, ...labels: string[]): void => void map.set(labels.join('\n'), (map.get(labels.join('\n')) ?? 0) + 1);
  const held = new Map<string, boolean>();
  for (const object of claims) {
    const namespace = metadataOf(object).namespace ?? '';
    if (!held.has(namespace)) held.set(namespace, holds(runtime, namespace));
    if (!held.get(namespace)) continue;
    if (namespace !== '') namespaces.add(namespace);
    const status = statusOf(object);
    const kind = String(object['kind']);
    const readiness = conditionOf(status.conditions, 'Ready')?.status ?? 'Unknown';
    add(ready, kind, readiness, troubleOf(status.conditions)?.reason ?? (readiness === 'True' ? 'Ready' : 'NotLookedAt'));
    for (const row of status.drift) if (row.correctedAt === undefined) add(drift, kind, providerOf(status, row.resource));
  }
  for (const name of ['plinth_claims', 'plinth_drift'] as const) metrics.gauges.get(name)!.reset();
  for (const [key, value] of ready) show(metrics, 'plinth_claims', labelsOf(['kind', 'ready', 'reason'], key), value);
  for (const [key, value] of drift) show(metrics, 'plinth_drift', labelsOf(['kind', 'provider'], key), value);
  show(metrics, 'plinth_namespaces', {}, namespaces.size);
}

function labelsOf(names: readonly string[], key: string): Labels {
  const values = key.split('\n');
  return Object.fromEntries(names.map((name, index) => [name, values[index]!]));
}

function showQueue(metrics: Metrics, { controller, options }: Runtime): void {
  if (controller === undefined) return;
  const { ready, running, delayed } = controller.queue;
  show(metrics, 'plinth_queue_depth', { state: 'due' }, ready.size);
  show(metrics, 'plinth_queue_depth', { state: 'running' }, running.size);
  show(metrics, 'plinth_queue_depth', { state: 'delayed' }, delayed.size);
  const [oldest] = ready.values();
  show(metrics, 'plinth_queue_oldest_seconds', {}, oldest === undefined ? 0 : (options.engine.clock.ms() - oldest) / 1_000);
}

function showBudgets(metrics: Metrics, budgets: Budgets): void {
  for (const { config, service, throttled, waiting } of usage(budgets)) {
    show(metrics, 'plinth_cloud_calls_waiting', { config, service }, waiting);
    const before = metrics.throttled.get(`${config}\n${service}`) ?? 0;
    if (throttled > before) count(metrics, 'plinth_cloud_throttled_total', { config, service }, throttled - before);
    metrics.throttled.set(`${config}\n${service}`, throttled);
  }
}

/** Set once. */
export function showBuild(metrics: Metrics, version: string, instance: string): void {
  show(metrics, 'plinth_build_info', { version, instance }, 1);
}
