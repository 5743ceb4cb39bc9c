import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  ListTagsOfResourceCommand,
  UpdateContinuousBackupsCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeletePublicAccessBlockCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { CreateTopicCommand, ListTagsForResourceCommand, type SNSClient, TagResourceCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueueTagsCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { account, miniStack } from '../emulators.ts';
import { type AwsProxy, startProxy } from '../proxy.ts';
import { clients, nameOf, TABLE } from './test-clients.ts';

/** Time stands still for the proxy, however long the calls in between take, until the test lets it pass. */
const MS = 1_500;
let nowMs = 0;
const pass = (ms = MS): void => {
  nowMs += ms;
};

let proxy: AwsProxy;
let mine: string;
let sqs: SQSClient;
let sns: SNSClient;
let s3: S3Client;
let dynamodb: DynamoDBClient;

beforeEach(async () => {
  proxy = await startProxy((await miniStack()).endpoint, () => nowMs);
  mine = account();
  ({ sqs, sns, s3, dynamodb } = clients(proxy.endpoint, mine));
}, 60_000);

afterEach(() => proxy.close());

async function makeQueue(QueueName: string, Attributes: Record<string, string> = {}): Promise<string> {
  return (await sqs.send(new CreateQueueCommand({ QueueName, Attributes, tags: { owner: 'us' } }))).QueueUrl ?? '';
}

async function visibilityOf(QueueUrl: string): Promise<string | undefined> {
  return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }))).Attributes?.['VisibilityTimeout'];
}

async function statusOf(TableName: string): Promise<string> {
  return (await dynamodb.send(new DescribeTableCommand({ TableName }))).Table?.TableStatus ?? '';
}

test('sqs-deleted-recently', async () => {
  const stop = proxy.imitate('sqs-deleted-recently', MS);
  const QueueUrl = await makeQueue('q');
  await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  expect(await nameOf(makeQueue('q'))).toBe('QueueDeletedRecently');
  expect(await nameOf(makeQueue('other'))).toBe('ok');
  pass();
  await makeQueue('q');
  await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  stop();
  await makeQueue('q');
});

test('sqs-attribute-propagation', async () => {
  const QueueUrl = await makeQueue('q', { VisibilityTimeout: '10' });
  proxy.imitate('sqs-attribute-propagation', MS);
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '20', DelaySeconds: '3' } }));
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '30' } }));
  const all = (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes;
  expect(all).toMatchObject({ VisibilityTimeout: '10', DelaySeconds: '0', QueueArn: `arn:aws:sqs:us-east-1:${mine}:q` });
  expect(await visibilityOf(QueueUrl)).toBe('10');
  pass();
  expect(await visibilityOf(QueueUrl)).toBe('30');
});

test('sqs-retention-propagation: the one attribute that takes a quarter of an hour, and no other', async () => {
  const QueueUrl = await makeQueue('q', { VisibilityTimeout: '10', MessageRetentionPeriod: '60' });
  const seen = async () => (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes;
  proxy.imitate('sqs-retention-propagation', MS);
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '20', MessageRetentionPeriod: '90' } }));
  expect(await seen()).toMatchObject({ VisibilityTimeout: '20', MessageRetentionPeriod: '60' });
  pass();
  expect(await seen()).toMatchObject({ MessageRetentionPeriod: '90' });
  const stop = proxy.imitate('sqs-attribute-propagation', 60_000);
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '30', MessageRetentionPeriod: '120' } }));
  pass();
  expect(await seen()).toMatchObject({ VisibilityTimeout: '20', MessageRetentionPeriod: '120' });
  stop();
});

