import { describe, expect, it } from 'vitest';
import type { JsonObject, Present } from '../../src/sdk.ts';
import { miniStack } from '../../test/parts/emulators.ts';
import { sns } from './client.ts';
import { snsSubscription as type } from './sns-subscription.ts';
import { answer, failure, look, settle, trial } from './trial.ts';

const topic = 'arn:aws:sns:us-east-1:111122223333:events';
const plain = { topic, protocol: 'sqs', endpoint: 'arn:aws:sqs:us-east-1:111122223333:orders', rawDelivery: false };
const keyOf = (spec: JsonObject): string => (type.naming.by === 'key' ? type.naming.key(spec) : undefined)!;
const key = keyOf(plain);

async function withTopic() {
  const t = trial((await miniStack()).endpoint);
  const { TopicArn = '' } = await sns(t.context(), 'CreateTopic', { Name: 'events' });
  return { t, spec: { ...plain, topic: TopicArn } };
}

describe('aws/sns-subscription', () => {
  it('has a key only once topic and endpoint are known; a URL may hold the separator', () => {
    expect(keyOf({ topic, protocol: 'sqs' })).toBeUndefined();
    expect(keyOf({ topic, endpoint: 'arn:q' })).toBe(`${topic}|sqs|arn:q`);
  });

  it('is found page by page, and then by one call', async () => {
    const t = trial('http://127.0.0.1:1');
    const asked = await answer(t, 'sns', (command, input) => {
      if (command === 'GetSubscriptionAttributes') return { Attributes: {} };
      if (input['NextToken'] === undefined) return { Subscriptions: [{ Protocol: 'sqs', Endpoint: 'arn:other', SubscriptionArn: 'arn:o' }], NextToken: '2' };
      return { Subscriptions: [{ Protocol: 'sqs', Endpoint: plain.endpoint, SubscriptionArn: 'arn:s' }] };
    });
    expect(await look(type, t, key)).toMatchObject({ kind: 'present', state: { arn: 'arn:s' } });
    await look(type, t, key, 'quick');
    expect(asked).toEqual(['ListSubscriptionsByTopic', 'ListSubscriptionsByTopic', 'GetSubscriptionAttributes', 'GetSubscriptionAttributes']);
  });

  it('is found again when somebody made it anew', async () => {
    const { t, spec } = await withTopic();
    await type.create(t.context(), keyOf(spec), spec);
    const { state } = (await look(type, t, keyOf(spec))) as Present;
    await sns(t.context(), 'Unsubscribe', { SubscriptionArn: state['arn'] as string });
    const { SubscriptionArn } = await sns(t.context(), 'Subscribe', { TopicArn: spec.topic, Protocol: 'sqs', Endpoint: spec.endpoint });
    expect(((await look(type, t, keyOf(spec))) as Present).state['arn']).toBe(SubscriptionArn);
  });

  it('is absent where its topic is, and waits for the topic when it is to be made', async () => {
    const { t, spec } = await withTopic();
    const lost = { ...spec, topic: `${spec.topic}-gone` };
    expect(await look(type, t, keyOf(lost))).toEqual({ kind: 'absent' });
    await expect(type.create(t.context(), keyOf(lost), lost)).rejects.toMatchObject({ code: 'DependencyMissing' });
  });

  it('takes filter, scope and dead letter queue away again', async () => {
    const { t, spec } = await withTopic();
    const rich = { ...spec, rawDelivery: true, filterPolicy: { a: { b: ['x'] } }, filterPolicyScope: 'MessageBody', deadLetterArn: `${plain.endpoint}-failed` };
    await type.create(t.context(), keyOf(spec), rich);
    expect(await settle(type, t, keyOf(spec), rich)).toBe(0);
    expect(await settle(type, t, keyOf(spec), spec)).toBe(1);
    expect(((await look(type, t, keyOf(spec))) as Present).spec).toEqual(spec);
  });

  it('sends the scope first when it becomes MessageBody and last when it no longer is', async () => {
    const t = trial('http://127.0.0.1:1');
    const sent: unknown[] = [];
    await answer(t, 'sns', (command, input) => {
      if (command === 'SetSubscriptionAttributes') sent.push(input['AttributeName']);
    });
    const update = async (from: JsonObject, to: JsonObject) => {
      const seen = { kind: 'present', spec: { ...plain, ...from }, state: { arn: 'arn:s' }, readiness: { ready: true }, unread: [] } as Present;
      const changes = ['filterPolicy', 'filterPolicyScope'].map(path => ({ path, desired: to[path], observed: from[path], cause: 'changed' as const }));
      await type.update(t.context(), key, { spec: { ...plain, ...to }, seen, changes });
      return sent.splice(0);
    };
    const body = { filterPolicy: { a: { b: ['x'] } }, filterPolicyScope: 'MessageBody' };
    expect(await update({}, body)).toEqual(['FilterPolicyScope', 'FilterPolicy']);
    expect(await update(body, { filterPolicy: { a: ['x'] } })).toEqual(['FilterPolicy', 'FilterPolicyScope']);
  });

  it('waits for the endpoint to confirm, and cannot be removed before, when its ARN is unknown', async () => {
    const t = trial('http://127.0.0.1:1');
    await answer(t, 'sns', () => ({ Subscriptions: [{ Protocol: 'https', Endpoint: 'https://x/a|b', SubscriptionArn: 'PendingConfirmation' }] }));
    const https = keyOf({ topic, protocol: 'https', endpoint: 'https://x/a|b' });
    const seen = (await look(type, t, https)) as Present;
    expect(seen).toMatchObject({ spec: { endpoint: 'https://x/a|b' }, readiness: { ready: false, reason: 'PendingConfirmation' } });
    expect(seen.unread).toContain('filterPolicy');
    await expect(type.delete(t.context(), https, seen, {})).rejects.toMatchObject({ code: 'Busy' });
  });

  it('tells a subscription that exists with other attributes from a wrong value', async () => {
    const t = trial('http://127.0.0.1:1');
    let Subscriptions = [{ Protocol: 'sqs', Endpoint: plain.endpoint, SubscriptionArn: 'arn:s' }];
    await answer(t, 'sns', command => {
      if (command === 'Subscribe') throw failure('InvalidParameterException');
      return { Subscriptions };
    });
    await expect(type.create(t.context(), key, plain)).rejects.toMatchObject({ code: 'AlreadyExists' });
    Subscriptions = [];
    await expect(type.create(t.context(), key, plain)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });
});
