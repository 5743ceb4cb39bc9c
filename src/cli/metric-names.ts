/** Every metric of the controller, as data: the code, the reference page, the dashboard and the alert rules are held against this. */

export interface MetricSpec {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Each with what its values are. Bounded: no name of a claim is ever a label. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of a histogram, seconds. */
  readonly buckets?: readonly number[];
}

const kind = 'claim kind, e.g. `Queue`';
const config = 'name of the ProviderConfig';
const service = 'as the provider names it, e.g. `sqs`';

export const METRICS = {
  plinth_build_info: { type: 'gauge', help: 'Always 1.', labels: { version: 'of Plinth', instance: 'as it stands in the marks of what was made' } },
  plinth_leader: {
    type: 'gauge',
    help: '1 while this process does what is done once per cluster; with one leader that is everything.',
    labels: {},
  },
  plinth_namespaces: { type: 'gauge', help: 'Namespaces with claims that this process works.', labels: {} },
  plinth_claims: {
    type: 'gauge',
    help: 'Claims that this process works, by readiness.',
    labels: { kind, ready: '`True`, `False` or `Unknown`', reason: 'of the condition that says why not; `Ready` when all is well' },
  },
  plinth_reconciles_total: {
    type: 'counter',
    help: 'Looks at claims.',
    labels: {
      kind,
      outcome:
        'why the next look is made: `done` (none is needed), `progress`, `poll`, `resync`, `recheck`, `backoff`; or the code of the error that broke the look off, e.g. `StoreConflict`',
    },
  },
  plinth_reconcile_duration_seconds: {
    type: 'histogram',
    help: 'How long a look took.',
    labels: { kind },
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  plinth_queue_depth: { type: 'gauge', help: 'Claims in the work queue.', labels: { state: '`due`, `running` or `delayed`' } },
  plinth_queue_oldest_seconds: { type: 'gauge', help: 'How long the claim has waited that has been due for longest.', labels: {} },
  plinth_cloud_calls_total: { type: 'counter', help: 'Requests to providers.', labels: { config, service, operation: 'e.g. `CreateQueue`' } },
  plinth_cloud_throttled_total: { type: 'counter', help: 'Requests that a provider refused because there were too many.', labels: { config, service } },
  plinth_cloud_calls_waiting: { type: 'gauge', help: 'Requests that wait for the call budget.', labels: { config, service } },
  plinth_drift_total: {
    type: 'counter',
    help: 'Fields and things that were found changed outside.',
    labels: { kind, provider: 'of the resource type, e.g. `aws`' },
  },
  plinth_drift: {
    type: 'gauge',
    help: 'Fields and things that are changed outside and not put back.',
    labels: { kind, provider: 'of the resource type, e.g. `aws`' },
  },
  plinth_api_calls_total: {
    type: 'counter',
    help: 'Requests to the Kubernetes API server.',
    labels: { verb: 'e.g. `patch`', resource: 'e.g. `plinth.dev/queues/status`', code: 'HTTP status; 0 without an answer' },
  },
  plinth_api_call_duration_seconds: {
    type: 'histogram',
    help: 'How long the API server took; of a watch, until it began.',
    labels: { verb: 'e.g. `patch`' },
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;
