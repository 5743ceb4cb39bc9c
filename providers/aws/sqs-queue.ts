/** `aws/sqs-queue`: one SQS queue. Attributes and limits: SQS API reference, SetQueueAttributes and CreateQueue. */
import { type Static, Type } from '@sinclair/typebox';
import { applied, changedFields, EngineError, isError, mapDelta, present, ready } from '../../src/sdk.ts';
import { type Attributes, flag, number, read, text, write } from './attributes.ts';
import { accountOf, awsType, type Call, endpointOf, keysOf, sqs } from './client.ts';
import { canonicalPolicy, joinPolicy, splitPolicy } from './policy.ts';
import { compact, Document, parseObject, Tags, timestamp } from './values.ts';

const Spec = Type.Object(
  {
    fifo: Type.Boolean({ default: false, plinth: 'immutable', description: 'First in, first out; AWS then wants a name that ends in .fifo, which is added.' }),
    contentBasedDeduplication: Type.Boolean({ default: false, description: 'FIFO only: messages of equal content within 5 minutes are one.' }),
    deduplicationScope: Type.Union([Type.Literal('queue'), Type.Literal('messageGroup')], {
      default: 'queue',
      description: 'FIFO only: where duplicates are looked for.',
    }),
    fifoThroughputLimit: Type.Union([Type.Literal('perQueue'), Type.Literal('perMessageGroupId')], {
      default: 'perQueue',
      description: 'FIFO only: what the throughput quota counts; perMessageGroupId needs deduplicationScope messageGroup.',
    }),
    visibilityTimeoutSeconds: Type.Integer({ minimum: 0, maximum: 43_200, default: 30, description: 'How long a received message stays hidden.' }),
    // SetQueueAttributes: 60 s for most attributes, 15 minutes for this one.
    retentionSeconds: Type.Integer({ minimum: 60, maximum: 1_209_600, default: 345_600, settleSeconds: 900, description: 'How long a message is kept.' }),
    delaySeconds: Type.Integer({ minimum: 0, maximum: 900, default: 0, description: 'How long a new message stays hidden.' }),
    maximumMessageBytes: Type.Integer({ minimum: 1_024, maximum: 1_048_576, default: 1_048_576, description: 'Largest message.' }),
    receiveWaitSeconds: Type.Integer({ minimum: 0, maximum: 20, default: 0, description: 'How long a receive waits for a message (long polling).' }),
    kmsKey: Type.Optional(
      Type.String({
        minLength: 1,
        removable: true,
        description: 'KMS key id, ARN or alias for encryption (SSE-KMS); without it SQS encrypts with its own key.',
      }),
    ),
    kmsDataKeyReuseSeconds: Type.Optional(
      Type.Integer({ minimum: 60, maximum: 86_400, removable: true, description: 'With kmsKey: how long a data key is reused; 300 when left out.' }),
    ),
    managedEncryption: Type.Optional(
      Type.Boolean({ removable: true, description: 'Encryption with a key of SQS (SSE-SQS); on by default, and off where kmsKey is set.' }),
    ),
    deadLetter: Type.Optional(
      Type.Object(
        {
          arn: Type.String({ description: 'ARN of the queue that takes what could not be handled; FIFO like this one.' }),
          maxReceives: Type.Integer({ minimum: 1, maximum: 1_000, description: 'Receives after which a message is moved.' }),
        },
        { removable: true, additionalProperties: false, description: 'Where messages go that were received too often.' },
      ),
    ),
    redriveAllow: Type.Optional(
      Type.Object(
        {
          permission: Type.Union([Type.Literal('allowAll'), Type.Literal('denyAll'), Type.Literal('byQueue')], { description: 'Which queues.' }),
          sources: Type.Optional(Type.Array(Type.String(), { maxItems: 10, description: 'With byQueue: ARNs of the queues.' })),
        },
        {
          removable: true,
          additionalProperties: false,
          description: 'Which queues may use this one as their dead letter queue; all of the account when left out.',
        },
      ),
    ),
    policy: Type.Optional(Document('Access policy, as mapping or JSON text. A statement without Resource is about this queue.', { removable: true })),
    allowSendFrom: Type.Optional(
      Type.Array(Type.String(), {
        removable: true,
        description: 'ARNs of SNS topics that may send to this queue, and no others: one more statement of the policy.',
      }),
    ),
    tags: Tags('At most 50.'),
  },
  { additionalProperties: false },
);
type Spec = Static<typeof Spec>;

