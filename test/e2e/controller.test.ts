/** The controller as a process on a real API server and a real emulator: it starts, dies, stands still, is replaced, and stops. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { part } from '../parts/emulators.ts';
import { editQueue, everything, queue } from './cloud.ts';
import {
  apply,
  type Controller,
  claim,
  ENGINE_NAMESPACE,
  metric,
  onCluster,
  startController,
  startTestCluster,
  stopControllers,
  stopTestCluster,
  type TestCluster,
  untilClaimReady,
  untilReady,
  untilTrue,
} from './cluster.ts';

const withKubernetes = test.skipIf(!part('kubernetes').available);
let cluster: TestCluster;
let count = 0;

beforeAll(async () => {
  if (part('kubernetes').available) cluster = await startTestCluster();
});
afterEach(async () => {
  if (cluster === undefined) return;
  cluster.proxy.reset();
  await stopControllers(cluster);
  // Killed, they did not give it back, and the next story would wait for its end.
  await onCluster(cluster, 'delete', 'lease', '--all', '-n', ENGINE_NAMESPACE);
});
afterAll(() => stopTestCluster(cluster));

async function newNamespace(): Promise<string> {
  const name = `team-${++count}`;
  await onCluster(cluster, 'create', 'namespace', name);
  await onCluster(cluster, 'label', 'namespace', name, 'plinth.dev/class=local');
  return name;
}

const isLeader = async (controller: Controller): Promise<boolean> => (await metric(controller, 'plinth_leader').catch(() => undefined)) === 1;

withKubernetes('claims become ready; health, metrics and logs tell; SIGTERM ends it with 0 and gives the lease back', async () => {
  const namespace = await newNamespace();
  const controller = await startController(cluster);
  await untilReady(controller);
  await apply(cluster, claim('Queue', namespace, 'orders', { deadLetter: { maxReceives: 3 } }));
  await untilClaimReady(cluster, 'queue', namespace, 'orders');
  expect(await everything(cluster)).toEqual([`queue ${namespace}_orders`, `queue ${namespace}_orders_deadLetter`]);
  expect((await fetch(`${controller.url}/healthz`)).status).toBe(200);
  expect(await metric(controller, 'plinth_claims{kind="Queue",ready="True",reason="Ready"}')).toBe(1);
  expect(await metric(controller, 'plinth_cloud_calls_total{config="local",service="sqs",operation="CreateQueue"}')).toBe(2);
  expect(await metric(controller, 'plinth_leader')).toBe(1);
  const lines = controller.log
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { level: string; time: string; msg: string; claim?: object });
  expect(lines.some(line => line.claim !== undefined && JSON.stringify(line.claim) === JSON.stringify({ kind: 'Queue', namespace, name: 'orders' }))).toBe(
    true,
  );
  expect(lines.map(({ msg }) => msg)).toContain(`created: aws/sqs-queue ${namespace}_orders`);
  await onCluster(cluster, 'delete', 'queue', 'orders', '-n', namespace, '--timeout=30s');
  expect(await everything(cluster)).toEqual([]);
  controller.child.kill('SIGTERM');
  expect(await controller.ended).toBe(0);
  expect(await onCluster(cluster, 'get', 'lease', 'plinth-controller', '-n', ENGINE_NAMESPACE, '-o', 'jsonpath={.spec.holderIdentity}')).toBe('');
});

/** Calls that make or change things, since the record was reset: `operation queue`. */
const mutations = (): string[] => cluster.proxy.calls.filter(call => call.mutating).map(({ operation, target }) => `${operation} ${target}`);

