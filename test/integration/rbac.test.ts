/** What a tenant with only the shipped roles can and cannot do, and the engine itself, asked of the real API server as that user. */
import { join } from 'node:path';
import { afterAll, test as anyTest, beforeAll, expect, vi } from 'vitest';
import type { JsonObject } from '../../src/core/types.ts';
import { applyAdminCrds, settleDefinition } from '../../src/engine/definitions-settle.ts';
import { loadAccess } from '../../src/kube/config.ts';
import { closeApi, openApi, request, STRATEGIC_PATCH } from '../../src/kube/transport.ts';
import { part } from '../parts/emulators.ts';
import { engineNeeds, untilMay, untilRefused } from '../parts/kube/allowed.ts';
import { asAdmin, kubeconfigFor, type LentControlPlane, serviceAccountKubeconfig } from '../parts/kube/control-plane.ts';
import { borrowControlPlane } from '../parts/kube/pool.ts';
import { helm, kubectl, runTool } from '../parts/kube/tools.ts';
import { object } from '../support.ts';

const test = anyTest.skipIf(!part('kubernetes').available);

const CHART = join(import.meta.dirname, '../../charts/plinth');
const SYSTEM = 'plinth-system';
let plane: LentControlPlane;
/** Kubeconfigs: `alice` edits team-a, `vera` views it, `otto` administers team-b, `nina` makes and labels namespaces, `engine` is the service account. */
const files: Record<string, string> = {};
const as = (user: string, ...args: string[]) => kubectl({ kubeconfig: files[user]! }, ...args);
const admin = (...args: string[]) => kubectl({ kubeconfig: plane.adminKubeconfig }, ...args);
const apply = (user: string, item: JsonObject) => kubectl({ kubeconfig: files[user]!, input: JSON.stringify(item) }, 'apply', '-f', '-');
async function refusal(user: string, args: readonly string[], input?: JsonObject): Promise<string> {
  const { code, stdout, stderr } = await runTool(
    'kubectl',
    { kubeconfig: files[user]!, ...(input === undefined ? {} : { input: JSON.stringify(input) }) },
    args,
  );
  expect(code, `${user} ${args.join(' ')}: ${stdout}`).toBe(1);
  return stderr;
}
const queue = (name: string, spec: JsonObject = {}, namespace = 'team-a') => object('Queue', name, spec, namespace);
const patch = (value: unknown): string[] => ['--type=merge', '-p', JSON.stringify(value)];

const STALLED: JsonObject = { status: { conditions: [{ type: 'Stalled', status: 'True', reason: 'Conflict', message: 'Queue orders: hm' }] } };

/** What the engine is refused, '' if it is not. kubectl would read the status before. */
async function engineSays(plural: string, name: string, namespace: string, body: JsonObject, query: Record<string, string> = {}): Promise<string> {
  const api = openApi(await loadAccess({ kubeconfig: files['engine']! }));
  const path = `/apis/apps/v1/namespaces/${namespace}/${plural}/${name}/status`;
  try {
    await request(api, { method: 'PATCH', path, body, query, contentType: STRATEGIC_PATCH });
    return '';
  } catch (error) {
    return String(error);
  } finally {
    await closeApi(api);
  }
}

/** Every role is in force, those of Kubernetes have taken ours in, and every policy is heeded. */
async function inForce(): Promise<void> {
  const may: Readonly<Record<string, readonly string[]>> = {
    alice: ['create queues.plinth.dev -n team-a', 'create secrets -n team-a'],
    vera: ['get queues.plinth.dev -n team-a'],
    otto: ['delete queues.plinth.dev -n team-b'],
    nina: ['patch namespaces', 'use environmentclasses.plinth.dev/dev'],
    paula: ['adopt queues.plinth.dev -n team-a'],
  };
  for (const [user, asks] of Object.entries(may)) await untilMay(files[user]!, ...asks);
  const dry = (user: string, item: JsonObject) =>
    [{ kubeconfig: files[user]!, input: JSON.stringify(item) }, ['create', '--dry-run=server', '-f', '-']] as const;
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'loose', namespace: 'team-a' } };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team-c', labels: { 'plinth.dev/class': 'aws' } } };
  await untilRefused(...dry('nina', namespace), 'may not use the environment class');
  await untilRefused(...dry('alice', queue('taken', { lifecycle: { adopt: { queue: 'legacy' } } })), 'may not adopt');
  await untilRefused(...dry('engine', secret), 'the engine writes only Secrets');
  await untilRefused(...dry('engine', await foreignKind()), 'the engine writes only CustomResourceDefinitions');
  const said = () => engineSays('deployments', 'plinth', SYSTEM, STALLED, { dryRun: 'All' });
  await vi.waitFor(async () => expect(await said()).toContain('the engine says something only of workloads'), 120_000);
}