const State = Type.Object({
  arn: Type.String({ description: 'ARN of the queue.' }),
  url: Type.String({ description: 'URL of the queue, what SDKs call QueueUrl.' }),
  name: Type.String({ description: 'Name of the queue.' }),
  region: Type.String({ description: 'Region of the queue.' }),
  endpoint: Type.Optional(Type.String({ description: 'URL of the SQS API; only where it is not AWS.' })),
});

const attributes: Attributes<Spec> = {
  contentBasedDeduplication: ['ContentBasedDeduplication', flag, 'false'],
  deduplicationScope: ['DeduplicationScope', text(), 'queue'],
  fifoThroughputLimit: ['FifoThroughputLimit', text(), 'perQueue'],
  visibilityTimeoutSeconds: ['VisibilityTimeout', number],
  retentionSeconds: ['MessageRetentionPeriod', number],
  delaySeconds: ['DelaySeconds', number],
  maximumMessageBytes: ['MaximumMessageSize', number],
  receiveWaitSeconds: ['ReceiveMessageWaitTimeSeconds', number],
  kmsKey: ['KmsMasterKeyId', text(), ''],
  kmsDataKeyReuseSeconds: ['KmsDataKeyReusePeriodSeconds', number, '300'],
  managedEncryption: ['SqsManagedSseEnabled', flag, 'true'],
  deadLetter: [
    'RedrivePolicy',
    {
      read: value => {
        const policy = parseObject(value);
        // Emulators answer the count as sent, number or text.
        return policy && { arn: String(policy['deadLetterTargetArn']), maxReceives: Number(policy['maxReceiveCount']) };
      },
      write: ({ arn, maxReceives }) => JSON.stringify({ deadLetterTargetArn: arn, maxReceiveCount: maxReceives }),
    },
    '',
  ],
  redriveAllow: [
    'RedriveAllowPolicy',
    {
      read: value => {
        const policy = parseObject(value) as { redrivePermission: 'allowAll' | 'denyAll' | 'byQueue'; sourceQueueArns?: string[] } | undefined;
        return policy && compact({ permission: policy.redrivePermission, sources: policy.sourceQueueArns });
      },
      write: ({ permission, sources }) => JSON.stringify(compact({ redrivePermission: permission, sourceQueueArns: sources })),
    },
    '',
  ],
};

/** FIFO attributes with their defaults (CreateQueue): SQS refuses them on a standard queue, and emulators do not always answer them. */
const FIFO_DEFAULTS = { contentBasedDeduplication: false, deduplicationScope: 'queue', fifoThroughputLimit: 'perQueue' } as const;

function fifoFields(spec: Partial<Spec>): Partial<Spec> {
  if (spec.fifo) return { ...FIFO_DEFAULTS, ...compact(spec) };
  const { contentBasedDeduplication: content, deduplicationScope: scope, fifoThroughputLimit: limit, ...rest } = spec;
  // What is not a default stays, for SQS to refuse: a wish that cannot be met is not dropped silently.
  return {
    ...rest,
    ...(content ? { contentBasedDeduplication: content } : {}),
    ...(scope === undefined || scope === 'queue' ? {} : { deduplicationScope: scope }),
    ...(limit === undefined || limit === 'perQueue' ? {} : { fifoThroughputLimit: limit }),
  };
}

