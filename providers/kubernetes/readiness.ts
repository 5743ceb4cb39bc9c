/**
 * Whether an object is what was asked for, by kind. The rules are those of kstatus (sigs.k8s.io/cli-utils, pkg/kstatus/status), which Helm 4, Flux
 * and kubectl's own tools read objects by; the one exception stands at `pod`. Pure; without a clock, so a pod that finds no node is told at once.
 */
import { type Json, type JsonObject, notReady, type Readiness, ready } from '../../src/sdk.ts';

/** Current: as asked for · InProgress: on its way · Failed: will not come by itself · Terminating: on its way out. */
export interface Standing {
  readonly status: 'Current' | 'InProgress' | 'Failed' | 'Terminating';
  /** One CamelCase word; '' when Current. */
  readonly reason: string;
  readonly message: string;
}
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
type Rule = (object: JsonObject) => Standing;
/** Not there yet while `wanted` is more than `have`. */
type Count = readonly [wanted: number, have: number, reason: string, text: string];

const CURRENT: Standing = { status: 'Current', reason: '', message: '' };
const inProgress = (reason: string, message: string): Standing => ({ status: 'InProgress', reason, message });
const failed = (reason: string, message: string): Standing => ({ status: 'Failed', reason, message });

/** The readiness of an object as a resource type answers it. The reason `Deleting` is known to the engine: it waits. */
export function readinessOf(object: JsonObject): Readiness {
  const { status, reason, message } = standingOf(object);
  return status === 'Current' ? ready : notReady(reason, message);
}

/** How an object stands: what all kinds have in common, else the rule of its kind, else its condition Ready, else it is as it should be. */
export function standingOf(object: JsonObject): Standing {
  return general(object) ?? RULES[ruleName(object)]?.(object) ?? byReadyCondition(object) ?? CURRENT;
}

function ruleName(object: JsonObject): string {
  const [group, version] = String(object['apiVersion']).split('/');
  return version === undefined ? String(object['kind']) : `${group}/${object['kind']}`;
}

// ── all kinds ──

function general(object: JsonObject): Standing | undefined {
  if (text(object, 'metadata.deletionTimestamp') !== '') return terminating(object);
  const generation = read(object, 'metadata.generation');
  const observed = read(object, 'status.observedGeneration');
  if (generation !== undefined && observed !== undefined && observed !== generation) {
    return inProgress('LatestGenerationNotObserved', `generation ${observed} of ${generation} is observed`);
  }
  const found = conditionsOf(object).find(({ type, status }) => (type === 'Reconciling' || type === 'Stalled') && status === 'True');
  if (found === undefined) return undefined;
  return found.type === 'Stalled' ? failed(found.reason || 'Stalled', found.message) : inProgress(found.reason || 'Reconciling', found.message);
}

function terminating(object: JsonObject): Standing {
  const finalizers = (read(object, 'metadata.finalizers') ?? []) as string[];
  const left = object['kind'] === 'Namespace' ? remaining(object) : '';
  if (left !== '') return { status: 'Terminating', reason: 'Deleting', message: `is being deleted; ${left}` };
  const message = finalizers.length === 0 ? 'is being deleted' : `is being deleted; waits for ${[...finalizers].sort().join(', ')}`;
  return { status: 'Terminating', reason: 'Deleting', message };
}

/** What a namespace that goes still holds, in the words of the API server. */
function remaining(object: JsonObject): string {
  const left = conditionsOf(object).filter(({ type, status }) => /^Namespace(Content|Finalizers)Remaining$/.test(type) && status === 'True');
  return left.map(({ message }) => message).join('; ');
}

function byReadyCondition(object: JsonObject): Standing | undefined {
  const found = conditionsOf(object).find(({ type }) => type === 'Ready');
  if (found === undefined) return undefined;
  return found.status === 'True' ? CURRENT : inProgress(found.reason || 'NotReady', found.message || 'is not ready');
}

// ── by kind ──

const RULES: Readonly<Record<string, Rule>> = {
  ConfigMap: () => CURRENT,
  Secret: () => CURRENT,
  Service: service,
  Pod: pod,
  PersistentVolumeClaim: volumeClaim,
  'apps/Deployment': deployment,
  'apps/StatefulSet': statefulSet,
  'apps/DaemonSet': daemonSet,
  'apps/ReplicaSet': replicaSet,
  'batch/Job': job,
  'batch/CronJob': () => CURRENT,
  'policy/PodDisruptionBudget': () => CURRENT,
  'apiextensions.k8s.io/CustomResourceDefinition': definition,
};

