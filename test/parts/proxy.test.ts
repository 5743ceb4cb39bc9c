import { CreateTableCommand, DeleteTableCommand, DescribeTableCommand, type DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { CreateTopicCommand, ListTopicsCommand, type SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, DeleteQueueCommand, GetQueueUrlCommand, ListQueuesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { account, miniStack } from './emulators.ts';
import { clients, nameOf, TABLE } from './proxy/test-clients.ts';
import { type AwsProxy, startProxy } from './proxy.ts';

let proxy: AwsProxy;
let mine: string;
let aws: { sqs: SQSClient; sns: SNSClient; s3: S3Client; dynamodb: DynamoDBClient; sts: STSClient };

beforeEach(async () => {
  proxy = await startProxy((await miniStack()).endpoint);
  mine = account();
  aws = clients(proxy.endpoint, mine);
}, 60_000);

afterEach(() => proxy.close());

function seen(): unknown[] {
  return proxy.calls.map(({ service, operation, target, mutating, status }) => [service, operation, target, mutating, status]);
}

test('each call is named by service, operation and thing, with account, region and times', async () => {
  await aws.sqs.send(new CreateQueueCommand({ QueueName: 'orders' }));
  const topic = await aws.sns.send(new CreateTopicCommand({ Name: 'events' }));
  await aws.sns.send(new SubscribeCommand({ TopicArn: topic.TopicArn, Protocol: 'sqs', Endpoint: `arn:aws:sqs:us-east-1:${mine}:orders` }));
  await aws.dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'items' }));
  await aws.dynamodb.send(new DescribeTableCommand({ TableName: 'items' }));
  await aws.sts.send(new GetCallerIdentityCommand({}));
  expect(seen()).toEqual([
    ['sqs', 'CreateQueue', 'orders', true, 200],
    ['sns', 'CreateTopic', 'events', true, 200],
    ['sns', 'Subscribe', 'events', true, 200],
    ['dynamodb', 'CreateTable', 'items', true, 200],
    ['dynamodb', 'DescribeTable', 'items', false, 200],
    ['sts', 'GetCallerIdentity', undefined, false, 200],
  ]);
  expect(proxy.calls[0]).toMatchObject({ index: 0, account: mine, region: 'us-east-1', method: 'POST', path: '/', upstreamStatus: 200 });
  expect(proxy.calls.every(call => (call.endedAt ?? 0) >= call.startedAt)).toBe(true);
  expect([proxy.count(), proxy.count({ mutating: true }), proxy.count({ service: 'sns', operation: ['Subscribe', 'Unsubscribe'] })]).toEqual([6, 4, 1]);
  proxy.reset();
  expect(proxy.count()).toBe(0);
});

test('S3 calls are named from method, path and query, and bodies arrive whole', async () => {
  const Bucket = `b-${mine}`;
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: `arn:aws:s3:::${Bucket}/x` }] };
  await aws.s3.send(new CreateBucketCommand({ Bucket }));
  await aws.s3.send(new HeadBucketCommand({ Bucket }));
  await aws.s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policy) }));
  const rule = { ID: 'a', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } } as const;
  await aws.s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [rule] } }));
  await aws.s3.send(new PutObjectCommand({ Bucket, Key: 'a/b', Body: Buffer.alloc(3_000_000, 'x') }));
  const object = await aws.s3.send(new GetObjectCommand({ Bucket, Key: 'a/b' }));
  expect((await object.Body?.transformToByteArray())?.length).toBe(3_000_000);
  await aws.s3.send(new ListObjectVersionsCommand({ Bucket }));
  await aws.s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'a/b' }] } }));
  await aws.s3.send(new DeleteBucketCommand({ Bucket }));
  await aws.s3.send(new ListBucketsCommand({}));
  expect(await nameOf(aws.s3.send(new HeadBucketCommand({ Bucket })))).toBe('NotFound');
  const operations =
    'CreateBucket HeadBucket PutBucketPolicy PutBucketLifecycleConfiguration PutObject GetObject ListObjectVersions DeleteObjects DeleteBucket';
  expect(proxy.calls.map(call => call.operation)).toEqual([...operations.split(' '), 'ListBuckets', 'HeadBucket']);
  expect(proxy.calls.filter(call => call.target !== Bucket).map(call => call.operation)).toEqual(['ListBuckets']);
});

test('a throttle has the code of its service, before the emulator sees the call', async () => {
  proxy.addRule({ match: {}, do: { kind: 'throttle' } });
  expect(await nameOf(aws.sqs.send(new ListQueuesCommand({})))).toBe('RequestThrottled');
  expect(await nameOf(aws.sns.send(new ListTopicsCommand({})))).toBe('Throttling');
  expect(await nameOf(aws.s3.send(new ListBucketsCommand({})))).toBe('SlowDown');
  expect(await nameOf(aws.dynamodb.send(new ListTablesCommand({})))).toBe('ThrottlingException');
  expect(await nameOf(aws.sts.send(new GetCallerIdentityCommand({})))).toBe('Throttling');
  expect(proxy.calls.map(call => [call.status, call.upstreamStatus])).toEqual([400, 400, 503, 400, 400].map(status => [status, undefined]));
});

