/** Drift on real things: edited with the SDK behind our back, named with both values, and put back; read again with the SDK. */

import { DescribeTableCommand, UpdateTableCommand } from '@aws-sdk/client-dynamodb';
import { GetPublicAccessBlockCommand, PutBucketVersioningCommand, PutPublicAccessBlockCommand } from '@aws-sdk/client-s3';
import { GetTopicAttributesCommand, SetTopicAttributesCommand } from '@aws-sdk/client-sns';
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueueTagsCommand,
  SetQueueAttributesCommand,
  TagQueueCommand,
  UntagQueueCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localstack } from '../../providers/localstack/index.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import embedded from '../../src/generated/embedded.json' with { type: 'json' };
import { TRIES } from '../kill/cloud.ts';
import { account, miniStack } from '../parts/emulators.ts';
import { clients } from '../parts/proxy/test-clients.ts';
import { condition, editSpec, object, putAll, settle, settleAll, type TestEngine, testEngine } from '../support.ts';

const key = (kind: string, name: string): ClaimKey => ({ kind, namespace: 'shop', name });
const [TOPIC, QUEUE, BUCKET, TABLE] = [key('Topic', 'events'), key('Queue', 'orders'), key('Bucket', 'invoices'), key('Table', 'items')] as const;
let engine: TestEngine;
let raw: ReturnType<typeof clients>;

beforeAll(async () => {
  const { endpoint } = await miniStack();
  const accessKeyId = account();
  raw = clients(endpoint, accessKeyId, TRIES);
  engine = testEngine({ providers: [localstack], options: { fullEvery: 1 } });
  const admin = (embedded as unknown as JsonObject[]).filter(
    item => !['local', 'aws', 'fake', 'demo'].includes((item['metadata'] as JsonObject)['name'] as string),
  );
  const shipped = admin.filter(item => !JSON.stringify(item).includes('fake/'));
  const implementations = [
    ['Topic', 'topic-sns'],
    ['Queue', 'queue-sqs'],
    ['Bucket', 'bucket-s3'],
    ['Table', 'table-dynamodb'],
  ].map(([claim, composition]) => ({ claim: claim!, composition: composition!, configs: { aws: 'here' } }));
  await putAll(engine, [
    ...shipped,
    object('ProviderConfig', 'here', { provider: 'localstack', settings: { region: 'us-east-1', endpoint, accessKeyId, forgets: false } }),
    object('EnvironmentClass', 'std', { default: true, implementations, policies: { graceSeconds: 0 } }),
  ]);
  await putAll(engine, [
    object('Topic', 'events', {}, 'shop'),
    object('Queue', 'orders', { visibilityTimeoutSeconds: 60, subscriptions: [{ topic: 'events' }] }, 'shop'),
    object('Bucket', 'invoices', { versioning: true }, 'shop'),
    object('Table', 'items', { key: { partition: { name: 'id' } } }, 'shop'),
  ]);
  await settleAll(engine, [TOPIC, QUEUE, BUCKET, TABLE]);
});
afterAll(() => engine.stop());

const mended = async (claim: ClaimKey): Promise<ClaimStatus> => {
  const status = (await settle(engine, claim)).status!;
  expect(condition(status, 'Ready')).toMatchObject({ status: 'True' });
  return status;
};
const nameOf = (status: ClaimStatus, id: string): string => (status.resources.find(entry => entry.id === id) as { name: string }).name;
const urlOf = async (): Promise<string> => (await raw.sqs.send(new GetQueueUrlCommand({ QueueName: 'shop_orders' }))).QueueUrl!;

test('a queue attribute', async () => {
  const QueueUrl = await urlOf();
  await raw.sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '99' } }));
  const status = await mended(QUEUE);
  expect(status.drift).toMatchObject([{ resource: 'queue', path: 'visibilityTimeoutSeconds', desired: 60, observed: 99 }]);
  expect((await raw.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }))).Attributes).toMatchObject({
    VisibilityTimeout: '60',
  });
});

