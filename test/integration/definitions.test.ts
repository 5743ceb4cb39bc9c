/** Claim kinds on a real API server: made from definitions, described, refused where they are wrong, edited, protected, taken away. */
import { afterAll, test as anyTest, beforeAll, expect } from 'vitest';
import { claimCrd, ENGINE_VERSION } from '../../src/core/crd.ts';
import { parseDefinition } from '../../src/core/parse.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { CRDS, getOne, listClaims } from '../../src/engine/definitions-api.ts';
import { applyAdminCrds, type Settling, settleDefinition } from '../../src/engine/definitions-settle.ts';
import { IN_USE, protectInUse } from '../../src/engine/definitions-use.ts';
import type { Event, Store } from '../../src/engine/store.ts';
import embedded from '../../src/generated/embedded.json' with { type: 'json' };
import { loadAccess } from '../../src/kube/config.ts';
import { type Api, closeApi, openApi, request } from '../../src/kube/transport.ts';
import { part } from '../parts/emulators.ts';
import { kubeconfigFor, type LentControlPlane } from '../parts/kube/control-plane.ts';
import { borrowControlPlane } from '../parts/kube/pool.ts';
import { kubectl, runTool } from '../parts/kube/tools.ts';
import { object } from '../support.ts';

const test = anyTest.skipIf(!part('kubernetes').available);

const EMBEDDED = embedded as unknown as JsonObject[];
let plane: LentControlPlane;
let api: Api;
const events: Event[] = [];
const settling = (version = '1.0.0'): Settling => ({ api, version, now: () => new Date().toISOString(), log: () => {} });
const cluster = (...args: string[]) => kubectl({ kubeconfig: plane.adminKubeconfig }, ...args);
const documents = (objects: readonly JsonObject[]): string => objects.map(item => JSON.stringify(item)).join('\n---\n');
const apply = (...objects: JsonObject[]) => kubectl({ kubeconfig: plane.adminKubeconfig, input: documents(objects) }, 'apply', '-f', '-');
const refused = async (...objects: JsonObject[]): Promise<string> => {
  const { code, stderr } = await runTool('kubectl', { kubeconfig: plane.adminKubeconfig, input: documents(objects) }, ['apply', '-f', '-']);
  expect(code).toBe(1);
  return stderr;
};
const live = async (kind: string, name: string): Promise<JsonObject & { metadata: JsonObject; status?: JsonObject }> =>
  JSON.parse(await cluster('get', kind, name, '-o', 'json')) as never;

/** Lists live, as the real one does from its watches. */
const store: Pick<Store, 'list' | 'emit'> = {
  list: async kind => {
    const plurals: Record<string, string> = {
      ClaimDefinition: 'claimdefinitions',
      Composition: 'compositions',
      EnvironmentClass: 'environmentclasses',
      ProviderConfig: 'providerconfigs',
    };
    const plural = plurals[kind] ?? `${kind.toLowerCase()}s`;
    return await listClaims(api, { group: 'plinth.dev', version: 'v1alpha1', plural, kind, namespaced: true });
  },
  emit: (_, event) => events.push(event),
};

/** A kind whose last claim goes is looked after by the API server every few seconds. */
const PATIENCE_MS = 180_000;

/** Settles as the queue does: until nothing more is asked. */
async function settle(name: string, version = '1.0.0'): Promise<JsonObject> {
  for (const end = Date.now() + PATIENCE_MS; (await settleDefinition(settling(version), name)) !== undefined && Date.now() < end; )
    await new Promise(done => setTimeout(done, 200));
  const found = await getOne(api, { group: 'plinth.dev', version: 'v1alpha1', plural: 'claimdefinitions', kind: '', namespaced: false }, name);
  return (found?.['status'] ?? {}) as JsonObject;
}
const ready = (status: JsonObject) => (status['conditions'] as JsonObject[] | undefined)?.find(({ type }) => type === 'Ready');

const gadget = (fields: JsonObject, more: JsonObject = {}, plural = 'gadgets', kind = 'Gadget'): JsonObject =>
  object('ClaimDefinition', `${plural}.plinth.dev`, {
    kind,
    plural,
    schema: { type: 'object', properties: fields },
    connection: { type: 'gadget', keys: { uri: {} } },
    outputs: { type: 'object' },
    ...more,
  });

