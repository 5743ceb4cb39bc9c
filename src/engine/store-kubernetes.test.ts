import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, vi } from 'vitest';
import { part } from '../../test/parts/emulators.ts';
import { kubeconfigFor, type LentControlPlane } from '../../test/parts/kube/control-plane.ts';
import { borrowControlPlane } from '../../test/parts/kube/pool.ts';
import { startKubeProxy } from '../../test/parts/kube/proxy.ts';
import { withKubernetes as test } from '../../test/parts/with-kubernetes.ts';
import type { JsonObject } from '../core/types.ts';
import { loadAccess } from '../kube/config.ts';
import { pathOf } from '../kube/paths.ts';
import { type Api, type CallRecord, closeApi, MERGE_PATCH, openApi, request } from '../kube/transport.ts';
import { EVENTS, eventsSent } from './kube-events.ts';
import { kubeInstance } from './kube-instance.ts';
import { claimResource, RESOURCES } from './kube-objects.ts';
import { pruneRevisions } from './kube-revisions.ts';
import { isSynced } from './kube-watches.ts';
import { metadataOf, type StoredEvent } from './objects.ts';
import { claimOf, orders, queueObject, statusOf, storeContract } from './store.contract.ts';
import { type KubernetesStore, kubernetesStore } from './store-kubernetes.ts';
import { applyLooseCrds, QUEUES } from './test-crds.ts';

const OWN = 'plinth-system';
const NAMESPACES = ['dev', 'qa', OWN];
let plane: LentControlPlane;
let api: Api;
const records: CallRecord[] = [];

beforeAll(async () => {
  plane = await borrowControlPlane();
  api = openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }), { onCall: record => records.push(record) });
  await applyLooseCrds(api);
  for (const name of NAMESPACES) await request(api, { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name } } });
  await define('Queue', 'queues');
});
afterAll(async () => {
  await closeApi(api);
  await plane.stop();
});

const definition = (kind: string, plural: string): JsonObject => ({
  apiVersion: 'plinth.dev/v1alpha1',
  kind: 'ClaimDefinition',
  metadata: { name: `${plural}.plinth.dev` },
  spec: { kind, plural },
});
const define = async (kind: string, plural: string) => await open().put(definition(kind, plural));
const open = (): KubernetesStore => kubernetesStore({ api, namespace: OWN, onError: error => errors.push(error) });
const errors: unknown[] = [];

/** Takes away what a test left. */
async function clean(): Promise<void> {
  for (const namespace of NAMESPACES) {
    const queues = await request(api, { method: 'GET', path: pathOf(QUEUES, namespace) });
    for (const object of queues['items'] as JsonObject[]) {
      const path = pathOf(QUEUES, namespace, metadataOf(object).name);
      await request(api, { method: 'PATCH', path, contentType: MERGE_PATCH, body: { metadata: { finalizers: null } } });
      await request(api, { method: 'DELETE', path }).catch(() => undefined);
    }
    for (const resource of [RESOURCES['Secret']!, RESOURCES['Revision']!, EVENTS]) await request(api, { method: 'DELETE', path: pathOf(resource, namespace) });
  }
}

async function eventsOf(namespace: string): Promise<JsonObject[]> {
  const list = await request(api, { method: 'GET', path: pathOf(EVENTS, namespace) });
  return (list['items'] as JsonObject[]).sort((a, b) => (String(a['eventTime']) < String(b['eventTime']) ? -1 : 1));
}
function stored(event: JsonObject): StoredEvent {
  const { kind, namespace, name } = event['regarding'] as { kind: string; namespace: string; name: string };
  return {
    at: String(event['eventTime']),
    object: { kind, namespace, name },
    type: event['type'] as 'Normal',
    reason: String(event['reason']),
    message: String(event['note']),
  };
}

/** Waits until every watch has told what the API server holds: what a watch tells and what it keeps change together. */
async function caughtUp({ home }: KubernetesStore): Promise<void> {
  const versions = (objects: Iterable<JsonObject>): string[] => [...objects].map(object => metadataOf(object).resourceVersion).sort();
  for (const { options, cache } of [...home.kinds.values(), ...home.secrets.values()]) {
    const { resource, namespace, labelSelector, fieldSelector } = options;
    const call = { method: 'GET', path: pathOf(resource, namespace), query: { labelSelector, fieldSelector } } as const;
    await vi.waitFor(async () => expect(versions(cache.objects.values())).toEqual(versions((await request(api, call))['items'] as JsonObject[])), 60_000);
  }
}

describe.skipIf(!part('kubernetes').available)('the Kubernetes store keeps the contract', () => {
  storeContract(async () => {
    await clean();
    const store = open();
    return {
      store,
      collectsLater: true,
      settle: () => caughtUp(store),
      events: async () => {
        await eventsSent(store.events);
        return (await eventsOf('dev')).map(stored);
      },
      close: async () => undefined,
    };
  });
});

