/** The kinds that administrators write, and the `lifecycle` block of every claim, as schemas. CRDs and the reference are made from them. */
import { type TObject, Type } from '@sinclair/typebox';
import { DURATION } from './duration.ts';

/** apiVersion of everything Plinth knows. */
export const API_VERSION = 'plinth.dev/v1alpha1';

const text = (description: string, extra: object = {}) => Type.String({ description, minLength: 1, ...extra });
const maybe = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) => Type.Optional(schema);
const word = <T extends string>(words: readonly T[], description: string, extra: object = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: words, description, ...extra });
/** Anything below is checked elsewhere. */
const open = (description: string, extra: object = {}) =>
  Type.Unsafe<Record<string, unknown>>({ type: 'object', description, 'x-kubernetes-preserve-unknown-fields': true, ...extra });
const mapOf = (values: object, description: string, extra: object = {}) =>
  Type.Unsafe<Record<string, never>>({ type: 'object', additionalProperties: values, description, ...extra });
const texts = (description: string, extra: object = {}) => Type.Array(Type.String({ minLength: 1 }), { description, ...extra });

const DELETION = 'What happens to the real things when the claim is deleted: Delete, or Retain (kept, marked as retained).';
const DRIFT = 'What happens to changes made outside: Correct puts them back, Report only shows them.';

/** The optional `lifecycle` block of every claim. */
export const LifecycleBlock = Type.Object(
  {
    deletion: maybe(word(['Delete', 'Retain'], `${DELETION} The class sets the default.`)),
    drift: maybe(word(['Correct', 'Report'], `${DRIFT} The class sets the default.`)),
    management: maybe(word(['Full', 'ObserveOnly'], 'Full, or ObserveOnly: an existing thing is read and published, never changed or deleted.')),
    ignore: maybe(
      mapOf({ type: 'array', items: { type: 'string' }, maxItems: 50 }, 'By resource id: paths that are set at creation and never treated as drift.'),
    ),
    adopt: maybe(mapOf({ type: 'string', minLength: 1 }, 'By resource id: the name of an existing thing to take over; only what the class allows.')),
    composition: maybe(text('Another composition than the one of the class; only one that the class allows.')),
    parameters: maybe(open('Parameters of the composition; only those that the class allows.')),
  },
  { description: 'How the real things behind the claim are treated.' },
);

