/** What runs: the engine's Deployment and what belongs to it, as objects for `plinth install`. The Helm chart says the same with values. */
import type { Json, JsonObject } from '../types.ts';
import { LABELS, NAME } from './roles.ts';

export interface WorkloadSettings {
  readonly namespace: string;
  readonly image: string;
  /** Of this Plinth. */
  readonly version: string;
  readonly replicas: number;
}

/** Of the engine's pods, on which it answers health and metrics. */
export const PORT = 8080;
const COMPONENT = { 'app.kubernetes.io/name': NAME, 'app.kubernetes.io/component': 'controller' };

/** Namespace, ServiceAccount, Deployment, Service, and with more than one replica a PodDisruptionBudget. */
export function workloadObjects(settings: WorkloadSettings): JsonObject[] {
  const { namespace, replicas } = settings;
  const metadata = { name: NAME, namespace, labels: { ...LABELS } };
  const ports: Json = [{ name: 'http', port: PORT, targetPort: 'http' }];
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: COMPONENT, ports } };
  const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata, spec: { maxUnavailable: 1, selector: { matchLabels: COMPONENT } } };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { ...LABELS, 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    deployment(settings),
    service,
    ...(replicas > 1 ? [budget] : []),
  ];
}

function deployment({ namespace, image, version, replicas }: WorkloadSettings): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: NAME, namespace, labels: { ...LABELS, 'app.kubernetes.io/version': version } },
    spec: {
      replicas,
      selector: { matchLabels: COMPONENT },
      // A new pod takes over before an old one goes, and never all at once.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { ...LABELS, ...COMPONENT } },
        spec: {
          serviceAccountName: NAME,
          terminationGracePeriodSeconds: 30,
          securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' } },
          topologySpreadConstraints: [
            { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: COMPONENT } },
          ],
          containers: [container(image)],
        },
      },
    },
  };
}

function container(image: string): JsonObject {
  const probe = (path: string): JsonObject => ({ httpGet: { path, port: 'http' }, periodSeconds: 10, timeoutSeconds: 5 });
  return {
    name: 'controller',
    image,
    args: ['controller'],
    env: [{ name: 'PLINTH_METRICS_ADDRESS', value: `0.0.0.0:${PORT}` }],
    ports: [{ name: 'http', containerPort: PORT }],
    livenessProbe: { ...probe('/healthz'), failureThreshold: 6 },
    readinessProbe: probe('/readyz'),
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
  };
}
