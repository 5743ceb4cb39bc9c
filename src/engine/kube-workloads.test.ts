/** On a real API server, with the controllers of Kubernetes that write the same statuses. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import type { LentControlPlane } from '../../test/parts/kube/control-plane.ts';
import { borrowControlPlane } from '../../test/parts/kube/pool.ts';
import { type KubeProxy, startKubeProxy } from '../../test/parts/kube/proxy.ts';
import { withKubernetes as test } from '../../test/parts/with-kubernetes.ts';
import { isError } from '../core/errors.ts';
import type { ClaimStatus, Condition, JsonObject, ObjectKey } from '../core/types.ts';
import { loadAccess } from '../kube/config.ts';
import { type Api, closeApi, MERGE_PATCH, openApi, request, STRATEGIC_PATCH } from '../kube/transport.ts';
import { realClock } from './clock.ts';
import { QUIET_MS } from './kube-workload-status.ts';
import { clearedFirst, followClaims, looksEnded, onShare, startWorkloads, stopWorkloads, type Workloads } from './kube-workloads.ts';
import type { Metadata } from './objects.ts';
import { metadataOf } from './objects.ts';
import { idle } from './queue.ts';
import { claimOf, statusOf } from './store.contract.ts';
import type { Write } from './store.ts';
import { type KubernetesStore, kubernetesStore } from './store-kubernetes.ts';
import { applyLooseCrds } from './test-crds.ts';

const OWN = 'plinth-system';
let plane: LentControlPlane;
let proxy: KubeProxy;
/** Of people, past the proxy. */
let people: Api;
let admin: KubernetesStore;
let namespace: string;
let count = 0;
let engine: Running;

interface Running {
  readonly api: Api;
  readonly store: KubernetesStore;
  readonly workloads: Workloads;
  /** Namespaces that are worked by it. */
  readonly held: Set<string>;
  readonly log: string[];
}

beforeAll(async () => {
  plane = await borrowControlPlane();
  proxy = await startKubeProxy(plane);
  people = openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }));
  admin = kubernetesStore({ api: people, namespace: OWN });
  await applyLooseCrds(people);
  const queues = { kind: 'Queue', plural: 'queues' };
  await admin.put({ apiVersion: 'plinth.dev/v1alpha1', kind: 'ClaimDefinition', metadata: { name: 'queues.plinth.dev' }, spec: queues });
});
afterAll(async () => {
  await proxy?.close();
  await closeApi(people);
  await plane?.stop();
});
beforeEach(async () => {
  namespace = `shop-${++count}`;
  await request(people, { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: namespace } } });
  engine = await start([namespace]);
});
afterEach(async () => {
  proxy.reset();
  await stop(engine);
});

async function start(namespaces: readonly string[]): Promise<Running> {
  const api = openApi(await loadAccess({ kubeconfig: proxy.kubeconfig(plane.adminKubeconfig) }), { userAgent: 'engine' });
  const store = kubernetesStore({ api, namespace: OWN });
  const [held, log] = [new Set(namespaces), [] as string[]];
  const workloads = startWorkloads({
    home: store.home,
    clock: realClock,
    random: () => 0,
    log: (level, message) => void log.push(`${level} ${message}`),
    holds: name => held.has(name),
    onError: () => undefined,
  });
  await followClaims(workloads, store);
  return { api, store, workloads, held, log };
}

async function stop({ api, workloads }: Running): Promise<void> {
  await stopWorkloads(workloads);
  await closeApi(api);
}

const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 20 });
const plurals = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' } as const;
type Kind = keyof typeof plurals;
const pathOf = (kind: Kind, name = '') => `/apis/apps/v1/namespaces/${namespace}/${plurals[kind]}${name === '' ? '' : `/${name}`}`;
const ON = { 'plinth.dev/awaits-claims': 'true' };
const mounts = (...names: string[]) => ({ volumes: names.map(secretName => ({ name: secretName, secret: { secretName } })) });