/** Spec of a ClaimDefinition. */
export const ClaimDefinitionSpec = Type.Object({
  kind: text('Kind of the claim, e.g. Queue.', { pattern: '^[A-Z][A-Za-z0-9]*$', maxLength: 63 }),
  plural: text('Plural in lower case, e.g. queues; the object is named <plural>.plinth.dev.', { pattern: '^[a-z][a-z0-9]*$', maxLength: 63 }),
  shortNames: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9]*$' }), { default: [], maxItems: 5, description: 'Short names for kubectl.' }),
  scope: word(['Namespaced', 'Cluster'], 'Whether its claims belong to a namespace. What belongs to none has no connection Secret.', { default: 'Namespaced' }),
  schema: open('Schema of the spec of a claim, as in a CRD; `lifecycle` is added by itself.'),
  connection: maybe(
    Type.Object(
      {
        type: text('Type of the connection Secret (servicebinding.io/<type>).', { pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', maxLength: 63 }),
        keys: mapOf(
          {
            type: 'object',
            properties: {
              optional: { type: 'boolean', default: false, description: 'A composition may leave it out.' },
              description: { type: 'string', description: 'What an application finds there.' },
            },
          },
          'Keys of the Secret, the same for every implementation.',
        ),
      },
      { description: 'What an application gets: the contract that every composition of the kind fills. Left out with scope Cluster.' },
    ),
  ),
  outputs: open('Schema of the public outputs in the status, which other claims may read; never secret.'),
});

const expression = (description: string) => text(description, { maxLength: 4_000 });

const Reference = Type.Object({
  id: text('Name under which expressions read it.'),
  claim: text('Kind of the claim that is referred to.'),
  forEach: maybe(expression('A list: one reference per item, `each` is the item.')),
  name: expression('Name of the claim in the same namespace.'),
});

const Resource = Type.Object({
  id: text('Name under which expressions read it; part of the name of the real thing.'),
  type: text('Resource type, e.g. aws/sqs-queue.', { pattern: '^[a-z0-9-]+/[a-z0-9-]+$' }),
  spec: open('The desired spec; strings may hold `${…}`.', { default: {} }),
  main: maybe(Type.Boolean({ description: 'Its name carries no id. At most one resource.' })),
  includeWhen: maybe(expression('The resource exists only when this is true.')),
  forEach: maybe(expression('A list: one resource per item, `each` is the item.')),
  key: maybe(expression('With forEach: a unique text per item.')),
  name: maybe(expression("Name of the real thing instead of the class's naming.")),
  readyWhen: maybe(
    Type.Array(expression('A condition.'), { maxItems: 10, description: "Conditions on the resource itself, beside the type's own readiness." }),
  ),
  dependsOn: maybe(texts('Order that no expression shows: ids that must be there before.', { maxItems: 100 })),
  formerly: maybe(texts('Earlier ids: a rename moves the thing instead of replacing it.', { maxItems: 20 })),
});

/** Spec of a Composition; its expressions are checked by `compile`. */
export const CompositionSpec = Type.Object({
  claim: text('The claim kind that it implements.'),
  parameters: open('Schema of what a class may set.', { default: { type: 'object', properties: {} } }),
  references: Type.Array(Reference, { default: [], maxItems: 20, description: 'Other claims of the same namespace that are read.' }),
  resources: Type.Array(Resource, { minItems: 1, maxItems: 100, description: 'The resources.' }),
  connection: mapOf({ type: 'string' }, 'Keys of the connection Secret.', { default: {} }),
  outputs: mapOf({ type: 'string' }, 'Public outputs.', { default: {} }),
});

const Configs = mapOf({ type: 'string', minLength: 1 }, 'Family of resource types (`aws` of aws/sqs-queue) to the name of a ProviderConfig.', { default: {} });
const Parameters = open('Parameters of the composition.', { default: {} });

const Implementation = Type.Object({
  claim: text('The claim kind.'),
  composition: text('The composition that provides it.'),
  configs: Configs,
  parameters: Parameters,
});

const Policies = Type.Object(
  {
    swap: word(
      ['Approve', 'Automatic', 'Refuse'],
      'A change that would delete or replace what holds a backlog or data: waits for approval, goes ahead, or is refused. What the old thing holds is not moved.',
      {
        default: 'Approve',
      },
    ),
    reclaim: word(['Conflict', 'Reuse'], 'A thing left by an earlier claim of the same name that holds a backlog or data: a conflict, or taken back.', {
      default: 'Conflict',
    }),
    recreateLost: Type.Boolean({ default: false, description: 'Make a lost thing again although it held data.' }),
    graceSeconds: Type.Integer({
      default: 30,
      minimum: 0,
      maximum: 604_800,
      description: 'Time between the switch to a new thing and the deletion of the old one.',
    }),
    purgeOnDelete: Type.Boolean({ default: false, description: 'Deletion removes what a thing holds, e.g. the objects of a bucket.' }),
    deletion: word(['Delete', 'Retain'], DELETION, { default: 'Delete' }),
    drift: word(['Correct', 'Report'], DRIFT, { default: 'Correct' }),
  },
  { default: {}, description: 'How things are treated in this class.' },
);

/** Spec of an EnvironmentClass. */
export const EnvironmentClassSpec = Type.Object({
  default: Type.Boolean({ default: false, description: 'Serves namespaces without a class label.' }),
  implementations: Type.Array(Implementation, { default: [], maxItems: 100, description: 'How each claim kind is provided.' }),
  naming: Type.String({ default: '', description: 'Template for names, e.g. ${claim.namespace}_${claim.name}; empty for the built-in rule.' }),
  policies: Policies,
  environment: maybe(
    Type.Object(
      {
        composition: text('The composition that makes an Environment of this class.'),
        configs: Configs,
        parameters: Parameters,
        ttl: maybe(text('How long an Environment lives unless it says so itself, e.g. 12h or 7d; left out: for ever.', { pattern: DURATION, maxLength: 20 })),
      },
      { description: 'How Environments of this class are made, and how long they live.' },
    ),
  ),
  allow: Type.Object(
    {
      compositions: texts('Compositions that a claim, or an Environment for its claims, may choose itself.', { default: [] }),
      parameters: texts('Parameters that a claim, or an Environment for its claims, may set itself.', { default: [] }),
      adopt: Type.Array(
        Type.Object({
          type: text('Resource type.'),
          name: text('Name of the thing; `*` stands for any characters.'),
        }),
        { default: [], description: 'Existing things that claims may adopt or observe.' },
      ),
    },
    { default: {}, description: 'What a claim may choose itself; nothing by default.' },
  ),
});

/** Spec of a ProviderConfig; its settings are checked by the provider. */
export const ProviderConfigSpec = Type.Object({
  provider: text('Name of the provider, e.g. aws or localstack.'),
  settings: Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    description: 'Settings of the provider, checked against its own schema; strings may hold ${claim.namespace}.',
    default: {},
    'x-kubernetes-preserve-unknown-fields': true,
    properties: {
      region: { type: 'string', description: 'Region, e.g. eu-west-1.' },
      endpoint: { type: 'string', description: 'URL of an endpoint other than the provider’s own.' },
      credentials: {
        type: 'object',
        description: 'Where the credentials come from.',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: {
          from: {
            type: 'string',
            enum: ['Environment', 'Secret', 'WebIdentity', 'Static', 'InCluster', 'File'],
            description:
              'Environment of the engine, a Secret, a web identity, written here (endpoints that are not the provider’s own), the service account of the pod, or a file. Each provider takes some of them.',
          },
        },
      },
    },
  }),
  lifetime: word(
    ['Cluster', 'Namespace', 'Process'],
    'How long what it reaches lives: as long as the cluster; as the namespace of the claim, with which its things are let go without a call; or as the engine’s process.',
    {
      default: 'Cluster',
    },
  ),
  allowedNamespaces: maybe(texts('Namespaces that may use it. Left out: every namespace, but only through a class.')),
});

