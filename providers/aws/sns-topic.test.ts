import { describe, expect, it } from 'vitest';
import type { JsonObject, Present } from '../../src/sdk.ts';
import { miniStack } from '../../test/parts/emulators.ts';
import { sns } from './client.ts';
import { snsTopic } from './sns-topic.ts';
import { answer, failure, look, settle, trial } from './trial.ts';

const [plain] = snsTopic.examples as [JsonObject];
const make = (t: ReturnType<typeof trial>, name: string, spec: JsonObject) => snsTopic.create(t.context(), name, snsTopic.normalise!(spec));
const PUBLIC = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 'sns:Publish' }] };

async function offline() {
  const t = trial('http://127.0.0.1:1');
  await answer(t, 'sts', () => ({ Account: '111122223333', Arn: 'arn:aws:iam::111122223333:root' }));
  return t;
}

describe('aws/sns-topic', () => {
  it('does not show the policy SNS gives by itself, shows one made public, and puts the first back', async () => {
    const t = trial((await miniStack()).endpoint);
    await make(t, 'events', plain);
    const seen = (await look(snsTopic, t, 'events')) as Present;
    expect(seen.spec['policy']).toBeUndefined();
    await sns(t.context(), 'SetTopicAttributes', { TopicArn: seen.state['arn'] as string, AttributeName: 'Policy', AttributeValue: JSON.stringify(PUBLIC) });
    const opened = (await look(snsTopic, t, 'events')) as Present;
    expect(opened.spec['policy']).toMatchObject({ Statement: [{ Principal: '*' }] });
    const change = { path: 'policy', desired: undefined, observed: PUBLIC, cause: 'drift' } as const;
    await snsTopic.update(t.context(), 'events', { spec: plain, seen: opened, changes: [change] });
    expect(((await look(snsTopic, t, 'events')) as Present).spec['policy']).toBeUndefined();
  });

  it('takes every setting away again', async () => {
    const t = trial((await miniStack()).endpoint);
    const rich = { ...(snsTopic.examples[2] as JsonObject), displayName: 'Orders' };
    await make(t, 'events', rich);
    expect(await settle(snsTopic, t, 'events', rich)).toBe(0);
    expect(await settle(snsTopic, t, 'events', plain)).toBe(1);
    expect(Object.keys(((await look(snsTopic, t, 'events')) as Present).spec).sort()).toEqual(['fifo', 'tags']);
  });

  it('tells a topic that exists with other attributes from a wrong value', async () => {
    const t = await offline();
    let there = true;
    await answer(t, 'sns', command => {
      if (command === 'CreateTopic') throw failure('InvalidParameterException');
      if (!there) throw failure('NotFoundException', 404);
      return { Attributes: {} };
    });
    await expect(make(t, 'events', plain)).rejects.toMatchObject({ code: 'AlreadyExists' });
    there = false;
    await expect(make(t, 'events', plain)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });

  it('waits when tags are edited from two sides', async () => {
    const t = await offline();
    await answer(t, 'sns', command => {
      if (command === 'TagResource') throw failure('ConcurrentAccessException');
      return { Attributes: {}, Tags: [] };
    });
    const seen = (await look(snsTopic, t, 'events')) as Present;
    const change = { path: 'tags.team', desired: 'orders', observed: undefined, cause: 'changed' } as const;
    await expect(snsTopic.update(t.context(), 'events', { spec: plain, seen, changes: [change] })).rejects.toMatchObject({ code: 'Busy' });
  });
});