function deployment(object: JsonObject): Standing {
  const { replicas, updatedReplicas, readyReplicas, availableReplicas } = counts(object);
  const wanted = number(object, 'spec.replicas', 1);
  const progressing = condition(object, 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') return failed('ProgressDeadlineExceeded', progressing.message || 'the rollout takes too long');
  const lacking = tooFew([
    [wanted, replicas, 'LessReplicas', 'made'],
    [wanted, updatedReplicas, 'LessUpdated', 'updated'],
    [replicas, wanted, 'ExtraPods', 'to keep'],
    [updatedReplicas, availableReplicas, 'LessAvailable', 'available'],
    [wanted, readyReplicas, 'LessReady', 'ready'],
  ]);
  if (lacking !== undefined) return lacking;
  // Without a deadline the controller sets no condition (deployment_util.go, HasProgressDeadline).
  const isUnbounded = number(object, 'spec.progressDeadlineSeconds', NO_DEADLINE) === NO_DEADLINE;
  const isRolledOut = isUnbounded || (progressing?.status === 'True' && progressing.reason === 'NewReplicaSetAvailable');
  if (!isRolledOut) return inProgress('ReplicaSetNotAvailable', 'its new pods are not available');
  return condition(object, 'Available')?.status === 'True' ? CURRENT : inProgress('DeploymentNotAvailable', 'is not available');
}
/** math.MaxInt32, which stands for "none". */
const NO_DEADLINE = 2_147_483_647;

/** Its controller sets no conditions: only the counts and revisions tell. */
function statefulSet(object: JsonObject): Standing {
  if (text(object, 'spec.updateStrategy.type') === 'OnDelete') return CURRENT;
  const { replicas, readyReplicas, currentReplicas, updatedReplicas } = counts(object);
  const wanted = number(object, 'spec.replicas', 1);
  const lacking = tooFew([
    [wanted, replicas, 'LessReplicas', 'made'],
    [wanted, readyReplicas, 'LessReady', 'ready'],
    [replicas, wanted, 'ExtraPods', 'to keep'],
  ]);
  if (lacking !== undefined) return lacking;
  const partition = number(object, 'spec.updateStrategy.rollingUpdate.partition', -1);
  if (partition !== -1) return tooFew([[wanted - partition, updatedReplicas, 'PartitionRollout', 'updated']]) ?? CURRENT;
  const behind = tooFew([[wanted, currentReplicas, 'LessCurrent', 'of the current revision']]);
  if (behind !== undefined) return behind;
  const isOneRevision = text(object, 'status.currentRevision') === text(object, 'status.updateRevision');
  return isOneRevision ? CURRENT : inProgress('RevisionMismatch', 'its pods are being updated');
}

/** Its controller always writes both generations, so their absence says that it has not looked yet. */
function daemonSet(object: JsonObject): Standing {
  if (read(object, 'metadata.generation') === undefined) return inProgress('NoGeneration', 'has no generation');
  if (read(object, 'status.observedGeneration') === undefined) return inProgress('NoObservedGeneration', 'is not observed yet');
  const wanted = number(object, 'status.desiredNumberScheduled', -1);
  if (wanted === -1) return inProgress('NoDesiredNumber', 'it is not known yet how many pods it needs');
  const have = (field: string): number => number(object, `status.${field}`, 0);
  return (
    tooFew([
      [wanted, have('currentNumberScheduled'), 'LessCurrent', 'made'],
      [wanted, have('updatedNumberScheduled'), 'LessUpdated', 'updated'],
      [wanted, have('numberAvailable'), 'LessAvailable', 'available'],
      [wanted, have('numberReady'), 'LessReady', 'ready'],
    ]) ?? CURRENT
  );
}

function replicaSet(object: JsonObject): Standing {
  if (condition(object, 'ReplicaFailure')?.status === 'True') return inProgress('ReplicaFailure', 'its pods cannot be made');
  const { replicas, readyReplicas, availableReplicas, fullyLabeledReplicas } = counts(object);
  const wanted = number(object, 'spec.replicas', 1);
  return (
    tooFew([
      [wanted, fullyLabeledReplicas, 'LessLabelled', 'labelled'],
      [wanted, availableReplicas, 'LessAvailable', 'available'],
      [wanted, readyReplicas, 'LessReady', 'ready'],
      [replicas, wanted, 'ExtraPods', 'to keep'],
    ]) ?? CURRENT
  );
}

/** kstatus takes a failed pod for current, as it has come to its end; for a claim it is not usable. */
function pod(object: JsonObject): Standing {
  const phase = text(object, 'status.phase');
  if (phase === 'Succeeded') return CURRENT;
  if (phase === 'Failed') return failed('PodFailed', text(object, 'status.message') || 'it ended with a failure');
  if (phase === 'Running') return runningPod(object);
  const scheduled = condition(object, 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') return failed('PodUnschedulable', scheduled.message || 'no node takes it');
  return phase === 'Pending' ? inProgress('PodPending', 'is pending') : inProgress('PodNotObserved', 'is not observed yet');
}

function runningPod(object: JsonObject): Standing {
  if (condition(object, 'Ready')?.status === 'True') return CURRENT;
  const crashing = list(object, 'status.containerStatuses')
    .filter(container => text(container, 'state.waiting.reason') === 'CrashLoopBackOff')
    .map(container => text(container, 'name'));
  if (crashing.length > 0) return failed('ContainerCrashLooping', `crashes again and again: ${crashing.sort().join(', ')}`);
  return inProgress('PodRunningNotReady', 'runs, but is not ready');
}

function volumeClaim(object: JsonObject): Standing {
  const phase = text(object, 'status.phase');
  return phase === 'Bound' ? CURRENT : inProgress('NotBound', `is not bound${phase === '' ? '' : `, but ${phase}`}`);
}

/** Once it runs it is current; that it has done its work is a matter of `readyWhen`. */
function job(object: JsonObject): Standing {
  const ended = conditionsOf(object).find(({ type, status }) => status === 'True' && ['Complete', 'Failed', 'Suspended'].includes(type));
  if (ended?.type === 'Failed') return failed('JobFailed', ended.message || 'it failed');
  if (ended !== undefined) return CURRENT;
  return text(object, 'status.startTime') === '' ? inProgress('JobNotStarted', 'has not started') : CURRENT;
}

function service(object: JsonObject): Standing {
  const waits = text(object, 'spec.type') === 'LoadBalancer' && text(object, 'spec.clusterIP') === '';
  return waits ? inProgress('NoIPAssigned', 'has no cluster IP yet') : CURRENT;
}

function definition(object: JsonObject): Standing {
  const names = condition(object, 'NamesAccepted');
  if (names?.status === 'False') return failed(names.reason, names.message);
  const established = condition(object, 'Established');
  if (established?.status === 'True') return CURRENT;
  if (established?.status === 'False' && established.reason !== 'Installing') return failed(established.reason, established.message);
  return inProgress('Installing', 'is being installed');
}

// ── reading ──

function tooFew(checks: readonly Count[]): Standing | undefined {
  const found = checks.find(([wanted, have]) => wanted > have);
  return found && inProgress(found[2], `${found[1]} of ${found[0]} pods ${found[3]}`);
}

const COUNTS = ['replicas', 'readyReplicas', 'availableReplicas', 'updatedReplicas', 'currentReplicas', 'fullyLabeledReplicas'] as const;
function counts(object: JsonObject): Record<(typeof COUNTS)[number], number> {
  return Object.fromEntries(COUNTS.map(name => [name, number(object, `status.${name}`, 0)])) as Record<(typeof COUNTS)[number], number>;
}

function read(object: JsonObject, path: string): Json | undefined {
  return path.split('.').reduce<Json | undefined>((value, field) => (isMap(value) ? value[field] : undefined), object);
}
const isMap = (value: Json | undefined): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value);

function text(object: JsonObject, path: string): string {
  const value = read(object, path);
  return typeof value === 'string' ? value : '';
}

function number(object: JsonObject, path: string, otherwise: number): number {
  const value = read(object, path);
  return typeof value === 'number' ? value : otherwise;
}

function list(object: JsonObject, path: string): JsonObject[] {
  const value = read(object, path);
  return Array.isArray(value) ? value.filter(isMap) : [];
}

function conditionsOf(object: JsonObject): Condition[] {
  return list(object, 'status.conditions').map(item => ({
    type: text(item, 'type'),
    status: text(item, 'status'),
    reason: text(item, 'reason'),
    message: text(item, 'message'),
  }));
}

function condition(object: JsonObject, type: string): Condition | undefined {
  return conditionsOf(object).find(item => item.type === type);
}
