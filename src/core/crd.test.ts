import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { claimStatusSchema } from './claim-status.ts';
import { adminCrds, claimCrd, claimSpecSchema, compareVersions, ENGINE_VERSION, SCHEMA_HASH, upgrade } from './crd.ts';
import { ADMIN_KINDS } from './kinds.ts';
import { parseDefinition } from './parse.ts';
import { checkValue } from './schema.ts';
import type { ClaimStatus, Json, JsonObject, OwnedEntry } from './types.ts';

const EMBEDDED = JSON.parse(readFileSync(join(import.meta.dirname, '../generated/embedded.json'), 'utf8')) as JsonObject[];
const definitions = EMBEDDED.filter(object => object['kind'] === 'ClaimDefinition').map(parseDefinition);
const queue = definitions.find(({ kind }) => kind === 'Queue')!;
const partsOf = (crd: JsonObject) => {
  const { metadata, spec } = crd as unknown as { metadata: { name: string; labels: JsonObject; annotations: JsonObject }; spec: JsonObject };
  const [version] = spec['versions'] as unknown as {
    schema: { openAPIV3Schema: JsonObject };
    additionalPrinterColumns: JsonObject[];
    subresources: JsonObject;
  }[];
  return { metadata, spec, version: version!, schema: version!.schema.openAPIV3Schema as { properties: Record<string, JsonObject> } };
};

test('an empty spec comes back with its defaults when a second apply took them away; one that cannot be empty does not', () => {
  const spec = (schema: JsonObject): JsonObject =>
    claimSpecSchema({ kind: 'Thing', schema: schema as unknown as Parameters<typeof claimSpecSchema>[0]['schema'] });
  const size = { type: 'integer', default: 3 };
  expect(spec({ type: 'object', properties: { size } })['default']).toEqual({ size: 3 });
  expect(spec({ type: 'object', properties: {} })['default']).toEqual({});
  expect(spec({ type: 'object', required: ['size'], properties: { size: { type: 'integer' } } })).not.toHaveProperty('default');
});

test('a claim kind: names, columns, default status, Service Binding label, kept by Helm', () => {
  const { metadata, spec, version, schema } = partsOf(claimCrd(queue, '1.2.3'));
  expect(metadata.name).toBe('queues.plinth.dev');
  expect(metadata.labels).toMatchObject({ 'servicebinding.io/provisioned-service': 'true', 'plinth.dev/claim-kind': 'Queue' });
  expect(metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep', [ENGINE_VERSION]: '1.2.3' });
  expect(spec['names']).toEqual({ kind: 'Queue', listKind: 'QueueList', plural: 'queues', singular: 'queue', shortNames: ['q'], categories: ['claims'] });
  expect(version.subresources).toEqual({ status: {} });
  const columns = version.additionalPrinterColumns.map(({ name, priority }) => (priority === 1 ? `${name} (wide)` : name));
  expect(columns).toEqual(['Class', 'Implementation', 'Ready', 'Reason (wide)', 'Age']);
  expect(schema.properties['status']!['default']).toEqual({ observedGeneration: -1 });
  const fields = schema.properties['spec']!['properties'] as JsonObject;
  expect(fields['delaySeconds']).toMatchObject({ type: 'integer', minimum: 0, maximum: 900 });
  expect(fields['fifo']).toMatchObject({ type: 'boolean', default: false });
  expect(schema.properties['spec']).toMatchObject({ 'x-kubernetes-validations': [{ rule: '!self.contentBasedDeduplication || self.fifo' }] });
  expect(Object.keys(fields)).toContain('lifecycle');
});

test('an empty spec is put back where one will do, and nowhere else', () => {
  const specOf = (kind: string) => partsOf(claimCrd(definitions.find(definition => definition.kind === kind)!, '1.2.3')).schema.properties['spec']!;
  expect(specOf('Queue')['default']).toMatchObject({ fifo: false });
  expect(specOf('Table')).not.toHaveProperty('default');
});

test('every admin kind has one, cluster-scoped', () => {
  const crds = adminCrds('1.2.3').map(partsOf);
  expect(crds.map(({ spec }) => (spec['names'] as JsonObject)['kind'])).toEqual(Object.keys(ADMIN_KINDS));
  expect(crds.every(({ spec }) => spec['scope'] === 'Cluster')).toBe(true);
});

/** Every field there is, so that a new one that the schema lacks (and the API server would drop) fails here. */
const entry: Required<OwnedEntry> = {
  id: 'queue',
  type: 'aws/sqs-queue',
  config: 'local',
  phase: 'Present',
  scope: 'aws:1/eu',
  name: 'dev_orders',
  ready: true,
  message: '',
  since: '2026-01-01T00:00:00.000Z',
  incarnation: 0,
  origin: 'Created',
  deletion: 'Delete',
  onDelete: { purge: true },
  holds: 'backlog',
  dependsOn: ['deadLetter'],
  changedAt: '2026-01-01T00:00:00.000Z',
  settled: { '': 'x', delaySeconds: '0123456789ab' },
  sent: { delaySeconds: '0123456789ab' },
  missing: '2026-01-01T00:00:00.000Z',
  approved: 'abc',
  approvedFor: 'aws:1/eu|aws/sqs-queue|dev_orders_1',
  unmade: true,
  unused: true,
};
const status: Required<ClaimStatus> = {
  inventoryFor: 'u',
  observedGeneration: 1,
  conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: '', observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00.000Z' }],
  class: 'dev',
  composition: 'queue-sqs',
  revision: 'abc',
  lifecycle: { deletion: 'Delete', drift: 'Correct', management: 'Full', ignore: { queue: ['delaySeconds'] }, adopt: { queue: 'x' } },
  binding: { name: 'orders-queue' },
  outputs: { arn: 'a', url: 'u', name: 'n', unknown: [{ a: null }] },
  resources: [entry, { phase: 'Waiting', id: 'x', type: 'aws/sqs-queue', config: 'local', dependsOn: [], ready: false, message: 'waits' }],
  drift: [
    { resource: 'queue', path: '', desired: null, observed: { a: [1] }, detectedAt: '2026-01-01T00:00:00.000Z', correctedAt: '2026-01-01T00:00:00.000Z' },
    { resource: 'queue', path: 'delaySeconds', desired: 3, detectedAt: '2026-01-01T00:00:00.000Z' },
  ],
  pendingPlan: { hash: 'abc', summary: ['delete queue'] },
};

test('a status with everything in it fits its schema', () => {
  expect(checkValue(claimStatusSchema(queue.outputs as JsonObject), status as unknown as Json, 'status')).toEqual([]);
});

test('rubbish in a status does not', () => {
  const rubbish = { conditions: [{ type: 'Ready', status: 'yes', reason: 'x', lastTransitionTime: 'now' }], resources: [{ id: 1 }], inventory: {} };
  const paths = checkValue(claimStatusSchema(queue.outputs as JsonObject), rubbish as unknown as Json, 'status').map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(['status.conditions[0].status', 'status.resources[0].id', 'status.inventory']));
});

