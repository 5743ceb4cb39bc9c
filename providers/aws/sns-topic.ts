/** `aws/sns-topic`: one SNS topic. Attributes and limits: SNS API reference, CreateTopic and SetTopicAttributes. */
import { type Static, Type } from '@sinclair/typebox';
import { applied, changedFields, EngineError, isError, type Json, type JsonObject, mapDelta, present, ready } from '../../src/sdk.ts';
import { type Attributes, flag, json, read, text, write } from './attributes.ts';
import { accountOf, awsType, type Call, endpointOf, keysOf, sns } from './client.ts';
import { canonicalPolicy } from './policy.ts';
import { compact, Document, document, parseObject, Tags, tagList, tagMap } from './values.ts';

const Spec = Type.Object(
  {
    fifo: Type.Boolean({ default: false, plinth: 'immutable', description: 'First in, first out; AWS then wants a name that ends in .fifo, which is added.' }),
    contentBasedDeduplication: Type.Boolean({ default: false, description: 'FIFO only: messages of equal content within 5 minutes are one.' }),
    displayName: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, removable: true, description: 'Name shown as the sender of mails and text messages.' }),
    ),
    kmsKey: Type.Optional(
      Type.String({ minLength: 1, removable: true, description: 'KMS key id, ARN or alias for encryption; not encrypted at rest without it.' }),
    ),
    policy: Type.Optional(
      Document(
        'Access policy, as mapping or JSON text. A statement without Resource is about this topic. Without it the policy SNS gives: the account itself.',
        {
          removable: true,
        },
      ),
    ),
    deliveryPolicy: Type.Optional(Document('How deliveries to HTTP endpoints are retried, as mapping or JSON text.', { removable: true })),
    tracing: Type.Optional(
      Type.Union([Type.Literal('PassThrough'), Type.Literal('Active')], { removable: true, description: 'X-Ray tracing; PassThrough when left out.' }),
    ),
    signatureVersion: Type.Optional(
      Type.Union([Type.Literal('1'), Type.Literal('2')], {
        removable: true,
        description: 'Hash of message signatures: 1 is SHA1, 2 is SHA256; 1 when left out.',
      }),
    ),
    tags: Tags('At most 50.'),
  },
  { additionalProperties: false },
);
type Spec = Static<typeof Spec>;

const State = Type.Object({
  arn: Type.String({ description: 'ARN of the topic.' }),
  name: Type.String({ description: 'Name of the topic.' }),
  region: Type.String({ description: 'Region of the topic.' }),
  endpoint: Type.Optional(Type.String({ description: 'URL of the SNS API; only where it is not AWS.' })),
});

const attributes: Attributes<Spec> = {
  contentBasedDeduplication: ['ContentBasedDeduplication', flag, 'false'],
  displayName: ['DisplayName', text(), ''],
  kmsKey: ['KmsMasterKeyId', text(), ''],
  policy: ['Policy', json()],
  deliveryPolicy: ['DeliveryPolicy', json(), ''],
  tracing: ['TracingConfig', text(), 'PassThrough'],
  signatureVersion: ['SignatureVersion', text(), '1'],
};

async function arnOf({ client }: Call, name: string): Promise<string> {
  const { id, partition } = await accountOf(client);
  return `arn:${partition}:sns:${client.region}:${id}:${name}`;
}

/** Actions of the policy that SNS gives a new topic (SNS developer guide, "Default topic policy"). */
const DEFAULT_ACTIONS = [
  'GetTopicAttributes',
  'SetTopicAttributes',
  'AddPermission',
  'RemovePermission',
  'DeleteTopic',
  'Subscribe',
  'ListSubscriptionsByTopic',
  'Publish',
].map(action => `SNS:${action}`);

/** The policy of a new topic: who belongs to the account, as far as IAM lets them. */
function defaultPolicy(arn: string): JsonObject {
  const owner = arn.split(':')[4] ?? '';
  return {
    Version: '2008-10-17',
    Id: '__default_policy_ID',
    Statement: [
      {
        Sid: '__default_statement_ID',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: DEFAULT_ACTIONS,
        Resource: arn,
        Condition: { StringEquals: { 'AWS:SourceOwner': owner } },
      },
    ],
  };
}

const isMap = (value: Json | undefined): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value);

/** True for the policy that SNS gives by itself, whatever list of actions it has today: everybody, but only of this account. */
function isDefaultPolicy(policy: JsonObject, arn: string): boolean {
  const statements = policy['Statement'];
  const only = Array.isArray(statements) && statements.length === 1 ? statements[0] : undefined;
  if (!isMap(only) || only['Sid'] !== '__default_statement_ID' || only['Resource'] !== arn || !isMap(only['Condition'])) return false;
  const { StringEquals: test, ...others } = only['Condition'];
  if (!isMap(test) || Object.keys(others).length > 0) return false;
  return Object.values(test).every(owner => owner === arn.split(':')[4]) && Object.keys(test).some(key => /^AWS:Source(Owner|Account)$/i.test(key));
}