async function make(kind: Kind = 'Deployment', pod: object = mounts('orders-queue'), labels: Record<string, string> = ON): Promise<void> {
  const template = { metadata: { labels: { app: 'shop' } }, spec: { containers: [{ name: 'shop', image: 'shop' }], ...pod } };
  const more = kind === 'StatefulSet' ? { serviceName: 'shop' } : {};
  const body = { metadata: { name: 'shop', labels }, spec: { selector: { matchLabels: { app: 'shop' } }, template, ...more } };
  await request(people, { method: 'POST', path: pathOf(kind), body: body as unknown as JsonObject });
}

const edit = (kind: Kind, body: object) =>
  request(people, { method: 'PATCH', path: pathOf(kind, 'shop'), body: body as JsonObject, contentType: STRATEGIC_PATCH });

async function conditionsOf(kind: Kind = 'Deployment'): Promise<Record<string, string>> {
  const { status } = (await request(people, { method: 'GET', path: pathOf(kind, 'shop') })) as unknown as { status: { conditions?: Condition[] } };
  return Object.fromEntries((status.conditions ?? []).map(({ type, status: value, reason, message }) => [type, `${value} ${reason}: ${message}`]));
}
const says = async (kind: Kind = 'Deployment'): Promise<string | undefined> => (await conditionsOf(kind))['Stalled'];
const writes = () => proxy.calls.filter(call => call.mutating && call.group === 'apps');
/** Until all that was told is looked at. */
async function quiet(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 300));
  await idle(engine.workloads.queue);
}

/** Until its controller is done with it and our cache has heard so. */
async function caughtUp(): Promise<void> {
  const version = async () => metadataOf(await request(people, { method: 'GET', path: pathOf('Deployment', 'shop') })).resourceVersion;
  const known = () => metadataOf(engine.workloads.watches.get('Deployment')!.cache.objects.get(`${namespace}/shop`)!).resourceVersion;
  await until(async () => expect(Object.keys(await conditionsOf())).toContain('Progressing'));
  await new Promise(resolve => setTimeout(resolve, 1_000));
  await until(async () => expect(known()).toBe(await version()));
}

// ── claims, as the engine reports them ──

const key = (name: string): ObjectKey => ({ kind: 'Queue', namespace, name });
const MESSAGE = 'shop_orders exists and bears no marks of ours';
const SAID = `True Conflict: Queue orders: ${MESSAGE}`;
const claim = (name: string, spec: JsonObject = {}) => admin.put({ apiVersion: 'plinth.dev/v1alpha1', kind: 'Queue', metadata: { name, namespace }, spec });

function statusFor(generation: number, isStalled: boolean, message: string): ClaimStatus {
  const common = { reason: 'Conflict', observedGeneration: generation, lastTransitionTime: '2026-01-01T00:00:00Z' };
  const stalled = { type: 'Stalled', status: isStalled ? 'True' : 'False', message: isStalled ? message : '', ...common } as const;
  return { ...statusOf(1), observedGeneration: generation, conditions: [stalled] };
}

/** A report of the claim as it is now, with its own condition before. */
async function reportOf(name: string, isStalled: boolean, message = MESSAGE): Promise<Extract<Write, { kind: 'status' }>> {
  const object = (await admin.get(key(name)))!;
  const status = (object['status'] ?? statusOf(0)) as unknown as ClaimStatus;
  return { kind: 'status', claim: { ...claimOf(object), status }, status: statusFor(metadataOf(object).generation, isStalled, message) };
}

/** Through the store of who works claims. */
async function report(name: string, isStalled: boolean, message = MESSAGE): Promise<void> {
  await clearedFirst(engine.workloads, engine.store).write(await reportOf(name, isStalled, message));
}

async function makeStuck(name = 'orders', message = MESSAGE): Promise<void> {
  await claim(name);
  await report(name, true, message);
}

// ── what is said ──

