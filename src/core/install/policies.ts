/** What roles cannot say, asked by the API server itself at each write: ValidatingAdmissionPolicies with their bindings. */
import { API_VERSION } from '../kinds.ts';
import type { JsonObject } from '../types.ts';
import { AWAITS_CLAIMS, STALLED, WORKLOADS } from '../workload.ts';
import { LABELS, NAME } from './roles.ts';

const [GROUP = ''] = API_VERSION.split('/');
const CLASS = 'plinth.dev/class';
const INSTANCE = 'plinth.dev/instance';
const MANAGED = 'app.kubernetes.io/managed-by';

interface Policy {
  readonly name: string;
  readonly rules: readonly JsonObject[];
  readonly conditions: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly validations: readonly JsonObject[];
}

const list = (map: Readonly<Record<string, string>>): JsonObject[] => Object.entries(map).map(([name, expression]) => ({ name, expression }));
const on = (group: string, resources: readonly string[], operations: readonly string[]): JsonObject => ({
  apiGroups: [group],
  apiVersions: ['*'],
  operations: [...operations],
  resources: [...resources],
});

function policy({ name, rules, conditions, variables = {}, validations }: Policy): JsonObject[] {
  const metadata = { name: `${NAME}-${name}`, labels: { ...LABELS } };
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const spec = {
    failurePolicy: 'Fail',
    matchConstraints: { resourceRules: [...rules] },
    matchConditions: list(conditions),
    variables: list(variables),
    validations: [...validations],
  };
  return [
    { apiVersion, kind: 'ValidatingAdmissionPolicy', metadata, spec },
    { apiVersion, kind: 'ValidatingAdmissionPolicyBinding', metadata, spec: { policyName: metadata.name, validationActions: ['Deny'] } },
  ];
}

/** Every policy. `namespace`: where the engine runs. */
export function policyObjects(namespace: string): JsonObject[] {
  return [
    ...namespaceClassPolicy(),
    ...environmentClassPolicy(),
    ...adoptPolicy(),
    ...engineSecretsPolicy(namespace),
    ...engineKindsPolicy(namespace),
    ...engineNamespacesPolicy(namespace),
    ...engineWorkloadsPolicy(namespace),
  ];
}

/** The class of a namespace decides on accounts and costs: who labels a namespace must be allowed to `use` that class. */
function namespaceClassPolicy(): JsonObject[] {
  const label = (object: string): string =>
    `(has(${object}.metadata.labels) && '${CLASS}' in ${object}.metadata.labels ? ${object}.metadata.labels['${CLASS}'] : '')`;
  return classPolicy('class', on('', ['namespaces'], ['CREATE', 'UPDATE']), label, `without the label ${CLASS} the default class serves the namespace`);
}

/** The engine labels the namespace of an Environment with rights of its own, so who writes the Environment is asked. */
function environmentClassPolicy(): JsonObject[] {
  const field = (object: string): string => `(has(${object}.spec) && has(${object}.spec.class) ? ${object}.spec.class : '')`;
  const rule = on(GROUP, ['environments'], ['CREATE', 'UPDATE']);
  return classPolicy('environment-class', rule, field, 'without spec.class the default class serves the Environment');
}

function classPolicy(name: string, rule: JsonObject, classOf: (object: string) => string, without: string): JsonObject[] {
  const may = (check: string): string => `authorizer.group('${GROUP}').resource('environmentclasses')${check}.check('use').allowed()`;
  return policy({
    name,
    rules: [rule],
    conditions: { 'class-changes': `${classOf('object')} != (oldObject == null ? '' : ${classOf('oldObject')})` },
    variables: { class: classOf('object') },
    validations: [
      {
        expression: `variables.class == '' || ${may('.name(variables.class)')}`,
        messageExpression: `request.userInfo.username + ' may not use the environment class ' + variables.class + '; ask for the verb use on environmentclasses.${GROUP}'`,
        reason: 'Forbidden',
      },
      {
        expression: `variables.class != '' || ${may('')}`,
        message: `${without}: to take it away, the verb use on all environmentclasses.${GROUP} is needed`,
        reason: 'Forbidden',
      },
    ],
  });
}

/** Taking over or reading what a claim did not make is more than making claims: it needs the verb `adopt` on the kind. */
function adoptPolicy(): JsonObject[] {
  const lifecycle = (object: string): string => `(has(${object}.spec) && has(${object}.spec.lifecycle) ? ${object}.spec.lifecycle : {})`;
  const adopt = (block: string): string => `(has(${block}.adopt) ? ${block}.adopt : {})`;
  const observes = (block: string): string => `(has(${block}.management) && ${block}.management == 'ObserveOnly')`;
  return policy({
    name: 'adopt',
    // Every claim kind, those that come later too; admin kinds have no lifecycle.
    rules: [on(GROUP, ['*'], ['CREATE', 'UPDATE'])],
    conditions: { 'of-a-claim': 'has(object.spec) && has(object.spec.lifecycle)' },
    variables: {
      now: lifecycle('object'),
      before: `oldObject == null ? {} : ${lifecycle('oldObject')}`,
      adopts: `size(${adopt('variables.now')}) > 0 && (!has(variables.before.adopt) || variables.now.adopt != variables.before.adopt)`,
      observes: `${observes('variables.now')} && !${observes('variables.before')}`,
      may: `authorizer.group('${GROUP}').resource(request.resource.resource).namespace(request.namespace).check('adopt').allowed()`,
    },
    validations: [
      {
        expression: '!variables.adopts || variables.may',
        messageExpression: `request.userInfo.username + ' may not adopt what exists already (spec.lifecycle.adopt); ask for the verb adopt on ' + request.resource.resource + '.${GROUP}'`,
        reason: 'Forbidden',
      },
      {
        expression: '!variables.observes || variables.may',
        messageExpression: `request.userInfo.username + ' may not observe what exists already (spec.lifecycle.management); ask for the verb adopt on ' + request.resource.resource + '.${GROUP}'`,
        reason: 'Forbidden',
      },
    ],
  });
}