/** That of queues, of a group that is not ours. */
async function foreignKind(): Promise<JsonObject> {
  const { apiVersion, kind, spec } = JSON.parse(await admin('get', 'crd', 'queues.plinth.dev', '-o', 'json')) as JsonObject;
  return { apiVersion: apiVersion!, kind: kind!, metadata: { name: 'queues.example.org' }, spec: { ...(spec as JsonObject), group: 'example.org' } };
}

beforeAll(async () => {
  if (!part('kubernetes').available) return;
  plane = await borrowControlPlane();
  await helm(4, { kubeconfig: plane.adminKubeconfig }, 'install', 'plinth', CHART, '-n', SYSTEM, '--create-namespace');
  files['engine'] = await serviceAccountKubeconfig(plane, SYSTEM, 'plinth');
  await untilMay(files['engine'], ...engineNeeds(SYSTEM));
  const api = openApi(await loadAccess({ kubeconfig: files['engine'] }));
  const settling = { api, version: '0.1.0', now: () => new Date().toISOString(), log: () => {} };
  await applyAdminCrds(settling);
  for (const plural of ['queues', 'topics', 'buckets', 'tables']) {
    while ((await settleDefinition(settling, `${plural}.plinth.dev`)) !== undefined) await new Promise(done => setTimeout(done, 100));
  }
  await closeApi(api);
  for (const namespace of ['team-a', 'team-b']) await admin('create', 'namespace', namespace);
  for (const user of ['alice', 'vera', 'otto', 'nina', 'paula']) files[user] = await kubeconfigFor(plane, user);
  await admin('create', 'rolebinding', 'alice', '--clusterrole=edit', '--user=alice', '-n', 'team-a');
  await admin('create', 'rolebinding', 'vera', '--clusterrole=view', '--user=vera', '-n', 'team-a');
  await admin('create', 'rolebinding', 'otto', '--clusterrole=admin', '--user=otto', '-n', 'team-b');
  await admin('create', 'clusterrole', 'namespaces', '--verb=get,create,update,patch,delete', '--resource=namespaces');
  await admin('create', 'clusterrolebinding', 'nina', '--clusterrole=namespaces', '--user=nina');
  // kubectl knows only the verbs of Kubernetes.
  const rules = [{ apiGroups: ['plinth.dev'], resources: ['environmentclasses'], resourceNames: ['dev'], verbs: ['use'] }];
  await asAdmin(plane, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'use-dev' }, rules });
  await admin('create', 'clusterrolebinding', 'nina-dev', '--clusterrole=use-dev', '--user=nina');
  await admin('create', 'clusterrolebinding', 'paula', '--clusterrole=plinth-platform-admin', '--user=paula');
  await inForce();
  await apply('otto', queue('theirs', {}, 'team-b'));
  await admin('patch', 'queue', 'theirs', '-n', 'team-b', '--subresource=status', ...patch({ status: { outputs: { arn: 'arn:theirs' } } }));
});
afterAll(() => plane?.stop());

test('an editor of a namespace makes, reads, changes and deletes claims there', async () => {
  await apply('alice', queue('mine'));
  await as('alice', 'patch', 'queue', 'mine', '-n', 'team-a', ...patch({ spec: { delaySeconds: 5 } }));
  expect(await as('alice', 'get', 'claims', '-n', 'team-a', '-o', 'name')).toBe('queue.plinth.dev/mine\n');
  await as('alice', 'delete', 'queue', 'mine', '-n', 'team-a');
});

test('a viewer reads claims and changes nothing', async () => {
  await apply('alice', queue('seen'));
  expect(await as('vera', 'get', 'queue', 'seen', '-n', 'team-a', '-o', 'name')).toBe('queue.plinth.dev/seen\n');
  expect(await refusal('vera', ['patch', 'queue', 'seen', '-n', 'team-a', ...patch({ spec: { delaySeconds: 1 } })])).toContain(
    'cannot patch resource "queues"',
  );
  expect(await refusal('vera', ['delete', 'queue', 'seen', '-n', 'team-a'])).toContain('cannot delete resource "queues"');
});

