/** Readiness by kind: one row per state. Kinds and reasons are those of kstatus. */
import { expect, test } from 'vitest';
import type { JsonObject } from '../../src/sdk.ts';
import { readinessOf, type Standing, standingOf } from './readiness.ts';

type Row = readonly [what: string, object: JsonObject, status: Standing['status'], reason?: string];

const of = (apiVersion: string, kind: string, status?: JsonObject, spec?: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion,
  kind,
  metadata: { name: 'it', ...metadata },
  ...(spec === undefined ? {} : { spec }),
  ...(status === undefined ? {} : { status }),
});
const when = (type: string, status: string, reason = '', message = ''): JsonObject => ({ type, status, reason, message });

const deployment = (status: JsonObject, spec: JsonObject = {}): JsonObject =>
  of('apps/v1', 'Deployment', status, { replicas: 2, progressDeadlineSeconds: 600, ...spec });
const all = { replicas: 2, updatedReplicas: 2, availableReplicas: 2, readyReplicas: 2 };
const rolledOut = [when('Progressing', 'True', 'NewReplicaSetAvailable'), when('Available', 'True')];

const set = (status: JsonObject, updateStrategy?: JsonObject): JsonObject =>
  of('apps/v1', 'StatefulSet', status, { replicas: 3, ...(updateStrategy === undefined ? {} : { updateStrategy }) });
const steady = { replicas: 3, readyReplicas: 3, currentReplicas: 3, updatedReplicas: 3, currentRevision: 'a', updateRevision: 'a' };

const daemons = (status?: JsonObject, metadata: JsonObject = { generation: 1 }): JsonObject => of('apps/v1', 'DaemonSet', status, {}, metadata);
const everywhere = {
  observedGeneration: 1,
  desiredNumberScheduled: 2,
  currentNumberScheduled: 2,
  updatedNumberScheduled: 2,
  numberAvailable: 2,
  numberReady: 2,
};

const replicas = (status: JsonObject): JsonObject => of('apps/v1', 'ReplicaSet', status, { replicas: 2 });
const labelled = { replicas: 2, fullyLabeledReplicas: 2, availableReplicas: 2, readyReplicas: 2 };

const pod = (status: JsonObject): JsonObject => of('v1', 'Pod', status, {});
const crash = { name: 'app', state: { waiting: { reason: 'CrashLoopBackOff' } } };
const job = (status: JsonObject): JsonObject => of('batch/v1', 'Job', status, {});
const crd = (...conditions: JsonObject[]): JsonObject => of('apiextensions.k8s.io/v1', 'CustomResourceDefinition', { conditions }, {});
const custom = (status: JsonObject, metadata: JsonObject = {}): JsonObject => of('acme.example/v1', 'Widget', status, {}, metadata);

