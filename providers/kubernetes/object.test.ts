/** What is special about objects of Kubernetes, on a real API server; what all types have in common is tried by the conformance kit. */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isError, sentence } from '../../src/core/errors.ts';
import { marksOf } from '../../src/core/ownership.ts';
import { put } from '../../src/core/paths.ts';
import type { JsonObject, Owned, Present } from '../../src/core/types.ts';
import { bring, canonicalOf, differences, type Hand, handFor, look, takeAway } from '../../test/conformance/verbs.ts';
import { part } from '../../test/parts/emulators.ts';
import { asAdmin, type ControlPlane, kubeconfigFor } from '../../test/parts/kube/control-plane.ts';
import { controlPlane, newNamespace } from '../../test/parts/kube/shared.ts';
import { kubernetes } from './index.ts';
import { object } from './object.ts';
import { SENT } from './sent.ts';

let plane: ControlPlane;
let hand: Hand;
let namespace: string;
const { available, reason, cure } = part('kubernetes');
if (!available) test.skip(`Kubernetes is not here: ${reason}. ${cure}`);

beforeAll(async () => {
  if (!available) return;
  plane = await controlPlane();
  namespace = await newNamespace(plane);
  hand = await handFor({ provider: kubernetes, type: object }, { credentials: { from: 'File', file: plane.adminKubeconfig } });
});
afterAll(async () => {
  await hand?.close();
});

const INSTANCE = `test-${randomBytes(4).toString('hex')}`;
const owner = (id = 'it') => ({ instance: INSTANCE, kind: 'Trial', namespace, name: 'subject', uid: 'u1', id });
type Manifest = JsonObject & { metadata: JsonObject };
const manifest = (apiVersion: string, kind: string, name: string, rest: JsonObject): Manifest => ({ apiVersion, kind, metadata: { name }, ...rest });
const keyOf = ({ apiVersion, kind, metadata }: JsonObject): string => {
  const group = String(apiVersion).includes('/') ? `${String(apiVersion).split('/')[0]}/` : '';
  return `${group}${kind}/${namespace}/${(metadata as JsonObject)['name']}`;
};
const brought = (wanted: Manifest): Promise<Present> => bring(hand, keyOf(wanted), { manifest: wanted }, owner());
const seenOf = async (wanted: JsonObject): Promise<Present> => {
  const seen = await look(hand, keyOf(wanted));
  if (seen.kind === 'absent') throw new Error(`${keyOf(wanted)} is not there`);
  return seen;
};
/** What an update would have to send, as paths. */
const drift = async (wanted: Manifest): Promise<string[]> => differences(hand, { manifest: wanted }, owner(), await seenOf(wanted)).map(({ path }) => path);

const PLURALS: Readonly<Record<string, string>> = { NetworkPolicy: 'networkpolicies' };
const pathOf = (wanted: JsonObject): string => {
  const { apiVersion, kind, metadata } = wanted as { apiVersion: string; kind: string; metadata: { name: string } };
  return `/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}/namespaces/${namespace}/${PLURALS[kind] ?? `${kind.toLowerCase()}s`}/${metadata.name}`;
};
const live = async (wanted: JsonObject): Promise<JsonObject> => (await asAdmin(plane, 'GET', pathOf(wanted))).body as JsonObject;
async function edit(wanted: JsonObject, patch: unknown, type = 'application/merge-patch+json'): Promise<void> {
  const { status, body } = await asAdmin(plane, 'PATCH', pathOf(wanted), patch, type);
  expect(status, JSON.stringify(body)).toBe(200);
}
const STRATEGIC = 'application/strategic-merge-patch+json';

const labels = { app: 'shop' };
const pod = (...containers: JsonObject[]): JsonObject => ({ metadata: { labels }, spec: { containers } });
const deployment = (name: string, containers: JsonObject[], spec: JsonObject = {}): Manifest =>
  manifest('apps/v1', 'Deployment', name, { spec: { replicas: 0, selector: { matchLabels: labels }, template: pod(...containers), ...spec } });

