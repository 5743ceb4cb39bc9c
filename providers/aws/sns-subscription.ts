/** `aws/sns-subscription`: one subscription of a topic. Attributes: SNS API reference, Subscribe and SetSubscriptionAttributes. */
import { type Static, Type } from '@sinclair/typebox';
import { applied, changedFields, EngineError, isError, notReady, present, ready } from '../../src/sdk.ts';
import { type Attributes, flag, json, read, text, write } from './attributes.ts';
import { awsType, type Call, keysOf, sns } from './client.ts';
import { compact, Document, document, parseObject } from './values.ts';

const Spec = Type.Object(
  {
    topic: Type.String({ plinth: 'immutable', pattern: '^arn:', description: 'ARN of the topic.' }),
    protocol: Type.Union([Type.Literal('sqs'), Type.Literal('lambda'), Type.Literal('https'), Type.Literal('http')], {
      default: 'sqs',
      plinth: 'immutable',
      description: 'How messages are delivered; http and https endpoints confirm the subscription themselves.',
    }),
    endpoint: Type.String({ plinth: 'immutable', minLength: 1, description: 'ARN of the queue or function, or the URL.' }),
    filterPolicy: Type.Optional(Document('Which messages are delivered, as mapping or JSON text; all when left out.', { removable: true })),
    filterPolicyScope: Type.Optional(
      Type.Union([Type.Literal('MessageAttributes'), Type.Literal('MessageBody')], {
        removable: true,
        description: 'What the filter policy looks at; MessageAttributes when left out.',
      }),
    ),
    rawDelivery: Type.Boolean({ default: false, description: 'Deliver the message as it was sent, without the JSON envelope.' }),
    deadLetterArn: Type.Optional(Type.String({ removable: true, description: 'ARN of the queue for messages that could not be delivered.' })),
    deliveryPolicy: Type.Optional(Document('How deliveries to this HTTP endpoint are retried, as mapping or JSON text.', { removable: true })),
  },
  { additionalProperties: false },
);
type Spec = Static<typeof Spec>;

const State = Type.Object({
  arn: Type.Optional(Type.String({ description: 'ARN of the subscription; absent while it is unconfirmed and its ARN unknown.' })),
  topicArn: Type.String({ description: 'ARN of the topic.' }),
  region: Type.String({ description: 'Region of the topic.' }),
});

const attributes: Attributes<Spec> = {
  filterPolicy: ['FilterPolicy', json(), '{}'],
  filterPolicyScope: ['FilterPolicyScope', text(), 'MessageAttributes'],
  rawDelivery: ['RawMessageDelivery', flag, 'false'],
  deadLetterArn: [
    'RedrivePolicy',
    {
      read: value => parseObject(value)?.['deadLetterTargetArn'] as string | undefined,
      write: deadLetterTargetArn => JSON.stringify({ deadLetterTargetArn }),
    },
    '',
  ],
  deliveryPolicy: ['DeliveryPolicy', json(), ''],
};
/** Fields that an unconfirmed subscription whose ARN is unknown does not show. */
const ATTRIBUTE_FIELDS = Object.keys(attributes);

type Key = Pick<Spec, 'topic' | 'protocol' | 'endpoint'>;
const keyText = ({ topic, protocol, endpoint }: Key): string => `${topic}|${protocol}|${endpoint}`;
function keyOf(name: string): Key {
  const [topic = '', protocol = '', ...endpoint] = name.split('|');
  return { topic, protocol: protocol as Spec['protocol'], endpoint: endpoint.join('|') };
}

/** What SNS answers instead of an ARN while an endpoint has not confirmed (ListSubscriptionsByTopic, Subscribe). */
const isArn = (answered: string | undefined): answered is string => answered?.startsWith('arn:') === true;
const UNKNOWN = 'unconfirmed';

/** The ARN of the subscription, `unconfirmed` when there is one without, undefined when there is none. Pages of 100. */
async function find(call: Call, { topic, protocol, endpoint }: Key): Promise<string | undefined> {
  for (let NextToken: string | undefined; ; ) {
    const page = await sns(call, 'ListSubscriptionsByTopic', { TopicArn: topic, ...(NextToken === undefined ? {} : { NextToken }) });
    const found = page.Subscriptions?.find(one => one.Protocol === protocol && one.Endpoint === endpoint);
    if (found !== undefined) return isArn(found.SubscriptionArn) ? found.SubscriptionArn : UNKNOWN;
    NextToken = page.NextToken;
    if (NextToken === undefined || NextToken === '') return undefined;
  }
}

const memory = (name: string): string => `sns:${name}`;

/** Reads by the remembered ARN; a subscription made anew since then has another one and is found by listing. */
async function attributesOf(call: Call, name: string): Promise<{ readonly arn: string | undefined; readonly answered?: Record<string, string> } | undefined> {
  const { remembered } = call.client;
  const known = remembered.get(memory(name));
  if (known !== undefined) {
    try {
      return { arn: known, answered: (await sns(call, 'GetSubscriptionAttributes', { SubscriptionArn: known })).Attributes ?? {} };
    } catch (error) {
      if (!isError(error, 'NotFound')) throw error;
      remembered.delete(memory(name));
    }
  }
  const found = await find(call, keyOf(name));
  if (found === undefined) return undefined;
  if (found === UNKNOWN) return { arn: undefined };
  remembered.set(memory(name), found);
  return { arn: found, answered: (await sns(call, 'GetSubscriptionAttributes', { SubscriptionArn: found })).Attributes ?? {} };
}