describe('beyond the contract', () => {
  const end: AbortController[] = [];
  const watched = async (store: KubernetesStore, kinds: readonly string[]): Promise<string[]> => {
    const seen: string[] = [];
    const stop = new AbortController();
    end.push(stop);
    await store.watch(key => kinds.includes(key.kind) && seen.push(`${key.kind}/${key.namespace}/${key.name}`), stop.signal);
    return seen;
  };
  const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 50 });
  beforeEach(clean);
  afterEach(() => {
    for (const stop of end.splice(0)) stop.abort();
  });

  test('each write is one call, and what changes nothing is none', async () => {
    const store = open();
    const first = claimOf(await store.put(queueObject()));
    await store.get(orders);
    records.length = 0;
    const second = claimOf(await store.write({ kind: 'finalizer', claim: first, present: true }));
    const third = claimOf(await store.write({ kind: 'status', claim: second, status: statusOf(1) }));
    await store.write({ kind: 'secret', claim: third, name: 'orders-queue', type: 'servicebinding.io/queue', data: { uri: 'a' }, version: undefined });
    await store.write({ kind: 'finalizer', claim: third, present: false });
    expect(records.map(({ verb, resource }) => `${verb} ${resource}`)).toEqual([
      'patch plinth.dev/queues',
      'patch plinth.dev/queues/status',
      'create secrets',
      'patch plinth.dev/queues',
    ]);
  });

  test('finalizers of others are kept in their order', async () => {
    const store = open();
    await store.put(queueObject());
    const path = pathOf(QUEUES, 'dev', 'orders');
    await request(api, { method: 'PATCH', path, contentType: MERGE_PATCH, body: { metadata: { finalizers: ['a.example/x', 'b.example/y'] } } });
    const held = await store.write({ kind: 'finalizer', claim: claimOf(await store.get(orders)), present: true });
    expect(metadataOf(held!).finalizers).toEqual(['a.example/x', 'b.example/y', 'plinth.dev/claim']);
    const freed = await store.write({ kind: 'finalizer', claim: claimOf(held), present: false });
    expect(metadataOf(freed!).finalizers).toEqual(['a.example/x', 'b.example/y']);
  });

  test('claim kinds appear and vanish while it watches', async () => {
    const store = open();
    const seen = await watched(store, ['Queue', 'Topic', 'ClaimDefinition']);
    expect(isSynced(store.home)).toBe(true);
    await define('Topic', 'topics');
    await until(() => expect(seen).toContain('ClaimDefinition//topics.plinth.dev'));
    // The CRD comes after the definition.
    expect(await store.list('Topic')).toEqual([]);
    await applyLooseCrds(api, [claimResource({ kind: 'Topic', plural: 'topics' })]);
    await store.put({ ...queueObject(), kind: 'Topic' });
    await until(() => expect(seen).toContain('Topic/dev/orders'));
    expect(await store.list('Topic', 'dev')).toHaveLength(1);
    seen.length = 0;
    await request(api, { method: 'DELETE', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/topics.plinth.dev' });
    await until(async () => expect(await store.list('Topic')).toEqual([]));
    expect(seen).toContain('Topic/dev/orders');
    await store.remove({ kind: 'ClaimDefinition', namespace: '', name: 'topics.plinth.dev' });
    await until(() => expect(store.home.kinds.has('Topic')).toBe(false));
  });

  test('of Namespaces only labels and their end are news', async () => {
    const store = open();
    const seen = await watched(store, ['Namespace']);
    seen.length = 0;
    const patch = async (metadata: JsonObject) =>
      await request(api, { method: 'PATCH', path: '/api/v1/namespaces/qa', contentType: MERGE_PATCH, body: { metadata } });
    await patch({ annotations: { a: String(Math.random()) } });
    await patch({ labels: { 'plinth.dev/class': 'dev' } });
    await until(() => expect(seen).toEqual(['Namespace//qa']));
    expect(metadataOf((await store.list('Namespace')).find(object => metadataOf(object).name === 'qa')!).labels).toMatchObject({ 'plinth.dev/class': 'dev' });
  });

  test('of admin objects what people wrote is news, not what the engine tells of them', async () => {
    const store = open();
    const seen = await watched(store, ['EnvironmentClass']);
    await store.put({ apiVersion: 'plinth.dev/v1alpha1', kind: 'EnvironmentClass', metadata: { name: 'quiet' }, spec: { implementations: [] } });
    await until(() => expect(seen).toContain('EnvironmentClass//quiet'));
    seen.length = 0;
    const path = '/apis/plinth.dev/v1alpha1/environmentclasses/quiet';
    const patch = (body: JsonObject, subresource = '') => request(api, { method: 'PATCH', path: `${path}${subresource}`, contentType: MERGE_PATCH, body });
    await patch({ status: { conditions: [{ type: 'Ready', status: 'True' }] } }, '/status');
    await patch({ metadata: { finalizers: ['plinth.dev/in-use'] } });
    const version = metadataOf(await patch({ metadata: { finalizers: null } })).resourceVersion;
    const cached = async () => (await store.list('EnvironmentClass')).find(object => metadataOf(object).name === 'quiet')!;
    await until(async () => expect(metadataOf(await cached()).resourceVersion).toBe(version));
    expect(seen).toEqual([]);
    await patch({ spec: { default: true } });
    await until(() => expect(seen).toEqual(['EnvironmentClass//quiet']));
    await store.remove({ kind: 'EnvironmentClass', namespace: '', name: 'quiet' });
  });

  test('a Secret with credentials is watched while a ProviderConfig names it, and no value is kept', async () => {
    const store = open();
    const seen = await watched(store, ['Secret']);
    const secret = (key: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'aws', namespace: OWN }, type: 'Opaque', data: { key } });
    await store.put(secret('one'));
    const config = (from: string): JsonObject => ({
      apiVersion: 'plinth.dev/v1alpha1',
      kind: 'ProviderConfig',
      metadata: { name: 'aws' },
      spec: { provider: 'aws', settings: { credentials: { from, secretRef: { namespace: OWN, name: 'aws' } } } },
    });
    await store.put(config('Secret'));
    await until(() => expect(seen).toEqual([`Secret/${OWN}/aws`]));
    await store.put(secret('two'));
    await until(() => expect(seen).toHaveLength(2));
    expect(JSON.stringify([...store.home.secrets.values()].map(watch => [...watch.cache.objects.values()]))).not.toContain(
      Buffer.from('two').toString('base64'),
    );
    await store.put(config('Environment'));
    await until(() => expect(store.home.secrets.size).toBe(1));
  });

  test('bytes of other keys survive a rewrite, and another type makes the Secret anew', async () => {
    const store = open();
    const claim = claimOf(await store.put(queueObject()));
    const write = { kind: 'secret', claim, name: 'orders-queue' } as const;
    await store.write({ ...write, type: 'servicebinding.io/queue', data: { uri: 'a' }, version: undefined });
    const path = pathOf(RESOURCES['Secret']!, 'dev', 'orders-queue');
    const bytes = Buffer.from([0xff, 0x00, 0xfe]).toString('base64');
    await request(api, { method: 'PATCH', path, contentType: MERGE_PATCH, body: { data: { 'tls.p12': bytes } } });
    const key = { kind: 'Secret', namespace: 'dev', name: 'orders-queue' };
    const found = (await store.get(key))!;
    const data = { ...(found['data'] as Record<string, string>), uri: 'b' };
    const second = await store.write({ ...write, type: 'servicebinding.io/queue', data, version: metadataOf(found).resourceVersion });
    expect(await request(api, { method: 'GET', path })).toMatchObject({ data: { 'tls.p12': bytes, uri: Buffer.from('b').toString('base64') } });
    await store.write({ ...write, type: 'servicebinding.io/other', data, version: metadataOf(second!).resourceVersion });
    expect(await request(api, { method: 'GET', path })).toMatchObject({ type: 'servicebinding.io/other', data: { 'tls.p12': bytes } });
  });

  test('our own Secret is no news even when its watch is faster than the answer; what others do meanwhile is', async () => {
    const proxy = await startKubeProxy(plane);
    const slow = openApi(await loadAccess({ kubeconfig: proxy.kubeconfig(plane.adminKubeconfig) }));
    const store = kubernetesStore({ api: slow, namespace: OWN });
    const claim = claimOf(await store.put(queueObject()));
    const seen = await watched(store, ['Secret']);
    const write = { kind: 'secret', claim, name: 'orders-queue', type: 'servicebinding.io/queue' } as const;
    const path = pathOf(RESOURCES['Secret']!, 'dev', 'orders-queue');
    proxy.addRule({ match: { resource: 'secrets', mutating: true }, times: 2, do: { kind: 'delay', ms: 500, when: 'after' } });
    const first = await store.write({ ...write, data: { uri: 'a' }, version: undefined });
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(seen).toEqual([]);
    const second = store.write({ ...write, data: { uri: 'b' }, version: metadataOf(first!).resourceVersion });
    await until(() =>
      expect(proxy.calls.findLast(call => call.resource === 'secrets' && call.mutating)).toMatchObject({ verb: 'update', upstreamStatus: 200 }),
    );
    await request(api, { method: 'PATCH', path, contentType: MERGE_PATCH, body: { metadata: { labels: { other: 'hand' } } } });
    await second;
    await until(() => expect(seen).toEqual(['Secret/dev/orders-queue']));
    await closeApi(slow);
    await proxy.close();
  });

  test('the same event again is a series, named after its claim', async () => {
    const store = open();
    const { uid } = metadataOf(await store.put(queueObject()));
    await watched(store, []);
    for (let n = 0; n < 3; n += 1) store.emit(orders, { type: 'Warning', reason: 'Drift', message: 'changed outside' });
    store.emit(orders, { type: 'Normal', reason: 'Ready', message: 'x'.repeat(3_000) });
    await eventsSent(store.events);
    const [series, long] = await eventsOf('dev');
    expect(series).toMatchObject({ series: { count: 3 }, regarding: { uid, kind: 'Queue' }, reportingController: 'plinth.dev/controller' });
    expect(long).toMatchObject({ reason: 'Ready' });
  });

  test('an event that hangs holds up no other; its series waits for it', async () => {
    const proxy = await startKubeProxy(plane);
    const slow = openApi(await loadAccess({ kubeconfig: proxy.kubeconfig(plane.adminKubeconfig) }));
    const store = kubernetesStore({ api: slow, namespace: OWN });
    const hold = proxy.addRule({ match: { resource: 'events' }, times: 1, do: { kind: 'hold' } });
    for (let n = 0; n < 2; n += 1) store.emit(orders, { type: 'Normal', reason: 'Ready', message: 'held' });
    for (let n = 0; n < 3; n += 1) store.emit({ ...orders, name: `other-${n}` }, { type: 'Normal', reason: 'Ready', message: 'goes' });
    await until(() => expect(proxy.count({ resource: 'events' })).toBe(4));
    hold.remove();
    await eventsSent(store.events);
    const told = await eventsOf('dev');
    expect(told.filter(event => event['note'] === 'goes')).toHaveLength(3);
    expect(told.find(event => event['note'] === 'held')).toMatchObject({ series: { count: 2 } });
    await closeApi(slow);
    await proxy.close();
  });

  // Two thousand calls, a few at once.
  test('a flood of events is bounded', { timeout: 600_000 }, async () => {
    const store = open();
    records.length = 0;
    for (let n = 0; n < 20_000; n += 1) store.emit(orders, { type: 'Warning', reason: 'Drift', message: `flood ${n}` });
    await eventsSent(store.events);
    expect(records.length).toBeLessThan(2_200);
  });

  test('revisions that no claim names go after an hour', async () => {
    const store = open();
    for (const name of ['used', 'unused']) await store.write({ kind: 'revision', name, data: { composition: {} } });
    const claim = claimOf(await store.put(queueObject()));
    await store.write({ kind: 'status', claim, status: { ...statusOf(1), revision: 'used' } });
    expect(await pruneRevisions(store, Date.now() + 7_200_000)).toEqual([]);
    await watched(store, []);
    expect(await pruneRevisions(store, Date.now())).toEqual([]);
    expect(await pruneRevisions(store, Date.now() + 7_200_000)).toEqual(['unused']);
    expect((await store.list('Revision')).map(object => metadataOf(object).name)).toEqual(['used']);
  });

  test('who we are is decided once, by whoever is first, and follows the cluster', async () => {
    const { home } = open();
    const all = await Promise.all(Array.from({ length: 10 }, () => kubeInstance(home)));
    expect(new Set(all.map(({ id, key }) => `${id} ${key}`)).size).toBe(1);
    expect(all[0]!.id).toMatch(/^plinth-[0-9a-f]{8}$/);
    expect(await kubeInstance(home, 'plinth')).toEqual(all[0]);
    await expect(kubeInstance(home, 'other')).rejects.toMatchObject({ code: 'BadUse' });
    await expect(kubeInstance(home, 'No Name')).rejects.toMatchObject({ code: 'BadUse' });
    const path = pathOf(RESOURCES['Secret']!, OWN, 'plinth-instance');
    await request(api, { method: 'PATCH', path, contentType: MERGE_PATCH, body: { data: { key: null } } });
    const error = await kubeInstance(home).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'StateCorrupt' });
    expect(String(error)).not.toContain(all[0]!.key);
  });

  test('no API server is StoreUnavailable; a refusal says whose permission is missing', async () => {
    const access = await loadAccess({ kubeconfig: plane.adminKubeconfig });
    const nobody = openApi({ ...access, server: 'https://127.0.0.1:1' }, { timeoutMs: 300 });
    await expect(kubernetesStore({ api: nobody, namespace: OWN }).get(orders)).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await closeApi(nobody);
    const stranger = openApi(await loadAccess({ kubeconfig: await kubeconfigFor(plane, 'mallory') }));
    const error = await kubernetesStore({ api: stranger, namespace: OWN })
      .get({ kind: 'Namespace', namespace: '', name: 'dev' })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'AccessDenied' });
    expect(String(error)).toContain('mallory');
    await closeApi(stranger);
  });
});