withKubernetes('an outside change is put back within the poll interval and 5 s, and counted', async () => {
  const namespace = await newNamespace();
  const controller = await startController(cluster, ['--poll-interval', '3s']);
  await untilReady(controller);
  await apply(cluster, claim('Queue', namespace, 'orders', { visibilityTimeoutSeconds: 60 }));
  await untilClaimReady(cluster, 'queue', namespace, 'orders');
  // Within the settle time of our own change nothing is drift.
  await sleep(3_000);
  await editQueue(cluster, `${namespace}_orders`, { VisibilityTimeout: '45' });
  const began = Date.now();
  await untilTrue(
    async () => (await queue(cluster, `${namespace}_orders`))['VisibilityTimeout'] === '60',
    30_000,
    () => controller.log.slice(-3_000),
  );
  expect(Date.now() - began).toBeLessThan(8_000);
  await untilTrue(
    async () => (await metric(controller, 'plinth_drift_total{kind="Queue",provider="aws"}')) === 1,
    5_000,
    () => 'the drift was not counted',
  );
  const events = await onCluster(cluster, 'get', 'events', '-n', namespace, '-o', 'jsonpath={.items[*].message}');
  expect(events).toContain('changed outside: queue.visibilityTimeoutSeconds');
  await onCluster(cluster, 'delete', 'queue', 'orders', '-n', namespace, '--timeout=30s');
});

withKubernetes(
  'killed at any time and started again: everything is there once',
  async () => {
    const namespace = await newNamespace();
    const names = Array.from({ length: 12 }, (_, n) => `work-${n}`);
    const first = await startController(cluster);
    await untilReady(first);
    cluster.proxy.reset();
    await apply(cluster, ...names.map(name => claim('Queue', namespace, name, { deadLetter: { maxReceives: 3 } })));
    for (const calls of [3, 9, 20]) {
      const running = cluster.controllers.at(-1)!;
      await untilTrue(
        async () => mutations().length >= calls,
        60_000,
        () => running.log.slice(-2_000),
      );
      running.child.kill('SIGKILL');
      await running.ended;
      await startController(cluster);
    }
    for (const name of names) await untilClaimReady(cluster, 'queue', namespace, name, 60_000);
    expect((await everything(cluster)).filter(thing => thing.includes(namespace))).toHaveLength(24);
    await onCluster(cluster, 'delete', 'queues', '--all', '-n', namespace, '--timeout=60s');
    expect((await everything(cluster)).filter(thing => thing.includes(namespace))).toEqual([]);
  },
  240_000,
);

/** Starts two and returns the one that leads first. */
async function startPair(...args: string[]): Promise<[Controller, Controller]> {
  const pair = [await startController(cluster, args), await startController(cluster, args)];
  await Promise.all(pair.map(controller => untilReady(controller)));
  await untilTrue(
    async () => (await Promise.all(pair.map(isLeader))).includes(true),
    30_000,
    () => pair.map(({ log }) => log.slice(-1_000)).join('\n'),
  );
  return (await isLeader(pair[0]!)) ? [pair[0]!, pair[1]!] : [pair[1]!, pair[0]!];
}

withKubernetes(
  'of two replicas one works; killed, the other has taken over within 20 s; nothing is made twice',
  async () => {
    const namespace = await newNamespace();
    const [first, second] = await startPair();
    cluster.proxy.reset();
    await apply(cluster, claim('Queue', namespace, 'before'));
    await untilClaimReady(cluster, 'queue', namespace, 'before');
    expect(await isLeader(second)).toBe(false);
    first.child.kill('SIGKILL');
    const killed = Date.now();
    await apply(cluster, claim('Queue', namespace, 'after'));
    await untilClaimReady(cluster, 'queue', namespace, 'after', 40_000);
    const takenOver = cluster.proxy.calls.find(call => call.operation === 'CreateQueue' && call.startedAt > killed)!;
    expect(takenOver.startedAt - killed).toBeLessThan(20_000);
    expect(
      mutations()
        .filter(call => call.startsWith('CreateQueue'))
        .sort(),
    ).toEqual([`CreateQueue ${namespace}_after`, `CreateQueue ${namespace}_before`]);
  },
  120_000,
);

