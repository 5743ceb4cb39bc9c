import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { redirectKubeconfig } from '../../test/parts/kube/kubeconfig.ts';
import { controlPlane, newNamespace } from '../../test/parts/kube/shared.ts';
import { withKubernetes as test } from '../../test/parts/with-kubernetes.ts';
import type { JsonObject } from '../core/types.ts';
import { metaOf, objectsOf } from './cache.ts';
import { loadAccess } from './config.ts';
import { type Change, type ListWatch, type ListWatchOptions, startListWatch, stopListWatch } from './list-watch.ts';
import { pathOf, type Resource } from './paths.ts';
import { type Relay, startRelay } from './test-relay.ts';
import { type Api, type CallRecord, closeApi, MERGE_PATCH, openApi, request } from './transport.ts';

const configMaps: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
let kubeconfig: string;
let direct: Api;
let namespace: string;
let relay: Relay;
let api: Api;
let records: CallRecord[];
let changes: string[];
let errors: unknown[];
let watch: ListWatch | undefined;

beforeAll(async () => {
  const plane = await controlPlane();
  kubeconfig = plane.adminKubeconfig;
  direct = openApi(await loadAccess({ kubeconfig }));
});
afterAll(() => closeApi(direct));
beforeEach(async () => {
  namespace = await newNamespace(await controlPlane(), { prefix: 'watch' });
  [records, changes, errors] = [[], [], []];
  relay = await startRelay(kubeconfig);
  api = openApi(await loadAccess({ kubeconfig: redirectKubeconfig(kubeconfig, relay.url) }), { onCall: record => records.push(record), timeoutMs: 2_000 });
});
afterEach(async () => {
  if (watch !== undefined) stopListWatch(watch);
  watch = undefined;
  await closeApi(api);
  await relay.close();
});

function start(options: Partial<ListWatchOptions> = {}): ListWatch {
  const started = startListWatch({
    api,
    resource: configMaps,
    namespace,
    labelSelector: 'test=yes',
    backoffMs: { base: 50, max: 400 },
    onChange: change => changes.push(told(change)),
    onError: error => errors.push(error),
    ...options,
  });
  watch = started;
  return started;
}
function told({ object, before }: Change): string {
  const name = metaOf((object ?? before)!).name;
  return `${object === undefined ? '-' : before === undefined ? '+' : '~'}${name}`;
}
const map = (name: string, data: JsonObject = {}): JsonObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { test: 'yes' } }, data });
const create = (name: string, data: JsonObject = {}) => request(direct, { method: 'POST', path: pathOf(configMaps, namespace), body: map(name, data) });
const change = (name: string, data: JsonObject) =>
  request(direct, { method: 'PATCH', path: pathOf(configMaps, namespace, name), contentType: MERGE_PATCH, body: { data } });
const remove = (name: string) => request(direct, { method: 'DELETE', path: pathOf(configMaps, namespace, name) });
const until = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 20 });
const count = (verb: string) => records.filter(record => record.verb === verb).length;

test('a snapshot in pages, then each change once; without managedFields, frozen, with its kind', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await create(name);
  const { synced, cache, isSynced } = start({ pageSize: 2 });
  expect(isSynced()).toBe(false);
  await synced;
  expect(isSynced()).toBe(true);
  expect(changes).toEqual(['+a', '+b', '+c', '+d', '+e']);
  expect(count('list')).toBe(3);
  await change('c', { k: 'v' });
  await remove('a');
  await create('f');
  await until(() => expect(changes.slice(5)).toEqual(['~c', '-a', '+f']));
  const objects = objectsOf(cache);
  expect(objects.map(object => metaOf(object).name)).toEqual(['b', 'c', 'd', 'e', 'f']);
  expect(objects[1]).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', data: { k: 'v' } });
  for (const object of objects) {
    expect(object['metadata']).not.toHaveProperty('managedFields');
    expect(Object.isFrozen(object['metadata'])).toBe(true);
  }
});

