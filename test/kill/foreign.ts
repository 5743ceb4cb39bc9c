/** Things of other people in the account: names like ours, no marks, marks of another installation, and something inside. */
import { CreateTableCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, PutBucketTaggingCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { TABLE } from '../parts/proxy/test-clients.ts';
import { type Clients, type Cloud, readCloud } from './cloud.ts';

/** As our own marks on things of the claims, but made by somebody else's Plinth. */
const marks = (kind: string, name: string, id: string): Record<string, string> => ({
  'plinth.dev/instance': 'somebody-else',
  'plinth.dev/kind': kind,
  'plinth.dev/namespace': 'shop',
  'plinth.dev/name': name,
  'plinth.dev/id': id,
  'plinth.dev/uid': '11111111-2222-4333-8444-555555555555',
});
const tagList = (tags: Readonly<Record<string, string>>) => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** Makes them and returns how they look. `unique`: part of bucket names, which all accounts share. */
export async function makeForeign(client: Clients, unique: string): Promise<Cloud> {
  await Promise.all([
    makeQueue(client, 'shop_plain-a2', {}),
    makeQueue(client, 'shop-plain-a', { team: 'other' }),
    makeQueue(client, 'shop_dead-a_deadLetter2', marks('Queue', 'dead-a', 'deadLetter')),
    makeSubscribed(client),
    makeBucket(client, `shop-files-a-${unique}`, {}),
    makeBucket(client, `shop-files-b-${unique}`, marks('Bucket', 'files-b', 'bucket')),
    makeTable(client, 'shop_items-a2', {}),
    makeTable(client, 'shop-items-a', marks('Table', 'items-a', 'table')),
  ]);
  return await readCloud(client);
}

async function makeQueue({ sqs }: Clients, QueueName: string, tags: Record<string, string>): Promise<string> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, tags, Attributes: { VisibilityTimeout: '77' } }));
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'not ours' }));
  return QueueName;
}

async function makeSubscribed(client: Clients): Promise<void> {
  const { sns } = client;
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'shop_news-a2', Attributes: { DisplayName: 'Not ours' } }));
  await sns.send(new CreateTopicCommand({ Name: 'shop-news-a', Tags: tagList(marks('Topic', 'news-a', 'topic')) }));
  const name = await makeQueue(client, 'shop_ear-a2', {});
  const Endpoint = TopicArn.replace(':sns:', ':sqs:').replace(/[^:]+$/, name);
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint }));
}

async function makeBucket({ s3 }: Clients, Bucket: string, tags: Record<string, string>): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket }));
  if (Object.keys(tags).length > 0) await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: tagList(tags) } }));
  await s3.send(new PutObjectCommand({ Bucket, Key: 'theirs', Body: 'not ours' }));
}

async function makeTable({ dynamodb }: Clients, TableName: string, tags: Record<string, string>): Promise<void> {
  await dynamodb.send(new CreateTableCommand({ ...TABLE, TableName, ...(Object.keys(tags).length === 0 ? {} : { Tags: tagList(tags) }) }));
  await dynamodb.send(new PutItemCommand({ TableName, Item: { id: { S: 'theirs' } } }));
}
