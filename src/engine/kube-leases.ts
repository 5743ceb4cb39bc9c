/** Leases of coordination.k8s.io/v1 on a real API server. */
import { EngineError, isError } from '../core/errors.ts';
import type { JsonObject, StringMap } from '../core/types.ts';
import { pathOf } from '../kube/paths.ts';
import { type Api, type Call, request } from '../kube/transport.ts';
import type { LeasePort, LeaseRecord } from './lease.ts';

const LEASES = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };

/** The Leases of one namespace. Every read is live: without a resourceVersion the API server asks etcd. Errors: those of LeasePort. */
export function kubeLeases(api: Api, namespace: string): LeasePort {
  const path = (name = ''): string => pathOf(LEASES, namespace, name);
  return {
    get: async (name, signal) => {
      const found = await call(api, { method: 'GET', path: path(name), signal });
      return found === undefined ? undefined : recordOf(found);
    },
    list: async (label, signal) => {
      const found = await call(api, { method: 'GET', path: path(), query: { labelSelector: label }, signal });
      return ((found?.['items'] ?? []) as JsonObject[]).map(recordOf);
    },
    put: async (record, signal) => {
      const isNew = record.version === '';
      const sent: Call = { method: isNew ? 'POST' : 'PUT', path: isNew ? path() : path(record.name), body: objectOf(record, namespace), signal };
      const stored = await call(api, sent);
      if (stored === undefined) throw new EngineError('StoreUnavailable', `there is no namespace ${namespace} for Lease/${record.name}`);
      return recordOf(stored);
    },
    remove: async ({ name, version }, signal) => {
      await call(api, { method: 'DELETE', path: path(name), body: { preconditions: { resourceVersion: version } }, signal });
    },
  };
}

/** Undefined: there is none of the name. */
async function call(api: Api, what: Call): Promise<JsonObject | undefined> {
  try {
    return await request(api, { ...what, urgent: true });
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    if (isError(error, 'StoreConflict') || !isError(error)) throw error;
    throw new EngineError(error.code === 'AlreadyExists' ? 'StoreConflict' : 'StoreUnavailable', error.message, { hint: error.hint, cause: error });
  }
}

interface LeaseObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly labels?: StringMap; readonly annotations?: StringMap };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** A Lease that somebody wrote by hand may lack any of it. */
function recordOf(object: JsonObject): LeaseRecord {
  const { metadata, spec = {} } = object as unknown as LeaseObject;
  return {
    name: metadata.name,
    holder: spec.holderIdentity ?? '',
    durationMs: (spec.leaseDurationSeconds ?? 0) * 1_000,
    acquiredAt: spec.acquireTime ?? '',
    renewedAt: spec.renewTime ?? '',
    transitions: spec.leaseTransitions ?? 0,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    version: metadata.resourceVersion,
  };
}

function objectOf(record: LeaseRecord, namespace: string): JsonObject {
  const { name, labels, annotations, version, holder, durationMs, acquiredAt, renewedAt, transitions } = record;
  const metadata = { name, namespace, labels, annotations, ...(version === '' ? {} : { resourceVersion: version }) };
  const times = { ...(acquiredAt === '' ? {} : { acquireTime: micro(acquiredAt) }), ...(renewedAt === '' ? {} : { renewTime: micro(renewedAt) }) };
  const spec = { holderIdentity: holder, leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1_000)), leaseTransitions: transitions, ...times };
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
}

/** MicroTime is refused without its six digits. */
const micro = (time: string): string => time.replace(/(\.\d+)?Z$/, (_, digits: string | undefined) => `${(digits ?? '.').padEnd(7, '0').slice(0, 7)}Z`);
