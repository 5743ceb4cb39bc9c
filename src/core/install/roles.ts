/**
 * Who may do what: the roles of the engine, of tenants and of platform admins, as objects. One list for the Helm chart and for
 * `plinth install`. No rule has a wildcard; why each is needed stands beside it, and docs/security.md argues the whole.
 */
import { ADMIN_NAMES, API_VERSION, ENVIRONMENTS } from '../kinds.ts';
import type { Json, JsonObject } from '../types.ts';
import { WORKLOADS } from '../workload.ts';

const [GROUP = ''] = API_VERSION.split('/');
/** The one name of everything: there is one Plinth in a cluster, as its kinds are cluster-wide. */
export const NAME = 'plinth';
export const LABELS = { 'app.kubernetes.io/name': NAME, 'app.kubernetes.io/part-of': NAME };
const RBAC = 'rbac.authorization.k8s.io';
const ADMIN = Object.values(ADMIN_NAMES).map(({ plural }) => plural);

export interface RoleSettings {
  /** Where the engine runs. */
  readonly namespace: string;
  /** Plurals of the claim kinds of tenants; no role of theirs names Environments. */
  readonly plurals: readonly string[];
  /** Whether the engine may make namespaces for Environments. */
  readonly environments: boolean;
}

interface Rule {
  readonly groups: string;
  readonly resources: readonly string[];
  readonly verbs: string;
  readonly names?: readonly string[];
}

const rule = ({ groups, resources, verbs, names }: Rule): Json => ({
  apiGroups: [groups],
  resources: [...resources],
  ...(names === undefined ? {} : { resourceNames: [...names] }),
  verbs: verbs.split(' '),
});
const role = (kind: 'ClusterRole' | 'Role', name: string, rules: readonly Rule[], labels: JsonObject = {}, namespace?: string): JsonObject => ({
  apiVersion: `${RBAC}/v1`,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: { ...LABELS, ...labels } },
  rules: rules.map(rule),
});
const binding = (kind: 'ClusterRoleBinding' | 'RoleBinding', name: string, to: string, namespace: string): JsonObject => ({
  apiVersion: `${RBAC}/v1`,
  kind,
  metadata: { name, ...(kind === 'RoleBinding' ? { namespace } : {}), labels: { ...LABELS } },
  roleRef: { apiGroup: RBAC, kind: kind === 'RoleBinding' ? 'Role' : 'ClusterRole', name: to },
  subjects: [{ kind: 'ServiceAccount', name: NAME, namespace }],
});
const under = (plurals: readonly string[], subresource: string): string[] => plurals.map(plural => `${plural}/${subresource}`);
const aggregateTo = (...roles: string[]): JsonObject => Object.fromEntries(roles.map(name => [`${RBAC}/aggregate-to-${name}`, 'true']));

/** Every role and binding. */
export function roleObjects(settings: RoleSettings): JsonObject[] {
  const { namespace, plurals, environments } = settings;
  return [...engineRoles(settings), ...(environments ? environmentRoles(namespace) : []), ...claimRoles(plurals), ...platformRoles(plurals)];
}

/** What the engine needs beside that for Environments: it makes and deletes namespaces and gives people roles in them. */
export function environmentRoles(namespace: string): JsonObject[] {
  const name = `${NAME}-engine-environments`;
  return [role('ClusterRole', name, ENVIRONMENT_RULES), binding('ClusterRoleBinding', name, name, namespace)];
}

/** What the engine itself may do. Bound one by one: a role that the API server gathers from others is made again by it after it was deleted. */
function engineRoles({ namespace, plurals }: RoleSettings): JsonObject[] {
  return [
    role('ClusterRole', `${NAME}-engine`, BASE),
    role('ClusterRole', `${NAME}-engine-claims`, claimRules([...plurals, ENVIRONMENTS])),
    role('Role', `${NAME}-engine`, OWN, {}, namespace),
    binding('ClusterRoleBinding', `${NAME}-engine`, `${NAME}-engine`, namespace),
    binding('ClusterRoleBinding', `${NAME}-engine-claims`, `${NAME}-engine-claims`, namespace),
    binding('RoleBinding', `${NAME}-engine`, `${NAME}-engine`, namespace),
  ];
}

const APPS = WORKLOADS.map(({ plural }) => plural);

