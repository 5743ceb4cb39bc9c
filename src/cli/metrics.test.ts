import { expect, test } from 'vitest';
import { EngineError } from '../core/errors.ts';
import type { ClaimStatus, JsonObject } from '../core/types.ts';
import { METRICS, type MetricSpec } from './metric-names.ts';
import { count, countApiCall, countDrift, countReconcile, exposition, newMetrics, showBuild } from './metrics.ts';

const line = (text: string, start: string): string | undefined => text.split('\n').find(item => item.startsWith(start));

test('what is declared is what is served: names, types, labels', async () => {
  const metrics = newMetrics();
  for (const [name, { type, labels }] of Object.entries<MetricSpec>(METRICS)) {
    const some = Object.fromEntries(Object.keys(labels).map(label => [label, 'x']));
    if (type === 'counter') metrics.counters.get(name)!.inc(some);
    if (type === 'gauge') metrics.gauges.get(name)!.set(some, 1);
    if (type === 'histogram') metrics.histograms.get(name)!.observe(some, 1);
  }
  const text = await exposition(metrics, undefined, []);
  for (const [name, { type, help }] of Object.entries<MetricSpec>(METRICS)) {
    expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    expect(type === 'counter').toBe(name.endsWith('_total'));
  }
  expect(text).toContain('process_resident_memory_bytes');
});

test('looks are counted by what comes next, or by what broke them off', async () => {
  const metrics = newMetrics();
  countReconcile(metrics, 'Queue', { schedule: { kind: 'again', afterMs: 1, because: 'poll' }, ms: 40 });
  countReconcile(metrics, 'Queue', { schedule: { kind: 'done' }, ms: 10 });
  countReconcile(metrics, 'Queue', { error: new EngineError('StoreConflict', 'changed'), ms: 10 });
  countReconcile(metrics, 'Queue', { error: new TypeError('mistake'), ms: 10 });
  const text = await exposition(metrics, undefined, []);
  for (const outcome of ['poll', 'done', 'StoreConflict', 'Error'])
    expect(line(text, `plinth_reconciles_total{kind="Queue",outcome="${outcome}"}`)).toMatch(/ 1$/);
  expect(line(text, 'plinth_reconcile_duration_seconds_count{kind="Queue"}')).toMatch(/ 4$/);
});

test('a drift row counts once, under the provider of its resource', async () => {
  const metrics = newMetrics();
  const row = { resource: 'queue', path: 'delaySeconds', desired: 0, observed: 5, detectedAt: '2026-11-21T06:00:00Z' };
  const status = (drift: readonly object[]): ClaimStatus => ({ drift, resources: [{ id: 'queue', type: 'aws/sqs-queue' }] }) as unknown as ClaimStatus;
  countDrift(metrics, 'Queue', status([]), status([row]));
  countDrift(metrics, 'Queue', status([row]), status([{ ...row, correctedAt: '2026-11-21T06:01:00Z' }]));
  countDrift(metrics, 'Queue', status([row]), status([row, { ...row, resource: 'connection', path: 'uri' }]));
  const text = await exposition(metrics, undefined, []);
  expect(line(text, 'plinth_drift_total{kind="Queue",provider="aws"}')).toMatch(/ 1$/);
  expect(line(text, 'plinth_drift_total{kind="Queue",provider="plinth"}')).toMatch(/ 1$/);
});

test('calls to the API server and to the cloud; the build', async () => {
  const metrics = newMetrics();
  countApiCall(metrics, { verb: 'patch', resource: 'plinth.dev/queues/status', code: 200, durationMs: 4 });
  count(metrics, 'plinth_cloud_calls_total', { config: 'local', service: 'sqs', operation: 'CreateQueue' });
  showBuild(metrics, '1.2.3', 'plinth-1f0c3a92');
  const text = await exposition(metrics, undefined, [] as JsonObject[]);
  expect(line(text, 'plinth_api_calls_total{verb="patch",resource="plinth.dev/queues/status",code="200"}')).toMatch(/ 1$/);
  expect(line(text, 'plinth_cloud_calls_total{config="local",service="sqs",operation="CreateQueue"}')).toMatch(/ 1$/);
  expect(line(text, 'plinth_build_info{version="1.2.3",instance="plinth-1f0c3a92"}')).toMatch(/ 1$/);
});
