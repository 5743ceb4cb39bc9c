/** The controller as a process on a real API server and a real emulator: it starts, dies, stands still, is replaced, and stops. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import { atDepth } from '../depth.ts';
import { part } from '../parts/emulators.ts';
import { type OwnControlPlane, startControlPlane } from '../parts/kube/control-plane.ts';
import { withKubernetes } from '../parts/with-kubernetes.ts';
import { editQueue, everything, queue } from './cloud.ts';
import {
  apply,
  type Controller,
  claim,
  ENGINE_NAMESPACE,
  isReady,
  linesOf,
  listClaims,
  metric,
  onCluster,
  PATIENCE_MS,
  startController,
  startTestClusterOn,
  stopControllers,
  stopTestCluster,
  type TestCluster,
  untilClaimReady,
  untilReady,
  untilTrue,
} from './cluster.ts';

let cluster: TestCluster<OwnControlPlane>;
let count = 0;

beforeAll(async () => {
  if (part('kubernetes').available) cluster = await startTestClusterOn(startControlPlane());
});
afterEach(async () => {
  if (cluster === undefined) return;
  cluster.proxy.reset();
  await stopControllers(cluster);
  // Killed, they did not give it back, and the next story would wait for its end.
  await deleteLeases();
});
afterAll(() => stopTestCluster(cluster));

async function deleteLeases(): Promise<void> {
  await onCluster(cluster, 'delete', 'lease', '--all', '-n', ENGINE_NAMESPACE);
}

async function newNamespace(): Promise<string> {
  const name = `team-${++count}`;
  await onCluster(cluster, 'create', 'namespace', name);
  await onCluster(cluster, 'label', 'namespace', name, 'plinth.dev/class=local');
  return name;
}

/** What metrics tell comes from caches, which may hear of a thing a moment later than we do. */
const until = async (check: () => unknown): Promise<void> => void (await vi.waitFor(check, { timeout: PATIENCE_MS, interval: 100 }));

/** Waits until queues, by `namespace/name`, are ready for their newest generation. */
async function untilQueuesReady(wanted: readonly string[]): Promise<void> {
  await until(async () => {
    const ready = (await listClaims(cluster, 'queue')).filter(isReady).map(({ metadata: { namespace, name } }) => `${namespace}/${name}`);
    const logs = cluster.controllers.map(({ log }) => log.slice(-2_000)).join('\n---\n');
    const missing = wanted.filter(name => !ready.includes(name));
    expect(missing, logs).toEqual([]);
  });
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
  await until(async () => expect(await metric(controller, 'plinth_claims{kind="Queue",ready="True",reason="Ready"}')).toBe(1));
  expect(await metric(controller, 'plinth_cloud_calls_total{config="local",service="sqs",operation="CreateQueue"}')).toBe(2);
  expect(await metric(controller, 'plinth_leader')).toBe(1);
  const lines = linesOf(controller);
  expect(lines.map(line => JSON.stringify(line['claim']))).toContain(JSON.stringify({ kind: 'Queue', namespace, name: 'orders' }));
  expect(lines.map(line => line['msg'])).toContain(`created: aws/sqs-queue ${namespace}_orders`);
  await onCluster(cluster, 'delete', 'queue', 'orders', '-n', namespace, '--timeout=120s');
  expect(await everything(cluster)).toEqual([]);
  controller.child.kill('SIGTERM');
  expect(await controller.ended).toBe(0);
  expect(await onCluster(cluster, 'get', 'lease', 'plinth-controller', '-n', ENGINE_NAMESPACE, '-o', 'jsonpath={.spec.holderIdentity}')).toBe('');
});

/** Calls that make or change things, since the record was reset: `operation queue`. */
const mutations = (): string[] => cluster.proxy.calls.filter(call => call.mutating).map(({ operation, target }) => `${operation} ${target}`);

/** A machine that stands still for some seconds is not an engine that is late: what took too long is done once more, and the second time counts. */
async function onceMoreIfLate(boundMs: number, takes: () => Promise<number>): Promise<void> {
  const first = await takes();
  expect(first < boundMs ? first : await takes(), `the first time it took ${first} ms`).toBeLessThan(boundMs);
}