/**
 * The order in which attributes can be sent one by one: a policy with nested keys is only valid in scope MessageBody, so that scope comes
 * first, and goes last (SNS guide, "Filter policy scope").
 */
function inOrder(sent: Readonly<Record<string, string>>): [string, string][] {
  const first = sent['FilterPolicyScope'] === 'MessageBody' ? ['FilterPolicyScope', 'FilterPolicy'] : ['FilterPolicy', 'FilterPolicyScope'];
  const rank = (name: string): number => first.indexOf(name) + 1 || first.length + 1;
  return Object.entries(sent).sort(([a], [b]) => rank(a) - rank(b));
}

/** SNS says "invalid parameter" for a subscription that exists with other attributes, so it is looked for. */
async function explain(call: Call, error: unknown, key: Key): Promise<unknown> {
  if (!isError(error, 'InvalidRequest')) return error;
  const found = await find(call, key).catch(() => undefined);
  return found === undefined ? error : new EngineError('AlreadyExists', error.message, { cause: error });
}

async function subscribe(call: Call, name: string, spec: Spec): Promise<void> {
  const { SubscriptionArn } = await sns(call, 'Subscribe', {
    TopicArn: spec.topic,
    Protocol: spec.protocol,
    Endpoint: spec.endpoint,
    Attributes: write(attributes, spec),
    ReturnSubscriptionArn: true,
  });
  if (isArn(SubscriptionArn)) call.client.remembered.set(memory(name), SubscriptionArn);
}

const pending = notReady('PendingConfirmation', 'the endpoint has not confirmed the subscription yet');

export const snsSubscription = awsType({
  type: 'aws/sns-subscription',
  description: 'A subscription of a queue, a function or an HTTP endpoint to an SNS topic.',
  spec: Spec,
  state: State,
  naming: {
    by: 'key',
    key: ({ topic, protocol = 'sqs', endpoint }: Partial<Spec>) =>
      topic === undefined || endpoint === undefined ? undefined : keyText({ topic, protocol, endpoint }),
  },
  mark: { as: 'key' },
  holds: 'nothing',
  settleSeconds: 30,
  examples: [
    {
      topic: 'arn:aws:sns:us-east-1:000000000000:order-events',
      protocol: 'sqs',
      endpoint: 'arn:aws:sqs:us-east-1:000000000000:orders',
      rawDelivery: true,
      filterPolicy: { type: ['created', 'changed'] },
    },
    {
      topic: 'arn:aws:sns:us-east-1:000000000000:order-events',
      protocol: 'sqs',
      endpoint: 'arn:aws:sqs:us-east-1:000000000000:audit',
      rawDelivery: false,
      filterPolicy: { order: { amount: [{ numeric: ['>', 100] }] } },
      filterPolicyScope: 'MessageBody',
      deadLetterArn: 'arn:aws:sqs:us-east-1:000000000000:audit-failed',
    },
  ],

  normalise(spec) {
    const { filterPolicy, filterPolicyScope: scope, ...rest } = spec;
    const filter = document(filterPolicy);
    const none = typeof filter === 'object' && Object.keys(filter).length === 0;
    return compact({
      ...rest,
      filterPolicy: none ? undefined : filter,
      filterPolicyScope: scope === 'MessageAttributes' ? undefined : scope,
      deliveryPolicy: document(spec.deliveryPolicy),
    }) as Spec;
  },
  async observe(call, name) {
    const key = keyOf(name);
    const found = await attributesOf(call, name);
    if (found === undefined) return { kind: 'absent' };
    const state = compact({ arn: found.arn, topicArn: key.topic, region: call.client.region });
    const secrets = keysOf(call.client);
    if (found.answered === undefined) return present<Spec, Static<typeof State>>(key, state, pending, { secrets, unread: ATTRIBUTE_FIELDS });
    return present(
      { rawDelivery: false, ...read(attributes, found.answered), ...key },
      state,
      found.answered['PendingConfirmation'] === 'true' ? pending : ready,
      { secrets },
    );
  },
  async create(call, name, spec) {
    try {
      await subscribe(call, name, spec);
    } catch (error) {
      throw await explain(call, error, spec);
    }
  },
  async update(call, name, update) {
    const SubscriptionArn = update.seen.state.arn;
    if (SubscriptionArn === undefined) throw new EngineError('Busy', 'the subscription is not confirmed, so it cannot be changed');
    const sent = write(attributes, applied(update), changedFields(update.changes));
    try {
      for (const [AttributeName, AttributeValue] of inOrder(sent)) {
        // An empty redrive policy is refused as malformed; none at all takes it away.
        await sns(call, 'SetSubscriptionAttributes', { SubscriptionArn, AttributeName, ...(AttributeValue === '' ? {} : { AttributeValue }) });
      }
    } catch (error) {
      // LocalStack fails on that; there a subscription made anew loses nothing.
      if (call.client.foreign === undefined || !isError(error, 'ServiceError') || sent['RedrivePolicy'] !== '') throw error;
      await sns(call, 'Unsubscribe', { SubscriptionArn });
      await subscribe(call, name, applied(update) as Spec);
    }
  },
  async delete(call, name, { state: { arn } }) {
    if (arn === undefined) {
      throw new EngineError('Busy', 'SNS does not let an unconfirmed subscription be removed', {
        hint: 'confirm it, wait (SNS drops it after 48 hours), or run `plinth abandon`',
      });
    }
    await sns(call, 'Unsubscribe', { SubscriptionArn: arn });
    call.client.remembered.delete(memory(name));
  },
});
