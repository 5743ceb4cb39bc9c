/** What AWS shows late, as the proxy imitates it: neither drift nor sent again until the field's own time is over. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aws } from '../../providers/aws/index.ts';
import { s3Bucket } from '../../providers/aws/s3-bucket.ts';
import { sqsQueue } from '../../providers/aws/sqs-queue.ts';
import type { JsonObject, ResourceType } from '../../src/core/types.ts';
import { around, TRIAL, trial } from '../around.ts';
import { account, miniStack, part } from '../parts/emulators.ts';
import type { BehaviourId } from '../parts/proxy/behaviours.ts';
import { type AwsProxy, startProxy } from '../parts/proxy.ts';
import { condition, pass, putAll, settle, skippingClock, statusOf, testEngine } from '../support.ts';

let proxy: AwsProxy;

describe.skipIf(!part('ministack').available)('sent and not seen for minutes', () => {
  beforeAll(async () => {
    proxy = await startProxy((await miniStack()).endpoint);
  });
  afterAll(() => proxy.close());

  test.each<[ResourceType, JsonObject, JsonObject, string, BehaviourId]>([
    [sqsQueue, { retentionSeconds: 60 }, { retentionSeconds: 90 }, 'SetQueueAttributes', 'sqs-retention-propagation'],
    [s3Bucket, { versioning: false }, { versioning: true }, 'PutBucketVersioning', 's3-versioning-propagation'],
  ])('$type: sent once, waited for, and no complaint', async (type, before, after, operation, behaviour) => {
    const clock = skippingClock();
    const engine = testEngine({ providers: [aws], clock, options: { fullEvery: 1 } });
    const settings = { region: 'us-east-1', endpoint: proxy.endpoint, credentials: { from: 'Static', accessKeyId: account(), secretAccessKey: 'test' } };
    await putAll(engine, around({ type, provider: 'aws', settings, policies: {} }));
    await engine.store.put(trial(before));
    await settle(engine, TRIAL);
    const sent = () => proxy.count({ operation });
    const sentBefore = sent();
    const stop = proxy.imitate(behaviour);
    await engine.store.put(trial(after));
    for (let minute = 0; minute < 14; minute += 1) {
      await pass(engine, TRIAL);
      clock.skip(60_000);
    }
    const waiting = (await statusOf(engine, TRIAL))!;
    expect(sent() - sentBefore).toBe(1);
    expect(condition(waiting, 'Synced')?.reason).not.toBe('NotConverging');
    stop();
    const { status } = await settle(engine, TRIAL);
    expect(condition(status!, 'Synced')).toMatchObject({ status: 'True' });
    expect(sent() - sentBefore).toBe(1);
    await engine.stop();
  });
});