test('a tenant cannot pick a class: not by the label of its namespace', async () => {
  expect(await refusal('alice', ['label', 'namespace', 'team-a', 'plinth.dev/class=aws'])).toMatch(/cannot (get|patch) resource "namespaces"/);
});

test.each([
  ['label a namespace with it', ['label', 'namespace', 'team-b', 'plinth.dev/class=aws', '--overwrite']],
  ['patch it in', ['patch', 'namespace', 'team-b', ...patch({ metadata: { labels: { 'plinth.dev/class': 'aws' } } })]],
])('who may edit namespaces still needs `use` on the class to %s', async (_, args) => {
  expect(await refusal('nina', args)).toContain('nina may not use the environment class aws; ask for the verb use on environmentclasses.plinth.dev');
});

test('who may make namespaces still needs `use` on the class to make one with it', async () => {
  const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team-c', labels: { 'plinth.dev/class': 'aws' } } };
  expect(await refusal('nina', ['create', '-f', '-'], made)).toContain('nina may not use the environment class aws');
  await as('nina', 'create', 'namespace', 'team-d');
});

test('with `use` on one class that one can be given; to take it away is to choose the default', async () => {
  await as('nina', 'label', 'namespace', 'team-b', 'plinth.dev/class=dev');
  await as('nina', 'label', 'namespace', 'team-b', 'other=label');
  expect(await refusal('nina', ['label', 'namespace', 'team-b', 'plinth.dev/class-'])).toContain('the verb use on all environmentclasses.plinth.dev is needed');
  await admin('label', 'namespace', 'team-b', 'plinth.dev/class-');
});

test('a tenant cannot choose a class, or change one', async () => {
  const made = object('EnvironmentClass', 'mine', { default: true });
  expect(await refusal('alice', ['create', '-f', '-'], made)).toContain('cannot create resource "environmentclasses"');
  expect(await refusal('alice', ['get', 'providerconfig', 'aws'])).toContain('cannot get resource "providerconfigs"');
});

test.each([
  [
    'adopt by name',
    { lifecycle: { adopt: { queue: 'legacy' } } },
    'alice may not adopt what exists already (spec.lifecycle.adopt); ask for the verb adopt on queues.plinth.dev',
  ],
  [
    'observe',
    { lifecycle: { management: 'ObserveOnly' } },
    'alice may not observe what exists already (spec.lifecycle.management); ask for the verb adopt on queues.plinth.dev',
  ],
])('a tenant cannot %s: neither at once nor later', async (_, spec, message) => {
  expect(await refusal('alice', ['create', '-f', '-'], queue('taken', spec as JsonObject))).toContain(message);
  expect(await refusal('alice', ['patch', 'queue', 'seen', '-n', 'team-a', ...patch({ spec })])).toContain(message);
});

test('of a claim that adopts by leave of an admin, a tenant may change everything but what is adopted', async () => {
  await apply('paula', queue('adopted', { lifecycle: { adopt: { queue: 'legacy' } } }));
  await as('alice', 'patch', 'queue', 'adopted', '-n', 'team-a', ...patch({ spec: { delaySeconds: 3 } }));
  expect(await refusal('alice', ['patch', 'queue', 'adopted', '-n', 'team-a', ...patch({ spec: { lifecycle: { adopt: { queue: 'payroll' } } } })])).toContain(
    'alice may not adopt',
  );
  expect(
    await refusal('alice', ['patch', 'queue', 'adopted', '-n', 'team-a', ...patch({ spec: { lifecycle: { adopt: { deadLetter: 'payroll' } } } })]),
  ).toContain('alice may not adopt');
  await as('alice', 'patch', 'queue', 'adopted', '-n', 'team-a', ...patch({ spec: { lifecycle: null } }));
});

test('a tenant cannot read outputs, claims or Secrets of another namespace', async () => {
  expect(await refusal('alice', ['get', 'queue', 'theirs', '-n', 'team-b', '-o', 'yaml'])).toContain('cannot get resource "queues"');
  expect(await refusal('alice', ['get', 'claims', '-A'])).toContain('cannot list resource');
  expect(await refusal('alice', ['get', 'secrets', '-n', 'team-b'])).toContain('cannot list resource "secrets"');
  expect(await refusal('alice', ['get', 'secrets', '-n', SYSTEM])).toContain('cannot list resource "secrets"');
});