const ROWS: readonly Row[] = [
  // ── all kinds ──
  ['without a status', of('acme.example/v1', 'Widget'), 'Current'],
  ['deleted', custom({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), 'Terminating', 'Deleting'],
  ['a generation that nobody has seen', custom({ observedGeneration: 1 }, { generation: 2 }), 'InProgress', 'LatestGenerationNotObserved'],
  ['a generation that is seen', custom({ observedGeneration: 2 }, { generation: 2 }), 'Current'],
  ['generation 0 is one too', custom({ observedGeneration: 0 }, { generation: 1 }), 'InProgress', 'LatestGenerationNotObserved'],
  ['reconciling', custom({ conditions: [when('Reconciling', 'True', 'Upgrading', 'to 2')] }), 'InProgress', 'Upgrading'],
  ['stalled', custom({ conditions: [when('Stalled', 'True', 'BadSpec', 'no such size')] }), 'Failed', 'BadSpec'],
  ['no longer stalled', custom({ conditions: [when('Stalled', 'False', 'Fine')] }), 'Current'],
  ['its condition Ready is true', custom({ conditions: [when('Ready', 'True')] }), 'Current'],
  ['its condition Ready is false', custom({ conditions: [when('Ready', 'False', 'Starting')] }), 'InProgress', 'Starting'],
  ['its condition Ready is unknown', custom({ conditions: [when('Ready', 'Unknown')] }), 'InProgress', 'NotReady'],
  ['conditions that are no list', custom({ conditions: 'none' }), 'Current'],
  ['a deletion counts before everything', { ...pod({ phase: 'Running' }), metadata: { deletionTimestamp: 'now' } }, 'Terminating', 'Deleting'],
  // ── Deployment ──
  ['no status yet', deployment({}), 'InProgress', 'LessReplicas'],
  ['too few made', deployment({ ...all, replicas: 1 }), 'InProgress', 'LessReplicas'],
  ['too few updated', deployment({ ...all, updatedReplicas: 1 }), 'InProgress', 'LessUpdated'],
  ['old pods are still there', deployment({ ...all, replicas: 3 }), 'InProgress', 'ExtraPods'],
  ['too few available', deployment({ ...all, availableReplicas: 1 }), 'InProgress', 'LessAvailable'],
  ['too few ready', deployment({ ...all, readyReplicas: 1 }), 'InProgress', 'LessReady'],
  ['counted, but not told to be rolled out', deployment(all), 'InProgress', 'ReplicaSetNotAvailable'],
  ['rolled out, but not available', deployment({ ...all, conditions: [rolledOut[0]!] }), 'InProgress', 'DeploymentNotAvailable'],
  ['all there', deployment({ ...all, conditions: rolledOut }), 'Current'],
  ['all there, without a deadline', deployment({ ...all, conditions: [rolledOut[1]!] }, { progressDeadlineSeconds: 2_147_483_647 }), 'Current'],
  ['too late', deployment({ ...all, conditions: [when('Progressing', 'False', 'ProgressDeadlineExceeded')] }), 'Failed', 'ProgressDeadlineExceeded'],
  ['asleep', deployment({ conditions: rolledOut }, { replicas: 0 }), 'Current'],
  ['one replica where none is named', of('apps/v1', 'Deployment', {}, {}), 'InProgress', 'LessReplicas'],
  // ── StatefulSet ──
  ['updated by hand', set({}, { type: 'OnDelete' }), 'Current'],
  ['too few made', set({ ...steady, replicas: 2 }), 'InProgress', 'LessReplicas'],
  ['too few ready', set({ ...steady, readyReplicas: 2 }), 'InProgress', 'LessReady'],
  ['too many', set({ ...steady, replicas: 4 }), 'InProgress', 'ExtraPods'],
  ['too few current', set({ ...steady, currentReplicas: 1 }), 'InProgress', 'LessCurrent'],
  ['two revisions', set({ ...steady, updateRevision: 'b' }), 'InProgress', 'RevisionMismatch'],
  ['a partition on its way', set({ ...steady, updatedReplicas: 1 }, { rollingUpdate: { partition: 1 } }), 'InProgress', 'PartitionRollout'],
  ['a partition done', set({ ...steady, updatedReplicas: 2, currentReplicas: 1 }, { rollingUpdate: { partition: 1 } }), 'Current'],
  ['steady', set(steady), 'Current'],
  // ── DaemonSet ──
  ['without a generation', daemons(everywhere, {}), 'InProgress', 'NoGeneration'],
  ['not looked at yet', daemons(), 'InProgress', 'NoObservedGeneration'],
  ['not counted yet', daemons({ observedGeneration: 1 }), 'InProgress', 'NoDesiredNumber'],
  ['too few made', daemons({ ...everywhere, currentNumberScheduled: 1 }), 'InProgress', 'LessCurrent'],
  ['too few updated', daemons({ ...everywhere, updatedNumberScheduled: 1 }), 'InProgress', 'LessUpdated'],
  ['too few available', daemons({ ...everywhere, numberAvailable: 1 }), 'InProgress', 'LessAvailable'],
  ['too few ready', daemons({ ...everywhere, numberReady: 1 }), 'InProgress', 'LessReady'],
  ['on every node', daemons(everywhere), 'Current'],
  // ── ReplicaSet ──
  ['cannot make pods', replicas({ ...labelled, conditions: [when('ReplicaFailure', 'True')] }), 'InProgress', 'ReplicaFailure'],
  ['too few labelled', replicas({ ...labelled, fullyLabeledReplicas: 1 }), 'InProgress', 'LessLabelled'],
  ['too few available', replicas({ ...labelled, availableReplicas: 1 }), 'InProgress', 'LessAvailable'],
  ['too few ready', replicas({ ...labelled, readyReplicas: 1 }), 'InProgress', 'LessReady'],
  ['too many', replicas({ ...labelled, replicas: 3 }), 'InProgress', 'ExtraPods'],
  ['all there', replicas(labelled), 'Current'],
  // ── Pod ──
  ['no phase', pod({}), 'InProgress', 'PodNotObserved'],
  ['pending', pod({ phase: 'Pending' }), 'InProgress', 'PodPending'],
  ['no node takes it', pod({ phase: 'Pending', conditions: [when('PodScheduled', 'False', 'Unschedulable')] }), 'Failed', 'PodUnschedulable'],
  ['running, not ready', pod({ phase: 'Running' }), 'InProgress', 'PodRunningNotReady'],
  ['running and ready', pod({ phase: 'Running', conditions: [when('Ready', 'True')] }), 'Current'],
  ['crashing', pod({ phase: 'Running', containerStatuses: [crash] }), 'Failed', 'ContainerCrashLooping'],
  ['ended well', pod({ phase: 'Succeeded' }), 'Current'],
  ['ended badly', pod({ phase: 'Failed' }), 'Failed', 'PodFailed'],
  // ── the others ──
  ['a volume claim nobody looked at', of('v1', 'PersistentVolumeClaim', {}, {}), 'InProgress', 'NotBound'],
  ['a volume claim that is pending', of('v1', 'PersistentVolumeClaim', { phase: 'Pending' }, {}), 'InProgress', 'NotBound'],
  ['a volume claim that lost its volume', of('v1', 'PersistentVolumeClaim', { phase: 'Lost' }, {}), 'InProgress', 'NotBound'],
  ['a volume claim that is bound', of('v1', 'PersistentVolumeClaim', { phase: 'Bound' }, {}), 'Current'],
  ['a job that has not begun', job({}), 'InProgress', 'JobNotStarted'],
  ['a job that runs', job({ startTime: 'now' }), 'Current'],
  ['a job that is done', job({ startTime: 'now', conditions: [when('Complete', 'True')] }), 'Current'],
  ['a job that failed', job({ startTime: 'now', conditions: [when('Failed', 'True', 'BackoffLimitExceeded')] }), 'Failed', 'JobFailed'],
  ['a job that is suspended', job({ conditions: [when('Suspended', 'True')] }), 'Current'],
  ['a cron job', of('batch/v1', 'CronJob', {}, {}), 'Current'],
  ['a service', of('v1', 'Service', { loadBalancer: {} }, { type: 'ClusterIP' }), 'Current'],
  ['a load balancer without an address', of('v1', 'Service', {}, { type: 'LoadBalancer' }), 'InProgress', 'NoIPAssigned'],
  ['a load balancer with an address', of('v1', 'Service', {}, { type: 'LoadBalancer', clusterIP: '10.0.0.1' }), 'Current'],
  ['a config map', of('v1', 'ConfigMap'), 'Current'],
  ['a disruption budget', of('policy/v1', 'PodDisruptionBudget', { observedGeneration: 1 }, {}, { generation: 1 }), 'Current'],
  ['a definition nobody looked at', crd(), 'InProgress', 'Installing'],
  ['a definition whose names are taken', crd(when('NamesAccepted', 'False', 'ListKindConflict')), 'Failed', 'ListKindConflict'],
  ['a definition on its way', crd(when('Established', 'False', 'Installing')), 'InProgress', 'Installing'],
  ['a definition that cannot be served', crd(when('Established', 'False', 'NotAccepted')), 'Failed', 'NotAccepted'],
  ['a definition that is served', crd(when('NamesAccepted', 'True'), when('Established', 'True')), 'Current'],
];

const rows = ROWS.map(([what, object, status, reason = '']) => [what, object, status, reason] as const);
test.each(rows)('%s', (_, object, status, reason) => {
  expect(standingOf(object)).toMatchObject({ status, reason });
  const readiness = readinessOf(object);
  expect(readiness.ready).toBe(status === 'Current');
  if (!readiness.ready) expect(readiness).toMatchObject({ reason, message: expect.stringMatching(/^[^\n]+$|^$/) });
});

test('a namespace that goes says what is left in it', () => {
  const conditions = [
    when('NamespaceDeletionContentFailure', 'False', '', 'all deleted'),
    when('NamespaceContentRemaining', 'True', 'SomeResourcesRemain', 'Some resources are remaining: queues.plinth.dev has 1 resource instances'),
    when('NamespaceFinalizersRemaining', 'True', 'SomeFinalizersRemain', 'plinth.dev/claim in 1 resource instances'),
  ];
  expect(readinessOf(of('v1', 'Namespace', { conditions }, {}, { deletionTimestamp: 'now' }))).toMatchObject({
    message: 'is being deleted; Some resources are remaining: queues.plinth.dev has 1 resource instances; plinth.dev/claim in 1 resource instances',
  });
  expect(readinessOf(of('v1', 'Namespace', { phase: 'Active' }))).toEqual({ ready: true });
});

test('what is being deleted says what it waits for', () => {
  const object = of('v1', 'ConfigMap', {}, {}, { deletionTimestamp: 'now', finalizers: ['b/two', 'a/one'] });
  expect(readinessOf(object)).toEqual({ ready: false, reason: 'Deleting', message: 'is being deleted; waits for a/one, b/two' });
});
