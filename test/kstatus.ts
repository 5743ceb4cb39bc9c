/**
 * How tools read an object of a kind that has no rules of its own: kstatus (sigs.k8s.io/cli-utils, pkg/kstatus/status), which `helm install --wait`
 * of Helm 4, Flux and kubectl's prune go by; and the health check by conditions that docs/health.md gives Argo CD. Pure.
 */
import type { JsonObject } from '../src/core/types.ts';

export interface Read {
  readonly status: 'Current' | 'InProgress' | 'Failed' | 'Terminating';
  readonly message: string;
}
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}
interface Parts {
  readonly metadata: { readonly deletionTimestamp?: string; readonly generation?: number };
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
  readonly kind: string;
}

/** kstatus: deletion, then generation, then Reconciling and Stalled, then Ready; without any of these an object is current. */
export function kstatus(object: JsonObject): Read {
  const { kind, metadata, status } = object as unknown as Parts;
  if ((metadata.deletionTimestamp ?? '') !== '') return { status: 'Terminating', message: 'Resource scheduled for deletion' };
  const observed = status?.observedGeneration;
  if (metadata.generation !== undefined && observed !== undefined && observed !== metadata.generation) {
    return { status: 'InProgress', message: `${kind} generation is ${metadata.generation}, but latest observed generation is ${observed}` };
  }
  const conditions = status?.conditions ?? [];
  const standing = conditions.find(({ type, status: value }) => (type === 'Reconciling' || type === 'Stalled') && value === 'True');
  if (standing !== undefined) return { status: standing.type === 'Stalled' ? 'Failed' : 'InProgress', message: standing.message ?? '' };
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready === undefined) return { status: 'Current', message: 'Resource is current' };
  return ready.status === 'True' ? { status: 'Current', message: 'Resource is Ready' } : { status: 'InProgress', message: ready.message ?? '' };
}

/** The rules of the Lua script in docs/health.md, line by line. */
export function argoHealth(object: JsonObject): { readonly status: 'Healthy' | 'Progressing' | 'Degraded'; readonly message: string } {
  const { metadata, status } = object as unknown as Parts;
  if (status?.conditions === undefined || status.observedGeneration !== metadata.generation) return { status: 'Progressing', message: 'Waiting for Plinth' };
  const of = (type: string): Condition | undefined => status.conditions!.find(condition => condition.type === type);
  const [stalled, ready] = [of('Stalled'), of('Ready')];
  if (stalled?.status === 'True') return { status: 'Degraded', message: stalled.message ?? '' };
  if (ready?.status === 'True') return { status: 'Healthy', message: ready.message ?? '' };
  return { status: 'Progressing', message: ready?.message ?? '' };
}
