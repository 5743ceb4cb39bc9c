/** What stands in one account of an emulator, read by plain SDK calls: nothing of ours is between the test and the truth. */
import { DescribeTableCommand, DescribeTimeToLiveCommand, ListTablesCommand, ListTagsOfResourceCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import {
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3';
import {
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsCommand,
  ListTagsForResourceCommand,
  ListTopicsCommand,
} from '@aws-sdk/client-sns';
import { GetQueueAttributesCommand, ListQueuesCommand, ListQueueTagsCommand } from '@aws-sdk/client-sqs';
import type { clients } from '../parts/proxy/test-clients.ts';

export type Clients = ReturnType<typeof clients>;
/** Of each call of a test: emulators close a connection that nobody used for 5 s, perhaps while something is being asked on it. */
export const TRIES = 3;
type Fields = Readonly<Record<string, unknown>>;

/** One thing as the emulator shows it. */
export interface Thing {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly shown: Fields;
}
/** Everything in an account, each list by name. */
export interface Cloud {
  readonly queues: readonly Thing[];
  readonly topics: readonly Thing[];
  /** Name: `topic queue`. */
  readonly subscriptions: readonly Thing[];
  readonly buckets: readonly Thing[];
  readonly tables: readonly Thing[];
}

const last = (address: string | undefined): string => (address ?? '').replace(/^.*[/:]/, '');
const byName = (a: Thing, b: Thing): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const tagMap = (tags: readonly { Key?: string | undefined; Value?: string | undefined }[] = []): Record<string, string> =>
  Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));

/** Reads everything. Nothing is left out: more than one page of anything throws. */
export async function readCloud(client: Clients): Promise<Cloud> {
  const [queues, topics, subscriptions, buckets, tables] = await Promise.all([
    readQueues(client),
    readTopics(client),
    readSubscriptions(client),
    readBuckets(client),
    readTables(client),
  ]);
  return {
    queues: queues.sort(byName),
    topics: topics.sort(byName),
    subscriptions: subscriptions.sort(byName),
    buckets: buckets.sort(byName),
    tables: tables.sort(byName),
  };
}

function assertOnePage(what: string, token: string | undefined): void {
  if (token !== undefined && token !== '') throw new Error(`more ${what} than one page`);
}

async function readQueues({ sqs }: Clients): Promise<Thing[]> {
  const { QueueUrls = [], NextToken } = await sqs.send(new ListQueuesCommand({ MaxResults: 1_000 }));
  assertOnePage('queues', NextToken);
  return await Promise.all(
    QueueUrls.map(async QueueUrl => {
      const [{ Attributes = {} }, { Tags = {} }] = await Promise.all([
        sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })),
        sqs.send(new ListQueueTagsCommand({ QueueUrl })),
      ]);
      return { name: last(QueueUrl), tags: Tags, shown: Attributes };
    }),
  );
}

async function readTopics({ sns }: Clients): Promise<Thing[]> {
  const { Topics = [], NextToken } = await sns.send(new ListTopicsCommand({}));
  assertOnePage('topics', NextToken);
  return await Promise.all(
    Topics.map(async ({ TopicArn }) => {
      const [{ Attributes = {} }, { Tags }] = await Promise.all([
        sns.send(new GetTopicAttributesCommand({ TopicArn })),
        sns.send(new ListTagsForResourceCommand({ ResourceArn: TopicArn })),
      ]);
      return { name: last(TopicArn), tags: tagMap(Tags), shown: Attributes };
    }),
  );
}

async function readSubscriptions({ sns }: Clients): Promise<Thing[]> {
  const { Subscriptions = [], NextToken } = await sns.send(new ListSubscriptionsCommand({}));
  assertOnePage('subscriptions', NextToken);
  return await Promise.all(
    Subscriptions.map(async ({ SubscriptionArn, TopicArn, Endpoint }) => {
      const { Attributes = {} } = await sns.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
      return { name: `${last(TopicArn)} ${last(Endpoint)}`, tags: {}, shown: Attributes };
    }),
  );
}

/** What a bucket that never had the part answers with is an error. */
async function orNone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && /^NoSuch(?!Bucket)|NotFoundError$/.test(error.name)) return undefined;
    throw error;
  }
}

async function readBuckets({ s3 }: Clients): Promise<Thing[]> {
  const { Buckets = [], ContinuationToken } = await s3.send(new ListBucketsCommand({}));
  assertOnePage('buckets', ContinuationToken);
  return await Promise.all(
    Buckets.map(async ({ Name = '', CreationDate }) => {
      const Bucket = { Bucket: Name };
      const [tagging, versioning, lifecycle, cors, guard, objects] = await Promise.all([
        orNone(s3.send(new GetBucketTaggingCommand(Bucket))),
        s3.send(new GetBucketVersioningCommand(Bucket)),
        orNone(s3.send(new GetBucketLifecycleConfigurationCommand(Bucket))),
        orNone(s3.send(new GetBucketCorsCommand(Bucket))),
        orNone(s3.send(new GetPublicAccessBlockCommand(Bucket))),
        s3.send(new ListObjectVersionsCommand(Bucket)),
      ]);
      const versions = (objects.Versions ?? []).map(({ Key, ETag, VersionId }) => [Key, ETag, VersionId]);
      const shown = {
        made: CreationDate?.toISOString(),
        versioning: versioning.Status,
        lifecycle: lifecycle?.Rules,
        cors: cors?.CORSRules,
        guard: guard?.PublicAccessBlockConfiguration,
        versions,
      };
      return { name: Name, tags: tagMap(tagging?.TagSet), shown };
    }),
  );
}

async function readTables({ dynamodb }: Clients): Promise<Thing[]> {
  const { TableNames = [], LastEvaluatedTableName } = await dynamodb.send(new ListTablesCommand({}));
  assertOnePage('tables', LastEvaluatedTableName);
  return await Promise.all(
    TableNames.map(async TableName => {
      const { Table = {} } = await dynamodb.send(new DescribeTableCommand({ TableName }));
      const [{ Tags }, { TimeToLiveDescription }, { Items }] = await Promise.all([
        dynamodb.send(new ListTagsOfResourceCommand({ ResourceArn: Table.TableArn })),
        dynamodb.send(new DescribeTimeToLiveCommand({ TableName })),
        dynamodb.send(new ScanCommand({ TableName })),
      ]);
      return { name: TableName, tags: tagMap(Tags), shown: { ...Table, ttl: TimeToLiveDescription, items: Items } };
    }),
  );
}
