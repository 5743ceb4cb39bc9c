import { afterEach, expect, test } from 'vitest';
import { isError } from '../core/errors.ts';
import { type HealthServer, type HealthSources, parseAddress, startHealthServer } from './health-server.ts';

const open: HealthServer[] = [];
afterEach(async () => void (await Promise.all(open.splice(0).map(server => server.close()))));

async function start(sources: Partial<HealthSources> = {}): Promise<HealthServer> {
  const server = await startHealthServer('127.0.0.1:0', {
    sickness: () => undefined,
    missing: async () => undefined,
    metrics: async () => 'x 1\n',
    ...sources,
  });
  open.push(server);
  return server;
}

const get = async (server: HealthServer, path: string, method = 'GET'): Promise<[number, string]> => {
  const answer = await fetch(`${server.url}${path}`, { method });
  return [answer.status, await answer.text()];
};

test.each([
  ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
  [':8080', { host: '0.0.0.0', port: 8080 }],
  ['[::1]:0', { host: '::1', port: 0 }],
  ['localhost:80', { host: 'localhost', port: 80 }],
])('the address %s', (text, address) => expect(parseAddress(text)).toEqual(address));

test.each(['8080', 'localhost', 'a:b', '1.2.3.4:70000', ''])('%s is no address', text => {
  expect(() => parseAddress(text)).toThrow(/is not HOST:PORT/);
});

test('well and ready', async () => {
  const server = await start();
  expect(await get(server, '/healthz')).toEqual([200, 'ok\n']);
  expect(await get(server, '/readyz?verbose')).toEqual([200, 'ok\n']);
  expect(await get(server, '/metrics')).toEqual([200, 'x 1\n']);
});

test('not ready says why, and is well; sick is neither', async () => {
  const waiting = await start({ missing: async () => 'the caches are not filled yet' });
  expect(await get(waiting, '/readyz')).toEqual([503, 'the caches are not filled yet\n']);
  expect(await get(waiting, '/healthz')).toEqual([200, 'ok\n']);
  const sick = await start({ sickness: () => 'stuck' });
  expect((await get(sick, '/healthz'))[0]).toBe(503);
  expect((await get(sick, '/readyz'))[0]).toBe(503);
});

test('other paths, other methods, metrics that fail', async () => {
  const server = await start({ metrics: () => Promise.reject(new Error('no list')) });
  expect((await get(server, '/'))[0]).toBe(404);
  expect((await get(server, '/healthz', 'POST'))[0]).toBe(405);
  expect(await get(server, '/metrics')).toEqual([500, 'no list\n']);
});

test('an address in use is said', async () => {
  const { url } = await start();
  const error = await startHealthServer(url.replace('http://', ''), {} as HealthSources).catch((thrown: unknown) => thrown);
  expect(isError(error, 'BadUse')).toBe(true);
  expect((error as Error).message).toContain('cannot listen on');
});