function kmsFields({ kmsKey, kmsDataKeyReuseSeconds, managedEncryption, ...rest }: Partial<Spec>): Partial<Spec> {
  // One kind of encryption a queue: with a key the other flag is off by itself, and only then a data key exists.
  return compact(kmsKey === undefined ? { ...rest, managedEncryption } : { ...rest, kmsKey, kmsDataKeyReuseSeconds: kmsDataKeyReuseSeconds ?? 300 });
}

const sorted = (list: readonly string[] | undefined): string[] | undefined => (list === undefined || list.length === 0 ? undefined : [...new Set(list)].sort());

/** The queue's URL, remembered per connection, so that a quick look is one call. */
async function urlOf(call: Call, name: string): Promise<string> {
  const known = call.client.remembered.get(`sqs:${name}`);
  if (known !== undefined) return known;
  const { QueueUrl = '' } = await sqs(call, 'GetQueueUrl', { QueueName: name });
  return remember(call, name, QueueUrl);
}

/** Emulators answer URLs under names that do not resolve everywhere: the configured endpoint does. */
function remember({ client }: Call, name: string, answered: string): string {
  const url = client.foreign === undefined ? answered : new URL(new URL(answered).pathname, client.foreign.endpoint).href;
  client.remembered.set(`sqs:${name}`, url);
  return url;
}

/** SQS says "invalid value" for a dead letter queue that does not exist, so it is looked for. */
async function explain(call: Call, error: unknown, deadLetter: string | undefined): Promise<unknown> {
  if (deadLetter === undefined || !(isError(error, 'InvalidRequest') || isError(error, 'NotFound'))) return error;
  const [, , , , account, name] = deadLetter.split(':');
  try {
    await sqs(call, 'GetQueueUrl', compact({ QueueName: name ?? '', QueueOwnerAWSAccountId: account || undefined }));
    return error;
  } catch (missing) {
    if (!isError(missing, 'NotFound')) return error;
    return new EngineError('DependencyMissing', `the dead letter queue ${name} does not exist`, { cause: error, path: 'deadLetter.arn' });
  }
}

async function arnOf({ client }: Call, name: string): Promise<string> {
  const { id, partition } = await accountOf(client);
  return `arn:${partition}:sqs:${client.region}:${id}:${name}`;
}