beforeAll(async () => {
  if (!part('kubernetes').available) return;
  plane = await borrowControlPlane();
  api = openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }));
  await applyAdminCrds(settling());
  await cluster('wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s');
  await apply(...EMBEDDED);
});
afterAll(async () => {
  if (api !== undefined) await closeApi(api);
  await plane?.stop();
});

test('every shipped definition becomes a kind that is served, and says so', async () => {
  for (const { kind, metadata } of EMBEDDED) {
    if (kind !== 'ClaimDefinition') continue;
    const status = await settle((metadata as JsonObject)['name'] as string);
    expect(ready(status)).toMatchObject({ status: 'True', reason: 'Ready', observedGeneration: 1 });
  }
  const { items } = JSON.parse(await cluster('get', 'crd', '-o', 'json')) as { items: { metadata: { name: string }; status: { conditions: JsonObject[] } }[] };
  for (const { metadata, status } of items) {
    const told = Object.fromEntries(status.conditions.map(({ type, status: is }) => [type as string, is]));
    expect(told, metadata.name).toEqual({ NamesAccepted: 'True', Established: 'True' });
  }
  expect(items).toHaveLength(9);
});

test('a settled kind costs no write, and an edit of it by hand is put back', async () => {
  const before = (await live('crd', 'queues.plinth.dev')).metadata;
  await settle('queues.plinth.dev');
  expect((await live('crd', 'queues.plinth.dev')).metadata['resourceVersion']).toBe(before['resourceVersion']);
  const path = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/delaySeconds/maximum';
  await cluster('patch', 'crd', 'queues.plinth.dev', '--type=json', '-p', JSON.stringify([{ op: 'replace', path, value: 5 }]));
  await settle('queues.plinth.dev');
  expect(JSON.stringify(await live('crd', 'queues.plinth.dev'))).toContain('"maximum":900');
});

test('a new claim has its defaults, and a status that no waiter takes for ready', async () => {
  await apply(object('Queue', 'fine', { deadLetter: { maxReceives: 5 } }, 'default'));
  const { spec, status } = (await live('queue', 'fine')) as { spec?: JsonObject; status?: JsonObject };
  expect(spec).toEqual({ fifo: false, contentBasedDeduplication: false, subscriptions: [], deadLetter: { maxReceives: 5, retentionSeconds: 1209600 } });
  expect(status).toEqual({ observedGeneration: -1 });
});

test.each<[string, JsonObject, RegExp]>([
  ['a field that is not known', { visibilityTimeout: 30 }, /unknown field "spec.visibilityTimeout"/],
  ['a wrong type', { fifo: 'yes' }, /spec.fifo: Invalid value: "string": spec.fifo in body must be of type boolean/],
  ['a value past its bound', { delaySeconds: 901 }, /spec.delaySeconds: Invalid value: 901: spec.delaySeconds in body should be less than or equal to 900/],
  ['a broken rule', { contentBasedDeduplication: true }, /spec: Invalid value: "object": contentBasedDeduplication needs fifo/],
  ['the same key twice', { subscriptions: [{ topic: 'a' }, { topic: 'a' }] }, /spec.subscriptions\[1\]: Duplicate value: \{"topic":"a"\}/],
  [
    'a wrong word in lifecycle',
    { lifecycle: { deletion: 'Keep' } },
    /spec.lifecycle.deletion: Unsupported value: "Keep": supported values: "Delete", "Retain"/,
  ],
])('kubectl refuses %s', async (_, spec, message) => {
  expect(await refused(object('Queue', 'wrong', spec, 'default'))).toMatch(message);
});

test('a change that replaces the thing is taken, for it may be approved; a rule of one’s own about `oldSelf` refuses', async () => {
  await apply(object('Queue', 'fine', { fifo: true }, 'default'));
  await apply(object('Queue', 'fine', {}, 'default'));
  const rule = { rule: 'self == oldSelf', message: 'the size cannot change' };
  await apply(gadget({ size: { type: 'integer', 'x-kubernetes-validations': [rule] } }, {}, 'sizeds', 'Sized'));
  await settle('sizeds.plinth.dev');
  await apply(object('Sized', 'one', { size: 1 }, 'default'));
  expect(await refused(object('Sized', 'one', { size: 2 }, 'default'))).toContain('spec.size: Invalid value: "integer": the size cannot change');
  await cluster('delete', 'sized', 'one', '-n', 'default');
});

