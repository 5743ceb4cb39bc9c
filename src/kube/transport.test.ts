import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { redirectKubeconfig } from '../../test/parts/kube/kubeconfig.ts';
import { controlPlane, newNamespace } from '../../test/parts/kube/shared.ts';
import { withKubernetes as test } from '../../test/parts/with-kubernetes.ts';
import { EngineError, type ErrorCode, isError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import { loadAccess } from './config.ts';
import { newDiscovery, resourceOf } from './discovery.ts';
import { failureOf } from './failure.ts';
import { pathOf, type Resource } from './paths.ts';
import { startRelay } from './test-relay.ts';
import { APPLY_PATCH, type Api, type Call, type CallRecord, closeApi, JSON_PATCH, MERGE_PATCH, openApi, openStream, request } from './transport.ts';

const configMaps: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
const records: CallRecord[] = [];
let namespace: string;
let kubeconfig: string;
let api: Api;

beforeAll(async () => {
  const plane = await controlPlane();
  namespace = await newNamespace(plane, { prefix: 'transport' });
  kubeconfig = plane.adminKubeconfig;
  api = openApi(await loadAccess({ kubeconfig }), { onCall: record => records.push(record) });
});
afterAll(() => closeApi(api));

const map = (name: string, data: JsonObject = {}): JsonObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
const path = (name = '') => pathOf(configMaps, namespace, name);
async function portOf(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
async function failure(promise: Promise<unknown>, code: ErrorCode): Promise<NonNullable<ReturnType<typeof failureOf>>> {
  const error = await promise.catch((thrown: unknown) => thrown);
  expect(isError(error, code), String(error)).toBe(true);
  return failureOf(error)!;
}

test('create, read, patch in three ways and delete; each is told to the metrics by verb and resource', async () => {
  records.length = 0;
  const made = await request(api, { method: 'POST', path: path(), body: map('a', { k: '1' }) });
  await request(api, { method: 'PATCH', path: path('a'), contentType: MERGE_PATCH, body: { data: { k: '2' } } });
  await request(api, { method: 'PATCH', path: path('a'), contentType: JSON_PATCH, body: [{ op: 'add', path: '/data/l', value: '3' }] });
  await request(api, { method: 'PATCH', path: path('a'), contentType: APPLY_PATCH, query: { fieldManager: 'test', force: true }, body: map('a', { m: '4' }) });
  expect(await request(api, { method: 'GET', path: path('a') })).toMatchObject({
    metadata: { uid: (made['metadata'] as JsonObject)['uid'] },
    data: { k: '2', l: '3', m: '4' },
  });
  await request(api, { method: 'DELETE', path: path('a') });
  expect(records.map(({ verb, resource, code }) => `${verb} ${resource} ${code}`)).toEqual([
    'create configmaps 201',
    'patch configmaps 200',
    'patch configmaps 200',
    'apply configmaps 200',
    'get configmaps 200',
    'delete configmaps 200',
  ]);
});

test('the fence is asked before each try, and what it throws keeps the call from leaving', async () => {
  const asked: string[] = [];
  const fence = ({ method, path: to }: { method: string; path: string }): void => {
    asked.push(`${method} ${to}`);
    if (method === 'POST') throw new EngineError('LeaseLost', 'the lease is not held');
  };
  const fenced = openApi(api.access, { fence });
  const error = await request(fenced, { method: 'POST', path: path(), body: map('fenced') }).catch((thrown: unknown) => thrown);
  expect(isError(error, 'LeaseLost')).toBe(true);
  await failure(request(fenced, { method: 'GET', path: path('fenced') }), 'NotFound');
  expect(asked).toEqual([`POST ${path()}`, `GET ${path('fenced')}`]);
  const own = (): void => {
    throw new EngineError('LeaseLost', 'the claim is not held');
  };
  const call = { method: 'POST', path: path(), body: map('own') } as const;
  expect(isError(await request(api, { ...call, fence: own }).catch((thrown: unknown) => thrown), 'LeaseLost')).toBe(true);
  expect(isError(await request(api, { ...call, urgent: true, fence: own }).catch((thrown: unknown) => thrown), 'LeaseLost')).toBe(true);
  await failure(request(api, { method: 'GET', path: path('own') }), 'NotFound');
  await closeApi(fenced);
});

test('no call is lost when certificates change while others leave', async () => {
  const server = createServer((_, response) => response.end('{}'));
  let asked = 0;
  const credentials = async () => ({ headers: {}, tls: { ca: String(asked++) } });
  const changing = openApi({ ...api.access, server: `http://127.0.0.1:${await portOf(server)}`, credentials });
  const post = () => request(changing, { method: 'POST', path: path(), body: {} });
  expect(await Promise.all(Array.from({ length: 8 }, post))).toEqual(Array.from({ length: 8 }, () => ({})));
  await closeApi(changing);
  server.close();
});

test('hints before an answer are passed over', async () => {
  const server = createServer((_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.end('{}');
  });
  const hinted = openApi({ ...api.access, server: `http://127.0.0.1:${await portOf(server)}` });
  expect(await request(hinted, { method: 'POST', path: path(), body: {} })).toEqual({});
  await closeApi(hinted);
  server.close();
});

test('the fence is told what a call is about as it was asked, not where a server behind a path is found', async () => {
  const asked: string[] = [];
  const server = createServer((_, response) => response.end('{}'));
  const url = `http://127.0.0.1:${await portOf(server)}/k8s/clusters/c-1`;
  const behind = openApi({ ...api.access, server: url }, { fence: ({ path: to }) => void asked.push(to) });
  await request(behind, { method: 'PATCH', path: path('a'), query: { force: true }, body: {} });
  expect(asked).toEqual([path('a')]);
  await closeApi(behind);
  server.close();
});

test('a refusal is an error with its code, reason and causes', async () => {
  await request(api, { method: 'POST', path: path(), body: map('b') });
  expect(await failure(request(api, { method: 'GET', path: path('none') }), 'NotFound')).toMatchObject({ status: 404, reason: 'NotFound', mayBeDone: false });
  await failure(request(api, { method: 'POST', path: path(), body: map('b') }), 'AlreadyExists');
  const stale = { metadata: { resourceVersion: '1' }, data: { x: 'y' } };
  expect(await failure(request(api, { method: 'PATCH', path: path('b'), contentType: MERGE_PATCH, body: stale }), 'StoreConflict')).toMatchObject({
    reason: 'Conflict',
  });
  await failure(request(api, { method: 'POST', path: path(), body: { ...map('c'), metadata: { name: 'C' } } }), 'InvalidRequest');
  const apply = (manager: string, k: string) =>
    request(api, { method: 'PATCH', path: path('f'), contentType: APPLY_PATCH, query: { fieldManager: manager }, body: map('f', { k }) });
  await apply('one', '1');
  expect((await failure(apply('two', '2'), 'StoreConflict')).causes).toEqual(['FieldManagerConflict']);
});

test('calls share a few connections', async () => {
  const relay = await startRelay(kubeconfig);
  const through = openApi(await loadAccess({ kubeconfig: redirectKubeconfig(kubeconfig, relay.url) }), { connections: 4 });
  await Promise.all(Array.from({ length: 100 }, () => request(through, { method: 'GET', path: path() })));
  await Promise.all(Array.from({ length: 100 }, () => request(through, { method: 'GET', path: path() })));
  expect(relay.opened()).toBe(4);
  await closeApi(through);
  await relay.close();
});

test('a read on a connection that breaks is repeated; a write that may have been done is not', async () => {
  const relay = await startRelay(kubeconfig);
  const seen: CallRecord[] = [];
  const through = openApi(await loadAccess({ kubeconfig: redirectKubeconfig(kubeconfig, relay.url) }), { connections: 1, onCall: record => seen.push(record) });
  await request(through, { method: 'GET', path: path() });
  relay.cutAtNextByte();
  await request(through, { method: 'GET', path: path() });
  expect(seen.map(record => record.code)).toEqual([200, 0, 200]);
  seen.length = 0;
  relay.cutAtNextByte();
  expect(await failure(request(through, { method: 'POST', path: path(), body: map('cut') }), 'Unreachable')).toMatchObject({ status: 0, mayBeDone: true });
  expect(seen).toHaveLength(1);
  seen.length = 0;
  relay.cutAtNextByte();
  await request(through, { method: 'PATCH', path: path('cut'), contentType: APPLY_PATCH, query: { fieldManager: 't' }, body: map('cut') });
  expect(seen).toHaveLength(2);
  await closeApi(through);
  await relay.close();
});

test('nobody there: a write is tried again too, for nothing was sent; the deadline bounds all tries', async () => {
  const relay = await startRelay(kubeconfig);
  await relay.close();
  const seen: CallRecord[] = [];
  const access = await loadAccess({ kubeconfig: redirectKubeconfig(kubeconfig, relay.url) });
  const nobody = openApi(access, { onCall: record => seen.push(record), tries: 1_000, random: () => 0 });
  expect(await failure(request(nobody, { method: 'POST', path: path(), body: map('n'), timeoutMs: 4_000 }), 'Unreachable')).toMatchObject({ mayBeDone: false });
  expect(seen.length).toBeGreaterThan(1);
  // Waits of 100, 200, 400, 800 and 1,600 ms; the next one would end after the deadline.
  expect(seen.length).toBeLessThanOrEqual(6);
  await closeApi(nobody);
});

test('a server that falls silent is given up at the deadline, and an abort ends a call at once', async () => {
  const relay = await startRelay(kubeconfig);
  const through = openApi(await loadAccess({ kubeconfig: redirectKubeconfig(kubeconfig, relay.url) }), { connections: 1 });
  await request(through, { method: 'GET', path: path() });
  relay.silence(true);
  // That of the Api is 30 s.
  const begin = performance.now();
  await failure(request(through, { method: 'GET', path: path(), timeoutMs: 500 }), 'Timeout');
  expect(performance.now() - begin).toBeLessThan(20_000);
  const end = new AbortController();
  setTimeout(() => end.abort(), 50);
  await failure(request(through, { method: 'PATCH', path: path('x'), body: {}, contentType: MERGE_PATCH, signal: end.signal }), 'Aborted');
  relay.silence(false);
  await closeApi(through);
  await relay.close();
});

test('an urgent call does not wait behind others that hang', async () => {
  const relay = await startRelay(kubeconfig);
  const through = openApi(await loadAccess({ kubeconfig: redirectKubeconfig(kubeconfig, relay.url) }), { connections: 1, timeoutMs: 60_000 });
  await request(through, { method: 'GET', path: path() });
  relay.silence(true);
  const [before, hanging] = [relay.swallowed(), request(through, { method: 'GET', path: path() }).catch(() => undefined)];
  await vi.waitFor(() => expect(relay.swallowed()).toBeGreaterThan(before), 20_000);
  relay.silence(false);
  const urgent = request(through, { method: 'GET', path: path(), urgent: true });
  expect(await Promise.race([hanging.then(() => 'the one that hangs'), urgent.then(() => 'the urgent one')])).toBe('the urgent one');
  await closeApi(through);
  await hanging;
  await relay.close();
});

test('proxy-url of a kubeconfig: calls and watches go through a proxy that connects for us', async () => {
  const asked: string[] = [];
  const proxy = createServer().on('connect', (asking, client: Socket) => {
    asked.push(asking.url ?? '');
    const [host, port] = (asking.url ?? '').split(':');
    const upstream = connect(Number(port), host, () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream).pipe(client);
  });
  await goesThrough(`http://127.0.0.1:${await portOf(proxy)}`, { method: 'GET', path: path() }, asked);
  proxy.closeAllConnections();
  proxy.close();
});

/** A call and a watch by the proxy, which adds to `asked` whom it connected: the API server, and nobody else. */
async function goesThrough(proxyUrl: string, call: Call, asked: readonly string[]): Promise<void> {
  const access = await loadAccess({ kubeconfig });
  const through = openApi({ ...access, proxyUrl });
  await request(through, call);
  const end = new AbortController();
  const stream = await openStream(through, { method: 'GET', path: path(), query: { watch: true }, signal: end.signal });
  expect(new Set(asked)).toEqual(new Set([new URL(access.server).host]));
  stream.on('error', () => undefined);
  end.abort();
  await closeApi(through);
}

/** A SOCKS5 proxy without a password (RFC 1928), for addresses of version 4. `asked`: whom it connected. */
function socks(asked: string[]): Server {
  return createTcpServer(client => {
    client.on('error', () => undefined);
    client.once('data', () => {
      client.write(Uint8Array.of(5, 0));
      client.once('data', bytes => {
        const [host, port] = [[...bytes.subarray(4, 8)].join('.'), bytes.readUInt16BE(8)];
        asked.push(`${host}:${port}`);
        const upstream = connect(port, host, () => {
          client.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
          client.pipe(upstream).pipe(client);
        });
        upstream.on('error', () => undefined);
        client.on('close', () => upstream.destroy());
      });
    });
  });
}

test('a proxy-url may name a SOCKS proxy, as kubectl has it', async () => {
  const asked: string[] = [];
  const proxy = socks(asked);
  await goesThrough(`socks5://127.0.0.1:${await portOf(proxy)}`, { method: 'POST', path: path(), body: map('by-socks') }, asked);
  proxy.close();
});

test('credentials that are refused are read once more; those that stay wrong are an error', async () => {
  const good = await loadAccess({ kubeconfig });
  let asked = 0;
  const access = { ...good, credentials: async (refresh?: boolean) => (asked++ === 0 ? wrong : await good.credentials(refresh)) };
  const wrong = { headers: { Authorization: 'Bearer nonsense' }, tls: { ca: (await good.credentials()).tls.ca! } };
  const mended = openApi(access);
  await request(mended, { method: 'POST', path: path(), body: map('after-401') });
  expect(asked).toBe(2);
  await closeApi(mended);
  const never = openApi({ ...good, credentials: async () => wrong });
  await failure(request(never, { method: 'GET', path: path() }), 'InvalidCredentials');
  await closeApi(never);
});

test('a certificate of somebody else is refused at once', async () => {
  const good = await loadAccess({ kubeconfig });
  const seen: CallRecord[] = [];
  const stranger = openApi({ ...good, credentials: async () => ({ headers: {}, tls: {} }) }, { onCall: record => seen.push(record) });
  await failure(request(stranger, { method: 'GET', path: path() }), 'Unreachable');
  expect(seen).toHaveLength(1);
  await closeApi(stranger);
});

test('kinds are found, also those that come later', async () => {
  const discovery = newDiscovery(api);
  expect(await resourceOf(discovery, 'v1', 'ConfigMap')).toEqual(configMaps);
  expect(await resourceOf(discovery, 'apps/v1', 'Deployment')).toMatchObject({ plural: 'deployments', namespaced: true });
  expect(await resourceOf(discovery, 'none.example/v1', 'Thing')).toBeUndefined();
  expect(await resourceOf(discovery, 'v1', 'Thing')).toBeUndefined();
});