const BASE: readonly Rule[] = [
  // What admins wrote is read; finalizers protect what is in use, the status says what is wrong.
  { groups: GROUP, resources: ADMIN, verbs: 'get list watch patch' },
  { groups: GROUP, resources: under(ADMIN, 'status'), verbs: 'get update patch' },
  // Their schemas are kept up to date; they are never deleted.
  { groups: 'apiextensions.k8s.io', resources: ['customresourcedefinitions'], verbs: 'update', names: ADMIN.map(plural => `${plural}.${GROUP}`) },
  // Made for claim kinds; a policy lets the engine write only those of our group.
  { groups: 'apiextensions.k8s.io', resources: ['customresourcedefinitions'], verbs: 'get list watch create' },
  // The class of a namespace is a label; the uid of kube-system tells clusters apart.
  { groups: '', resources: ['namespaces'], verbs: 'get list watch' },
  // Connection Secrets live beside their claims, in any namespace, and credentials where a ProviderConfig says. A policy lets the engine write
  // only Secrets that bear its label.
  { groups: '', resources: ['secrets'], verbs: 'get list watch create update delete' },
  { groups: 'events.k8s.io', resources: ['events'], verbs: 'create patch' },
  // Those that wait for claims say so in a condition of their status. A policy lets the engine write that condition alone, and only where the
  // owner's label asks for it.
  { groups: 'apps', resources: APPS, verbs: 'get list watch' },
  { groups: 'apps', resources: under(APPS, 'status'), verbs: 'patch' },
];

const ENVIRONMENT_RULES: readonly Rule[] = [
  // A policy lets the engine write only those that it made.
  { groups: '', resources: ['namespaces'], verbs: 'create patch delete' },
  // The class of a namespace is asked for by a policy, of the engine as of everybody; whoever wrote the Environment was asked already.
  { groups: GROUP, resources: ['environmentclasses'], verbs: 'use' },
  // Whose time is over is deleted, as a person would.
  { groups: GROUP, resources: [ENVIRONMENTS], verbs: 'delete' },
  // Users get one of three roles of Kubernetes there, whatever these may do; no other can be given.
  { groups: RBAC, resources: ['rolebindings'], verbs: 'get list watch create patch delete' },
  { groups: RBAC, resources: ['clusterroles'], verbs: 'bind', names: ['view', 'edit', 'admin'] },
  // Which namespaces there will be is not known before, so in any.
  { groups: '', resources: ['configmaps', 'resourcequotas'], verbs: 'get list watch create patch delete' },
];

function claimRules(plurals: readonly string[]): Rule[] {
  return [
    { groups: GROUP, resources: plurals, verbs: 'get list watch patch' },
    { groups: GROUP, resources: under(plurals, 'status'), verbs: 'get patch' },
    // Where owner references are checked, the Secret of a claim may name it as its owner only with this.
    { groups: GROUP, resources: under(plurals, 'finalizers'), verbs: 'update' },
    { groups: 'apiextensions.k8s.io', resources: ['customresourcedefinitions'], verbs: 'update delete', names: plurals.map(plural => `${plural}.${GROUP}`) },
  ];
}

/** In the engine's own namespace. */
const OWN: readonly Rule[] = [
  // Which replica works which namespaces.
  { groups: 'coordination.k8s.io', resources: ['leases'], verbs: 'get list watch create update patch delete' },
  // The last good revision of every composition in use.
  { groups: 'apps', resources: ['controllerrevisions'], verbs: 'get list create delete' },
];

/** What tenants get through the `view`, `edit` and `admin` roles of Kubernetes: claims, never their status or finalizers. */
function claimRoles(plurals: readonly string[]): JsonObject[] {
  const read: Rule = { groups: GROUP, resources: plurals, verbs: 'get list watch' };
  return [
    role('ClusterRole', `${NAME}-claims-view`, [read], aggregateTo('view', 'edit', 'admin')),
    role(
      'ClusterRole',
      `${NAME}-claims-edit`,
      [{ groups: GROUP, resources: plurals, verbs: 'create update patch delete deletecollection' }],
      aggregateTo('edit', 'admin'),
    ),
    // Service Binding implementations gather what they may read by this label.
    role('ClusterRole', `${NAME}-service-binding`, [read], { 'servicebinding.io/controller': 'true' }),
  ];
}

/** To be bound by whoever runs the platform. */
function platformRoles(plurals: readonly string[]): JsonObject[] {
  return [
    role('ClusterRole', `${NAME}-platform-view`, [{ groups: GROUP, resources: [...ADMIN, ENVIRONMENTS], verbs: 'get list watch' }]),
    role('ClusterRole', `${NAME}-platform-admin`, [
      { groups: GROUP, resources: ADMIN, verbs: 'get list watch create update patch delete deletecollection' },
      // Which class a namespace may be given, and who may take over what exists already: verbs of our own, asked for by the policies.
      { groups: GROUP, resources: ['environmentclasses'], verbs: 'use' },
      { groups: GROUP, resources: [...plurals, ENVIRONMENTS], verbs: 'get list watch create update patch delete deletecollection adopt' },
    ]),
  ];
}