describe.skipIf(!available).concurrent('an object', { timeout: 240_000 }, () => {
  test('marks stand in annotations, and one label serves the search', async () => {
    const wanted = manifest('v1', 'ConfigMap', 'marked', { data: { a: '1' } });
    await brought(wanted);
    const metadata = (await live(wanted))['metadata'] as JsonObject;
    expect(metadata['annotations']).toMatchObject(marksOf(owner()));
    expect(metadata['labels']).toEqual({ 'plinth.dev/instance': INSTANCE });
  });

  test('quantities in any writing read back equal', async () => {
    const amounts = ['1000m', '0.5', '1.5', '250m', '1e3', '100', '2k'];
    const sizes = ['1024Mi', '1.5Gi', '0.5Gi', '1000000', '1M', '128974848', '1e9', '5e8', '1536Ki'];
    const requests = amounts.flatMap(cpu => sizes.map(memory => ({ cpu, memory })));
    const wanted = deployment(
      'quantities',
      requests.map((item, index) => ({ name: `c${index}`, image: 'x', resources: { requests: item } })),
    );
    await brought(wanted);
    const note = JSON.parse(((await live(wanted))['metadata'] as { annotations: Record<string, string> }).annotations[SENT]!) as { words: object };
    expect(note.words, 'no doubt was left to the API server').toEqual({});
  });

  test('defaults, sidecars and what others set are no drift; a change of what is set is, whoever manages the field', async () => {
    const wanted = deployment('others', [{ name: 'app', image: 'shop:1', env: [{ name: 'A', value: '1' }], resources: { requests: { cpu: '1000m' } } }]);
    await brought(wanted);
    const template = {
      spec: {
        containers: [
          { name: 'mesh', image: 'mesh:1' },
          { name: 'app', env: [{ name: 'INJECTED', value: 'x' }] },
        ],
      },
    };
    await edit(wanted, { spec: { template } }, STRATEGIC);
    await edit(wanted, { spec: { progressDeadlineSeconds: 900 }, metadata: { labels: { theirs: 'yes' } } });
    expect(await drift(wanted)).toEqual([]);
    // As kubectl patch does it: our manager then no longer lists the field.
    await edit(wanted, { spec: { template: { spec: { containers: [{ name: 'app', image: 'shop:2' }] } } } }, STRATEGIC);
    await edit(wanted, { spec: { replicas: 1 } });
    expect((await drift(wanted)).sort()).toEqual(['manifest.spec.replicas', 'manifest.spec.template.spec.containers']);
    await brought(wanted);
    const { spec } = (await live(wanted)) as {
      spec: { progressDeadlineSeconds: number; template: { spec: { containers: { name: string; image: string; env?: object[] }[] } } };
    };
    expect(spec.progressDeadlineSeconds, 'theirs stays').toBe(900);
    expect(spec.template.spec.containers.map(({ name, image }) => `${name} ${image}`).sort()).toEqual(['app shop:1', 'mesh mesh:1']);
    expect(spec.template.spec.containers.find(({ name }) => name === 'app')?.env).toHaveLength(2);
  });

  test('what leaves the manifest leaves the object, also what was there from the start', async () => {
    const side = { name: 'side', image: 'side:1' };
    const app = {
      name: 'app',
      image: 'shop:1',
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
      command: ['run'],
    };
    await brought(deployment('leaner', [app, side], { minReadySeconds: 3 }));
    const lean = deployment('leaner', [{ name: 'app', image: 'shop:1', env: [{ name: 'B', value: '2' }] }]);
    const seen = await seenOf(lean);
    const changes = [
      ...differences(hand, { manifest: lean }, owner(), seen),
      { path: 'manifest.spec.minReadySeconds', desired: undefined, observed: 3, cause: 'changed' as const },
    ];
    await hand.type.update(hand.context(), keyOf(lean), { spec: canonicalOf(hand, { manifest: lean }, owner()), seen, changes });
    const { spec } = (await live(lean)) as { spec: { minReadySeconds?: number; template: { spec: { containers: JsonObject[] } } } };
    expect(spec.template.spec.containers).toHaveLength(1);
    expect(spec.template.spec.containers[0]).toMatchObject({ env: [{ name: 'B', value: '2' }] });
    expect(spec.template.spec.containers[0]!['command']).toBeUndefined();
    expect(spec.minReadySeconds ?? 0).toBe(0);
  });

  test('what leaves the manifest leaves the object although somebody else set it too', async () => {
    const wanted = manifest('v1', 'ConfigMap', 'shared', { data: { mine: '1', keep: '1' } });
    await brought(wanted);
    await edit(wanted, { data: { mine: '2' } });
    const rest = put(wanted, 'data', { keep: '1' }) as Manifest;
    const changes = [{ path: 'manifest.data.mine', desired: undefined, observed: '2', cause: 'changed' as const }];
    await hand.type.update(hand.context(), keyOf(rest), { spec: canonicalOf(hand, { manifest: rest }, owner()), seen: await seenOf(rest), changes });
    expect((await live(rest))['data']).toEqual({ keep: '1' });
  });

  test('an update sends exactly its changes', async () => {
    const wanted = manifest('v1', 'ConfigMap', 'exact', { data: { a: '1', b: '1' } });
    await brought(wanted);
    await edit(wanted, { data: { b: 'theirs' } });
    const next = manifest('v1', 'ConfigMap', 'exact', { data: { a: '2', b: '1' } });
    const changes = [{ path: 'manifest.data.a', desired: '2', observed: '1', cause: 'changed' as const }];
    await hand.type.update(hand.context(), keyOf(next), { spec: canonicalOf(hand, { manifest: next }, owner()), seen: await seenOf(next), changes });
    expect((await live(next))['data']).toEqual({ a: '2', b: 'theirs' });
  });

  test('what is pending stays as it is when something else changes', async () => {
    const wanted = manifest('v1', 'ConfigMap', 'pending', { data: { a: '1', later: 'known' } });
    await brought(wanted);
    const changes = (to: string, from: string) => [{ path: 'manifest.data.a', desired: to, observed: from, cause: 'changed' as const }];
    for (const [to, from] of [
      ['2', '1'],
      ['3', '2'],
    ] as const) {
      const next = manifest('v1', 'ConfigMap', 'pending', { data: { a: to } });
      await hand.type.update(hand.context(), keyOf(next), {
        spec: canonicalOf(hand, { manifest: next }, owner()),
        seen: await seenOf(next),
        changes: changes(to, from),
      });
      expect((await live(next))['data']).toEqual({ a: to, later: 'known' });
    }
  });

  test('a value the API server writes in its own way is settled by a dry-run, and a forged note is found', async () => {
    const wanted = deployment('words', [{ name: 'app', image: 'x' }]);
    const template = put(wanted['spec'] as JsonObject, 'template.spec.hostNetwork', false);
    const words = { ...wanted, spec: template } as Manifest;
    await brought(words);
    expect(await drift(words)).toEqual([]);
    const annotations = ((await live(words))['metadata'] as { annotations: Record<string, string> }).annotations;
    const note = JSON.parse(annotations[SENT]!) as { words: JsonObject };
    expect(note.words).toEqual({ 'spec.template.spec.hostNetwork': { sent: false, became: null } });
    const forged = { ...note, words: { ...note.words, 'spec.minReadySeconds': { sent: 5, became: 9 } } };
    await edit(words, { spec: { minReadySeconds: 9 }, metadata: { annotations: { [SENT]: JSON.stringify(forged) } } });
    const five = { ...words, spec: { ...(words['spec'] as JsonObject), minReadySeconds: 5 } } as Manifest;
    expect(await drift(five)).toEqual(['manifest.spec.minReadySeconds']);
    await edit(words, { metadata: { annotations: { [SENT]: 'rubbish' } } });
    await brought(five);
    expect(await drift(five)).toEqual([]);
  });

  test('a field that cannot change is refused before any call, or in the words of the API server', async () => {
    const wanted = deployment('fixed', [{ name: 'app', image: 'x' }]);
    await brought(wanted);
    const other = { app: 'other' };
    const changed = manifest('apps/v1', 'Deployment', 'fixed', {
      spec: { replicas: 0, selector: { matchLabels: other }, template: { ...pod({ name: 'app', image: 'x' }), metadata: { labels: other } } },
    });
    const error = await bring(hand, keyOf(changed), { manifest: changed }, owner()).catch((thrown: unknown) => thrown);
    expect(isError(error, 'ImmutableField') && sentence(error)).toMatch(
      /^manifest.spec.selector.matchLabels.app of a Deployment cannot change; put the old value back/,
    );
    const frozen = manifest('v1', 'ConfigMap', 'frozen', { data: { a: '1' }, immutable: true });
    await brought(frozen);
    const thawed = put(frozen, 'data.a', '2') as Manifest;
    const refused = await brought(thawed).catch((thrown: unknown) => thrown);
    expect(isError(refused, 'InvalidRequest') && refused.retry).toBe('terminal');
    expect(String(refused)).toMatch(/^EngineError: apply ConfigMap .*data: Forbidden: field is immutable when `immutable` is set/);
  });

  test('a mistake in the manifest is told in the words of the API server', async () => {
    const wanted = manifest('v1', 'ConfigMap', 'wrong', { dta: { a: '1' } });
    const error = await brought(wanted).catch((thrown: unknown) => thrown);
    expect(isError(error, 'InvalidRequest') && error.message).toMatch(/^create ConfigMap .*unknown field "dta"/);
  });

  test('another version of the API is the same object', async () => {
    const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'scaled' };
    const old = manifest('autoscaling/v1', 'HorizontalPodAutoscaler', 'scaled', {
      spec: { scaleTargetRef: target, maxReplicas: 3, targetCPUUtilizationPercentage: 50 },
    });
    const { state } = await brought(old);
    expect(await drift(old)).toEqual([]);
    const metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } }];
    const next = manifest('autoscaling/v2', 'HorizontalPodAutoscaler', 'scaled', { spec: { scaleTargetRef: target, maxReplicas: 3, metrics } });
    expect((await brought(next)).state['uid']).toBe(state['uid']);
    expect(await drift(next)).toEqual([]);
  });

  test('what is deleted waits for its finalizers, and is not touched meanwhile', async () => {
    const wanted = manifest('v1', 'ConfigMap', 'held', { data: { a: '1' } });
    const seen = await brought(wanted);
    await edit(wanted, { metadata: { finalizers: ['acme.example/hold'] } });
    await hand.type.delete(hand.context(), keyOf(wanted), seen, {});
    const after = await seenOf(wanted);
    expect(after.readiness).toEqual({ ready: false, reason: 'Deleting', message: 'is being deleted; waits for acme.example/hold' });
    const changes = [{ path: 'manifest.data.a', desired: '2', observed: '1', cause: 'changed' as const }];
    const update = { spec: canonicalOf(hand, { manifest: put(wanted, 'data.a', '2') }, owner()), seen, changes };
    await expect(hand.type.update(hand.context(), keyOf(wanted), update)).rejects.toMatchObject({ code: 'Busy' });
    await edit(wanted, { metadata: { finalizers: null } });
    await takeAway(hand, keyOf(wanted));
    await expect(hand.type.update(hand.context(), keyOf(wanted), update), 'and is not made again').rejects.toMatchObject({ code: 'NotFound' });
    expect((await asAdmin(plane, 'GET', pathOf(wanted))).status).toBe(404);
  });

  test('neither update nor delete touches another object of the same name', async () => {
    const wanted = manifest('v1', 'ConfigMap', 'again', { data: { a: '1' } });
    const seen = await brought(wanted);
    await asAdmin(plane, 'DELETE', pathOf(wanted));
    await asAdmin(plane, 'POST', pathOf(wanted).replace('/again', ''), wanted);
    const changes = [{ path: 'manifest.data.a', desired: '2', observed: '1', cause: 'changed' as const }];
    const update = { spec: canonicalOf(hand, { manifest: put(wanted, 'data.a', '2') }, owner()), seen, changes };
    await expect(hand.type.update(hand.context(), keyOf(wanted), update)).rejects.toMatchObject({ code: 'Busy' });
    await expect(hand.type.delete(hand.context(), keyOf(wanted), seen, {})).rejects.toMatchObject({ code: 'Busy' });
    expect((await live(wanted))['data']).toEqual({ a: '1' });
  });

  test('what the owned objects become is for the spec to say', async () => {
    const wanted = deployment('parent', [{ name: 'app', image: 'x' }]);
    const seen = await brought(wanted);
    const child = (name: string, uid: unknown): JsonObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'parent', uid: uid as string, blockOwnerDeletion: true }] },
    });
    const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
    /** The garbage collector hears of ConfigMaps in order: when it has removed this one, whose owner never was, it knows those before. */
    const isKnown = async (name: string): Promise<void> => {
      await asAdmin(plane, 'POST', configMaps, child(name, randomUUID()));
      while ((await asAdmin(plane, 'GET', `${configMaps}/${name}`)).status !== 404) await sleep(50);
    };
    await asAdmin(plane, 'POST', configMaps, child('orphan', seen.state['uid']));
    await isKnown('after-orphan');
    await hand.type.delete(hand.context(), keyOf(wanted), seen, { deletion: 'Orphan' });
    await takeAway(hand, keyOf(wanted), { deletion: 'Orphan' });
    await isKnown('after-parent');
    expect((await asAdmin(plane, 'GET', `${configMaps}/orphan`)).status).toBe(200);
    const again = await brought(wanted);
    await asAdmin(plane, 'POST', configMaps, child('dependent', again.state['uid']));
    await isKnown('after-dependent');
    await takeAway(hand, keyOf(wanted), { deletion: 'Foreground' });
    expect((await asAdmin(plane, 'GET', `${configMaps}/dependent`)).status).toBe(404);
  });

  test('kinds of the cluster are refused, unknown ones are waited for until they are there', async () => {
    const role = manifest('rbac.authorization.k8s.io/v1', 'ClusterRole', 'mighty', { rules: [] });
    await expect(brought(role)).rejects.toMatchObject({ code: 'NotAllowed' });
    const group = `late-${randomBytes(3).toString('hex')}.example`;
    const late = manifest(`${group}/v1`, 'Late', 'one', { spec: { a: 1 } });
    expect(await look(hand, keyOf(late))).toEqual({ kind: 'absent' });
    await expect(brought(late)).rejects.toMatchObject({ code: 'DependencyMissing', retry: 'waiting' });
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const names = { kind: 'Late', plural: 'lates', singular: 'late', listKind: 'LateList' };
    const spec = { group, scope: 'Namespaced', names, versions: [{ name: 'v1', served: true, storage: true, schema }] };
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await asAdmin(plane, 'POST', definitions, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `lates.${group}` },
      spec,
    });
    const made = async (): Promise<Present> =>
      await brought(late).catch(async error => {
        if (!isError(error, 'DependencyMissing')) throw error;
        await sleep(250);
        return await made();
      });
    expect((await made()).state).toMatchObject({ name: 'one' });
    await asAdmin(plane, 'DELETE', `${definitions}/lates.${group}`);
    while ((await asAdmin(plane, 'GET', `/apis/${group}/v1`)).status !== 404) await sleep(50);
    expect(await look(hand, keyOf(late)), 'gone with its kind').toEqual({ kind: 'absent' });
  });

  test('what belongs to no namespace makes one of its own name, and objects in that while it is its own', async () => {
    const [mine, theirs] = [`own-${randomBytes(4).toString('hex')}`, await newNamespace(plane)];
    const as = (name: string) => ({ instance: INSTANCE, kind: 'Trial', namespace: '', name, uid: `uid-of-${name}`, id: 'it' });
    const make = async (name: string, wanted: Manifest, key: string): Promise<Present> => await bring(hand, key, { manifest: wanted }, as(name));
    const create = async (name: string, wanted: Manifest, key: string): Promise<void> =>
      await hand.type.create(hand.context(), key, canonicalOf(hand, { manifest: wanted }, as(name)));
    const space = (name: string): Manifest => manifest('v1', 'Namespace', name, {});
    const inside = manifest('v1', 'ConfigMap', 'inside', { data: { a: '1' } });

    await expect(create(mine, inside, `ConfigMap/${mine}/inside`), 'before its namespace').rejects.toMatchObject({ code: 'DependencyMissing' });
    const made = await make(mine, space(mine), `Namespace/${mine}`);
    expect(made.state).toMatchObject({ name: mine, namespace: '' });
    expect((await make(mine, inside, `ConfigMap/${mine}/inside`)).state).toMatchObject({ namespace: mine });

    const other = space(`${mine}-other`);
    await expect(create(mine, other, `Namespace/${mine}-other`)).rejects.toMatchObject({ code: 'NotAllowed', retry: 'terminal' });
    await expect(create(theirs, inside, `ConfigMap/${theirs}/inside`)).rejects.toMatchObject({ code: 'Conflict' });
    const role = manifest('rbac.authorization.k8s.io/v1', 'ClusterRole', 'mighty', { rules: [] });
    await expect(create(mine, role, `rbac.authorization.k8s.io/ClusterRole/${mine}/mighty`)).rejects.toMatchObject({ code: 'NotAllowed' });
    await expect(brought(space(`${mine}-third`))).rejects.toMatchObject({ code: 'NotAllowed' });

    const found: string[] = [];
    for await (const one of kubernetes.owned(hand.context(), INSTANCE)) if (one.owner.name === mine) found.push(one.name);
    expect(found.sort()).toEqual([`ConfigMap/${mine}/inside`, `Namespace/${mine}`]);
    await hand.type.delete(hand.context(), `Namespace/${mine}`, made, {});
    const late = create(mine, manifest('v1', 'ConfigMap', 'late', {}), `ConfigMap/${mine}/late`);
    await expect(late).rejects.toMatchObject({ code: expect.stringMatching(/^(Busy|DependencyMissing)$/) });
  });

  test('Secrets are refused by name as well', async () => {
    await expect(look(hand, `Secret/${namespace}/shop`)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });

  test('everything with our marks is found, and nothing of others', async () => {
    await brought(manifest('networking.k8s.io/v1', 'NetworkPolicy', 'found', { spec: { podSelector: {} } }));
    await brought(manifest('v1', 'ServiceAccount', 'found', {}));
    const collect = async (instance: string): Promise<Owned[]> => {
      const all: Owned[] = [];
      for await (const one of kubernetes.owned(hand.context(), instance)) all.push(one);
      return all;
    };
    const found = await collect(INSTANCE);
    const names = found.map(({ name }) => name);
    expect(names).toContain(`networking.k8s.io/NetworkPolicy/${namespace}/found`);
    expect(names).toContain(`ServiceAccount/${namespace}/found`);
    expect(new Set(found.map(one => one.owner.instance))).toEqual(new Set([INSTANCE]));
    expect(await collect('somebody-else-entirely')).toEqual([]);
  });

  test('credentials may be a whole kubeconfig, out of a Secret', async () => {
    const settings = { credentials: { from: 'Secret', kubeconfig: readFileSync(plane.adminKubeconfig, 'utf8') } };
    const other = await handFor({ provider: kubernetes, type: object }, settings);
    expect(await kubernetes.scope(other.client)).toBe(await kubernetes.scope(hand.client));
    await other.close();
  });

  test('a user without rights is told which one is missing', async () => {
    const file = await kubeconfigFor(plane, 'nobody');
    const poor = await handFor({ provider: kubernetes, type: object }, { credentials: { from: 'File', file } });
    const error = await look(poor, `ConfigMap/${namespace}/shop`).catch((thrown: unknown) => thrown);
    expect(isError(error, 'AccessDenied') && error.message).toMatch(/cannot get resource "configmaps"/);
    await expect(kubernetes.scope(poor.client)).rejects.toMatchObject({ code: 'AccessDenied' });
    await poor.close();
  });
});