test.each(['Deployment', 'StatefulSet', 'DaemonSet'] as const)(
  'a %s says what it waits for, whatever its controller writes, until it no longer does',
  async kind => {
    await make(kind);
    await makeStuck();
    await until(async () => expect(await says(kind)).toBe(SAID));
    await edit(kind, { spec: { template: { metadata: { annotations: { edited: 'yes' } } } } });
    const observed = async (): Promise<unknown> =>
      ((await request(people, { method: 'GET', path: pathOf(kind, 'shop') }))['status'] as JsonObject)['observedGeneration'];
    await until(async () => expect(await observed()).toBe(2));
    // The controller of StatefulSets makes its status anew; it is said again then, and that is the end of it.
    await until(async () => expect(await says(kind)).toBe(SAID));
    await quiet();
    const before = writes().length;
    await new Promise(resolve => setTimeout(resolve, 1_000));
    expect(writes().length).toBe(before);
    await report('orders', false);
    expect(await says(kind)).toBeUndefined();
    expect(Object.keys(await conditionsOf(kind)).sort()).toEqual(kind === 'Deployment' ? ['Available', 'Progressing'] : []);
  },
);

test('nothing but the condition is written, and it has the times that its kind has', async () => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  const [{ input, path, subresource }] = writes() as [(typeof proxy.calls)[number]];
  expect([subresource, new URLSearchParams(path.split('?')[1]).get('fieldManager')]).toEqual(['status', 'plinth-workloads']);
  const { metadata, status } = input as { metadata: Metadata; status: { conditions: Record<string, unknown>[] } };
  expect(Object.keys(metadata)).toEqual(['uid', 'resourceVersion']);
  expect(status.conditions.map(condition => Object.keys(condition).sort())).toEqual([
    ['lastTransitionTime', 'lastUpdateTime', 'message', 'reason', 'status', 'type'],
  ]);
  const { metadata: after, spec } = (await request(people, { method: 'GET', path: pathOf('Deployment', 'shop') })) as unknown as {
    metadata: Metadata;
    spec: unknown;
  };
  expect([after.generation, after.labels]).toEqual([1, ON]);
  expect(spec).toBeDefined();
});

test('of several claims each is told, and a message that changes is followed', async () => {
  await make('Deployment', mounts('orders-queue', 'invoices-queue', 'fine-queue'));
  await claim('fine');
  await makeStuck('orders');
  await makeStuck('invoices', 'no such class');
  await until(async () => expect(await says()).toBe(`True Conflict: Queue invoices: no such class; Queue orders: ${MESSAGE}`));
  await report('orders', true, 'denied');
  await until(async () => expect(await says()).toBe('True Conflict: Queue invoices: no such class; Queue orders: denied'));
  await report('invoices', false);
  await until(async () => expect(await says()).toBe('True Conflict: Queue orders: denied'));
});

test.each<[string, object, Record<string, string>]>([
  ['without the label', mounts('orders-queue'), {}],
  ['whose label says no', mounts('orders-queue'), { 'plinth.dev/awaits-claims': 'false' }],
  ['that can do without', { volumes: [{ name: 'q', secret: { secretName: 'orders-queue', optional: true } }] }, ON],
  ['that needs another Secret', mounts('orders-topic'), ON],
])('a workload %s is never written', async (_, pod, labels) => {
  await make('Deployment', pod, labels);
  await makeStuck();
  await quiet();
  expect(await says()).toBeUndefined();
  expect(writes()).toEqual([]);
});

test('a claim that once worked keeps no pod from starting, nor does a Secret of somebody else', async () => {
  await request(people, { method: 'POST', path: `/api/v1/namespaces/${namespace}/secrets`, body: { metadata: { name: 'orders-queue' } } });
  await make();
  await makeStuck();
  await quiet();
  expect(writes()).toEqual([]);
});

// ── until when ──

const MENDS: readonly [string, () => Promise<unknown>][] = [
  ['the label is taken off', () => edit('Deployment', { metadata: { labels: { 'plinth.dev/awaits-claims': null } } })],
  [
    'the pods can do without',
    () => edit('Deployment', { spec: { template: { spec: { volumes: [{ name: 'orders-queue', secret: { secretName: 'orders-queue', optional: true } }] } } } }),
  ],
  ['the claim is edited', () => claim('orders', { delaySeconds: 1 })],
  ['the claim is deleted', () => admin.remove(key('orders'))],
  [
    'somebody makes the Secret, and pods come',
    async () => {
      await request(people, { method: 'POST', path: `/api/v1/namespaces/${namespace}/secrets`, body: { metadata: { name: 'orders-queue' } } });
      await edit('Deployment', { metadata: { annotations: { touched: 'yes' } } });
    },
  ],
];

