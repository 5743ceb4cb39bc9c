/** Finds everything that bears our marks by listing and reading tags: the tagging API answers nothing on LocalStack and forgets nothing on AWS. */
import type { ListSubscriptionsByTopicResponse } from '@aws-sdk/client-sns';
import { isError, type Owned, ownerOf, type StringMap } from '../../src/sdk.ts';
import { accountOf, type Call, dynamodb, s3, sns, sqs } from './client.ts';
import { readMarks } from './dynamodb-read.ts';
import { serviceErrorName } from './errors.ts';
import { tagMap } from './values.ts';

/** Tag reads at once; the call budget slows them down further. */
const AT_ONCE = 8;

interface Kind {
  readonly type: string;
  /** Pages of handles: what the tags are read by. */
  readonly list: (call: Call) => AsyncIterable<readonly string[]>;
  readonly tags: (call: Call, handle: string) => Promise<StringMap>;
  readonly name: (handle: string) => string;
}

async function* queues(call: Call): AsyncGenerator<readonly string[]> {
  // A token comes only where a page size is asked for (ListQueues).
  for (let NextToken: string | undefined; ; ) {
    const page = await sqs(call, 'ListQueues', { MaxResults: 1_000, ...(NextToken === undefined ? {} : { NextToken }) });
    yield page.QueueUrls ?? [];
    NextToken = page.NextToken;
    if (!NextToken) return;
  }
}

async function* topics(call: Call): AsyncGenerator<readonly string[]> {
  for (let NextToken: string | undefined; ; ) {
    const page = await sns(call, 'ListTopics', NextToken === undefined ? {} : { NextToken });
    yield (page.Topics ?? []).map(({ TopicArn = '' }) => TopicArn);
    NextToken = page.NextToken;
    if (!NextToken) return;
  }
}

async function* buckets(call: Call): AsyncGenerator<readonly string[]> {
  const BucketRegion = call.client.region;
  for (let ContinuationToken: string | undefined; ; ) {
    const page = await s3(call, 'ListBuckets', { MaxBuckets: 1_000, BucketRegion, ...(ContinuationToken === undefined ? {} : { ContinuationToken }) });
    yield (page.Buckets ?? []).filter(bucket => bucket.BucketRegion === undefined || bucket.BucketRegion === BucketRegion).map(({ Name = '' }) => Name);
    ContinuationToken = page.ContinuationToken;
    if (!ContinuationToken) return;
  }
}

async function* tables(call: Call): AsyncGenerator<readonly string[]> {
  const { id, partition } = await accountOf(call.client);
  for (let ExclusiveStartTableName: string | undefined; ; ) {
    const page = await dynamodb(call, 'ListTables', ExclusiveStartTableName === undefined ? {} : { ExclusiveStartTableName });
    yield (page.TableNames ?? []).map(name => `arn:${partition}:dynamodb:${call.client.region}:${id}:table/${name}`);
    ExclusiveStartTableName = page.LastEvaluatedTableName;
    if (!ExclusiveStartTableName) return;
  }
}

async function bucketTags(call: Call, Bucket: string): Promise<StringMap> {
  try {
    return tagMap((await s3(call, 'GetBucketTagging', { Bucket })).TagSet);
  } catch (error) {
    if (serviceErrorName(error) === 'NoSuchTagSet') return {};
    throw error;
  }
}

const last = (handle: string): string => handle.slice(Math.max(handle.lastIndexOf('/'), handle.lastIndexOf(':')) + 1);

const KINDS: readonly Kind[] = [
  { type: 'aws/sqs-queue', list: queues, tags: async (call, QueueUrl) => (await sqs(call, 'ListQueueTags', { QueueUrl })).Tags ?? {}, name: last },
  {
    type: 'aws/sns-topic',
    list: topics,
    tags: async (call, ResourceArn) => tagMap((await sns(call, 'ListTagsForResource', { ResourceArn })).Tags),
    name: last,
  },
  { type: 'aws/s3-bucket', list: buckets, tags: bucketTags, name: name => name },
  { type: 'aws/dynamodb-table', list: tables, tags: async (call, arn) => (await readMarks(call, arn, last(arn))) ?? {}, name: last },
];

/** The thing if it bears marks of this instance; nothing if it vanished in the meantime. */
async function ownedOne(call: Call, kind: Kind, handle: string, instance: string): Promise<Owned | undefined> {
  try {
    const owner = ownerOf(await kind.tags(call, handle));
    return owner?.instance === instance ? { type: kind.type, name: kind.name(handle), owner } : undefined;
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function* ownedKind(call: Call, kind: Kind, instance: string): AsyncGenerator<Owned> {
  for await (const page of kind.list(call)) {
    for (let start = 0; start < page.length; start += AT_ONCE) {
      const found = await Promise.all(page.slice(start, start + AT_ONCE).map(handle => ownedOne(call, kind, handle, instance)));
      yield* found.filter(one => one !== undefined);
    }
  }
}

/** Subscriptions bear no marks: one of a queue of ours to a topic of ours is ours, and belongs to the claim of the queue. */
async function* subscriptions(call: Call, topic: Owned, queues: ReadonlyMap<string, Owned>): AsyncGenerator<Owned> {
  const { id, partition } = await accountOf(call.client);
  const place = `${call.client.region}:${id}`;
  for await (const { Protocol = '', Endpoint = '' } of subscriptionsOf(call, `arn:${partition}:sns:${place}:${topic.name}`)) {
    const queue = Protocol === 'sqs' && Endpoint.startsWith(`arn:${partition}:sqs:${place}:`) ? queues.get(last(Endpoint)) : undefined;
    if (queue === undefined) continue;
    const name = `arn:${partition}:sns:${place}:${topic.name}|${Protocol}|${Endpoint}`;
    yield { type: 'aws/sns-subscription', name, owner: { ...queue.owner, id: `subscription[${topic.name}]` } };
  }
}

async function* subscriptionsOf(
  call: Call,
  TopicArn: string,
): AsyncGenerator<{ readonly Protocol?: string | undefined; readonly Endpoint?: string | undefined }> {
  for (let NextToken: string | undefined; ; ) {
    const page = await subscriptionPage(call, TopicArn, NextToken);
    yield* page.Subscriptions ?? [];
    NextToken = page.NextToken;
    if (!NextToken) return;
  }
}

/** Nothing when the topic vanished in the meantime. */
async function subscriptionPage(
  call: Call,
  TopicArn: string,
  NextToken: string | undefined,
): Promise<Pick<ListSubscriptionsByTopicResponse, 'Subscriptions' | 'NextToken'>> {
  try {
    return await sns(call, 'ListSubscriptionsByTopic', { TopicArn, ...(NextToken === undefined ? {} : { NextToken }) });
  } catch (error) {
    if (isError(error, 'NotFound')) return {};
    throw error;
  }
}

/** Everything with marks of this instance, one service after the other, a page at a time; and what hangs between two such things. */
export async function* owned(call: Call, instance: string): AsyncGenerator<Owned> {
  const queues = new Map<string, Owned>();
  for (const kind of KINDS) {
    try {
      for await (const one of ownedKind(call, kind, instance)) {
        if (one.type === 'aws/sqs-queue') queues.set(one.name, one);
        yield one;
        if (one.type === 'aws/sns-topic') yield* subscriptions(call, one, queues);
      }
    } catch (error) {
      // A compatible server need not have every service; on AWS nothing may be overlooked.
      if (call.client.foreign === undefined || !isError(error, 'Unsupported')) throw error;
    }
  }
}
