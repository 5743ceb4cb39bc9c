/** Fields that the API server never lets change, by kind (validation of the API types, Kubernetes 1.34): refused before any call. Pure. */
import { type Change, EngineError } from '../../src/sdk.ts';
import { groupOf } from './names.ts';

const SELECTOR = ['spec.selector'];
const FIXED: Readonly<Record<string, readonly string[]>> = {
  'apps/Deployment': SELECTOR,
  'apps/ReplicaSet': SELECTOR,
  'apps/DaemonSet': SELECTOR,
  // All but replicas, template, updateStrategy, minReadySeconds, ordinals, revisionHistoryLimit and the retention policy (ValidateStatefulSetUpdate).
  'apps/StatefulSet': [...SELECTOR, 'spec.serviceName', 'spec.podManagementPolicy', 'spec.volumeClaimTemplates'],
  'batch/Job': [...SELECTOR, 'spec.template', 'spec.completionMode'],
  '/PersistentVolumeClaim': [
    ...SELECTOR,
    'spec.accessModes',
    'spec.storageClassName',
    'spec.volumeMode',
    'spec.volumeName',
    'spec.dataSource',
    'spec.dataSourceRef',
  ],
  'rbac.authorization.k8s.io/RoleBinding': ['roleRef'],
};

/**
 * ImmutableField for a change of such a field. Only where a value stands on both sides: what the server alone set, or drops, it judges itself.
 */
export function refuseFixed(manifest: { readonly apiVersion: string; readonly kind: string }, changes: readonly Change[]): void {
  const fixed = FIXED[`${groupOf(manifest.apiVersion)}/${manifest.kind}`] ?? [];
  const touched = changes.find(
    ({ path, desired, observed }) => desired !== undefined && observed !== undefined && fixed.some(field => isWithin(path, `manifest.${field}`)),
  );
  if (touched === undefined) return;
  throw new EngineError('ImmutableField', `${touched.path} of a ${manifest.kind} cannot change`, {
    path: touched.path,
    hint: 'put the old value back, or give the object another name: then a new one is made and the old one goes',
  });
}

const isWithin = (path: string, field: string): boolean => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`);