test('a queue policy that lets everybody send beside our statement', async () => {
  const QueueUrl = await urlOf();
  const before = (await raw.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['Policy'] }))).Attributes!['Policy']!;
  const policy = JSON.parse(before) as { Statement: unknown[] };
  const open = { ...policy, Statement: [...policy.Statement, { Sid: 'open', Effect: 'Allow', Principal: '*', Action: 'sqs:*', Resource: '*' }] };
  await raw.sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: JSON.stringify(open) } }));
  const status = await mended(QUEUE);
  expect(status.drift[0]).toMatchObject({ resource: 'queue', path: expect.stringMatching(/^policy/) });
  const after = JSON.parse((await raw.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['Policy'] }))).Attributes!['Policy']!) as {
    Statement: { Principal: unknown }[];
  };
  expect(after.Statement).toHaveLength(1);
  expect(after.Statement[0]!.Principal).toEqual({ Service: 'sns.amazonaws.com' });
});

test('tags of others stay; without our marks nothing is touched', async () => {
  const QueueUrl = await urlOf();
  await raw.sqs.send(new TagQueueCommand({ QueueUrl, Tags: { theirs: 'x' } }));
  expect((await mended(QUEUE)).resources).toHaveLength(2);
  expect((await raw.sqs.send(new ListQueueTagsCommand({ QueueUrl }))).Tags).toMatchObject({ theirs: 'x' });
  const { Tags = {} } = await raw.sqs.send(new ListQueueTagsCommand({ QueueUrl }));
  const marks = Object.keys(Tags).filter(tag => tag.startsWith('plinth.dev/'));
  await raw.sqs.send(new UntagQueueCommand({ QueueUrl, TagKeys: marks }));
  await editSpec(engine, QUEUE, spec => ({ ...spec, visibilityTimeoutSeconds: 61 }));
  const status = (await settle(engine, QUEUE)).status!;
  expect(condition(status, 'Stalled')).toMatchObject({ status: 'True', reason: 'MarksGone' });
  expect((await raw.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }))).Attributes).toMatchObject({
    VisibilityTimeout: '60',
  });
  await raw.sqs.send(new TagQueueCommand({ QueueUrl, Tags }));
  await mended(QUEUE);
  expect((await raw.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }))).Attributes).toMatchObject({
    VisibilityTimeout: '61',
  });
});

test('a topic whose policy was opened', async () => {
  const TopicArn = (await mended(TOPIC)).outputs['arn'] as string;
  const open = { Version: '2012-10-17', Statement: [{ Sid: 'open', Effect: 'Allow', Principal: '*', Action: 'sns:Publish', Resource: TopicArn }] };
  await raw.sns.send(new SetTopicAttributesCommand({ TopicArn, AttributeName: 'Policy', AttributeValue: JSON.stringify(open) }));
  expect((await mended(TOPIC)).drift[0]).toMatchObject({ resource: 'topic', path: expect.stringMatching(/^policy/) });
  expect((await raw.sns.send(new GetTopicAttributesCommand({ TopicArn }))).Attributes?.['Policy'] ?? '').not.toContain('"open"');
});

test('a bucket made public and no longer versioned', async () => {
  const Bucket = nameOf(await mended(BUCKET), 'bucket');
  const none = { BlockPublicAcls: false, IgnorePublicAcls: false, BlockPublicPolicy: false, RestrictPublicBuckets: false };
  await raw.s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: none }));
  await raw.s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } }));
  const status = await mended(BUCKET);
  expect(status.drift.map(row => row.path)).toEqual(expect.arrayContaining(['publicAccessBlock.blockPublicPolicy', 'versioning']));
  expect((await raw.s3.send(new GetPublicAccessBlockCommand({ Bucket }))).PublicAccessBlockConfiguration).toMatchObject({
    BlockPublicAcls: true,
    RestrictPublicBuckets: true,
  });
});

test('a table switched to provisioned capacity', async () => {
  const TableName = nameOf(await mended(TABLE), 'table');
  await raw.dynamodb.send(
    new UpdateTableCommand({ TableName, BillingMode: 'PROVISIONED', ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 } }),
  );
  expect((await mended(TABLE)).drift[0]).toMatchObject({ resource: 'table' });
  expect((await raw.dynamodb.send(new DescribeTableCommand({ TableName }))).Table?.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST');
});