const isEngine = (namespace: string): Readonly<Record<string, string>> => ({
  'by-the-engine': `request.userInfo.username == 'system:serviceaccount:${namespace}:${NAME}'`,
});

/** A role cannot say "only your own Secrets": whoever takes over the engine must not write those of others. */
function engineSecretsPolicy(namespace: string): JsonObject[] {
  const isOurs = (object: string): string => `(has(${object}.metadata.labels) && ${object}.metadata.labels[?'${MANAGED}'].orValue('') == '${NAME}')`;
  // One whose label somebody took away is still ours if it belongs to a claim.
  const isOwned = `(has(oldObject.metadata.ownerReferences) && oldObject.metadata.ownerReferences.exists(owner, owner.apiVersion == '${API_VERSION}'))`;
  return policy({
    name: 'engine-secrets',
    rules: [on('', ['secrets'], ['CREATE', 'UPDATE', 'DELETE'])],
    conditions: isEngine(namespace),
    validations: [
      {
        expression: `object == null || ${isOurs('object')}`,
        message: `the engine writes only Secrets with the label ${MANAGED}: ${NAME}`,
        reason: 'Forbidden',
      },
      {
        expression: `oldObject == null || ${isOurs('oldObject')} || ${isOwned}`,
        message: `the engine changes and deletes only Secrets with the label ${MANAGED}: ${NAME}`,
        reason: 'Forbidden',
      },
    ],
  });
}

/** Namespaces cannot be granted by name either: the engine writes only those that it made for an Environment. */
function engineNamespacesPolicy(namespace: string): JsonObject[] {
  const isOurs = (object: string): string => `(${object} == null || has(${object}.metadata.labels) && '${INSTANCE}' in ${object}.metadata.labels)`;
  return policy({
    name: 'engine-namespaces',
    rules: [on('', ['namespaces'], ['CREATE', 'UPDATE', 'DELETE'])],
    conditions: isEngine(namespace),
    validations: [
      {
        expression: `${isOurs('object')} && ${isOurs('oldObject')}`,
        message: `the engine writes only Namespaces with the label ${INSTANCE}`,
        reason: 'Forbidden',
      },
    ],
  });
}

/** Creating cannot be granted by name: the engine makes kinds of our group alone. */
function engineKindsPolicy(namespace: string): JsonObject[] {
  return policy({
    name: 'engine-kinds',
    rules: [on('apiextensions.k8s.io', ['customresourcedefinitions'], ['CREATE', 'UPDATE', 'DELETE'])],
    conditions: isEngine(namespace),
    validations: [
      {
        expression: `(object == null ? oldObject : object).spec.group == '${GROUP}'`,
        message: `the engine writes only CustomResourceDefinitions of the group ${GROUP}`,
        reason: 'Forbidden',
      },
    ],
  });
}

/** A role cannot say "only one condition": whoever takes over the engine must not write what else a status, or the metadata beside it, says. */
function engineWorkloadsPolicy(namespace: string): JsonObject[] {
  const field = (object: string, path: string, otherwise: string): string => `(has(${object}.${path}) ? ${object}.${path} : ${otherwise})`;
  const isSame = (path: string, otherwise: string): string => `${field('object', path, otherwise)} == ${field('oldObject', path, otherwise)}`;
  const others = (object: string): string => `dyn(${field(object, 'status.conditions', '[]')}).filter(item, item.type != '${STALLED}')`;
  const within = (a: string, b: string): string =>
    `dyn(${a}.status).all(key, key == 'conditions' || dyn(${a}.status)[key] == dyn(${b}.status)[?key].orValue(null))`;
  return policy({
    name: 'engine-workloads',
    rules: [
      on(
        'apps',
        WORKLOADS.map(({ plural }) => `${plural}/status`),
        ['UPDATE'],
      ),
    ],
    conditions: isEngine(namespace),
    validations: [
      {
        // A label that is taken off must not keep what was said.
        expression: `${field('object', 'metadata.labels', '{}')}[?'${AWAITS_CLAIMS}'].orValue('') == 'true' || !${field('object', 'status.conditions', '[]')}.exists(item, item.type == '${STALLED}')`,
        message: `the engine says something only of workloads with the label ${AWAITS_CLAIMS}: "true"`,
        reason: 'Forbidden',
      },
      {
        expression: [
          ...['labels', 'annotations'].map(name => isSame(`metadata.${name}`, '{}')),
          ...['finalizers', 'ownerReferences'].map(name => isSame(`metadata.${name}`, '[]')),
          `${others('object')} == ${others('oldObject')}`,
          within('object', 'oldObject'),
          within('oldObject', 'object'),
        ].join(' && '),
        message: `the engine writes nothing of a workload but its condition ${STALLED}`,
        reason: 'Forbidden',
      },
    ],
  });
}
