/** The fence before the API server: what a process may change there depends on the claims it holds when the call leaves. */
import { partsOf } from '../kube/paths.ts';
import type { ApiOptions } from '../kube/transport.ts';
import { leaseLost } from './lease.ts';

type Asked = Parameters<NonNullable<ApiOptions['fence']>>[0];

/** Leases are how it is found out who holds what, events tell what was done, and reviews change nothing. */
const FREE: ReadonlySet<string> = new Set(['coordination.k8s.io', 'events.k8s.io', 'authorization.k8s.io']);

/**
 * The namespace whose claims one must hold to make the call, '' for what has none; undefined: anybody may. `own`: the engine's namespace, where
 * objects are named by their content or made once.
 */
export function neededFor({ method, path }: Asked, own: string): string | undefined {
  const { group, namespace } = partsOf(path);
  return method === 'GET' || FREE.has(group) || namespace === own ? undefined : namespace;
}

/**
 * For ApiOptions.fence: LeaseLost for a call of a process that does not hold what it needs. Asked last of all, because a process may stand still
 * at any moment between its decision and the call.
 */
export function fenceCall(call: Asked, own: string, holds: (namespace: string) => boolean): void {
  const namespace = neededFor(call, own);
  if (namespace !== undefined && !holds(namespace)) throw leaseLost(`${call.method} ${call.path}`);
}