withKubernetes(
  'an outside change is put back within the poll interval and 5 s, and counted',
  async () => {
    const namespace = await newNamespace();
    const controller = await startController(cluster, ['--poll-interval', '3s']);
    await untilReady(controller);
    await apply(cluster, claim('Queue', namespace, 'orders', { visibilityTimeoutSeconds: 60 }));
    await untilClaimReady(cluster, 'queue', namespace, 'orders');
    let edits = 0;
    await onceMoreIfLate(8_000, async () => {
      // Within the settle time of our own change nothing is drift.
      await sleep(3_000);
      cluster.proxy.reset();
      await editQueue(cluster, `${namespace}_orders`, { VisibilityTimeout: '45' });
      const began = Date.now();
      edits += 1;
      await until(async () => expect((await queue(cluster, `${namespace}_orders`))['VisibilityTimeout'], controller.log.slice(-3_000)).toBe('60'));
      return cluster.proxy.calls.find(call => call.mutating)!.startedAt - began;
    });
    await until(async () => expect(await metric(controller, 'plinth_drift_total{kind="Queue",provider="aws"}')).toBe(edits));
    await until(async () => {
      const events = await onCluster(cluster, 'get', 'events', '-n', namespace, '-o', 'jsonpath={.items[*].message}');
      expect(events).toContain('changed outside: queue.visibilityTimeoutSeconds');
    });
    await onCluster(cluster, 'delete', 'queue', 'orders', '-n', namespace, '--timeout=120s');
  },
  300_000,
);

/** Whether one that comes after a killed one waits for the end of its Lease each time; that it does, and how long, other stories tell. */
const WAITS_FOR_LEASE = atDepth({ gate: false, full: true });

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
        PATIENCE_MS,
        () => running.log.slice(-2_000),
      );
      running.child.kill('SIGKILL');
      await running.ended;
      if (!WAITS_FOR_LEASE) await deleteLeases();
      await startController(cluster);
    }
    await untilQueuesReady(names.map(name => `${namespace}/${name}`));
    expect((await everything(cluster)).filter(thing => thing.includes(namespace))).toHaveLength(24);
    await onCluster(cluster, 'delete', 'queues', '--all', '-n', namespace, '--timeout=120s');
    expect((await everything(cluster)).filter(thing => thing.includes(namespace))).toEqual([]);
  },
  900_000,
);

/** Starts two and returns the one that leads first. */
async function startPair(...args: string[]): Promise<[Controller, Controller]> {
  const pair = [await startController(cluster, args), await startController(cluster, args)];
  await Promise.all(pair.map(controller => untilReady(controller)));
  await untilTrue(
    async () => (await Promise.all(pair.map(isLeader))).includes(true),
    PATIENCE_MS,
    () => pair.map(({ log }) => log.slice(-1_000)).join('\n'),
  );
  return (await isLeader(pair[0]!)) ? [pair[0]!, pair[1]!] : [pair[1]!, pair[0]!];
}

withKubernetes(
  'of two replicas one works; killed, the other has taken over within 20 s; nothing is made twice',
  async () => {
    const namespace = await newNamespace();
    let [first, second] = await startPair();
    cluster.proxy.reset();
    await apply(cluster, claim('Queue', namespace, 'before'));
    await untilClaimReady(cluster, 'queue', namespace, 'before');
    expect(await isLeader(second)).toBe(false);
    const made = [`CreateQueue ${namespace}_before`];
    await onceMoreIfLate(20_000, async () => {
      if (made.length > 1) {
        first = second;
        second = await startController(cluster);
        await until(() => expect(second.log).toContain('holds the lease'));
      }
      first.child.kill('SIGKILL');
      const killed = Date.now();
      const name = `after-${made.length}`;
      await apply(cluster, claim('Queue', namespace, name));
      await untilClaimReady(cluster, 'queue', namespace, name);
      made.push(`CreateQueue ${namespace}_${name}`);
      return cluster.proxy.calls.find(call => call.operation === 'CreateQueue' && call.startedAt > killed)!.startedAt - killed;
    });
    expect(mutations().filter(call => call.startsWith('CreateQueue'))).toEqual(made);
  },
  600_000,
);

/** After another has the Lease, which is 15 s from the last renewal. */
const STANDS_MS = atDepth({ gate: 4_000, full: 40_000 });

/** How long the passes took that ended since a place in the log, ms. */
function passesSince({ log }: Controller, place: number): number[] {
  const looks = linesOf({ log: log.slice(place) }).filter(line => line['msg'] === 'looked');
  return looks.map(line => Number(line['ms']));
}

withKubernetes(
  'a leader that stands still until long after another has taken over and wakes up does nothing',
  async () => {
    const namespace = await newNamespace();
    const [first, second] = await startPair('--poll-interval', '2s');
    await apply(cluster, ...['a', 'b', 'c'].map(name => claim('Queue', namespace, name)));
    for (const name of ['a', 'b', 'c']) await untilClaimReady(cluster, 'queue', namespace, name);
    first.child.kill('SIGSTOP');
    await untilTrue(
      () => isLeader(second),
      PATIENCE_MS,
      () => second.log.slice(-2_000),
    );
    await apply(cluster, claim('Queue', namespace, 'a', { visibilityTimeoutSeconds: 77 }));
    await onCluster(cluster, 'delete', 'queue', 'b', '-n', namespace, '--timeout=120s');
    await sleep(STANDS_MS);
    await until(async () => expect((await queue(cluster, `${namespace}_a`))['VisibilityTimeout']).toBe('77'));
    cluster.proxy.reset();
    const said = first.log.length;
    first.child.kill('SIGCONT');
    await sleep(6_000);
    expect(await isLeader(first)).toBe(false);
    expect(await isLeader(second)).toBe(true);
    expect(mutations()).toEqual([]);
    // A look that it was in the middle of may end, doing nothing; none begins.
    expect(passesSince(first, said).filter(ms => ms < STANDS_MS)).toEqual([]);
    expect((await queue(cluster, `${namespace}_a`))['VisibilityTimeout']).toBe('77');
    expect((await everything(cluster)).filter(thing => thing.includes(namespace))).toEqual([`queue ${namespace}_a`, `queue ${namespace}_c`]);
  },
  600_000,
);