test.each(['alice', 'otto'])('%s cannot write a status, by no way', async user => {
  const [namespace, name] = user === 'otto' ? ['team-b', 'theirs'] : ['team-a', 'seen'];
  const rubbish = { status: { outputs: { arn: 'arn:forged' }, resources: [{ id: 'queue', type: 'aws/sqs-queue', phase: 'Present', name: 'payroll' }] } };
  expect(await refusal(user, ['patch', 'queue', name, '-n', namespace, '--subresource=status', ...patch(rubbish)])).toMatch(
    /cannot (get|patch) resource "queues\/status"/,
  );
  for (const verb of ['patch', 'update']) {
    for (const part of ['status', 'finalizers']) {
      const { stdout } = await runTool('kubectl', { kubeconfig: files[user]! }, [
        'auth',
        'can-i',
        verb,
        'queues.plinth.dev',
        `--subresource=${part}`,
        '-n',
        namespace,
      ]);
      expect(stdout.trim(), `${verb} ${part}`).toBe('no');
    }
  }
  expect(await refusal(user, ['edit', 'queue', name, '-n', namespace, '--subresource=status'])).toMatch(/cannot (get|patch|update) resource "queues\/status"/);
  // Beside the spec it is simply not taken.
  await as(user, 'patch', 'queue', name, '-n', namespace, ...patch({ ...rubbish, metadata: { annotations: { touched: 'yes' } } }));
  const { status } = JSON.parse(await as(user, 'get', 'queue', name, '-n', namespace, '-o', 'json')) as { status: JsonObject };
  expect(JSON.stringify(status)).not.toContain('forged');
  expect(JSON.stringify(status)).not.toContain('payroll');
});

test('a tenant cannot make a claim somebody else’s: its uid stays, and a name in its spec is only data', async () => {
  expect(await refusal('alice', ['patch', 'queue', 'seen', '-n', 'team-a', ...patch({ metadata: { uid: '00000000-0000-0000-0000-000000000000' } })])).toMatch(
    /uid|Conflict/,
  );
  await as('alice', 'patch', 'queue', 'seen', '-n', 'team-a', ...patch({ spec: { name: 'payroll', queueName: 'payroll' } }));
  expect(await as('alice', 'get', 'queue', 'seen', '-n', 'team-a', '-o', 'jsonpath={.spec}')).not.toContain('payroll');
});

test('a tenant cannot remove the kind, its policies or its roles', async () => {
  for (const what of [
    'crd/queues.plinth.dev',
    'validatingadmissionpolicy/plinth-adopt',
    'clusterrole/plinth-claims-view',
    'claimdefinition/queues.plinth.dev',
  ]) {
    expect(await refusal('otto', ['delete', what])).toMatch(/cannot delete resource/);
  }
});

test('the engine writes only its own Secrets, whoever asks it to', async () => {
  const secret = (name: string, labels: JsonObject = {}) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'team-a', labels },
    stringData: { a: 'b' },
  });
  const ours = { 'app.kubernetes.io/managed-by': 'plinth' };
  await apply('alice', secret('private'));
  expect(await refusal('engine', ['create', '-f', '-'], secret('loose'))).toContain(
    'the engine writes only Secrets with the label app.kubernetes.io/managed-by: plinth',
  );
  expect(await refusal('engine', ['replace', '-f', '-'], secret('private', ours))).toContain('the engine changes and deletes only Secrets with the label');
  expect(await refusal('engine', ['delete', 'secret', 'private', '-n', 'team-a'])).toContain('the engine changes and deletes only Secrets with the label');
  await kubectl({ kubeconfig: files['engine']!, input: JSON.stringify(secret('bound', ours)) }, 'create', '-f', '-');
  await as('engine', 'delete', 'secret', 'bound', '-n', 'team-a');
});

