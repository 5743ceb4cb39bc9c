import { beforeEach, expect, test } from 'vitest';
import { object, putAll, type TestEngine, testEngine } from '../../test/support.ts';
import { metadataOf } from '../engine/objects.ts';
import { allClaims, inNamespace } from './apply.ts';
import { approveCommand, findClaim, namesOf } from './names.ts';

let engine: TestEngine;
const definition = (kind: string, plural: string, more = {}) =>
  object('ClaimDefinition', `${plural}.plinth.dev`, { kind, plural, schema: { type: 'object' }, outputs: { type: 'object' }, ...more });

beforeEach(async () => {
  engine = testEngine({ providers: [] });
  await putAll(engine, [
    definition('Queue', 'queues', { connection: { type: 'sqs', keys: {} } }),
    definition('Environment', 'environments', { scope: 'Cluster', shortNames: ['env'] }),
    object('Queue', 'orders', {}, 'shop'),
    object('Queue', 'shop', {}, 'other'),
    object('Environment', 'shop', {}),
  ]);
});
const home = (scope?: string) =>
  ({ store: engine.store, namespace: 'shop', scope, context: { globals: { namespace: scope } } }) as unknown as Parameters<typeof findClaim>[0];
const found = async (text: string, scope?: string) => {
  const claim = await findClaim(home(scope), text);
  return [claim['kind'], metadataOf(claim).namespace ?? '', metadataOf(claim).name];
};

test('what belongs to no namespace is found from every one', async () => {
  for (const scope of [undefined, 'shop', 'elsewhere']) expect(await found('env/shop', scope)).toEqual(['Environment', '', 'shop']);
  expect(await found('Queue/orders', 'shop')).toEqual(['Queue', 'shop', 'orders']);
  await expect(findClaim(home('elsewhere'), 'env/nothing')).rejects.toMatchObject({ code: 'NoSuchClaim', message: 'there is no Environment/nothing' });
});

test('a list of one namespace leaves it out', async () => {
  const names = async (namespace?: string) => (await allClaims(engine.store, namespace)).map(claim => `${claim['kind']}/${metadataOf(claim).name}`).sort();
  expect(await names('shop')).toEqual(['Queue/orders']);
  expect(await names()).toEqual(['Environment/shop', 'Queue/orders', 'Queue/shop']);
});

test('it is named without a namespace, and none is put into it', () => {
  const key = { kind: 'Environment', namespace: '', name: 'shop' };
  expect([...namesOf([key, { kind: 'Queue', namespace: 'other', name: 'a' }], 'shop').values()]).toEqual(['Environment/shop', 'other/Queue/a']);
  expect(approveCommand(key, 'abc', undefined)).toMatch(/ approve Environment\/shop --plan abc$/);
  const [environment, queue] = inNamespace([object('Environment', 'shop', {}), object('Queue', 'a', {})], 'dev', new Set(['Environment']));
  expect([metadataOf(environment!).namespace, metadataOf(queue!).namespace]).toEqual([undefined, 'dev']);
});