test.each(MENDS)('it is taken back when %s', async (_, mend) => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  await mend();
  await until(async () => expect(await says()).toBeUndefined());
});

test.each(MENDS.filter(([what]) => !what.includes('label')))('it is taken back after a restart when meanwhile %s', async (_, mend) => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  await stop(engine);
  await mend();
  engine = await start([namespace]);
  await until(async () => expect(await says()).toBeUndefined());
});

test('a restart finds what is said, and writes nothing', async () => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  await quiet();
  await stop(engine);
  proxy.reset();
  engine = await start([namespace]);
  await quiet();
  expect(writes()).toEqual([]);
  expect(await says()).toBe(SAID);
});

test('what somebody else says by this condition is his', async () => {
  await make();
  const theirs = { type: 'Stalled', status: 'True', reason: 'Theirs', message: 'hands off' };
  await request(people, {
    method: 'PATCH',
    path: `${pathOf('Deployment', 'shop')}/status`,
    body: { status: { conditions: [theirs] } },
    contentType: STRATEGIC_PATCH,
  });
  await makeStuck();
  await quiet();
  await report('orders', false);
  await quiet();
  expect(await says()).toBe('True Theirs: hands off');
  expect(writes()).toEqual([]);
});

test('what is edited or taken away by hand is said again', async () => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  const patch = (condition: JsonObject) =>
    request(people, {
      method: 'PATCH',
      path: `${pathOf('Deployment', 'shop')}/status`,
      body: { status: { conditions: [condition] } },
      contentType: STRATEGIC_PATCH,
    });
  await patch({ type: 'Stalled', message: 'nothing' });
  await until(async () => expect(await says()).toBe(SAID));
  await patch({ type: 'Stalled', $patch: 'delete' });
  await until(async () => expect(await says()).toBe(SAID));
});

// ── by whom ──

test('only who works the namespace writes, and what he missed he says when he gets it', async () => {
  engine.held.clear();
  await make();
  await makeStuck();
  await quiet();
  expect(writes()).toEqual([]);
  engine.held.add(namespace);
  onShare(engine.workloads);
  await until(async () => expect(await says()).toBe(SAID));
  await looksEnded(engine.workloads, () => true);
});

test('who gives a namespace away first ends what he writes there', async () => {
  await make();
  await caughtUp();
  const held = proxy.addRule({ match: { verb: 'patch', resource: 'deployments' }, do: { kind: 'hold' } });
  await makeStuck();
  await until(() => expect(writes()).toHaveLength(1));
  let isOver = false;
  const ended = looksEnded(engine.workloads, name => name === namespace).then(() => {
    isOver = true;
  });
  await looksEnded(engine.workloads, name => name !== namespace);
  expect(isOver).toBe(false);
  held.remove();
  await ended;
  expect(await says()).toBe(SAID);
});

// ── in which order ──

const at = (resource: string, verb: string) => proxy.calls.find(call => call.resource === resource && call.verb === verb)?.startedAt ?? 0;

test.each([
  ['the report that a claim is no longer stuck', 'queues', 'patch', async () => await reportOf('orders', false)],
  [
    'the Secret of a claim that was stuck',
    'secrets',
    'create',
    async () =>
      ({ kind: 'secret', claim: (await reportOf('orders', false)).claim, name: 'orders-queue', type: 'a', data: { a: 'b' }, version: undefined }) as const,
  ],
] as const)('%s comes after everybody has heard that nothing waits', async (_, resource, verb, write) => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  await quiet();
  proxy.reset();
  // Neither cache is of any help.
  const rule = proxy.addRule({ match: { verb: 'watch' }, do: { kind: 'holdEvents' } });
  await clearedFirst(engine.workloads, engine.store).write(await write());
  expect(await says()).toBeUndefined();
  expect(at(resource, verb) - at('deployments', 'patch')).toBeGreaterThanOrEqual(QUIET_MS - 50);
  rule.remove();
  await quiet();
  expect(await says()).toBeUndefined();
});

