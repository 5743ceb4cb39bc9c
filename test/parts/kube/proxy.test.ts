import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { part } from '../emulators.ts';
import { callKube } from './client.ts';
import { asAdmin, type ControlPlane, kubeconfigFor, serviceAccountToken, startControlPlane } from './control-plane.ts';
import { watch } from './proxy/test-watch.ts';
import type { KubeCall, KubeProxy } from './proxy.ts';
import { startKubeProxy } from './proxy.ts';
import { controlPlane, newNamespace } from './shared.ts';
import { kubectl, runTool } from './tools.ts';

const configMap = (name: string, value = '1') => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } });

describe.skipIf(!part('kubernetes').available)('the fault proxy before a real API server', () => {
  let plane: ControlPlane;
  let proxy: KubeProxy;
  let namespace = '';
  let maps = '';

  beforeAll(async () => {
    plane = await controlPlane();
    proxy = await startKubeProxy(plane);
  });

  afterAll(async () => {
    await proxy?.close();
  });

  beforeEach(async () => {
    proxy.reset();
    namespace = await newNamespace(plane);
    maps = `/api/v1/namespaces/${namespace}/configmaps`;
  });

  const through = (method: string, path: string, body?: unknown, contentType?: string) =>
    callKube(proxy, { certificate: plane.adminPair }, method, path, body, contentType);
  const names = async (server: 'proxy' | 'direct' = 'proxy') => {
    const query = `${maps}?fieldSelector=metadata.name!=kube-root-ca.crt`;
    const answer = await (server === 'proxy' ? through('GET', query) : asAdmin(plane, 'GET', query));
    return answer.body.items.map((item: { metadata: { name: string } }) => item.metadata.name);
  };
  const make = (name: string) => asAdmin(plane, 'POST', maps, configMap(name));
  const watchMaps = (query = '') => watch(plane, proxy, `${maps}?watch=1&fieldSelector=metadata.name!=kube-root-ca.crt${query}`);

  test('kubectl works through it with a certificate and with a token, with its own rights and no others', async () => {
    const alice = proxy.kubeconfig(await kubeconfigFor(plane, 'alice', ['team']));
    expect(await kubectl({ kubeconfig: alice }, 'auth', 'whoami')).toMatch(/alice\s[\s\S]*\[team system:authenticated\]/);
    expect((await runTool('kubectl', { kubeconfig: alice }, ['get', 'secrets', '-n', namespace])).stderr).toContain(
      'User "alice" cannot list resource "secrets"',
    );
    const admin = proxy.kubeconfig(plane.adminKubeconfig);
    await kubectl({ kubeconfig: admin }, 'create', 'configmap', 'made', '-n', namespace);
    expect(await names('direct')).toEqual(['made']);
    await expect.poll(async () => (await through('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`)).status).toBe(200);
    const token = await serviceAccountToken(plane, namespace, 'default');
    const asked = await callKube(proxy, { token }, 'GET', maps);
    expect(asked.body.message).toContain(`User "system:serviceaccount:${namespace}:default" cannot list`);
    expect((await callKube(proxy, undefined, 'GET', maps)).body.message).toContain('User "system:anonymous" cannot list');
  });

  test('every call is counted and named', async () => {
    await through('POST', maps, configMap('first'));
    await through('PATCH', `${maps}/first?dryRun=All`, { data: { value: '2' } }, 'application/merge-patch+json');
    await through('GET', `/api/v1/configmaps?fieldSelector=metadata.name%3Dfirst`);
    await through('PUT', `/api/v1/namespaces/${namespace}/serviceaccounts/default/status`, {});
    await through('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {});
    await through('DELETE', `${maps}/first`);
    await through('GET', '/apis/apps/v1');
    const seen = proxy.calls.map(call => [call.index, call.mutatingIndex, call.verb, call.group, call.resource, call.subresource, call.namespace, call.name]);
    expect(seen).toEqual([
      [0, 0, 'create', '', 'configmaps', undefined, namespace, undefined],
      [1, undefined, 'patch', '', 'configmaps', undefined, namespace, 'first'],
      [2, undefined, 'list', '', 'configmaps', undefined, undefined, 'first'],
      [3, 1, 'update', '', 'serviceaccounts', 'status', namespace, 'default'],
      [4, undefined, 'create', 'authorization.k8s.io', 'selfsubjectaccessreviews', undefined, undefined, undefined],
      [5, 2, 'delete', '', 'configmaps', undefined, namespace, 'first'],
      [6, undefined, 'get', undefined, undefined, undefined, undefined, undefined],
    ]);
    expect(proxy.calls[0]).toMatchObject({ status: 201, upstreamStatus: 201, input: { data: { value: '1' } } });
    expect(proxy.count({ mutating: true, resource: 'configmaps' })).toBe(2);
  });

  test('of a namespace itself, status and finalize are parts, everything else lies inside it', async () => {
    await through('GET', `/api/v1/namespaces/${namespace}/status`);
    await through('GET', `/api/v1/namespaces/${namespace}`);
    await through('GET', `/api/v1/namespaces/${namespace}/pods/x/log`);
    expect(proxy.calls.map(call => [call.verb, call.resource, call.subresource, call.name, call.namespace])).toEqual([
      ['get', 'namespaces', 'status', namespace, undefined],
      ['get', 'namespaces', undefined, namespace, undefined],
      ['get', 'pods', 'log', 'x', namespace],
    ]);
  });

  test('a connection broken before the work leaves nothing, one broken after it leaves the work done', async () => {
    for (const kind of ['drop', 'reset'] as const) {
      proxy.addRule({ match: { verb: 'create' }, times: 1, do: { kind } });
      await expect(through('POST', maps, configMap(kind))).rejects.toThrow(/socket hang up|ECONNRESET/);
    }
    expect(await names('direct')).toEqual([]);
    for (const kind of ['drop', 'reset'] as const) {
      proxy.addRule({ match: { verb: 'create' }, times: 1, do: { kind, when: 'after' } });
      await expect(through('POST', maps, configMap(kind))).rejects.toThrow(/socket hang up|ECONNRESET/);
    }
    expect(await names('direct')).toEqual(['drop', 'reset']);
    expect(proxy.calls.map(call => [call.status, call.upstreamStatus])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      [undefined, 201],
      [undefined, 201],
    ]);
  });

  test('refusals look like those of an API server, before the work or after it', async () => {
    for (const status of [409, 410, 429, 500, 503] as const) {
      const rule = proxy.addRule({ match: { verb: 'create' }, do: { kind: 'refuse', status, ...(status === 429 ? { retryAfterSeconds: 3 } : {}) } });
      const answer = await through('POST', maps, configMap('refused'));
      expect(answer.status).toBe(status);
      expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', code: status });
      if (status === 429) expect([answer.headers['retry-after'], answer.body.details.retryAfterSeconds]).toEqual(['3', 3]);
      rule.remove();
    }
    expect(await names('direct')).toEqual([]);
    proxy.addRule({ match: { verb: 'create' }, do: { kind: 'refuse', status: 500, when: 'after' } });
    expect((await through('POST', maps, configMap('done'))).status).toBe(500);
    expect(await names('direct')).toEqual(['done']);
  });

  test('kubectl understands the refusals', async () => {
    const kubeconfig = proxy.kubeconfig(plane.adminKubeconfig);
    proxy.addRule({ match: { verb: 'create', resource: 'configmaps' }, do: { kind: 'refuse', status: 409 } });
    const { stderr } = await runTool('kubectl', { kubeconfig }, ['create', 'configmap', 'x', '-n', namespace]);
    expect(stderr).toContain('the object has been modified');
  });

  test('an answer is late, comes in pieces, or waits until it is let go', async () => {
    const late = proxy.addRule({ match: { verb: 'list' }, do: { kind: 'delay', ms: 300, when: 'after' } });
    let started = Date.now();
    const list = names();
    await expect.poll(() => proxy.calls.at(-1)?.upstreamStatus).toBe(200);
    await make('meanwhile');
    expect(await list).toEqual([]);
    expect(Date.now() - started).toBeGreaterThanOrEqual(290);
    late.remove();
    const slow = proxy.addRule({ match: { verb: 'list' }, do: { kind: 'trickle', ms: 300 } });
    started = Date.now();
    expect(await names()).toEqual(['meanwhile']);
    expect(Date.now() - started).toBeGreaterThanOrEqual(290);
    slow.remove();
    const hold = proxy.addRule({ match: { verb: 'list' }, do: { kind: 'hold' } });
    const held = names();
    await expect.poll(() => hold.holding()).toBe(1);
    await make('later');
    hold.release();
    expect(await held).toEqual(['later', 'meanwhile']);
  });

  test('a stale list is an earlier answer with its old resourceVersion', async () => {
    // The map that each namespace is given comes when it comes.
    const list = `${maps}?limit=500&fieldSelector=metadata.name!=kube-root-ca.crt`;
    const anyAge = async () => (await through('GET', `${list}&resourceVersion=0`)).body;
    const first = await through('GET', list);
    await make('one');
    // Of any age: the API server's own cache may still be without it.
    await expect.poll(async () => (await anyAge()).items.length).toBe(1);
    await make('two');
    for (const [age, count] of [
      ['first', 0],
      ['previous', 1],
    ] as const) {
      const rule = proxy.addRule({ match: { verb: 'list', resource: 'configmaps' }, do: { kind: 'stale', age } });
      const stale = await anyAge();
      expect(stale.items.length).toBe(count);
      if (age === 'first') expect(stale.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
      expect(proxy.calls.at(-1)?.upstreamStatus).toBeUndefined();
      rule.remove();
    }
    expect((await names()).length).toBe(2);
  });

  test('a watch passes events, and says how many', async () => {
    const seen = await watchMaps();
    await make('plain');
    await expect.poll(() => seen.events).toEqual(['ADDED plain']);
    await asAdmin(plane, 'DELETE', `${maps}/plain`);
    await expect.poll(() => seen.events).toEqual(['ADDED plain', 'DELETED plain']);
    seen.close();
    await expect.poll(() => proxy.calls[0]?.endedAt).toBeDefined();
    expect(proxy.calls[0]).toMatchObject({ verb: 'watch', status: 200, events: 2 });
  });

  test('a half-open watch stays and brings nothing; so does one that ends behind it', async () => {
    const frozen = await watchMaps('&timeoutSeconds=5');
    await make('before');
    await expect.poll(() => frozen.events).toEqual(['ADDED before']);
    const rule = proxy.addRule({ match: { verb: 'watch' }, times: 1, do: { kind: 'freeze' } });
    await make('after');
    const fresh = await watchMaps();
    await expect.poll(() => [...fresh.events].sort()).toEqual(['ADDED after', 'ADDED before']);
    await sleep(5_500);
    expect([frozen.events, frozen.state(), rule.hits()]).toEqual([['ADDED before'], 'open', 1]);
    for (const one of [frozen, fresh]) one.close();
  });

  test('a watch is cut, ended, or told that it is too old, at once or after some events', async () => {
    const states = { cut: 'broken', end: 'ended', goneEvent: 'ended' } as const;
    for (const kind of ['cut', 'end', 'goneEvent'] as const) {
      const seen = await watchMaps();
      const rule = proxy.addRule({ match: { verb: 'watch' }, do: { kind } });
      await expect.poll(() => seen.state()).toBe(states[kind]);
      expect(seen.events).toEqual(kind === 'goneEvent' ? ['ERROR 410'] : []);
      rule.remove();
    }
    proxy.addRule({ match: { verb: 'watch' }, do: { kind: 'goneEvent', afterEvents: 1 } });
    const seen = await watchMaps();
    await make('one');
    await make('two');
    await expect.poll(() => seen.state()).toBe('ended');
    expect(seen.events).toEqual(['ADDED one', 'ERROR 410']);
  });

  test('a watch is refused with 410', async () => {
    proxy.addRule({ match: { verb: 'watch' }, do: { kind: 'refuse', status: 410 } });
    await expect(watchMaps()).rejects.toThrow('the watch is refused with 410');
  });

  test('bookmarks are lost, and only they', async () => {
    // The API server sends one before it ends a watch, and each minute.
    const query = '&allowWatchBookmarks=true&timeoutSeconds=4';
    const rule = proxy.addRule({ match: { verb: 'watch', index: 1 }, do: { kind: 'dropBookmarks' } });
    const [whole, robbed] = [await watchMaps(query), await watchMaps(query)];
    await make('one');
    await expect.poll(() => [whole.state(), robbed.state()]).toEqual(['ended', 'ended']);
    expect(whole.events).toContain('BOOKMARK');
    expect(robbed.events).toEqual(['ADDED one']);
    expect(rule.hits()).toBeGreaterThan(0);
  });

  test('events come late or wait, in their order', async () => {
    const hold = proxy.addRule({ match: { verb: 'watch' }, do: { kind: 'holdEvents' } });
    const seen = await watchMaps();
    await make('one');
    await make('two');
    await expect.poll(() => hold.holding()).toBe(1);
    expect(seen.events).toEqual([]);
    hold.remove();
    await expect.poll(() => seen.events).toEqual(['ADDED one', 'ADDED two']);
    proxy.addRule({ match: { verb: 'watch' }, do: { kind: 'lag', ms: 400 } });
    const started = Date.now();
    await make('three');
    await expect.poll(() => seen.events.length).toBe(3);
    expect(Date.now() - started).toBeGreaterThanOrEqual(390);
    seen.close();
  });

  test('hooks see a call before it is forwarded and before its answer returns', async () => {
    const order: string[] = [];
    const remove = proxy.onBefore(async (call: KubeCall) => void order.push(`before ${call.mutatingIndex} ${(await names('direct')).length}`));
    proxy.onAfter(async (call: KubeCall) => void order.push(`after ${call.mutatingIndex} ${(await names('direct')).length}`));
    await through('POST', maps, configMap('one'));
    remove();
    await through('POST', maps, configMap('two'));
    expect(order).toEqual(['before 0 0', 'after 0 1', 'after 1 2']);
  });
});

test.skipIf(!part('kubernetes').available)('the API server goes and comes behind the proxy', { timeout: 240_000 }, async () => {
  const plane = await startControlPlane();
  const proxy = await startKubeProxy(plane);
  try {
    const version = () => callKube(proxy, { certificate: plane.adminPair }, 'GET', '/version');
    expect((await version()).status).toBe(200);
    await plane.killApiServer();
    await expect(version()).rejects.toThrow(/socket hang up|ECONNRESET/);
    await plane.restartApiServer();
    expect((await version()).status).toBe(200);
  } finally {
    await proxy.close();
    await plane.stop();
  }
});