/** Schema of the spec of each admin kind. */
export const ADMIN_KINDS = {
  ClaimDefinition: ClaimDefinitionSpec,
  Composition: CompositionSpec,
  EnvironmentClass: EnvironmentClassSpec,
  ProviderConfig: ProviderConfigSpec,
} as const satisfies Record<string, TObject>;
/** How kubectl names the admin kinds. */
export const ADMIN_NAMES: Readonly<Record<keyof typeof ADMIN_KINDS, { readonly plural: string; readonly shortNames: readonly string[] }>> = {
  ClaimDefinition: { plural: 'claimdefinitions', shortNames: ['claimdef'] },
  Composition: { plural: 'compositions', shortNames: ['comp'] },
  EnvironmentClass: { plural: 'environmentclasses', shortNames: ['envclass'] },
  ProviderConfig: { plural: 'providerconfigs', shortNames: ['pcfg'] },
};
/** Plural of the one claim kind that administrators write: like the admin kinds it belongs to the installation. */
export const ENVIRONMENTS = 'environments';

/** A kind that administrators write. */
export type AdminKind = keyof typeof ADMIN_KINDS;

/** True for a kind that administrators write. */
export function isAdminKind(kind: string): kind is AdminKind {
  return Object.hasOwn(ADMIN_KINDS, kind);
}