test('a report that changes nothing of that waits for nothing', async () => {
  await make();
  // Else a write of the controller in between makes ours a conflict, and it is made once more.
  await caughtUp();
  await claim('orders');
  await claim('fine');
  proxy.reset();
  const before = realClock.ms();
  await report('fine', false);
  expect(realClock.ms() - before).toBeLessThan(QUIET_MS);
  await report('orders', true);
  await until(async () => expect(await says()).toBe(SAID));
  // No workload needs this one.
  await report('fine', true);
  await report('fine', false);
  expect(realClock.ms() - before).toBeLessThan(QUIET_MS * 4);
  expect(writes()).toHaveLength(1);
});

test('what is being said when the claim recovers is taken back too', async () => {
  await make();
  await caughtUp();
  const held = proxy.addRule({ match: { verb: 'patch', resource: 'deployments' }, times: 1, do: { kind: 'hold', when: 'after' } });
  const watches = proxy.addRule({ match: { verb: 'watch', resource: 'deployments' }, do: { kind: 'holdEvents' } });
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  const reported = report('orders', false);
  held.remove();
  await reported;
  expect(await says()).toBeUndefined();
  watches.remove();
  await quiet();
  expect(await says()).toBeUndefined();
});

test('a report that could not be written leaves all as it was', async () => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  const stale = await reportOf('orders', false);
  await request(people, {
    method: 'PATCH',
    path: `/apis/plinth.dev/v1alpha1/namespaces/${namespace}/queues/orders`,
    body: { metadata: { labels: { a: 'b' } } },
    contentType: MERGE_PATCH,
  });
  const error = await clearedFirst(engine.workloads, engine.store)
    .write(stale)
    .catch((thrown: unknown) => thrown);
  expect(isError(error, 'StoreConflict')).toBe(true);
  await until(async () => expect(await says()).toBe(SAID));
});

test('who writes the workload all the time does not keep us from it', async () => {
  await make();
  await caughtUp();
  let times = 0;
  // Three times somebody is faster.
  proxy.addRule({
    match: { verb: 'patch', resource: 'deployments' },
    times: 3,
    do: { kind: 'onCall', before: () => edit('Deployment', { metadata: { annotations: { times: String(++times) } } }) },
  });
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  const answers = writes().map(call => call.status);
  expect([answers.slice(0, 3), answers.at(-1)]).toEqual([[409, 409, 409], 200]);
});

test('while workloads cannot be written a report waits twice, and then the claim counts more', async () => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  proxy.addRule({ match: { verb: 'patch', resource: 'deployments' }, do: { kind: 'refuse', status: 500 } });
  for (let time = 1; time <= 2; time += 1) {
    const error = await report('orders', false).catch((thrown: unknown) => thrown);
    expect(isError(error, 'StoreUnavailable')).toBe(true);
    expect(String(error)).toContain(`what waits for Queue/${namespace}/orders still says that it cannot be served`);
  }
  await report('orders', false);
  expect(engine.log.at(-1)).toMatch(/^warn /);
  proxy.reset();
  await until(async () => expect(await says()).toBeUndefined());
});

test('where workloads may not be written, claims are reported as ever', async () => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  proxy.addRule({ match: { verb: 'patch', resource: 'deployments' }, do: { kind: 'refuse', status: 403 } });
  await report('orders', false);
  expect(engine.log.some(line => line.startsWith('warn'))).toBe(true);
});

test('a workload that goes meanwhile is let go', async () => {
  await make();
  await makeStuck();
  await until(async () => expect(await says()).toBe(SAID));
  const rule = proxy.addRule({ match: { verb: 'watch', resource: 'deployments' }, do: { kind: 'holdEvents' } });
  await request(people, { method: 'DELETE', path: pathOf('Deployment', 'shop') });
  await report('orders', false);
  rule.remove();
  await quiet();
  expect(engine.workloads.marked.size).toBe(0);
  expect(engine.log.filter(line => line.startsWith('warn'))).toEqual([]);
});
