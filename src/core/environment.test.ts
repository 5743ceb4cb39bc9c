import { expect, test } from 'vitest';
import { type Expiry, environmentFrom, expiryOf, type Life, NO_ENVIRONMENT, standingOf } from './environment.ts';
import { marksOf } from './ownership.ts';
import type { JsonObject, Owner } from './types.ts';

test('what an Environment says of its namespace, whatever its form', () => {
  const overrides = [
    { claim: 'Queue', composition: 'queue-sqs' },
    { claim: 'Topic', parameters: { a: 1 } },
  ];
  expect(environmentFrom('dev', { asleep: true, config: { LOG: 'debug' }, overrides })).toEqual({
    name: 'dev',
    asleep: true,
    config: { LOG: 'debug' },
    overrides: [
      { claim: 'Queue', composition: 'queue-sqs', parameters: {} },
      { claim: 'Topic', parameters: { a: 1 } },
    ],
  });
  const rubbish = { asleep: 'yes', config: { A: 1, B: 'b' }, overrides: [7, {}, null] } as unknown as JsonObject;
  expect(environmentFrom('dev', rubbish)).toEqual({ ...NO_ENVIRONMENT, name: 'dev', config: { B: 'b' } });
  expect(environmentFrom('dev', { config: [], overrides: {} })).toEqual({ ...NO_ENVIRONMENT, name: 'dev' });
});

const stalled = (reason: string, status = 'True') => [{ type: 'Stalled', status, reason }];

test.each<[string, JsonObject | undefined, ReturnType<typeof standingOf>]>([
  ['without a status', undefined, 'unknown'],
  ['that of another uid', { inventoryFor: 'old', outputs: { namespace: 'dev' } }, 'unknown'],
  ['before anything is made', { inventoryFor: 'u', outputs: {} }, 'unknown'],
  ['that tells its namespace', { inventoryFor: 'u', outputs: { namespace: 'dev' }, conditions: stalled('Conflict') }, 'own'],
  ['that tells another one', { inventoryFor: 'u', outputs: { namespace: 'other' } }, 'unknown'],
  ["that met somebody else's", { inventoryFor: 'u', outputs: {}, conditions: stalled('Conflict') }, 'none'],
  ['that is stuck on something else', { inventoryFor: 'u', conditions: stalled('InvalidSpec') }, 'unknown'],
  ['that was in conflict once', { inventoryFor: 'u', conditions: stalled('Conflict', 'False') }, 'unknown'],
])('whether the namespace is its own: a status %s', (_, status, expected) => {
  expect(standingOf({ metadata: { name: 'dev', uid: 'u' }, spec: {}, ...(status === undefined ? {} : { status }) }, undefined)).toBe(expected);
});

const marks = (owner: Partial<Owner> = {}): JsonObject =>
  marksOf({ instance: 'i', kind: 'Environment', namespace: '', name: 'dev', uid: 'u', id: 'space', ...owner });

test.each<[string, JsonObject | undefined, JsonObject, ReturnType<typeof standingOf>]>([
  ['that bears no marks', undefined, {}, 'none'],
  ['of something else', marks({ kind: 'Box' }), {}, 'none'],
  ['of another Environment', marks({ name: 'other' }), {}, 'none'],
  ['that it made', marks(), {}, 'unknown'],
  ['that an earlier one of its name made', marks({ uid: 'old' }), {}, 'unknown'],
  ['that it only observes', undefined, { lifecycle: { management: 'ObserveOnly' } }, 'unknown'],
])('before it has told, whether the namespace is its own: one %s', (_, annotations, spec, expected) => {
  const space = { metadata: { name: 'dev', ...(annotations === undefined ? {} : { annotations }) } };
  expect(standingOf({ metadata: { name: 'dev', uid: 'u' }, spec }, space)).toBe(expected);
});

const at = (hours: number): string => new Date(Date.parse('2026-01-01T00:00:00Z') + hours * 3_600_000).toISOString();

test.each<[string, Partial<Life>, Expiry]>([
  ['without a ttl', { now: at(9_999) }, { kind: 'never' }],
  ['with an empty one', { ttl: '' }, { kind: 'never' }],
  ['long before the end', { ttl: '2d' }, { kind: 'look', at: at(47) }],
  ['within the last hour', { ttl: '2d', now: at(47.5) }, { kind: 'announce', at: at(48.5) }],
  ['of a short life, a tenth before the end', { ttl: '1h', now: at(0.85) }, { kind: 'look', at: at(0.9) }],
  ['announced', { ttl: '2d', announced: at(48), now: at(47.5) }, { kind: 'look', at: at(48) }],
  ['announced and over', { ttl: '2d', announced: at(48), now: at(48) }, { kind: 'end' }],
  ['over, and never announced', { ttl: '2d', now: at(60) }, { kind: 'announce', at: at(61) }],
  ['put off, until there was time to see it', { ttl: '2d', announced: at(61), now: at(60.5) }, { kind: 'look', at: at(61) }],
  ['prolonged after it was announced', { ttl: '9d', announced: at(48), now: at(47.5) }, { kind: 'withdraw' }],
  ['kept for ever after it was announced', { announced: at(48), now: at(49) }, { kind: 'withdraw' }],
  ['prolonged a little', { ttl: '2d1h', announced: at(48), now: at(48.2) }, { kind: 'announce', at: at(49.2) }],
  ['announced by rubbish', { ttl: '2d', announced: 'soon', now: at(60) }, { kind: 'announce', at: at(61) }],
  ['announced for a time before its end', { ttl: '2d', announced: at(1), now: at(2) }, { kind: 'withdraw' }],
  ['kept until later than its ttl', { ttl: '1h', keepUntil: at(100), now: at(50) }, { kind: 'look', at: at(99) }],
  ['kept until earlier than its ttl', { ttl: '100d', keepUntil: at(10), now: at(9.5) }, { kind: 'announce', at: at(10.5) }],
  ['of an old one, by a slip', { keepUntil: at(-5), now: at(720) }, { kind: 'announce', at: at(721) }],
  ['kept until before it was made', { keepUntil: at(-5) }, { kind: 'announce', at: at(1 / 60) }],
])('the end of an Environment %s', (_, life, expected) => {
  expect(expiryOf({ createdAt: at(0), ttl: undefined, keepUntil: undefined, announced: undefined, now: at(0), ...life })).toEqual(expected);
});