withKubernetes(
  'replicas that share work every namespace once, and take over from one that dies',
  async () => {
    const namespaces = await Promise.all(Array.from({ length: 6 }, newNamespace));
    const all = await Promise.all(['1', '2', '3'].map(() => startController(cluster, ['--sharding'])));
    await Promise.all(all.map(controller => untilReady(controller)));
    for (const controller of all) await until(() => expect(controller.log).toContain('shares the work with 2 others'));
    cluster.proxy.reset();
    await apply(cluster, ...namespaces.map(namespace => claim('Queue', namespace, 'orders')));
    await untilQueuesReady(namespaces.map(namespace => `${namespace}/orders`));
    await until(async () => {
      const shares = await Promise.all(all.map(controller => metric(controller, 'plinth_namespaces')));
      expect(shares.reduce((sum, share) => sum! + share!, 0)).toBeGreaterThanOrEqual(namespaces.length);
    });
    all[0]!.child.kill('SIGKILL');
    await apply(cluster, ...namespaces.map(namespace => claim('Queue', namespace, 'late')));
    await untilQueuesReady(namespaces.map(namespace => `${namespace}/late`));
    const created = mutations().filter(call => call.startsWith('CreateQueue'));
    expect(created).toHaveLength(2 * namespaces.length);
    expect(new Set(created).size).toBe(created.length);
  },
  600_000,
);

withKubernetes(
  'without election a second controller is refused, and says by whom',
  async () => {
    const first = await startController(cluster, ['--leader-elect=false']);
    await untilReady(first);
    await untilTrue(
      () => isLeader(first),
      PATIENCE_MS,
      () => first.log.slice(-2_000),
    );
    const second = await startController(cluster, ['--leader-elect=false']);
    expect(await second.ended).toBe(1);
    expect(second.log).toContain('LeaseHeld');
  },
  300_000,
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
      PATIENCE_MS,
      () => first.log.slice(-2_000),
    );
    cluster.proxy.reset();
    const slow = cluster.proxy.addRule({ match: { operation: 'CreateQueue' }, do: { kind: 'delay', ms: 500 } });
    await apply(cluster, ...names.map(name => claim('Queue', namespace, name)));
    await untilTrue(
      async () => mutations().length >= 4,
      PATIENCE_MS,
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
    await untilQueuesReady(names.map(name => `${namespace}/${name}`));
    expect(mutations().filter(call => call.startsWith('CreateQueue'))).toHaveLength(names.length);
  },
  600_000,
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
    await onCluster(cluster, 'delete', 'namespace', 'elsewhere', '--timeout=120s');
    await untilReady(await startController(cluster));
  },
  600_000,
);

withKubernetes('a second signal ends it at once', async () => {
  const hung = cluster.proxy.addRule({ match: { operation: 'CreateQueue' }, do: { kind: 'hold' } });
  const namespace = await newNamespace();
  const controller = await startController(cluster);
  await untilReady(controller);
  await apply(cluster, claim('Queue', namespace, 'orders'));
  await untilTrue(
    async () => hung.holding() > 0,
    PATIENCE_MS,
    () => controller.log.slice(-2_000),
  );
  controller.child.kill('SIGTERM');
  // Two signals of a kind that come before the first is heard are one.
  await until(() => expect(controller.log).toContain('"stopping"'));
  expect(controller.child.exitCode).toBeNull();
  controller.child.kill('SIGTERM');
  expect(await controller.ended).toBe(130);
  hung.remove();
});

const AFTER_LEASE_MS = atDepth({ gate: 5_000, full: 15_000 });

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
      // The Lease is held for 13.5 s from its last renewal, and after it a pass is due every 2 s.
      await until(async () => expect(await isLeader(controller)).toBe(false));
      await sleep(AFTER_LEASE_MS);
      expect(mutations()).toEqual([]);
      expect((await fetch(`${controller.url}/healthz`)).status).toBe(200);
      expect(await isLeader(controller)).toBe(false);
    } finally {
      cluster.plane.continueApiServer();
    }
    await untilTrue(
      async () => (await queue(cluster, `${namespace}_orders`))['VisibilityTimeout'] === '60',
      PATIENCE_MS,
      () => controller.log.slice(-4_000),
    );
    expect(await isLeader(controller)).toBe(true);
  },
  300_000,
);
