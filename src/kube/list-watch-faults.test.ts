/** The faults that ended or ran hot every informer tried before this one, each on a real API server behind a proxy that commits it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import type { ControlPlane } from '../../test/parts/kube/control-plane.ts';
import { type KubeAct, type KubeProxy, startKubeProxy } from '../../test/parts/kube/proxy.ts';
import { controlPlane, newNamespace } from '../../test/parts/kube/shared.ts';
import { withKubernetes as test } from '../../test/parts/with-kubernetes.ts';
import type { JsonObject } from '../core/types.ts';
import { metaOf, objectsOf } from './cache.ts';
import { loadAccess } from './config.ts';
import { type ListWatch, type ListWatchOptions, startListWatch, stopListWatch, takeOwnWrite } from './list-watch.ts';
import { pathOf, type Resource } from './paths.ts';
import { type Api, closeApi, MERGE_PATCH, openApi, request } from './transport.ts';

const configMaps: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
const maps = { resource: 'configmaps' } as const;
let plane: ControlPlane;
let proxy: KubeProxy;
let direct: Api;
let api: Api;
let namespace: string;
let changes: string[];
let watch: ListWatch | undefined;

beforeAll(async () => {
  plane = await controlPlane();
  proxy = await startKubeProxy(plane);
  direct = openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }));
});
afterAll(async () => {
  await proxy.close();
  await closeApi(direct);
});
beforeEach(async () => {
  namespace = await newNamespace(plane, { prefix: 'faults' });
  changes = [];
  api = openApi(await loadAccess({ kubeconfig: proxy.kubeconfig(plane.adminKubeconfig) }), { timeoutMs: 2_000 });
  for (const name of ['a', 'b', 'c']) await create(name);
  proxy.reset();
});
afterEach(async () => {
  if (watch !== undefined) stopListWatch(watch);
  proxy.reset();
  await closeApi(api);
});

const path = (name = '') => pathOf(configMaps, namespace, name);
const create = (name: string) =>
  request(direct, { method: 'POST', path: path(), body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { test: 'yes' } } } });
const change = (name: string, k: string) => request(direct, { method: 'PATCH', path: path(name), contentType: MERGE_PATCH, body: { data: { k } } });
const remove = (name: string) => request(direct, { method: 'DELETE', path: path(name) });
const until = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 20 });
const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

function start(options: Partial<ListWatchOptions> = {}): ListWatch {
  watch = startListWatch({
    api,
    resource: configMaps,
    namespace,
    labelSelector: 'test=yes',
    backoffMs: { base: 50, max: 400 },
    onChange: ({ object, before }) => changes.push(`${object === undefined ? '-' : before === undefined ? '+' : '~'}${metaOf((object ?? before)!).name}`),
    ...options,
  });
  return watch;
}

/** What the cache must be, whatever happened. */
async function agrees(): Promise<void> {
  const list = await request(direct, { method: 'GET', path: path(), query: { labelSelector: 'test=yes' } });
  const versions = (objects: JsonObject[]) => objects.map(object => `${metaOf(object).name} ${metaOf(object).resourceVersion}`);
  await until(() => expect(versions(objectsOf(watch!.cache))).toEqual(versions(list['items'] as JsonObject[])));
}

/** `act` for a second and a half, while things change: no hot loop, and afterwards the cache is right without a restart. */
const WATCH_FAULTS: Record<string, KubeAct> = {
  'ends each watch at once': { kind: 'end' },
  'cuts each watch': { kind: 'cut' },
  'answers each watch with 500': { kind: 'refuse', status: 500 },
  'answers each watch with 429': { kind: 'refuse', status: 429, retryAfterSeconds: 1 },
  'answers each watch with 403': { kind: 'refuse', status: 403 },
  'answers each watch with 410': { kind: 'refuse', status: 410 },
  'sends each watch a 410 event': { kind: 'goneEvent' },
  'resets each watch': { kind: 'reset' },
  'loses every bookmark': { kind: 'dropBookmarks' },
  'makes every event late': { kind: 'lag', ms: 200 },
};

for (const [name, act] of Object.entries(WATCH_FAULTS)) {
  test(`a server that ${name}`, async () => {
    await start().synced;
    const rule = proxy.addRule({ match: { ...maps, verb: 'watch' }, do: act });
    proxy.addRule({ match: { ...maps, verb: 'list' }, do: { kind: 'delay', ms: 1 } });
    const [before, begin] = [proxy.calls.length, performance.now()];
    await remove('a');
    await change('b', '1');
    await create('d');
    await sleep(1_500);
    // 50 ms doubled up to 400 ms, halved by jitter: at most some twelve rounds of a list and a watch in a second and a half.
    expect(proxy.calls.length - before).toBeLessThan((30 * (performance.now() - begin)) / 1_500);
    rule.remove();
    await agrees();
    expect(changes.slice(0, 3)).toEqual(['+a', '+b', '+c']);
    await change('c', '2');
    await agrees();
    expect(new Set(changes.slice(3))).toEqual(new Set(['-a', '~b', '+d', '~c']));
  });
}