test('kubectl refuses a name too long for its Secret', async () => {
  expect(await refused(object('Queue', 'x'.repeat(248), {}, 'default'))).toContain(
    'the name must have at most 247 characters: its Secret is named <name>-queue',
  );
});

test('a definition with the name of another, or of Plinth’s own kinds, is refused', async () => {
  expect(await refused({ ...gadget({}), metadata: { name: 'others.plinth.dev' } })).toContain(
    'metadata.name: Invalid value: "object": the definition of Gadget must be named gadgets.plinth.dev',
  );
  expect(await refused(gadget({}, {}, 'gadgets', 'Composition'))).toContain(
    'spec.kind: Invalid value: "object": Plinth itself has a kind of this name; choose another',
  );
});

test('an edit that claims would not survive waits, with the old text in force, until there are none', async () => {
  const [one, other] = [gadget({ size: { type: 'integer' }, note: { type: 'string' } }), gadget({ size: { type: 'string' } })];
  await apply(one);
  expect(ready(await settle('gadgets.plinth.dev'))).toMatchObject({ status: 'True' });
  await apply(object('Gadget', 'a', { size: 3, note: 'keep me' }, 'default'), other);
  const held = await settle('gadgets.plinth.dev');
  expect(ready(held)).toMatchObject({ status: 'False', reason: 'IncompatibleEdit', observedGeneration: 2 });
  expect(ready(held)?.['message']).toBe(
    '`spec.note` is removed: what claims hold there would vanish (and 1 more); put the old text back, or make a new kind; without claims the edit goes through',
  );
  expect(held['accepted']).toMatchObject({ schema: { properties: { size: { type: 'integer' } } } });
  expect((await live('gadget', 'a'))['spec']).toEqual({ size: 3, note: 'keep me' });
  await cluster('delete', 'gadget', 'a');
  const taken = await settle('gadgets.plinth.dev');
  expect(ready(taken)).toMatchObject({ status: 'True' });
  expect(taken['accepted']).toEqual((other as { spec?: JsonObject }).spec && (await live('claimdefinition', 'gadgets.plinth.dev'))['spec']);
});

test('with its status lost, an edit is still judged by what claims were admitted by', async () => {
  await apply(gadget({ size: { type: 'integer' } }, {}, 'widgets', 'Widget'));
  await settle('widgets.plinth.dev');
  await apply(object('Widget', 'a', { size: 3 }, 'default'));
  await cluster('patch', 'claimdefinition', 'widgets.plinth.dev', '--subresource=status', '--type=merge', '-p', '{"status":null}');
  await apply(gadget({}, {}, 'widgets', 'Widget'));
  expect(ready(await settle('widgets.plinth.dev'))).toMatchObject({ reason: 'IncompatibleEdit', message: expect.stringContaining('`spec.size` is removed') });
});

test('an older engine leaves the schema of a newer one alone, and says so of an edit', async () => {
  const fields = { size: { type: 'integer' } };
  await apply(gadget(fields, {}, 'gizmos', 'Gizmo'));
  await settle('gizmos.plinth.dev', '2.0.0');
  const before = (await live('crd', 'gizmos.plinth.dev')).metadata;
  expect(ready(await settle('gizmos.plinth.dev', '1.9.0'))).toMatchObject({ status: 'True' });
  await apply(gadget({ ...fields, more: { type: 'string' } }, {}, 'gizmos', 'Gizmo'));
  expect(ready(await settle('gizmos.plinth.dev', '1.9.0'))).toMatchObject({
    status: 'False',
    reason: 'NewerSchema',
    message: expect.stringContaining('Plinth 2.0.0, and this is 1.9.0'),
  });
  expect((await live('crd', 'gizmos.plinth.dev')).metadata['resourceVersion']).toBe(before['resourceVersion']);
  expect(ready(await settle('gizmos.plinth.dev', '2.1.0'))).toMatchObject({ status: 'True' });
  expect((await live('crd', 'gizmos.plinth.dev')).metadata['annotations']).toMatchObject({ [ENGINE_VERSION]: '2.1.0' });
  await applyAdminCrds(settling('0.9.0'));
  expect((await live('crd', 'compositions.plinth.dev')).metadata['annotations']).toMatchObject({ [ENGINE_VERSION]: '1.0.0' });
});

