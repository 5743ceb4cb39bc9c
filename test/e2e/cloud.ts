/** Looking into the emulator, and changing things there, past Plinth: with the SDK as anybody would. */
import { DeleteTableCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { ListSubscriptionsCommand, ListTopicsCommand, SNSClient } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';

export interface Cloud {
  readonly endpoint: string;
  readonly account: string;
}

/** What `everything` is when the shop of the examples is up in the namespace `shop`. */
export const WHOLE_SHOP: readonly string[] = [
  'bucket shop-invoices-…',
  'queue shop_orders',
  'queue shop_orders_deadLetter',
  'subscription shop_order-events to shop_orders',
  'table shop_customers',
  'topic shop_order-events',
];

const config = ({ endpoint, account }: Cloud) => ({ endpoint, region: 'us-east-1', credentials: { accessKeyId: account, secretAccessKey: 'test' } });
const sqs = (cloud: Cloud): SQSClient => new SQSClient(config(cloud));

/** Names of everything there is in the account: queues, topics, subscriptions, buckets, tables. */
export async function everything(cloud: Cloud): Promise<string[]> {
  const sns = new SNSClient(config(cloud));
  const [queues, topics, subscriptions, buckets, tables] = await Promise.all([
    sqs(cloud).send(new ListQueuesCommand({})),
    sns.send(new ListTopicsCommand({})),
    sns.send(new ListSubscriptionsCommand({})),
    new S3Client({ ...config(cloud), forcePathStyle: true }).send(new ListBucketsCommand({})),
    new DynamoDBClient(config(cloud)).send(new ListTablesCommand({})),
  ]);
  const last = (text = ''): string => text.split(/[/:]/).at(-1)!;
  return [
    ...(queues.QueueUrls ?? []).map(url => `queue ${last(url)}`),
    ...(topics.Topics ?? []).map(topic => `topic ${last(topic.TopicArn)}`),
    ...(subscriptions.Subscriptions ?? []).map(item => `subscription ${last(item.TopicArn)} to ${last(item.Endpoint)}`),
    ...(buckets.Buckets ?? []).map(bucket => `bucket ${bucket.Name?.replace(/-[0-9a-f]{10}$/, '-…')}`),
    ...(tables.TableNames ?? []).map(name => `table ${name}`),
  ].sort();
}

async function urlOf(cloud: Cloud, name: string): Promise<string> {
  return (await sqs(cloud).send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl!;
}

/** Sets attributes of a queue, as somebody at a console would. */
export async function editQueue(cloud: Cloud, name: string, attributes: Record<string, string>): Promise<void> {
  await sqs(cloud).send(new SetQueueAttributesCommand({ QueueUrl: await urlOf(cloud, name), Attributes: attributes }));
}

/** Deletes a queue. */
export async function deleteQueue(cloud: Cloud, name: string): Promise<void> {
  await sqs(cloud).send(new DeleteQueueCommand({ QueueUrl: await urlOf(cloud, name) }));
}

/** Makes a queue that is nobody's. */
export async function makeQueue(cloud: Cloud, name: string): Promise<void> {
  await sqs(cloud).send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '77' } }));
}

/** The attributes of a queue. */
export async function queue(cloud: Cloud, name: string): Promise<Record<string, string>> {
  const { Attributes = {} } = await sqs(cloud).send(new GetQueueAttributesCommand({ QueueUrl: await urlOf(cloud, name), AttributeNames: ['All'] }));
  return Attributes;
}

/** Deletes a table with all it holds. */
export async function deleteTable(cloud: Cloud, name: string): Promise<void> {
  await new DynamoDBClient(config(cloud)).send(new DeleteTableCommand({ TableName: name }));
}