withKubernetes(
  'a leader that stands still for a minute and wakes up does nothing',
  async () => {
    const namespace = await newNamespace();
    const [first, second] = await startPair('--poll-interval', '2s');
    await apply(cluster, ...['a', 'b', 'c'].map(name => claim('Queue', namespace, name)));
    for (const name of ['a', 'b', 'c']) await untilClaimReady(cluster, 'queue', namespace, name);
    first.child.kill('SIGSTOP');
    await untilTrue(
      () => isLeader(second),
      20_000,
      () => second.log.slice(-2_000),
    );
    await apply(cluster, claim('Queue', namespace, 'a', { visibilityTimeoutSeconds: 77 }));
    await onCluster(cluster, 'delete', 'queue', 'b', '-n', namespace, '--timeout=30s');
    await sleep(40_000);
    cluster.proxy.reset();
    const said = first.log.length;
    first.child.kill('SIGCONT');
    await sleep(6_000);
    expect(await isLeader(first)).toBe(false);
    expect(await isLeader(second)).toBe(true);
    expect(mutations()).toEqual([]);
    expect(first.log.slice(said)).not.toContain('"looked"');
    expect((await queue(cluster, `${namespace}_a`))['VisibilityTimeout']).toBe('77');
    expect((await everything(cluster)).filter(thing => thing.includes(namespace))).toEqual([`queue ${namespace}_a`, `queue ${namespace}_c`]);
  },
  180_000,
);

withKubernetes(
  'replicas that share work every namespace once, and take over from one that dies',
  async () => {
    const namespaces = await Promise.all(Array.from({ length: 6 }, newNamespace));
    const all = await Promise.all(['1', '2', '3'].map(() => startController(cluster, ['--sharding'])));
    await Promise.all(all.map(controller => untilReady(controller)));
    await sleep(6_000);
    cluster.proxy.reset();
    await apply(cluster, ...namespaces.map(namespace => claim('Queue', namespace, 'orders')));
    for (const namespace of namespaces) await untilClaimReady(cluster, 'queue', namespace, 'orders');
    const shares = await Promise.all(all.map(controller => metric(controller, 'plinth_namespaces')));
    expect(shares.reduce((sum, share) => sum! + share!, 0)).toBeGreaterThanOrEqual(namespaces.length);
    all[0]!.child.kill('SIGKILL');
    await apply(cluster, ...namespaces.map(namespace => claim('Queue', namespace, 'late')));
    for (const namespace of namespaces) await untilClaimReady(cluster, 'queue', namespace, 'late', 40_000);
    const created = mutations().filter(call => call.startsWith('CreateQueue'));
    expect(created).toHaveLength(2 * namespaces.length);
    expect(new Set(created).size).toBe(created.length);
  },
  180_000,
);

withKubernetes(
  'without election a second controller is refused, and says by whom',
  async () => {
    const first = await startController(cluster, ['--leader-elect=false']);
    await untilReady(first);
    await untilTrue(
      () => isLeader(first),
      30_000,
      () => first.log.slice(-2_000),
    );
    const second = await startController(cluster, ['--leader-elect=false']);
    expect(await second.ended).toBe(1);
    expect(second.log).toContain('LeaseHeld');
  },
  90_000,
);

withKubernetes('a cluster without Plinth, or without its namespace, is named with what to do', async () => {
  const elsewhere = await startController(cluster, ['-n', 'nowhere']);
  expect(await elsewhere.ended).toBe(1);
  expect(elsewhere.log).toContain('has no namespace nowhere (NotInstalled)');
  expect(elsewhere.log).toContain('plinth install');
});

