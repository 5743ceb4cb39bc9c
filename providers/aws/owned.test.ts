import { describe, expect, it } from 'vitest';
import type { JsonObject, Owned, ResourceType } from '../../src/sdk.ts';
import { miniStack } from '../../test/parts/emulators.ts';
import { types } from './index.ts';
import { owned } from './owned.ts';
import { answer, failure, type Trial, trial } from './trial.ts';

const marks = (instance: string, id: string): JsonObject => ({
  'plinth.dev/instance': instance,
  'plinth.dev/kind': 'Queue',
  'plinth.dev/namespace': 'dev',
  'plinth.dev/name': 'orders',
  'plinth.dev/id': id,
  'plinth.dev/uid': 'u',
});
async function all(t: Trial, instance: string): Promise<Owned[]> {
  const found: Owned[] = [];
  for await (const one of owned(t.context(), instance)) found.push(one);
  return found;
}

describe('owned', () => {
  it('finds everything with our marks, and nothing of others', async () => {
    const t = trial((await miniStack()).endpoint);
    const make = (type: ResourceType, name: string, tags: JsonObject) => {
      const spec = { ...(type.examples[0] as JsonObject), tags };
      return type.create(t.context(), name, type.normalise?.(spec) ?? spec);
    };
    const taggable = types.filter(type => type.mark.as === 'map');
    const account = t.client.foreign!.accessKeyId;
    for (const type of taggable) {
      const name = `plinth-${account}-${type.type.slice(4)}`;
      await make(type, name, marks('mine', type.type));
      await make(type, `${name}-theirs`, marks('theirs', type.type));
      await make(type, `${name}-plain`, { team: 'orders' });
    }
    for (let i = 0; i < 20; i++) await make(types[0]!, `many${i}`, marks('mine', `many[${i}]`));
    const found = await all(t, 'mine');
    expect(found.filter(one => !one.name.startsWith('many')).map(one => [one.type, one.name, one.owner.id])).toEqual(
      taggable.map(type => [type.type, `plinth-${account}-${type.type.slice(4)}`, type.type]),
    );
    expect(found.filter(one => one.name.startsWith('many'))).toHaveLength(20);
    expect(await all(t, 'nobody')).toEqual([]);
  });

  it('finds subscriptions of our queues to our topics, which bear no marks, and no others', async () => {
    const t = trial((await miniStack()).endpoint);
    const [queue, topic, subscription] = ['aws/sqs-queue', 'aws/sns-topic', 'aws/sns-subscription'].map(name => types.find(type => type.type === name)!);
    const arn = (service: string, name: string) => `arn:aws:${service}:us-east-1:${t.client.foreign!.accessKeyId}:${name}`;
    for (const [name, instance] of [
      ['ours', 'mine'],
      ['theirs', 'other'],
    ] as const) {
      await queue!.create(t.context(), name, { fifo: false, tags: marks(instance, 'queue') });
      await topic!.create(t.context(), name, { fifo: false, tags: marks(instance, 'topic') });
    }
    const link = (from: string, to: string) => `${arn('sns', from)}|sqs|${arn('sqs', to)}`;
    for (const [from, to] of [
      ['ours', 'ours'],
      ['ours', 'theirs'],
      ['theirs', 'ours'],
    ] as const) {
      const spec = { topic: arn('sns', from), protocol: 'sqs', endpoint: arn('sqs', to), rawDelivery: true };
      await subscription!.create(t.context(), link(from, to), spec);
    }
    const found = (await all(t, 'mine')).filter(one => one.type === 'aws/sns-subscription');
    expect(found).toEqual([
      { type: 'aws/sns-subscription', name: link('ours', 'ours'), owner: expect.objectContaining({ name: 'orders', uid: 'u', id: 'subscription[ours]' }) },
    ]);
  });

  it('passes over what vanishes meanwhile, and a service that a compatible server does not have', async () => {
    const t = trial('http://127.0.0.1:1');
    await answer(t, 'sts', () => ({ Account: '111122223333' }));
    await answer(t, 'sqs', command => {
      if (command === 'ListQueues') return { QueueUrls: ['http://x/1/gone', 'http://x/1/here'] };
      throw failure('QueueDoesNotExist');
    });
    // As AWS answers the tags of a table that has just gone.
    await answer(t, 'dynamodb', command => {
      if (command === 'ListTables') return { TableNames: ['gone'] };
      throw failure(command === 'DescribeTable' ? 'ResourceNotFoundException' : 'AccessDeniedException');
    });
    for (const service of ['sns', 's3'] as const) {
      await answer(t, service, () => {
        throw failure('NotImplemented', 501);
      });
    }
    expect(await all(t, 'mine')).toEqual([]);
  });
});
