/** The node story: Plinth runs as pods on a real node, beside the shop of the examples, which mounts its Secrets; everything of it is restarted once. */
import { join } from 'node:path';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { part } from '../parts/emulators.ts';
import { helm, runTool } from '../parts/kube/tools.ts';
import { editQueue, everything, queue, WHOLE_SHOP } from './cloud.ts';
import { APP_IMAGE, ENGINE_NAMESPACE, type NodeCluster, onNode, startNodeCluster, stopNodeCluster } from './node/cluster.ts';

const NAMESPACE = 'shop';
const START_MS = 900_000;
/** No requirement: as long as anybody would wait. */
const CONVERGE_MS = 240_000;
const WAIT_S = 240;
const CHART = join(import.meta.dirname, '..', '..', 'examples', 'shop', 'chart');
const IMAGE = ['--set-string', `image.repository=${APP_IMAGE.split(':')[0]},image.tag=${APP_IMAGE.split(':')[1]},image.pullPolicy=Never`];

describe.skipIf(!part('node').available || !part('helm4').available || !part('ministack').available)('Plinth on a real node', () => {
  let cluster: NodeCluster;

  beforeAll(async () => {
    cluster = await startNodeCluster();
  }, START_MS);
  afterAll(() => stopNodeCluster(cluster), START_MS);

  test('a service reads its binding and sends through the real queue', { timeout: START_MS }, async () => {
    await onNode(cluster, 'create', 'namespace', NAMESPACE);
    await onNode(cluster, 'label', 'namespace', NAMESPACE, 'plinth.dev/class=cluster');
    await helm(4, cluster.options, 'install', 'shop', CHART, '-n', NAMESPACE, ...IMAGE, '--wait', '--timeout', `${WAIT_S}s`);
    expect(await everything(cluster)).toEqual(WHOLE_SHOP);
    await expectOrders(cluster);
  });

  for (const component of ['apiServer', 'kubelet'] as const) {
    test(`the ${component} is restarted: nothing is lost, and what changed outside is put back`, { timeout: START_MS }, async () => {
      const before = await onNode(cluster, 'get', 'queue', 'orders', '-n', NAMESPACE, '-o', 'jsonpath={.status.resources[*].name}');
      await cluster.node.restart(component);
      await expectServed(cluster, 50);
      expect(await onNode(cluster, 'get', 'queue', 'orders', '-n', NAMESPACE, '-o', 'jsonpath={.status.resources[*].name}')).toBe(before);
    });
  }

  test('the controller is restarted: another pod goes on', { timeout: START_MS }, async () => {
    await onNode(cluster, 'delete', 'pods', '-n', ENGINE_NAMESPACE, '--all', '--grace-period=0', '--force');
    await expectServed(cluster, 70);
    await onNode(cluster, 'rollout', 'status', 'deployment/plinth', '-n', ENGINE_NAMESPACE, `--timeout=${WAIT_S}s`);
  });

  test('the controller may do only what its role says, and the service nothing', { timeout: START_MS }, async () => {
    const may = async (account: string, ...what: string[]): Promise<string> => {
      const asked = ['auth', 'can-i', ...what, `--as=system:serviceaccount:${account}`];
      return (await runTool('kubectl', cluster.options, asked)).stdout.trim();
    };
    const engine = `${ENGINE_NAMESPACE}:plinth`;
    for (const what of [
      ['create', 'clusterrolebindings'],
      ['delete', 'namespaces'],
      ['create', 'pods', '-n', NAMESPACE],
      ['delete', 'queues.plinth.dev', '-n', NAMESPACE],
      ['delete', 'customresourcedefinitions'],
    ]) {
      expect([what.join(' '), await may(engine, ...what)]).toEqual([what.join(' '), 'no']);
    }
    expect(await may(engine, 'patch', 'queues.plinth.dev/status', '-n', NAMESPACE)).toBe('yes');
    expect(await may(`${NAMESPACE}:default`, 'get', 'queues.plinth.dev', '-n', NAMESPACE)).toBe('no');
    expect(await may(`${NAMESPACE}:default`, 'get', 'secrets', '-n', NAMESPACE)).toBe('no');
  });

  test('the release is upgraded: the queue changes in place', { timeout: START_MS }, async () => {
    await helm(4, cluster.options, 'upgrade', 'shop', CHART, '-n', NAMESPACE, ...IMAGE, '--set', 'size=large', '--wait', '--timeout', `${WAIT_S}s`);
    expect((await queue(cluster, 'shop_orders'))['VisibilityTimeout']).toBe('300');
    expect(await everything(cluster)).toEqual(WHOLE_SHOP);
  });

  test('the namespace goes, and with it what the cloud had', { timeout: START_MS }, async () => {
    await onNode(cluster, 'delete', 'namespace', NAMESPACE, `--timeout=${WAIT_S}s`);
    expect(await everything(cluster)).toEqual([]);
  });
});

/** Somebody changes the queue to another timeout than its own; it is put back, and the service goes on sending. */
async function expectServed(cluster: NodeCluster, seconds: number): Promise<void> {
  await editQueue(cluster, 'shop_orders', { VisibilityTimeout: String(seconds) });
  const timeout = async (): Promise<unknown> => (await queue(cluster, 'shop_orders'))['VisibilityTimeout'];
  expect(String(seconds), 'else there is nothing to put back').not.toBe('60');
  await expect.poll(timeout, { timeout: CONVERGE_MS }).toBe('60');
  await expectOrders(cluster);
}

/** Drains the queue, then waits for an order that is new. */
async function expectOrders({ endpoint, account }: NodeCluster): Promise<void> {
  const sqs = new SQSClient({ endpoint, region: 'us-east-1', credentials: { accessKeyId: account, secretAccessKey: 'test' } });
  const QueueUrl = `${endpoint}/${account}/shop_orders`;
  const receive = async (): Promise<string[]> => {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }));
    for (const { ReceiptHandle } of Messages) await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    return Messages.map(({ Body }) => Body ?? '');
  };
  while ((await receive()).length === 10);
  await expect.poll(receive, { timeout: CONVERGE_MS }).toContainEqual(expect.stringMatching(/^order \d+$/));
}