test('s3-versioning-propagation', async () => {
  const Bucket = `b-${mine}`;
  const status = async () => (await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status;
  await s3.send(new CreateBucketCommand({ Bucket }));
  proxy.imitate('s3-versioning-propagation', MS);
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  expect(await status()).toBeUndefined();
  pass();
  expect(await status()).toBe('Enabled');
});

test('sqs-read-after-delete', async () => {
  proxy.imitate('sqs-read-after-delete', MS);
  const QueueUrl = await makeQueue('q', { VisibilityTimeout: '10' });
  await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  expect(await visibilityOf(QueueUrl)).toBe('10');
  expect((await sqs.send(new GetQueueUrlCommand({ QueueName: 'q' }))).QueueUrl).toBe(QueueUrl);
  expect((await sqs.send(new ListQueueTagsCommand({ QueueUrl }))).Tags).toEqual({ owner: 'us' });
  pass();
  expect(await nameOf(visibilityOf(QueueUrl))).toBe('QueueDoesNotExist');
});

test('sqs-not-found-after-create', async () => {
  proxy.imitate('sqs-not-found-after-create', MS);
  const QueueUrl = await makeQueue('q');
  expect(await nameOf(visibilityOf(QueueUrl))).toBe('QueueDoesNotExist');
  expect(await nameOf(sqs.send(new GetQueueUrlCommand({ QueueName: 'q' })))).toBe('QueueDoesNotExist');
  pass();
  await visibilityOf(QueueUrl);
  await makeQueue('q');
  expect(await nameOf(visibilityOf(QueueUrl))).toBe('ok');
});

test('dynamodb-not-found-after-create', async () => {
  proxy.imitate('dynamodb-not-found-after-create', MS);
  await dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'items' }));
  expect(await nameOf(statusOf('items'))).toBe('ResourceNotFoundException');
  pass();
  expect(await statusOf('items')).toBe('ACTIVE');
});

const INDEX = (IndexName: string) => ({
  IndexName,
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' as const }],
  Projection: { ProjectionType: 'ALL' as const },
});

async function indexesOf(TableName: string): Promise<unknown[]> {
  const table = (await dynamodb.send(new DescribeTableCommand({ TableName }))).Table;
  return (table?.GlobalSecondaryIndexes ?? []).map(index => [index.IndexName, index.IndexStatus]);
}

test('dynamodb-table-status: a table that is made, changed and deleted', async () => {
  proxy.imitate('dynamodb-table-status', MS);
  const made = await dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'items', GlobalSecondaryIndexes: [INDEX('byA')] }));
  expect([made.TableDescription?.TableStatus, await statusOf('items'), await indexesOf('items')]).toEqual(['CREATING', 'CREATING', [['byA', 'CREATING']]]);
  const drop = () => dynamodb.send(new DeleteTableCommand({ TableName: 'items' }));
  expect(await nameOf(drop())).toBe('ResourceInUseException');
  const backups = { TableName: 'items', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } };
  expect(await nameOf(dynamodb.send(new UpdateContinuousBackupsCommand(backups)))).toBe('ContinuousBackupsUnavailableException');
  pass();
  expect(await statusOf('items')).toBe('ACTIVE');
  const updated = await dynamodb.send(new UpdateTableCommand({ TableName: 'items', DeletionProtectionEnabled: false }));
  expect([updated.TableDescription?.TableStatus, await statusOf('items'), await nameOf(drop())]).toEqual(['UPDATING', 'UPDATING', 'ResourceInUseException']);
  pass();
  await drop();
  const gone = await dynamodb.send(new DescribeTableCommand({ TableName: 'items' }));
  expect([gone.Table?.TableStatus, gone.Table?.KeySchema?.length]).toEqual(['DELETING', 1]);
  expect(await nameOf(dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'items' })))).toBe('ResourceInUseException');
  pass();
  expect(await nameOf(statusOf('items'))).toBe('ResourceNotFoundException');
});

test('dynamodb-table-status: an index that comes and goes; dynamodb-one-index-change', async () => {
  await dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'items', GlobalSecondaryIndexes: [INDEX('byA')] }));
  proxy.imitate('dynamodb-table-status', MS);
  proxy.imitate('dynamodb-one-index-change');
  const change = (...GlobalSecondaryIndexUpdates: object[]) =>
    dynamodb.send(new UpdateTableCommand({ TableName: 'items', AttributeDefinitions: [...TABLE.AttributeDefinitions], GlobalSecondaryIndexUpdates }));
  expect(await nameOf(change({ Create: INDEX('byB') }, { Delete: { IndexName: 'byA' } }))).toBe('LimitExceededException');
  await change({ Create: INDEX('byB') });
  expect(await indexesOf('items')).toEqual([
    ['byA', 'ACTIVE'],
    ['byB', 'CREATING'],
  ]);
  pass();
  await change({ Delete: { IndexName: 'byA' } });
  expect(await indexesOf('items')).toEqual([
    ['byB', 'ACTIVE'],
    ['byA', 'DELETING'],
  ]);
  pass();
  expect(await indexesOf('items')).toEqual([['byB', 'ACTIVE']]);
});