function observedPolicy(answered: string | undefined, arn: string): { readonly policy?: JsonObject } {
  const policy = canonicalPolicy(parseObject(answered));
  return typeof policy !== 'object' || isDefaultPolicy(policy, arn) ? {} : { policy };
}

/** SNS says "invalid parameter" for a topic that exists with other attributes or tags, so it is looked for. */
async function explain(call: Call, error: unknown, TopicArn: string): Promise<unknown> {
  if (!isError(error, 'InvalidRequest')) return error;
  try {
    await sns(call, 'GetTopicAttributes', { TopicArn });
    return new EngineError('AlreadyExists', error.message, { cause: error });
  } catch {
    return error;
  }
}

export const snsTopic = awsType({
  type: 'aws/sns-topic',
  description: 'An SNS topic, standard or FIFO.',
  spec: Spec,
  state: State,
  naming: { by: 'template', maxLength: 256, characters: 'A-Za-z0-9_-', unique: 'account', suffix: spec => (spec.fifo ? '.fifo' : '') },
  mark: { as: 'map', at: 'tags' },
  holds: 'nothing',
  settleSeconds: 30,
  examples: [
    { fifo: false, contentBasedDeduplication: false, tags: { team: 'orders' } },
    { fifo: true, contentBasedDeduplication: true, displayName: 'Orders', tags: {} },
    {
      fifo: false,
      contentBasedDeduplication: false,
      kmsKey: 'alias/aws/sns',
      policy: {
        Version: '2012-10-17',
        Statement: [{ Sid: 'Events', Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, Action: ['sns:Publish'] }],
      },
      deliveryPolicy: { http: { defaultHealthyRetryPolicy: { minDelayTarget: 20, maxDelayTarget: 20, numRetries: 3 } } },
      tracing: 'Active',
      signatureVersion: '2',
      tags: { 'cost-center': '4711' },
    },
  ],

  normalise(spec, seen) {
    const { contentBasedDeduplication: content, tracing, signatureVersion, ...rest } = spec;
    return compact({
      ...rest,
      policy: canonicalPolicy(spec.policy, seen?.state.arn),
      deliveryPolicy: document(spec.deliveryPolicy),
      // SNS does not answer what stands at its default everywhere.
      contentBasedDeduplication: spec.fifo ? (content ?? false) : content || undefined,
      tracing: tracing === 'PassThrough' ? undefined : tracing,
      signatureVersion: signatureVersion === '1' ? undefined : signatureVersion,
    }) as Spec;
  },
  async observe(call, name) {
    const TopicArn = await arnOf(call, name);
    const full = call.depth === 'full';
    const [{ Attributes = {} }, { Tags }] = await Promise.all([
      sns(call, 'GetTopicAttributes', { TopicArn }),
      full ? sns(call, 'ListTagsForResource', { ResourceArn: TopicArn }) : { Tags: [] },
    ]);
    const { policy: _, ...fields } = read(attributes, Attributes);
    const spec = {
      ...fields,
      ...observedPolicy(Attributes['Policy'], TopicArn),
      fifo: Attributes['FifoTopic'] === 'true',
      ...(full ? { tags: tagMap(Tags) } : {}),
    };
    const state = { arn: TopicArn, name, region: call.client.region, ...endpointOf(call.client) };
    return present(spec, state, ready, { secrets: keysOf(call.client), unread: full ? [] : ['tags'] });
  },
  async create(call, name, spec) {
    const TopicArn = await arnOf(call, name);
    const own = compact({ ...spec, policy: canonicalPolicy(spec.policy, TopicArn) }) as Spec;
    const Attributes = { ...write(attributes, own), ...(spec.fifo ? { FifoTopic: 'true' } : {}) };
    try {
      await sns(call, 'CreateTopic', { Name: name, Attributes, Tags: tagList(spec.tags) });
    } catch (error) {
      throw await explain(call, error, TopicArn);
    }
  },
  async update(call, _name, update) {
    const TopicArn = update.seen.state.arn;
    const next = applied(update);
    const changed = changedFields(update.changes);
    const Attributes = write(attributes, next, changed);
    if (changed.has('policy') && next.policy === undefined) Attributes['Policy'] = JSON.stringify(defaultPolicy(TopicArn));
    for (const [AttributeName, AttributeValue] of Object.entries(Attributes))
      await sns(call, 'SetTopicAttributes', { TopicArn, AttributeName, AttributeValue });
    const tags = mapDelta(update.changes, 'tags');
    if (Object.keys(tags.set).length > 0) await sns(call, 'TagResource', { ResourceArn: TopicArn, Tags: tagList(tags.set) });
    if (tags.remove.length > 0) await sns(call, 'UntagResource', { ResourceArn: TopicArn, TagKeys: [...tags.remove] });
  },
  async delete(call, _name, { state: { arn: TopicArn } }) {
    await sns(call, 'DeleteTopic', { TopicArn });
  },
});