test('metadata only', async () => {
  await create('a', { secret: 'x' });
  const { synced, cache } = start({ metadataOnly: true });
  await synced;
  await change('a', { secret: 'y' });
  await until(() => expect(changes).toEqual(['+a', '~a']));
  expect(objectsOf(cache)[0]).toMatchObject({ kind: 'ConfigMap', metadata: { labels: { test: 'yes' } } });
  expect(objectsOf(cache)[0]).not.toHaveProperty('data');
});

test('a watch that ends goes on from where it was: nothing twice, nothing lost, no list, no hot loop', async () => {
  await create('a');
  const begin = performance.now();
  await start({ watchSeconds: { min: 2, max: 2 } }).synced;
  for (let round = 0; round < 3; round += 1) {
    const watches = count('watch');
    await until(() => expect(count('watch')).toBeGreaterThan(watches));
    await create(`b${round}`);
    await until(() => expect(changes).toContain(`+b${round}`));
  }
  expect(changes).toEqual(['+a', '+b0', '+b1', '+b2']);
  expect(count('list')).toBe(1);
  // Each lives for two seconds.
  expect(count('watch')).toBeLessThan(4 + (performance.now() - begin) / 1_000);
});

test('connections that break, again and again: what happened meanwhile is told, calls stay few', async () => {
  await create('a');
  await start().synced;
  await until(() => expect(count('watch')).toBe(1));
  const begin = performance.now();
  relay.refuse(true);
  relay.cutAll();
  await create('b');
  await remove('a');
  await new Promise(resolve => setTimeout(resolve, 1_500));
  // 50 ms doubled up to 400 ms, halved by jitter: at most five tries a second once it waits longest.
  expect(count('watch')).toBeLessThan(5 + (performance.now() - begin) / 200);
  relay.refuse(false);
  await until(() => expect(changes).toEqual(['+a', '+b', '-a']));
  expect(errors.length).toBeGreaterThan(1);
});

test('no API server at the start: synced as soon as there is one', async () => {
  await create('a');
  relay.refuse(true);
  const { synced, isSynced } = start();
  await new Promise(resolve => setTimeout(resolve, 600));
  expect(isSynced()).toBe(false);
  relay.refuse(false);
  await synced;
  expect(changes).toEqual(['+a']);
});

test('a connection that is silent without being closed is found out', async () => {
  let isSilent = false;
  const knownThen: string[][] = [];
  const onError = (error: unknown): void => {
    errors.push(error);
    if (!isSilent) return;
    // The next connection hears the server again, however late this test gets to run.
    isSilent = false;
    relay.silence(false);
    knownThen.push([...changes]);
  };
  await start({ idleMs: 2_000, onError }).synced;
  await until(() => expect(count('watch')).toBe(1));
  isSilent = true;
  relay.silence(true);
  await create('a');
  await until(() => expect(changes).toEqual(['+a']));
  expect(knownThen).toEqual([[]]);
  expect(errors.at(-1)).toMatchObject({ code: 'Timeout', message: expect.stringContaining('fell silent') });
  expect(count('list')).toBe(1);
});

test('a stopped run tells nothing and opens nothing, even when its list is under way', async () => {
  await create('a');
  relay.silence(true);
  const started = start();
  await new Promise(resolve => setTimeout(resolve, 200));
  stopListWatch(started);
  await started.synced;
  expect(started.isSynced()).toBe(false);
  relay.silence(false);
  await new Promise(resolve => setTimeout(resolve, 500));
  expect(changes).toEqual([]);
  expect(count('watch')).toBe(0);
});

test('a resync lists again and tells only differences', async () => {
  await create('a');
  await start({ resyncMs: 800, watchSeconds: { min: 1, max: 1 } }).synced;
  await until(() => expect(count('list')).toBeGreaterThan(2));
  expect(changes).toEqual(['+a']);
});

test('characters cut in two by a chunk and odd separators inside strings arrive whole', async () => {
  await start().synced;
  await until(() => expect(count('watch')).toBe(1));
  const text = 'ä€😀\u2028\u0085\r'.repeat(20_000);
  await create('a', { text });
  await until(() => expect(changes).toEqual(['+a']));
  expect((objectsOf(watch!.cache)[0]!['data'] as JsonObject)['text']).toBe(text);
});
