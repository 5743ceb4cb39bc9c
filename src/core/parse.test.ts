import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tries } from '../../test/tries.ts';
import { EngineError } from './errors.ts';
import { ADMIN_KINDS, LifecycleBlock } from './kinds.ts';
import { claimProblems, objectProblems, parseClaim, parseClass, parseComposition, parseConfig, parseDefinition } from './parse.ts';
import { emptyStatus } from './parse-status.ts';
import type { Schema } from './schema-types.ts';
import type { JsonObject } from './types.ts';

const apiVersion = 'plinth.dev/v1alpha1';
const object = (kind: string, spec: JsonObject, metadata: JsonObject = { name: 'a' }): JsonObject => ({ apiVersion, kind, metadata, spec });
const definitionObject = (spec: JsonObject = {}): JsonObject =>
  object(
    'ClaimDefinition',
    {
      kind: 'Queue',
      plural: 'queues',
      schema: {
        type: 'object',
        properties: {
          fifo: { type: 'boolean', default: false, 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fifo cannot change' }] },
          size: { type: 'integer', minimum: 1 },
        },
      },
      connection: { type: 'sqs', keys: { uri: {}, extra: { optional: true } } },
      outputs: { type: 'object', properties: { arn: { type: 'string' } } },
      ...spec,
    },
    { name: 'queues.plinth.dev' },
  );
const definition = parseDefinition(definitionObject());
const queue = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => object('Queue', spec, { name: 'orders', namespace: 'dev', ...metadata });
const told = (problems: readonly EngineError[]): string[] => problems.map(({ code, path, message }) => `${code} ${path}: ${message}`);

test('a definition with its defaults', () => {
  expect(definition).toMatchObject({
    name: 'queues.plinth.dev',
    kind: 'Queue',
    shortNames: [],
    connection: { keys: { uri: { optional: false }, extra: { optional: true } } },
  });
});

test('a claim: defaults filled in, lifecycle taken out, an empty status', () => {
  const claim = parseClaim(queue({ size: 2, lifecycle: { deletion: 'Retain' } }), definition);
  expect(claim).toEqual({
    kind: 'Queue',
    name: 'orders',
    namespace: 'dev',
    uid: '',
    generation: 1,
    annotations: {},
    spec: { fifo: false, size: 2 },
    lifecycle: { deletion: 'Retain' },
    deletionRequested: false,
    hasFinalizer: false,
    status: emptyStatus(),
    version: '',
  });
  expect(claim.status.observedGeneration).toBe(-1);
});

test('what a server adds', () => {
  const metadata = { uid: 'u', generation: 4, resourceVersion: '9', finalizers: ['plinth.dev/claim'], deletionTimestamp: 'x', annotations: { a: 'b' } };
  const claim = parseClaim({ ...queue({}, metadata), status: { observedGeneration: 3, class: 'c' } }, definition);
  expect(claim).toMatchObject({ uid: 'u', generation: 4, version: '9', hasFinalizer: true, deletionRequested: true, annotations: { a: 'b' } });
  expect(claim.status).toEqual({ ...emptyStatus(), observedGeneration: 3, class: 'c' });
});

test.each<[string, JsonObject, string[]]>([
  [
    'all at once',
    queue({ sise: 1, size: 0 }),
    ['InvalidClaim spec.sise: `spec.sise` is not a known field', 'InvalidClaim spec.size: `spec.size` must be at least 1, not 0'],
  ],
  [
    'lifecycle',
    queue({ lifecycle: { deletion: 'Keep' } }),
    ['InvalidClaim spec.lifecycle.deletion: `spec.lifecycle.deletion` must be one of `Delete`, `Retain`, not "Keep"'],
  ],
  ['no spec', { apiVersion, kind: 'Queue', metadata: { name: 'a' } }, ['InvalidObject spec: `spec` is missing']],
  ['no metadata', { apiVersion, kind: 'Queue', spec: {} }, ['InvalidObject metadata: `metadata` is missing']],
  ['a bad name', queue({}, { name: 'A_b' }), ['InvalidObject metadata.name: `metadata.name` "A_b" cannot be a name']],
  ['a bad namespace', queue({}, { namespace: 'a.b' }), ['InvalidObject metadata.namespace: `metadata.namespace` "a.b" cannot be a namespace']],
  ['a field beside spec', { ...queue({}), parameters: {} }, ['InvalidObject parameters: `parameters` is not a field of an object']],
  ['another version', { ...queue({}), apiVersion: 'v1' }, ['InvalidObject apiVersion: apiVersion must be plinth.dev/v1alpha1, not "v1"']],
  ['another kind', { ...queue({}), kind: 'Queu' }, ['UnknownKind kind: the kind `Queu` is not known here']],
])('claim problems: %s', (_, claim, expected) => {
  expect(told(claimProblems(claim, definition))).toEqual(expected);
});

test('a rule that compares with the value before', () => {
  const before = parseClaim(queue({ fifo: true }), definition);
  expect(told(claimProblems(queue({}), definition, before))).toEqual(['ImmutableField spec.fifo: `spec.fifo`: fifo cannot change']);
  expect(() => parseClaim(queue({}), definition, before)).toThrow('fifo cannot change');
  expect(claimProblems(queue({ fifo: true }), definition, before)).toEqual([]);
});

test.each<[string, JsonObject, string]>([
  ['name', { ...definitionObject(), metadata: { name: 'queue' } }, 'metadata.name: the definition of Queue must be named queues.plinth.dev'],
  [
    'lifecycle',
    definitionObject({ schema: { type: 'object', properties: { lifecycle: { type: 'object' } } } }),
    'spec.schema.properties.lifecycle: `lifecycle` is in every claim already',
  ],
  [
    'schema',
    definitionObject({ schema: { type: 'object', properties: { a: { type: 'strin' } } } }),
    'spec.schema.properties.a.type: `spec.schema.properties.a.type` is not a known type',
  ],
  ['key', definitionObject({ connection: { type: 'sqs', keys: { Uri: {} } } }), 'spec.connection.keys["Uri"]: `Uri` cannot be a key of a Secret'],
  ['own kind', { ...definitionObject({ kind: 'Composition', plural: 'queues' }) }, 'spec.kind: Composition is a kind of Plinth itself'],
  [
    'own plural',
    { ...definitionObject({ plural: 'compositions' }), metadata: { name: 'compositions.plinth.dev' } },
    'spec.plural: compositions is a kind of Plinth itself',
  ],
  [
    'namespace',
    { ...definitionObject(), metadata: { name: 'queues.plinth.dev', namespace: 'x' } },
    'metadata.namespace: ClaimDefinition objects have no namespace',
  ],
  [
    'composition',
    object('Composition', { claim: 'Queue', resources: [{ id: 'a', type: 'x/y', specs: {} }] }),
    'spec.resources[0].specs: `spec.resources[0].specs` is not a known field',
  ],
  [
    'class',
    object('EnvironmentClass', { policies: { swap: 'Automatik' } }),
    'spec.policies.swap: `spec.policies.swap` must be one of `Approve`, `Automatic`, `Refuse`, not "Automatik"',
  ],
  [
    'migrations, which there are none of',
    object('EnvironmentClass', { policies: { swap: 'Migrate' } }),
    'spec.policies.swap: `spec.policies.swap` must be one of `Approve`, `Automatic`, `Refuse`, not "Migrate"',
  ],
  ['naming', object('EnvironmentClass', { naming: '${claim.nam}' }), 'spec.naming: `claim` has no field `nam`'],
  ['environment block', object('EnvironmentClass', { environment: {} }), 'spec.environment.composition: `spec.environment.composition` is missing'],
  ['a ttl', object('EnvironmentClass', { environment: { composition: 'e', ttl: '7 days' } }), 'spec.environment.ttl: `spec.environment.ttl`'],
  [
    'an Environment among the implementations',
    object('EnvironmentClass', { implementations: [{ claim: 'Environment', composition: 'e' }] }),
    'spec.implementations[0]: how an Environment is made stands in `spec.environment`',
  ],
  ['config', object('ProviderConfig', { provider: 'aws', settings: { endpoint: '${clam.name}' } }), 'spec.settings.endpoint: nothing is called `clam` here'],
  [
    'credentials',
    object('ProviderConfig', { provider: 'aws', settings: { credentials: { from: 'Secrets' } } }),
    'spec.settings.credentials.from: `spec.settings.credentials.from` must be one of',
  ],
  ['unknown kind', object('Compositon', {}), 'kind: the kind `Compositon` is not known here'],
])('admin problems: %s', (_, admin, expected) => {
  expect(told(objectProblems(admin, [definition]))[0]).toContain(expected);
});

test('admin objects with their defaults', () => {
  expect(
    parseClass(object('EnvironmentClass', { default: true, implementations: [{ claim: 'Queue', composition: 'q' }], policies: { swap: 'Automatic' } })),
  ).toEqual({
    name: 'a',
    isDefault: true,
    ttl: '',
    implementations: [{ claim: 'Queue', composition: 'q', configs: {}, parameters: {} }],
    policy: {
      swap: 'Automatic',
      reclaim: 'Conflict',
      recreateLost: false,
      graceSeconds: 30,
      purgeOnDelete: false,
      deletion: 'Delete',
      drift: 'Correct',
      naming: '',
    },
    allow: { compositions: [], parameters: [], adopt: [] },
  });
  expect(parseConfig(object('ProviderConfig', { provider: 'aws' }))).toEqual({
    name: 'a',
    provider: 'aws',
    settings: {},
    lifetime: 'Cluster',
    allowedNamespaces: undefined,
  });
  expect(parseComposition(object('Composition', { claim: 'Queue', resources: [{ id: 'a', type: 'x/y' }] }))).toEqual({
    name: 'a',
    claim: 'Queue',
    parameters: { type: 'object', properties: {} },
    references: [],
    resources: [{ id: 'a', type: 'x/y', spec: {} }],
    connection: {},
    outputs: {},
  });
});

test('how Environments of a class are made is one implementation more', () => {
  const environment = { composition: 'e', configs: { kubernetes: 'cluster' }, ttl: '7d' };
  const made = { claim: 'Environment', composition: 'e', configs: { kubernetes: 'cluster' }, parameters: {} };
  expect(parseClass(object('EnvironmentClass', { environment }))).toMatchObject({ ttl: '7d', implementations: [made] });
});

function undescribed(schema: Schema, path: string): string[] {
  const fields = Object.entries(schema.properties ?? {});
  const own = fields.filter(([, inner]) => inner.description === undefined).map(([field]) => `${path}.${field}`);
  const items = schema.items === undefined ? [] : undescribed(schema.items, `${path}[]`);
  return [...own, ...items, ...fields.flatMap(([field, inner]) => undescribed(inner, `${path}.${field}`))];
}

test('every field of the admin kinds is described', () => {
  for (const [kind, schema] of Object.entries(ADMIN_KINDS)) expect(undescribed(schema, kind)).toEqual([]);
  expect(undescribed(LifecycleBlock, 'lifecycle')).toEqual([]);
});

test('any object gives EngineErrors or none, never another exception', () => {
  const json = fc.jsonValue() as fc.Arbitrary<JsonObject>;
  const kind = fc.constantFrom('Queue', ...Object.keys(ADMIN_KINDS));
  const some = fc.record(
    { apiVersion: fc.constant(apiVersion), kind, metadata: fc.oneof(json, fc.record({ name: fc.constant('a') })), spec: json },
    { requiredKeys: [] },
  );
  const deep = fc.record({
    kind,
    metadata: fc.constant({ name: 'a' }),
    spec: fc.record({ claim: json, kind: json, schema: json, resources: json, settings: json, naming: json, parameters: json }, { requiredKeys: [] }),
  });
  fc.assert(
    fc.property(fc.oneof(some, deep), value => {
      for (const problem of objectProblems(value as unknown as JsonObject, [definition])) expect(problem).toBeInstanceOf(EngineError);
    }),
    tries(500),
  );
});

const wide = (spec: JsonObject = {}): JsonObject => {
  const given = definitionObject({ scope: 'Cluster', ...spec });
  const { connection, ...rest } = given['spec'] as JsonObject;
  return { ...given, spec: spec['connection'] === undefined ? rest : { ...rest, connection: connection! } };
};

test('a kind of scope Cluster has no connection, and says so in one error', () => {
  expect(parseDefinition(wide())).toMatchObject({ scope: 'Cluster', connection: { type: '', keys: {} } });
  expect(parseDefinition(wide({ connection: { type: 'none', keys: {} } }))).toMatchObject({ scope: 'Cluster' });
  expect(told(objectProblems(wide({ connection: { type: 'sqs', keys: { uri: {}, Bad: {} } } }), []))).toEqual([
    'InvalidObject spec.connection: a Queue belongs to no namespace, so there is none for a connection Secret',
  ]);
  expect(definition.scope).toBe('Namespaced');
  const { connection: _, ...rest } = definitionObject()['spec'] as JsonObject;
  expect(told(objectProblems({ ...definitionObject(), spec: rest }, []))).toEqual(['InvalidObject spec.connection: it is missing']);
});

test('a claim of scope Cluster has no namespace, and a name that a namespace can have', () => {
  const cluster = parseDefinition(wide());
  const named = (name: string, metadata: JsonObject = {}): string[] => told(claimProblems(object('Queue', {}, { name, ...metadata }), cluster));
  expect(parseClaim(object('Queue', {}, { name: 'dev-alice' }), cluster)).toMatchObject({ namespace: '', name: 'dev-alice' });
  expect(named('dev', { namespace: 'dev' })).toEqual(['InvalidObject metadata.namespace: Queue objects have no namespace']);
  expect(named('dev.alice')).toEqual(['InvalidObject metadata.name: `metadata.name` "dev.alice" cannot be the name of a namespace']);
  expect(named('a'.repeat(64))).toHaveLength(1);
});