test('a rule takes only the calls it matches, as often as it says, and can be removed', async () => {
  const create = (QueueName: string) => nameOf(aws.sqs.send(new CreateQueueCommand({ QueueName })));
  const twice = proxy.addRule({ match: { operation: 'CreateQueue', target: 'a' }, times: 2, do: { kind: 'serverError', status: 503 } });
  expect([await create('b'), await create('a'), await create('a'), await create('a')]).toEqual(['ok', 'ServiceUnavailable', 'ServiceUnavailable', 'ok']);
  expect(twice.hits()).toBe(2);
  const refused = proxy.addRule({ match: { mutating: true }, do: { kind: 'respond', status: 403, code: 'AccessDenied', message: 'no <way>' } });
  expect(await create('c')).toBe('AccessDenied');
  expect(await nameOf(aws.sns.send(new CreateTopicCommand({ Name: 'c' })))).toBe('AccessDenied');
  expect(await nameOf(aws.s3.send(new CreateBucketCommand({ Bucket: `c-${mine}` })))).toBe('AccessDenied');
  refused.remove();
  expect(await create('c')).toBe('ok');
});

test('work is done although the client sees a 5xx or a broken connection; before the work it is not', async () => {
  const exists = (QueueName: string) => nameOf(aws.sqs.send(new GetQueueUrlCommand({ QueueName })));
  const acts = { a: 'failAfterWork', b: 'dropAfterWork', c: 'serverError', d: 'drop', e: 'reset' } as const;
  for (const [QueueName, kind] of Object.entries(acts)) {
    const rule = proxy.addRule({ match: { operation: 'CreateQueue' }, do: { kind } });
    expect(await nameOf(aws.sqs.send(new CreateQueueCommand({ QueueName }))), kind).not.toBe('ok');
    rule.remove();
  }
  expect(await Promise.all(Object.keys(acts).map(exists))).toEqual(['ok', 'ok', 'QueueDoesNotExist', 'QueueDoesNotExist', 'QueueDoesNotExist']);
  const creates = proxy.calls.filter(call => call.operation === 'CreateQueue');
  expect(creates.map(call => [call.status, call.upstreamStatus])).toEqual([
    [500, 200],
    [undefined, 200],
    [500, undefined],
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

test('a retrying client gets over faults, and every try is counted', async () => {
  const patient = clients(proxy.endpoint, mine, 4).sqs;
  proxy.addRule({ match: {}, times: 1, do: { kind: 'throttle' } });
  proxy.addRule({ match: {}, times: 1, do: { kind: 'reset' } });
  proxy.addRule({ match: {}, times: 1, do: { kind: 'dropAfterWork' } });
  await patient.send(new CreateQueueCommand({ QueueName: 'q' }));
  expect(proxy.count({ operation: 'CreateQueue' })).toBe(4);
});

test('calls are delayed, and held before or after the work until released', async () => {
  proxy.addRule({ match: { operation: 'ListQueues' }, times: 1, do: { kind: 'delay', ms: 120 } });
  const started = Date.now();
  await aws.sqs.send(new ListQueuesCommand({}));
  expect(Date.now() - started).toBeGreaterThanOrEqual(115);
  for (const [when, upstreamStatus] of [
    ['before', undefined],
    ['after', 200],
  ] as const) {
    const rule = proxy.addRule({ match: { operation: 'CreateQueue' }, do: { kind: 'hold', when } });
    const created = aws.sqs.send(new CreateQueueCommand({ QueueName: when }));
    await expect.poll(() => rule.holding()).toBe(1);
    expect(proxy.calls.at(-1)).toMatchObject({ status: undefined, upstreamStatus });
    rule.release();
    await created;
    rule.remove();
  }
});

test('hooks run before a call is forwarded and before its answer is returned, and are awaited', async () => {
  const log: string[] = [];
  const note = (text: string) => async () => {
    await new Promise(resolve => setTimeout(resolve, 20));
    log.push(text);
  };
  const off = proxy.onBefore(call => log.push(`before ${call.operation} ${call.upstreamStatus}`));
  proxy.onAfter(call => log.push(`after ${call.operation} ${call.upstreamStatus}`));
  proxy.addRule({ match: { mutating: true }, do: { kind: 'onCall', before: note('rule before'), after: note('rule after') } });
  await aws.sqs.send(new CreateQueueCommand({ QueueName: 'q' }));
  log.push('returned');
  expect(log).toEqual(['before CreateQueue undefined', 'rule before', 'rule after', 'after CreateQueue 200', 'returned']);
  off();
  await aws.sqs.send(new ListQueuesCommand({}));
  expect(log.at(-1)).toBe('after ListQueues 200');
  expect(log).toHaveLength(6);
});

test('closing breaks what is held and ends at once', async () => {
  const rule = proxy.addRule({ match: {}, do: { kind: 'hold' } });
  const held = nameOf(aws.sqs.send(new CreateQueueCommand({ QueueName: 'held' })));
  await expect.poll(() => rule.holding()).toBe(1);
  await proxy.close();
  expect(await held).not.toBe('ok');
  const direct = clients((await miniStack()).endpoint, mine).sqs;
  expect(await nameOf(direct.send(new GetQueueUrlCommand({ QueueName: 'held' })))).toBe('QueueDoesNotExist');
});

test('many calls at once pass unchanged', async () => {
  const names = Array.from({ length: 200 }, (_, index) => `q${index}`);
  await Promise.all(names.map(QueueName => aws.sqs.send(new CreateQueueCommand({ QueueName }))));
  expect((await aws.sqs.send(new ListQueuesCommand({ MaxResults: 1000 }))).QueueUrls).toHaveLength(200);
  expect(new Set(proxy.calls.map(call => call.index)).size).toBe(201);
  const url = (await aws.sqs.send(new GetQueueUrlCommand({ QueueName: 'q7' }))).QueueUrl;
  await aws.sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
  expect(proxy.calls.at(-1)?.target).toBe('q7');
  expect(await nameOf(aws.dynamodb.send(new DeleteTableCommand({ TableName: 'none' })))).toBe('ResourceNotFoundException');
});
