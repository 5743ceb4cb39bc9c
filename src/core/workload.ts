/** A workload whose pods wait for claims: which Secrets they need, and what its status says while one of those cannot come. Pure. */
import { cut } from './bounds.ts';
import { isCondition } from './conditions.ts';
import type { Condition, Json, JsonObject, StringMap } from './types.ts';

/** Label by which the owner of a Deployment, StatefulSet or DaemonSet wants to be told: its value is `true`. */
export const AWAITS_CLAIMS = 'plinth.dev/awaits-claims';
/** Whose pods may need the Secrets of claims; all of the group `apps`. */
export const WORKLOADS: readonly { readonly kind: string; readonly plural: string }[] = [
  { kind: 'Deployment', plural: 'deployments' },
  { kind: 'StatefulSet', plural: 'statefulsets' },
  { kind: 'DaemonSet', plural: 'daemonsets' },
];
/** Under this name we write, so that what is ours is known again. */
export const WORKLOAD_MANAGER = 'plinth-workloads';
/** Of kstatus: who waits for an object with this condition gives up, with its message. */
export const STALLED = 'Stalled';

/** What a workload says by its condition. */
export interface Standing {
  readonly reason: string;
  readonly message: string;
}
/** What is read of a workload. */
export interface Workload {
  /** Its owner wants to be told, and it is not on its way out. */
  readonly awaits: boolean;
  /** Names of the Secrets without which its pods do not start, sorted. */
  readonly needs: readonly string[];
  /** What the condition says now, whoever wrote it: nothing when it is not True; undefined: there is none. */
  readonly stalled: Standing | undefined;
  /** That condition is ours to change and to take away. */
  readonly isOurs: boolean;
}
/** A claim that nothing but a person brings on. */
export interface StuckClaim extends Standing {
  readonly kind: string;
  readonly name: string;
}

/** Claims told in full, and characters of each. */
const MOST_CLAIMS = 5;
const MOST_CHARACTERS = 500;

/** Reads an object of the API server, with its `managedFields`. */
export function readWorkload(object: JsonObject): Workload {
  const { metadata, spec, status } = object as unknown as Parts;
  const condition = (status?.conditions ?? []).find(({ type }) => type === STALLED);
  const said: Partial<Standing> = condition?.status === 'True' ? condition : {};
  return {
    awaits: metadata.labels?.[AWAITS_CLAIMS] === 'true' && metadata.deletionTimestamp === undefined,
    needs: neededSecrets(spec?.template?.spec ?? {}),
    stalled: condition === undefined ? undefined : { reason: said.reason ?? '', message: said.message ?? '' },
    isOurs: condition !== undefined && (metadata.managedFields ?? []).some(hasOurs),
  };
}

interface Parts {
  readonly metadata: { readonly labels?: StringMap; readonly deletionTimestamp?: string; readonly managedFields?: readonly Managed[] };
  readonly spec?: { readonly template?: { readonly spec?: PodSpec } };
  readonly status?: { readonly conditions?: readonly (Partial<Standing> & { readonly type: string; readonly status: string })[] };
}
interface Managed {
  readonly manager?: string;
  readonly subresource?: string;
  readonly fieldsV1?: { readonly 'f:status'?: { readonly 'f:conditions'?: Readonly<Record<string, Json>> } };
}

function hasOurs({ manager, subresource, fieldsV1 }: Managed): boolean {
  const conditions = fieldsV1?.['f:status']?.['f:conditions'];
  return manager === WORKLOAD_MANAGER && subresource === 'status' && conditions?.[`k:{"type":"${STALLED}"}`] !== undefined;
}

interface SecretRef {
  readonly name?: string;
  readonly secretName?: string;
  readonly optional?: boolean;
}
interface Container {
  readonly env?: readonly { readonly valueFrom?: { readonly secretKeyRef?: SecretRef } }[];
  readonly envFrom?: readonly { readonly secretRef?: SecretRef }[];
}
/** The part of a pod template's spec that names Secrets. */
export interface PodSpec {
  readonly volumes?: readonly { readonly secret?: SecretRef; readonly projected?: { readonly sources?: readonly { readonly secret?: SecretRef }[] } }[];
  readonly initContainers?: readonly Container[];
  readonly containers?: readonly Container[];
}

/** Names of the Secrets without which no pod of this template starts, sorted: those of volumes and variables that are not `optional`. */
export function neededSecrets({ volumes = [], initContainers = [], containers = [] }: PodSpec): string[] {
  const all = [...initContainers, ...containers];
  const references = [
    ...volumes.flatMap(({ secret, projected }) => [secret, ...(projected?.sources ?? []).map(source => source.secret)]),
    ...all.flatMap(({ env, envFrom }) => [...(env ?? []).map(item => item.valueFrom?.secretKeyRef), ...(envFrom ?? []).map(item => item.secretRef)]),
  ];
  const names = references.flatMap(reference => {
    const name = reference?.secretName ?? reference?.name;
    return name === undefined || reference?.optional === true ? [] : [name];
  });
  return [...new Set(names)].sort();
}

/** A claim as stuck, by what it says itself; undefined when it does not say so of its newest generation, or goes. */
export function stuckClaim(object: JsonObject): StuckClaim | undefined {
  const { kind, metadata, status } = object as unknown as {
    kind: string;
    metadata: { name: string; generation?: number; deletionTimestamp?: string };
    status?: { conditions?: readonly Condition[] };
  };
  const condition = (status?.conditions ?? []).find(({ type }) => type === STALLED);
  if (condition?.status !== 'True' || condition.observedGeneration !== metadata.generation || metadata.deletionTimestamp !== undefined) return undefined;
  return { kind, name: metadata.name, reason: condition.reason, message: condition.message ?? '' };
}

/** What a workload says whose pods cannot start without these claims; undefined without any. Bounded, and the same in whatever order they come. */
export function standingFor(claims: readonly StuckClaim[]): Standing | undefined {
  const [first, ...more] = [...claims].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  if (first === undefined) return undefined;
  const told = [first, ...more].slice(0, MOST_CLAIMS).map(claim => `${nameOf(claim)}: ${cut(claim.message, MOST_CHARACTERS)}`);
  const left = claims.length - told.length;
  return { reason: first.reason, message: [...told, ...(left === 0 ? [] : [`and ${left} more claims`])].join('; ') };
}

const nameOf = ({ kind, name }: StuckClaim): string => `${kind} ${name}`;

/** True for a report that takes back what workloads say of the claim. */
export function isRecovery(before: readonly Condition[], after: readonly Condition[]): boolean {
  return isCondition(before, STALLED) && !isCondition(after, STALLED);
}