for (const status of [500, 503, 429, 410, 403] as const) {
  test(`lists that are refused with ${status} at the start, and in the middle of the pages`, async () => {
    const rule = proxy.addRule({ match: { ...maps, verb: 'list' }, times: 3, do: { kind: 'refuse', status } });
    const { synced } = start({ pageSize: 1 });
    await synced;
    expect(rule.hits()).toBe(3);
    expect(changes).toEqual(['+a', '+b', '+c']);
    stopListWatch(watch!);
    changes = [];
    let pages = 0;
    proxy.addRule({
      match: { ...maps, verb: 'list' },
      do: {
        kind: 'onCall',
        before: () => {
          pages += 1;
          if (pages === 2) proxy.addRule({ match: { ...maps, verb: 'list' }, times: 1, do: { kind: 'refuse', status } });
        },
      },
    });
    await start({ pageSize: 1 }).synced;
    expect(changes).toEqual(['+a', '+b', '+c']);
  });
}

test('what changed while a slow list was under way is not lost', async () => {
  proxy.addRule({ match: { ...maps, verb: 'list' }, times: 1, do: { kind: 'delay', ms: 500, when: 'after' } });
  const { synced } = start();
  await sleep(200);
  await change('a', '1');
  await remove('b');
  await synced;
  await agrees();
});

test('a frozen connection is found out by the missing bookmarks, though TCP says nothing', async () => {
  // Three watches in a row that bring nothing are followed by a list: they must be longer than the machine may stand still.
  await start({ idleMs: 3_000 }).synced;
  await until(() => expect(proxy.count({ ...maps, verb: 'watch' })).toBe(1));
  const rule = proxy.addRule({ match: { ...maps, verb: 'watch' }, times: 1, do: { kind: 'freeze' } });
  await change('a', '1');
  await agrees();
  expect(rule.hits()).toBe(1);
  expect(proxy.count({ ...maps, verb: 'list' })).toBe(1);
});

test('a stale list does not take back what the watch told for long', async () => {
  await start({ resyncMs: 700, watchSeconds: { min: 1, max: 1 } }).synced;
  await change('a', '1');
  await agrees();
  const rule = proxy.addRule({ match: { ...maps, verb: 'list' }, times: 1, do: { kind: 'stale', age: 'first' } });
  await until(() => expect(rule.hits()).toBe(1));
  await agrees();
});

test('our own write is in the cache at once and is not told twice, in whatever order the watch brings it', async () => {
  const started = start();
  await started.synced;
  await until(() => expect(proxy.count({ ...maps, verb: 'watch' })).toBe(1));
  const rule = proxy.addRule({ match: { ...maps, verb: 'watch' }, do: { kind: 'holdEvents' } });
  changes = [];
  let version = metaOf(started.cache.objects.get(`${namespace}/a`)!).resourceVersion;
  for (const k of ['1', '2']) {
    const answer = await change('a', k);
    expect(takeOwnWrite(started, `${namespace}/a`, version, answer)).toBe(true);
    version = metaOf(answer).resourceVersion;
  }
  // Somebody else, whom only the watch tells of; a write over what the cache has not seen is not taken.
  const foreign = await change('a', '3');
  const own = await change('a', '4');
  expect(takeOwnWrite(started, `${namespace}/a`, metaOf(foreign).resourceVersion, own)).toBe(false);
  expect(changes).toEqual(['~a', '~a']);
  rule.release();
  rule.remove();
  await agrees();
  expect(changes).toEqual(['~a', '~a', '~a', '~a']);
});

test('what is not served or not allowed is empty and asked again', async () => {
  const nothing: Resource = { group: 'none.example', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
  const none = start({ resource: nothing, optional: true });
  await none.synced;
  expect(none.isSynced()).toBe(true);
  stopListWatch(none);
  const rule = proxy.addRule({ match: { ...maps, verb: 'list' }, do: { kind: 'refuse', status: 403 } });
  const forbidden = start({ optional: true });
  await forbidden.synced;
  expect(changes).toEqual([]);
  rule.remove();
  await until(() => expect(changes).toEqual(['+a', '+b', '+c']));
});
