import { describe, expect, it } from 'vitest';
import type { JsonObject, Present } from '../../src/sdk.ts';
import { miniStack } from '../../test/parts/emulators.ts';
import { sqs } from './client.ts';
import { sqsQueue } from './sqs-queue.ts';
import { answer, failure, look, settle, trial } from './trial.ts';

const fresh = async () => trial((await miniStack()).endpoint);
const [plain, fifo] = sqsQueue.examples as [JsonObject, JsonObject];
const make = (t: ReturnType<typeof trial>, name: string, spec: JsonObject) => sqsQueue.create(t.context(), name, sqsQueue.normalise!(spec));
const seenOf = async (t: ReturnType<typeof trial>, name: string) => (await look(sqsQueue, t, name)) as Present;

describe('aws/sqs-queue', () => {
  it('is made and looked at in few calls', async () => {
    const t = await fresh();
    expect(await look(sqsQueue, t, 'orders')).toEqual({ kind: 'absent' });
    await make(t, 'orders', plain);
    await look(sqsQueue, t, 'orders');
    expect(t.counted()).toBe(4);
    await look(sqsQueue, t, 'orders', 'quick');
    expect(t.counted()).toBe(1);
    expect(await settle(sqsQueue, t, 'orders', plain)).toBe(0);
  });

  it('forgets the URL of a queue that is gone', async () => {
    const t = await fresh();
    await make(t, 'orders', plain);
    await sqs(t.context(), 'DeleteQueue', { QueueUrl: (await seenOf(t, 'orders')).state['url'] as string });
    expect(await look(sqsQueue, t, 'orders')).toEqual({ kind: 'absent' });
    expect(t.client.remembered.size).toBe(0);
  });

  it('names the dead letter queue that is missing, at creation and at update, and waits for it', async () => {
    const t = await fresh();
    const deadLetter = { arn: `arn:aws:sqs:us-east-1:${t.client.foreign!.accessKeyId}:orders_failed`, maxReceives: 3 };
    const missing = { code: 'DependencyMissing', message: 'the dead letter queue orders_failed does not exist' };
    await expect(make(t, 'orders', { ...plain, deadLetter })).rejects.toMatchObject(missing);
    await make(t, 'orders', plain);
    await expect(settle(sqsQueue, t, 'orders', { ...plain, deadLetter })).rejects.toMatchObject(missing);
    await make(t, 'orders_failed', plain);
    expect(await settle(sqsQueue, t, 'orders', { ...plain, deadLetter })).toBe(1);
    expect(await settle(sqsQueue, t, 'orders', plain)).toBe(1);
  });

  it('changes one half of deadLetter and keeps the other as it is there', async () => {
    const t = await fresh();
    await make(t, 'failed', plain);
    const arn = (await seenOf(t, 'failed')).state['arn'] as string;
    await make(t, 'orders', { ...plain, deadLetter: { arn, maxReceives: 3 } });
    const change = { path: 'deadLetter.maxReceives', desired: 5, observed: 3, cause: 'changed' } as const;
    await sqsQueue.update(t.context(), 'orders', { spec: { ...plain, deadLetter: { maxReceives: 5 } }, seen: await seenOf(t, 'orders'), changes: [change] });
    expect((await seenOf(t, 'orders')).spec['deadLetter']).toEqual({ arn, maxReceives: 5 });
  });

  it('lets topics send and keeps the rest of the policy', async () => {
    const t = await fresh();
    await make(t, 'orders', plain);
    const policy = { Version: '2012-10-17', Statement: [{ Sid: 'Own', Effect: 'Allow', Principal: '*', Action: 'sqs:SendMessage' }] };
    const allowSendFrom = ['arn:aws:sns:us-east-1:111122223333:b', 'arn:aws:sns:us-east-1:111122223333:a'];
    expect(await settle(sqsQueue, t, 'orders', { ...plain, policy, allowSendFrom })).toBe(1);
    const { allowSendFrom: _, ...without } = plain;
    expect(await settle(sqsQueue, t, 'orders', { ...without, policy })).toBe(1);
    expect((await seenOf(t, 'orders')).spec['policy']).toMatchObject({ Statement: [{ Sid: 'Own' }] });
    expect(await settle(sqsQueue, t, 'orders', without)).toBe(1);
    expect((await seenOf(t, 'orders')).spec['policy']).toBeUndefined();
  });

  it('goes from a KMS key back to the key of SQS', async () => {
    const t = await fresh();
    await make(t, 'orders', { ...plain, kmsKey: 'alias/mine', kmsDataKeyReuseSeconds: 600 });
    expect((await seenOf(t, 'orders')).spec).toMatchObject({ kmsKey: 'alias/mine', kmsDataKeyReuseSeconds: 600 });
    expect(await settle(sqsQueue, t, 'orders', { ...plain, kmsKey: 'alias/mine', kmsDataKeyReuseSeconds: 600 })).toBe(0);
    await settle(sqsQueue, t, 'orders', { ...plain, managedEncryption: true });
    expect((await seenOf(t, 'orders')).spec['kmsKey']).toBeUndefined();
  });

  it('leaves FIFO defaults out of a standard queue, and passes wishes on that it cannot have', () => {
    const defaults = { contentBasedDeduplication: false, deduplicationScope: 'queue', fifoThroughputLimit: 'perQueue' };
    expect(sqsQueue.normalise!({ fifo: false, ...defaults })).toEqual({ fifo: false });
    expect(sqsQueue.normalise!({ fifo: false, ...defaults, contentBasedDeduplication: true })).toEqual({ fifo: false, contentBasedDeduplication: true });
    expect(sqsQueue.normalise!({ fifo: true })).toMatchObject(defaults);
    expect(sqsQueue.naming).toMatchObject({ by: 'template' });
    expect(sqsQueue.naming.by === 'template' && sqsQueue.naming.suffix?.(fifo)).toBe('.fifo');
  });

  it('reads texts as others write them', async () => {
    const t = trial('http://127.0.0.1:1');
    await answer(t, 'sqs', command => {
      if (command === 'GetQueueUrl') return { QueueUrl: 'http://us-east-1.queue.localhost.localstack.cloud:4566/000000000000/orders' };
      return {
        Attributes: {
          QueueArn: 'arn:q',
          KmsMasterKeyId: '',
          RedrivePolicy: '{"deadLetterTargetArn":"arn:d","maxReceiveCount":"4"}',
          CreatedTimestamp: '1763700000.5',
          Policy: '',
        },
      };
    });
    expect(await look(sqsQueue, t, 'orders', 'quick')).toMatchObject({
      spec: { fifo: false, deadLetter: { arn: 'arn:d', maxReceives: 4 } },
      state: { url: 'http://127.0.0.1:1/000000000000/orders' },
      createdAt: '2025-11-21T04:40:00.500Z',
      unread: ['tags'],
    });
  });

  it('waits for a name that was deleted a moment ago', async () => {
    const t = trial('http://127.0.0.1:1');
    await answer(t, 'sts', () => ({ Account: '111122223333', Arn: 'arn:aws:iam::111122223333:root' }));
    await answer(t, 'sqs', () => {
      throw failure('QueueDeletedRecently');
    });
    await expect(make(t, 'orders', plain)).rejects.toMatchObject({ code: 'NameNotReleased', retry: 'waiting' });
  });
});