export const sqsQueue = awsType({
  type: 'aws/sqs-queue',
  description: 'An SQS queue, standard or FIFO.',
  spec: Spec,
  state: State,
  naming: { by: 'template', maxLength: 80, characters: 'A-Za-z0-9_-', unique: 'account', suffix: spec => (spec.fifo ? '.fifo' : '') },
  mark: { as: 'map', at: 'tags' },
  holds: 'backlog',
  settleSeconds: 60,
  examples: [
    {
      ...FIFO_DEFAULTS,
      fifo: false,
      visibilityTimeoutSeconds: 60,
      retentionSeconds: 345_600,
      delaySeconds: 0,
      maximumMessageBytes: 262_144,
      receiveWaitSeconds: 20,
      allowSendFrom: ['arn:aws:sns:us-east-1:000000000000:order-events'],
      tags: { team: 'orders' },
    },
    {
      fifo: true,
      contentBasedDeduplication: true,
      deduplicationScope: 'messageGroup',
      fifoThroughputLimit: 'perMessageGroupId',
      visibilityTimeoutSeconds: 30,
      retentionSeconds: 1_209_600,
      delaySeconds: 5,
      maximumMessageBytes: 1_048_576,
      receiveWaitSeconds: 0,
      managedEncryption: true,
      tags: {},
    },
    {
      ...FIFO_DEFAULTS,
      fifo: false,
      visibilityTimeoutSeconds: 30,
      retentionSeconds: 60,
      delaySeconds: 0,
      maximumMessageBytes: 1_024,
      receiveWaitSeconds: 0,
      kmsKey: 'alias/aws/sqs',
      redriveAllow: { permission: 'denyAll' },
      policy: {
        Version: '2012-10-17',
        Statement: [{ Sid: 'TlsOnly', Effect: 'Deny', Principal: '*', Action: 'sqs:*', Condition: { Bool: { 'aws:SecureTransport': false } } }],
      },
      tags: { 'cost-center': '4711' },
    },
  ],

  normalise(spec, seen) {
    const redriveAllow = spec.redriveAllow && compact({ ...spec.redriveAllow, sources: sorted(spec.redriveAllow.sources) });
    const lists = compact({ ...spec, redriveAllow, allowSendFrom: sorted(spec.allowSendFrom), policy: canonicalPolicy(spec.policy, seen?.state.arn) });
    return kmsFields(fifoFields(lists)) as Spec;
  },
  async observe(call, name) {
    const QueueUrl = await urlOf(call, name);
    const full = call.depth === 'full';
    try {
      const [{ Attributes = {} }, { Tags = {} }] = await Promise.all([
        sqs(call, 'GetQueueAttributes', { QueueUrl, AttributeNames: ['All'] }),
        full ? sqs(call, 'ListQueueTags', { QueueUrl }) : { Tags: {} },
      ]);
      const arn = Attributes['QueueArn'] ?? (await arnOf(call, name));
      const spec = {
        ...read(attributes, Attributes),
        ...splitPolicy(Attributes['Policy'], arn),
        fifo: Attributes['FifoQueue'] === 'true',
        ...(full ? { tags: Tags } : {}),
      };
      const state = { arn, url: QueueUrl, name, region: call.client.region, ...endpointOf(call.client) };
      return present(
        spec,
        state,
        ready,
        compact({ secrets: { ...keysOf(call.client) }, unread: full ? [] : ['tags'], createdAt: timestamp(Attributes['CreatedTimestamp']) }),
      );
    } catch (error) {
      if (isError(error, 'NotFound')) call.client.remembered.delete(`sqs:${name}`);
      throw error;
    }
  },
  async create(call, name, spec) {
    const policy = joinPolicy(spec.policy, spec.allowSendFrom, await arnOf(call, name));
    const Attributes = { ...write(attributes, spec), ...(policy === '' ? {} : { Policy: policy }), ...(spec.fifo ? { FifoQueue: 'true' } : {}) };
    try {
      const { QueueUrl = '' } = await sqs(call, 'CreateQueue', { QueueName: name, Attributes, tags: spec.tags });
      remember(call, name, QueueUrl);
    } catch (error) {
      throw await explain(call, error, spec.deadLetter?.arn);
    }
  },
  async update(call, _name, update) {
    const { seen, changes } = update;
    const QueueUrl = seen.state.url;
    const next = applied(update);
    const changed = changedFields(changes);
    const sent = write(attributes, next, changed);
    // Without a key there is no data key.
    if (next.kmsKey === undefined) delete sent['KmsDataKeyReusePeriodSeconds'];
    const Attributes =
      changed.has('policy') || changed.has('allowSendFrom') ? { ...sent, Policy: joinPolicy(next.policy, next.allowSendFrom, seen.state.arn) } : sent;
    try {
      if (Object.keys(Attributes).length > 0) await sqs(call, 'SetQueueAttributes', { QueueUrl, Attributes });
    } catch (error) {
      throw await explain(call, error, next.deadLetter?.arn);
    }
    const tags = mapDelta(changes, 'tags');
    if (Object.keys(tags.set).length > 0) await sqs(call, 'TagQueue', { QueueUrl, Tags: tags.set });
    if (tags.remove.length > 0) await sqs(call, 'UntagQueue', { QueueUrl, TagKeys: [...tags.remove] });
  },
  async delete(call, name, { state: { url: QueueUrl } }) {
    await sqs(call, 'DeleteQueue', { QueueUrl });
    call.client.remembered.delete(`sqs:${name}`);
  },
});