test.each<[string, JsonObject, string, RegExp]>([
  [
    'a mistake in the schema',
    gadget({ size: { type: 'integr' } }, {}, 'bads', 'Bad'),
    'InvalidObject',
    /`spec.schema.properties.size.type` is not a known type/,
  ],
  [
    'a rule that would cost too much',
    gadget(
      { list: { type: 'array', items: { type: 'string' }, 'x-kubernetes-validations': [{ rule: 'self.all(a, self.all(b, a == b))' }] } },
      {},
      'bads',
      'Bad',
    ),
    'InvalidObject',
    /estimated rule cost exceeds budget/,
  ],
  ['a short name that is taken', gadget({}, { shortNames: ['q'] }, 'bads', 'Bad'), 'KindTaken', /the names of Bad are not free: .*"q" is already in use/],
])('the definition says: %s', async (_, definition, reason, message) => {
  await apply(definition);
  const told = ready(await settle('bads.plinth.dev'));
  expect(told).toMatchObject({ status: 'False', reason });
  expect(told?.['message']).toMatch(message);
  await cluster('delete', 'claimdefinition', 'bads.plinth.dev');
  await settle('bads.plinth.dev');
  await expect.poll(() => getOne(api, CRDS, 'bads.plinth.dev')).toBeUndefined();
});

test('an engine that may not work on a kind says which permission it lacks', async () => {
  await cluster(
    'create',
    'clusterrole',
    'definitions-only',
    '--verb=get,create,update',
    '--resource=claimdefinitions.plinth.dev,claimdefinitions.plinth.dev/status,customresourcedefinitions.apiextensions.k8s.io',
  );
  await cluster('create', 'clusterrolebinding', 'definitions-only', '--clusterrole=definitions-only', '--user=engine');
  await expect.poll(() => cluster('auth', 'can-i', 'update', 'claimdefinitions.plinth.dev', '--as', 'engine')).toBe('yes\n');
  const limited = openApi(await loadAccess({ kubeconfig: await kubeconfigFor(plane, 'engine') }));
  await settleDefinition({ ...settling(), api: limited }, 'queues.plinth.dev');
  const { status } = await live('claimdefinition', 'queues.plinth.dev');
  expect(ready(status!)).toMatchObject({
    status: 'False',
    reason: 'AccessDenied',
    message: expect.stringContaining('add queues to claimKinds of the Helm chart'),
  });
  await closeApi(limited);
  await settle('queues.plinth.dev');
});

test('a kind goes with its definition, but not while a claim exists', async () => {
  await apply(gadget({}, {}, 'toys', 'Toy'));
  await settle('toys.plinth.dev');
  await apply(object('Toy', 'a', {}, 'default'));
  await cluster('delete', 'claimdefinition', 'toys.plinth.dev');
  await settle('toys.plinth.dev');
  expect(await getOne(api, CRDS, 'toys.plinth.dev')).toBeDefined();
  await cluster('delete', 'toy', 'a');
  await settle('toys.plinth.dev');
  await expect.poll(() => getOne(api, CRDS, 'toys.plinth.dev')).toBeUndefined();
});

test('the kind Environment stays without its definition, as it comes with the installation', async () => {
  const name = 'environments.plinth.dev';
  const definition = EMBEDDED.find(({ metadata }) => (metadata as JsonObject)['name'] === name)!;
  await cluster('delete', 'claimdefinition', name);
  await settle(name);
  expect(await getOne(api, CRDS, name)).toMatchObject({ metadata: expect.not.objectContaining({ deletionTimestamp: expect.anything() }) });
  await apply(definition);
  expect(ready(await settle(name))).toMatchObject({ status: 'True' });
});