test('the engine says of a workload only that it waits, and only where its owner wants it', async () => {
  const template = { metadata: { labels: { app: 'shop' } }, spec: { containers: [{ name: 'shop', image: 'shop' }] } };
  for (const [kind, more] of [
    ['Deployment', {}],
    ['StatefulSet', { serviceName: 'shop' }],
    ['DaemonSet', {}],
  ] as const) {
    const spec = { selector: { matchLabels: { app: 'shop' } }, template, ...more };
    await apply('alice', { apiVersion: 'apps/v1', kind, metadata: { name: 'shop', namespace: 'team-a' }, spec } as unknown as JsonObject);
    const on = [kind.toLowerCase(), 'shop', '-n', 'team-a'];
    const say = (what: JsonObject) => engineSays(`${kind.toLowerCase()}s`, 'shop', 'team-a', what);
    expect(await say(STALLED)).toContain('only of workloads with the label plinth.dev/awaits-claims: "true"');
    await as('alice', 'label', ...on, 'plinth.dev/awaits-claims=true');
    expect(await say(STALLED)).toBe('');
    const others: JsonObject[] = [
      { status: { conditions: [{ type: 'Available', status: 'True', reason: 'Forged' }] } },
      { status: kind === 'DaemonSet' ? { numberAvailable: 3 } : { readyReplicas: 1, replicas: 1 } },
      { metadata: { annotations: { forged: 'yes' } } },
      { metadata: { finalizers: ['example.org/forged'] } },
      ...(kind === 'Deployment' ? [] : [{ metadata: { labels: { forged: 'yes' } } }]),
    ];
    for (const other of others) expect(await say(other), `${kind} ${JSON.stringify(other)}`).toContain('nothing of a workload but its condition');
    expect(await refusal('engine', ['patch', ...on, ...patch({ spec: { template: { spec: { hostNetwork: true } } } })])).toContain('cannot patch resource');
    // Whoever takes the label off wants nothing said any more.
    await as('alice', 'label', ...on, 'plinth.dev/awaits-claims-');
    expect(await say({ status: { conditions: [{ type: 'Stalled', $patch: 'delete' }] } })).toBe('');
    expect(await as('alice', 'get', ...on, '-o', 'jsonpath={.status.conditions[?(@.type=="Stalled")]}')).toBe('');
  }
  const policy = await admin('get', 'validatingadmissionpolicy', 'plinth-engine-workloads', '-o', 'jsonpath={.status.typeChecking}');
  expect(policy).not.toContain('expressionWarnings');
});

test('the engine makes no kind outside its group, and deletes none but those of claims', async () => {
  expect(await refusal('engine', ['create', '-f', '-'], await foreignKind())).toContain(
    'the engine writes only CustomResourceDefinitions of the group plinth.dev',
  );
  expect(await refusal('engine', ['delete', 'crd', 'compositions.plinth.dev'])).toContain('cannot delete resource "customresourcedefinitions"');
});

test.each([
  ['read pods', 'get', 'pods'],
  ['make pods', 'create', 'pods'],
  ['make workloads', 'create', 'deployments.apps'],
  ['change workloads', 'patch', 'deployments.apps'],
  ['delete workloads', 'delete', 'statefulsets.apps'],
  ['change roles', 'update', 'clusterroles.rbac.authorization.k8s.io'],
  ['bind roles', 'create', 'clusterrolebindings.rbac.authorization.k8s.io'],
  ['change policies', 'delete', 'validatingadmissionpolicies.admissionregistration.k8s.io'],
  ['label namespaces', 'patch', 'namespaces'],
  ['delete namespaces', 'delete', 'namespaces'],
  ['make claims', 'create', 'queues.plinth.dev'],
  ['delete claims', 'delete', 'queues.plinth.dev'],
  ['make classes', 'create', 'environmentclasses.plinth.dev'],
  ['delete configs', 'delete', 'providerconfigs.plinth.dev'],
  ['use a class', 'use', 'environmentclasses.plinth.dev'],
  ['speak for others', 'impersonate', 'users'],
])('the engine may not %s', async (_, verb, resource) => {
  const { stdout } = await runTool('kubectl', { kubeconfig: files['engine']! }, ['auth', 'can-i', verb, resource, '-A']);
  expect(stdout.trim()).toBe('no');
});

test('who binds services reads claims by the role that gathers them', async () => {
  const { body } = await asAdmin(plane, 'GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles?labelSelector=servicebinding.io/controller%3Dtrue');
  expect(body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual(['plinth-service-binding']);
  const crds = await asAdmin(
    plane,
    'GET',
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector=servicebinding.io/provisioned-service%3Dtrue',
  );
  expect(crds.body.items).toHaveLength(4);
});