const crd = (version: string, hash: string, spec: JsonObject = { names: { kind: 'Queue' }, list: [{ a: 1 }] }): JsonObject => ({
  metadata: { annotations: { [ENGINE_VERSION]: version, [SCHEMA_HASH]: hash } },
  spec,
});
test.each<[string, JsonObject | undefined, JsonObject, string]>([
  ['none there', undefined, crd('1.0.0', 'a'), 'create'],
  ['the same', crd('1.0.0', 'a'), crd('1.0.0', 'a'), 'same'],
  ['the same with defaults of the API server', crd('1.0.0', 'a', { names: { kind: 'Queue', x: 1 }, list: [{ a: 1, b: 2 }], y: 1 }), crd('1.0.0', 'a'), 'same'],
  ['the same, edited by hand', crd('1.0.0', 'a', { names: { kind: 'Queue' }, list: [{ a: 2 }] }), crd('1.0.0', 'a'), 'update'],
  ['an older one', crd('0.9.9', 'a'), crd('1.0.0', 'a'), 'update'],
  ['another schema', crd('1.0.0', 'b'), crd('1.0.0', 'a'), 'update'],
  ['a newer one', crd('1.0.1', 'b'), crd('1.0.0', 'a'), 'newer'],
  ['one by hand', { metadata: {}, spec: {} }, crd('1.0.0', 'a'), 'update'],
])('upgrade: %s', (_, existing, wanted, expected) => {
  expect(upgrade(existing, wanted)).toBe(expected);
});

test('versions in the order of semver', () => {
  const order = [
    'rubbish',
    '0.0.0-dev',
    '0.9.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0',
    'v1.0.1+x',
    '1.10.0',
    '2.0.0',
  ];
  const shuffled = [...order].reverse();
  expect(shuffled.sort(compareVersions)).toEqual(order);
  expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0);
});

test('no shipped kind refuses a change, which may be approved (decision 0012); a rule of one’s own about `oldSelf` stays', () => {
  for (const definition of definitions) expect(JSON.stringify(claimCrd(definition, '1.2.3')), definition.kind).not.toContain('oldSelf');
  const rules = { 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'the size cannot change' }] };
  const own = { ...queue, schema: { type: 'object', properties: { size: { type: 'integer', ...rules } } } } as unknown as typeof queue;
  expect((partsOf(claimCrd(own, '1.2.3')).schema.properties['spec']!['properties'] as JsonObject)['size']).toMatchObject(rules);
});

test('a kind of scope Cluster: no Service Binding, not among the claims of tenants, and as in crds/', () => {
  const environment = definitions.find(({ kind }) => kind === 'Environment')!;
  const crd = claimCrd(environment, '1.2.3');
  const { metadata, spec, schema } = partsOf(crd);
  expect(spec['scope']).toBe('Cluster');
  expect(spec['names']).toMatchObject({ plural: 'environments', shortNames: ['env'], categories: ['plinth'] });
  expect(metadata.labels).toEqual({ 'app.kubernetes.io/part-of': 'plinth', 'plinth.dev/claim-kind': 'Environment' });
  expect(metadata.annotations).not.toHaveProperty('plinth.dev/connection-type');
  expect(schema.properties['status']!['default']).toEqual({ observedGeneration: -1 });
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
  const shipped = parse(readFileSync(join(import.meta.dirname, '../../crds/environments.plinth.dev.yaml'), 'utf8')) as JsonObject;
  expect(upgrade(shipped, claimCrd(environment, version))).toBe('same');
});
