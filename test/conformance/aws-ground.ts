/** An AWS-compatible emulator as ground of the kit: an account of its own for every case, behind the proxy. */
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateTopicCommand, ListSubscriptionsCommand, ListTopicsCommand, SNSClient } from '@aws-sdk/client-sns';
import { CreateQueueCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { vi } from 'vitest';
import type { JsonObject, Naming, ResourceType } from '../../src/core/types.ts';
import { account } from '../parts/emulators.ts';
import type { Call, CallFilter } from '../parts/proxy/call.ts';
import type { Act } from '../parts/proxy/rules.ts';
import { type AwsProxy, startProxy } from '../parts/proxy.ts';
import type { Fault, Faults, Ground, Seen } from './subject.ts';

const REGION = 'us-east-1';
const SECRET = 'secret-key-of-the-test';

/** What a case can refer to: queues that are there before anything else. */
export interface Furniture {
  readonly account: string;
  readonly deadLetters: string;
  readonly deadLettersFifo: string;
  readonly topic: string;
}
export interface AwsGround {
  readonly endpoint: string;
  readonly type: ResourceType;
  readonly suit: (spec: JsonObject, furniture: Furniture) => JsonObject | undefined;
}

/** Makes the raw client of one account, past the proxy, for one look: clients are dear, and most cases need one or two. */
interface Raw {
  readonly endpoint: string;
  readonly account: string;
}

// Node 20 still works; the SDK would say on every start that it will not for long.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const DEAD_LETTERS = 'dead-letters';
const TOPIC = 'events';

export async function awsGround({ endpoint, type, suit }: AwsGround): Promise<Ground> {
  const [here, there] = [account(), account()];
  const proxy = await startProxy(endpoint);
  const [raw, rawThere] = [
    { endpoint, account: here },
    { endpoint, account: there },
  ];
  const arn = (name: string): string => `arn:aws:sqs:${REGION}:${here}:${name}`;
  const furniture = {
    account: here,
    deadLetters: arn(DEAD_LETTERS),
    deadLettersFifo: arn(`${DEAD_LETTERS}.fifo`),
    topic: `arn:aws:sns:${REGION}:${here}:${TOPIC}`,
  };
  if (type.type === 'aws/sqs-queue') await using(new SQSClient(configOf(raw)), furnish);
  if (type.type === 'aws/sns-subscription') await using(new SNSClient(configOf(raw)), sns => sns.send(new CreateTopicCommand({ Name: TOPIC })));
  const settings = (accessKeyId: string): JsonObject => ({ region: REGION, endpoint: proxy.endpoint, accessKeyId, secretAccessKey: SECRET, forgets: false });
  return {
    settings: settings(here),
    elsewhere: settings(there),
    secret: SECRET,
    faults: faultsOf(proxy, serviceOf(type)),
    list: async where => (await LISTS[type.type]!(where === 'elsewhere' ? rawThere : raw, type)).filter(name => !name.startsWith(DEAD_LETTERS)),
    fit: spec => suit(spec, furniture),
    close: () => proxy.close(),
  };
}

async function furnish(sqs: SQSClient): Promise<void> {
  await sqs.send(new CreateQueueCommand({ QueueName: DEAD_LETTERS }));
  await sqs.send(new CreateQueueCommand({ QueueName: `${DEAD_LETTERS}.fifo`, Attributes: { FifoQueue: 'true' } }));
}

function configOf({ endpoint, account: accessKeyId }: Raw) {
  return { region: REGION, endpoint, credentials: { accessKeyId, secretAccessKey: 'raw' }, forcePathStyle: true };
}

/** Uses a client once. */
async function using<C extends { destroy(): void }, T>(client: C, run: (client: C) => Promise<T>): Promise<T> {
  try {
    return await run(client);
  } finally {
    client.destroy();
  }
}

const lastPart = (address: string | undefined): string => (address ?? '').replace(/^.*[/:]/, '');

/** Names of everything of a type in an account; fewer than one page in these tests. */
const LISTS: Readonly<Record<string, (raw: Raw, type: ResourceType) => Promise<string[]>>> = {
  'aws/sqs-queue': raw =>
    using(new SQSClient(configOf(raw)), async sqs => ((await sqs.send(new ListQueuesCommand({ MaxResults: 1000 }))).QueueUrls ?? []).map(lastPart)),
  'aws/sns-topic': raw =>
    using(new SNSClient(configOf(raw)), async sns => ((await sns.send(new ListTopicsCommand({}))).Topics ?? []).map(topic => lastPart(topic.TopicArn))),
  'aws/s3-bucket': raw =>
    using(new S3Client(configOf(raw)), async s3 => ((await s3.send(new ListBucketsCommand({}))).Buckets ?? []).map(bucket => bucket.Name ?? '')),
  'aws/dynamodb-table': raw => using(new DynamoDBClient(configOf(raw)), async dynamodb => (await dynamodb.send(new ListTablesCommand({}))).TableNames ?? []),
  'aws/sns-subscription': (raw, type) =>
    using(new SNSClient(configOf(raw)), async sns => {
      const found = (await sns.send(new ListSubscriptionsCommand({}))).Subscriptions ?? [];
      const { key } = type.naming as Extract<Naming<JsonObject>, { by: 'key' }>;
      return found.map(({ TopicArn = '', Protocol = '', Endpoint = '' }) => key({ topic: TopicArn, protocol: Protocol, endpoint: Endpoint }) ?? '');
    }),
};

const serviceOf = (type: ResourceType): string => /^aws\/([a-z0-9]+)-/.exec(type.type)![1]!;

/** The words of each service for one failure (their API references, "Errors"). */
const REFUSED: Readonly<Record<string, [number, string]>> = {
  sqs: [403, 'InvalidClientTokenId'],
  sns: [403, 'InvalidClientTokenId'],
  s3: [403, 'InvalidAccessKeyId'],
  dynamodb: [400, 'UnrecognizedClientException'],
};
const MISSING: Readonly<Record<string, [number, string]>> = {
  sqs: [400, 'AWS.SimpleQueueService.NonExistentQueue'],
  sns: [404, 'NotFound'],
  s3: [404, 'NoSuchBucket'],
  dynamodb: [400, 'ResourceNotFoundException'],
};

function actOf(fault: Exclude<Fault, 'hang'>, service: string): Act {
  const respond = ([status, code]: [number, string]): Act => ({ kind: 'respond', status, code, message: `${code}: request ${account()}` });
  if (fault === 'credentials') return respond(REFUSED[service]!);
  if (fault === 'not-found') return respond(MISSING[service]!);
  if (fault === 'throttled') return { kind: 'throttle' };
  return { kind: 'failAfterWork', status: 503 };
}

/** A call that has no answer yet. */
interface Held {
  readonly call: Call;
  readonly go: () => void;
}

/** Calls get no answer. Freed, they reach the emulator after all, one after the other: LocalStack makes two of two Subscribes that come at once. */
function holdUp(proxy: AwsProxy, which: { readonly match: CallFilter; readonly times?: number }, held: Held[]): () => Promise<void> {
  const first = held.length;
  const before = (call: Call): Promise<void> => new Promise(go => held.push({ call, go }));
  const rule = proxy.addRule({ ...which, do: { kind: 'onCall', before } });
  return async () => {
    rule.remove();
    for (const { call, go } of held.slice(first)) {
      go();
      await vi.waitUntil(() => call.endedAt !== undefined, { timeout: 60_000, interval: 5 });
    }
  };
}

const seen = (call: Call): Seen => ({ name: call.operation, writes: call.mutating });

function faultsOf(proxy: AwsProxy, service: string): Faults {
  const held: Held[] = [];
  return {
    calls: () => proxy.calls.map(seen),
    inject: (fault, { writes, times }) => {
      const match = { service, mutating: writes };
      const some = times === undefined ? {} : { times };
      return fault === 'hang' ? holdUp(proxy, { match, ...some }, held) : proxy.addRule({ match, do: actOf(fault, service), ...some }).remove;
    },
    hung: () => held.length,
    onWrite: hook => {
      const removers = [
        proxy.onBefore(call => (call.mutating ? hook('before', seen(call)) : undefined)),
        proxy.onAfter(call => (call.mutating ? hook('after', seen(call)) : undefined)),
      ];
      return () => {
        for (const remove of removers) remove();
      };
    },
  };
}