test('the scope of a kind is said once, and what belongs to no namespace has no connection', async () => {
  const wide = gadget({}, { scope: 'Cluster' }, 'worlds', 'World');
  expect(await refused(wide)).toContain('left out with scope Cluster');
  const { connection, ...spec } = wide['spec'] as JsonObject;
  expect(await refused({ ...wide, spec: { ...spec, scope: 'Namespaced' } })).toContain('what applications get');
  await apply({ ...wide, spec });
  expect(ready(await settle('worlds.plinth.dev'))).toMatchObject({ status: 'True' });
  expect(await getOne(api, CRDS, 'worlds.plinth.dev')).toMatchObject({ spec: { scope: 'Cluster', names: { categories: ['plinth'] } } });
  expect(await refused({ ...wide, spec: { ...spec, connection: connection!, scope: 'Namespaced' } })).toContain('the scope cannot change');
  await apply(object('World', 'earth', {}));
  await cluster('delete', 'claimdefinition', 'worlds.plinth.dev');
  await apply(gadget({}, {}, 'worlds', 'World'));
  expect(ready(await settle('worlds.plinth.dev'))).toMatchObject({
    status: 'False',
    reason: 'IncompatibleEdit',
    message: expect.stringContaining('spec.scope'),
  });
  await cluster('delete', 'world', 'earth');
});

test('a kind that is deleted is told so, and made again when its claims are gone', async () => {
  await apply(gadget({}, {}, 'balls', 'Ball'));
  await settle('balls.plinth.dev');
  await apply(object('Ball', 'a', {}, 'default', { finalizers: ['plinth.dev/claim'] }));
  await cluster('delete', 'crd', 'balls.plinth.dev', '--wait=false');
  expect(await settleDefinition(settling(), 'balls.plinth.dev')).toBe(1_000);
  const { status } = await live('claimdefinition', 'balls.plinth.dev');
  expect(ready(status!)).toMatchObject({ status: 'False', reason: 'KindGoing', message: expect.stringContaining('the kind Ball is being deleted') });
  await cluster('patch', 'ball', 'a', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  expect(ready(await settle('balls.plinth.dev'))).toMatchObject({ status: 'True' });
});

test('what claims use is protected, says by whom, and goes when they do', async () => {
  const path = '/apis/plinth.dev/v1alpha1/namespaces/default/queues/fine';
  const found = await request(api, { method: 'GET', path });
  const status = {
    observedGeneration: 1,
    class: 'local',
    composition: 'queue-sqs',
    resources: [{ id: 'q', type: 'aws/sqs-queue', phase: 'Present', config: 'local' }],
  };
  await request(api, { method: 'PUT', path: `${path}/status`, body: { ...found, status } });
  await protectInUse(settling(), store as Store);
  const users = [
    ['environmentclass', 'local'],
    ['composition', 'queue-sqs'],
    ['providerconfig', 'local'],
    ['claimdefinition', 'queues.plinth.dev'],
  ] as const;
  for (const [kind, name] of users) expect((await live(kind, name)).metadata['finalizers'], name).toEqual([IN_USE]);
  expect((await live('environmentclass', 'aws')).metadata['finalizers']).toBeUndefined();
  for (const [kind, name] of users) await cluster('delete', kind, name, '--wait=false');
  await protectInUse(settling(), store as Store);
  await protectInUse(settling(), store as Store);
  const told = (await live('providerconfig', 'local')).status?.['conditions'] as JsonObject[];
  expect(told[0]).toMatchObject({
    type: 'InUse',
    status: 'True',
    message: 'ProviderConfig local is in use by Queue default/fine; delete the claims named, or give them another',
  });
  expect(events.filter(({ message }) => message.startsWith('ProviderConfig local'))).toHaveLength(1);
  await cluster('delete', 'queue', 'fine');
  await protectInUse(settling(), store as Store);
  for (const [kind, name] of users) expect((await runTool('kubectl', { kubeconfig: plane.adminKubeconfig }, ['get', kind, name])).code, name).toBe(1);
  await expect.poll(() => getOne(api, CRDS, 'queues.plinth.dev')).toBeUndefined();
});

test('the schema of a kind is what the definition says, for every version of the engine', () => {
  const [first] = EMBEDDED.filter(({ kind }) => kind === 'ClaimDefinition').map(parseDefinition);
  const specs = ['1.0.0', '2.0.0'].map(version => claimCrd(first!, version)['spec']);
  expect(specs[0]).toEqual(specs[1]);
});