withKubernetes(
  'SIGTERM in the middle of work: what runs ends, nothing new begins, 0 within the grace of a pod; the next one goes on',
  async () => {
    const namespace = await newNamespace();
    const names = Array.from({ length: 30 }, (_, n) => `work-${n}`);
    const first = await startController(cluster, ['--workers', '2']);
    await untilTrue(
      () => isLeader(first),
      30_000,
      () => first.log.slice(-2_000),
    );
    cluster.proxy.reset();
    const slow = cluster.proxy.addRule({ match: { operation: 'CreateQueue' }, do: { kind: 'delay', ms: 500 } });
    await apply(cluster, ...names.map(name => claim('Queue', namespace, name)));
    await untilTrue(
      async () => mutations().length >= 4,
      30_000,
      () => first.log.slice(-2_000),
    );
    const began = Date.now();
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(Date.now() - began).toBeLessThan(30_000);
    const made = mutations().length;
    expect(made).toBeLessThan(names.length);
    await sleep(1_000);
    expect(mutations()).toHaveLength(made);
    slow.remove();
    await startController(cluster);
    for (const name of names) await untilClaimReady(cluster, 'queue', namespace, name, 60_000);
    expect(mutations().filter(call => call.startsWith('CreateQueue'))).toHaveLength(names.length);
  },
  180_000,
);

withKubernetes(
  'an engine in another namespace is refused: the two would not know of each other',
  async () => {
    const first = await startController(cluster);
    await untilReady(first);
    await onCluster(cluster, 'create', 'namespace', 'elsewhere');
    const second = await startController(cluster, ['-n', 'elsewhere']);
    expect(await second.ended).toBe(1);
    expect(second.log).toContain('the Plinth of this cluster lives in namespace plinth-system, not in elsewhere (TwoInstallations)');
    await onCluster(cluster, 'annotate', 'crd', 'claimdefinitions.plinth.dev', 'plinth.dev/engine-namespace-');
    await stopControllers(cluster);
    await untilReady(await startController(cluster, ['-n', 'elsewhere']));
    await stopControllers(cluster);
    await onCluster(cluster, 'delete', 'namespace', 'elsewhere', '--timeout=60s');
    await untilReady(await startController(cluster));
  },
  120_000,
);

withKubernetes('a second signal ends it at once', async () => {
  const hung = cluster.proxy.addRule({ match: { operation: 'CreateQueue' }, do: { kind: 'hold' } });
  const namespace = await newNamespace();
  const controller = await startController(cluster);
  await untilReady(controller);
  await apply(cluster, claim('Queue', namespace, 'orders'));
  await untilTrue(
    async () => hung.holding() > 0,
    30_000,
    () => controller.log.slice(-2_000),
  );
  controller.child.kill('SIGTERM');
  await sleep(500);
  expect(controller.child.exitCode).toBeNull();
  controller.child.kill('SIGTERM');
  expect(await controller.ended).toBe(130);
  hung.remove();
});

withKubernetes(
  'while the API server stands still nothing is changed outside; afterwards everything is put right',
  async () => {
    const namespace = await newNamespace();
    const controller = await startController(cluster, ['--poll-interval', '2s']);
    await untilReady(controller);
    await apply(cluster, claim('Queue', namespace, 'orders', { visibilityTimeoutSeconds: 60 }));
    await untilClaimReady(cluster, 'queue', namespace, 'orders');
    await sleep(3_000);
    cluster.plane.pauseApiServer();
    try {
      cluster.proxy.reset();
      await editQueue(cluster, `${namespace}_orders`, { VisibilityTimeout: '45' });
      await sleep(25_000);
      expect(mutations()).toEqual([]);
      expect((await fetch(`${controller.url}/healthz`)).status).toBe(200);
      expect(await isLeader(controller)).toBe(false);
    } finally {
      cluster.plane.continueApiServer();
    }
    await untilTrue(
      async () => (await queue(cluster, `${namespace}_orders`))['VisibilityTimeout'] === '60',
      60_000,
      () => controller.log.slice(-4_000),
    );
    expect(await isLeader(controller)).toBe(true);
  },
  180_000,
);