test('dynamodb-ttl-twice', async () => {
  proxy.imitate('dynamodb-ttl-twice', MS);
  await dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'items' }));
  const set = (Enabled: boolean) =>
    dynamodb.send(new UpdateTimeToLiveCommand({ TableName: 'items', TimeToLiveSpecification: { AttributeName: 'expires', Enabled } }));
  await set(true);
  expect(await nameOf(set(false))).toBe('ValidationException');
  pass();
  await set(false);
});

test('tag-propagation', async () => {
  proxy.imitate('tag-propagation', MS);
  const Tags = [{ Key: 'owner', Value: 'us' }];
  const QueueUrl = await makeQueue('q');
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 't', Tags }));
  const table = await dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'items', Tags }));
  const Bucket = `b-${mine}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: Tags } }));
  const ofQueue = async () => (await sqs.send(new ListQueueTagsCommand({ QueueUrl }))).Tags;
  const ofTopic = async () => (await sns.send(new ListTagsForResourceCommand({ ResourceArn: TopicArn }))).Tags;
  const ofTable = async () => (await dynamodb.send(new ListTagsOfResourceCommand({ ResourceArn: table.TableDescription?.TableArn }))).Tags;
  const ofBucket = () => nameOf(s3.send(new GetBucketTaggingCommand({ Bucket })));
  expect([await ofQueue(), await ofTopic(), await ofTable(), await ofBucket()]).toEqual([undefined, [], [], 'NoSuchTagSet']);
  pass();
  expect([await ofQueue(), await ofTopic(), await ofTable(), await ofBucket()]).toEqual([{ owner: 'us' }, Tags, Tags, 'ok']);
});

test('s3-name-release', async () => {
  proxy.imitate('s3-name-release', MS);
  const Bucket = `b-${mine}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new DeleteBucketCommand({ Bucket }));
  expect(await nameOf(s3.send(new CreateBucketCommand({ Bucket })))).toBe('OperationAborted');
  pass();
  await s3.send(new CreateBucketCommand({ Bucket }));
});

test('s3-secure-defaults: set once, on a new bucket only', async () => {
  proxy.imitate('s3-secure-defaults');
  const Bucket = `b-${mine}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  const block = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
  expect(Object.values(block.PublicAccessBlockConfiguration ?? {})).toEqual([true, true, true, true]);
  const controls = await s3.send(new GetBucketOwnershipControlsCommand({ Bucket }));
  expect(controls.OwnershipControls?.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }]);
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket }));
  await s3.send(new CreateBucketCommand({ Bucket }));
  expect(await nameOf(s3.send(new GetPublicAccessBlockCommand({ Bucket })))).toBe('NoSuchPublicAccessBlockConfiguration');
  const chosen = `c-${mine}`;
  await s3.send(new CreateBucketCommand({ Bucket: chosen, ObjectOwnership: 'ObjectWriter' }));
  const own = await s3.send(new GetBucketOwnershipControlsCommand({ Bucket: chosen }));
  expect(own.OwnershipControls?.Rules?.[0]?.ObjectOwnership).toBe('ObjectWriter');
});

test('sns-concurrent-tags', async () => {
  proxy.imitate('sns-concurrent-tags', MS);
  const ResourceArn = (await sns.send(new CreateTopicCommand({ Name: 't' }))).TopicArn;
  const tag = (Key: string) => nameOf(sns.send(new TagResourceCommand({ ResourceArn, Tags: [{ Key, Value: '1' }] })));
  expect((await Promise.all([tag('a'), tag('b')])).sort()).toEqual(['ConcurrentAccessException', 'ok']);
  pass();
  expect(await tag('c')).toBe('ok');
});
