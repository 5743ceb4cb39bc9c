import { Type } from '@sinclair/typebox';
import { expect, test } from 'vitest';
import { diff, isUnreadChanged, sentDigests } from './diff.ts';
import { digest } from './digest.ts';
import type { JsonObject, Present, ResourceType } from './types.ts';

const KEY = 'k';
const spec = Type.Object({
  size: Type.Integer({ default: 1 }),
  fixed: Type.Optional(Type.String({ plinth: 'immutable' })),
  policy: Type.Optional(Type.Unknown({ removable: true })),
  tier: Type.Optional(Type.String()),
  slow: Type.Optional(Type.Integer({ settleSeconds: 900 })),
  loose: Type.Optional(Type.String({ plinth: 'left-alone-unset' })),
  seed: Type.Optional(Type.String({ plinth: 'create-only' })),
  password: Type.Optional(Type.String({ plinth: 'secret' })),
  tags: Type.Record(Type.String(), Type.String(), { default: {}, plinth: 'shared' }),
});
const type = { type: 'test/thing', spec, settleSeconds: 60 } as unknown as ResourceType;
const seenWith = (value: JsonObject, unread: string[] = []): Present => ({ kind: 'present', spec: value, unread, state: {}, readiness: { ready: true } });
const run = (desired: JsonObject, observed: JsonObject, extra: Partial<Parameters<typeof diff>[0]> = {}) =>
  diff({
    type,
    desired,
    pending: [],
    secrets: [],
    seen: seenWith(observed),
    settled: {},
    sent: {},
    quietMs: Number.POSITIVE_INFINITY,
    ignore: [],
    key: KEY,
    ...extra,
  });
const d = (value: JsonObject[string]) => digest(KEY, value);

test('what is equal settles', () => {
  expect(run({ size: 2, tags: { a: 'x' } }, { size: 2, tags: { a: 'x' } })).toMatchObject({ changes: [], settled: { size: d(2), 'tags.a': d('x') } });
});

test('a new desired value is a change; one that was settled and moved is drift', () => {
  expect(run({ size: 2 }, { size: 1 }, { settled: { size: d(1) } }).changes).toEqual([{ path: 'size', desired: 2, observed: 1, cause: 'changed' }]);
  expect(run({ size: 2 }, { size: 3 }, { settled: { size: d(2) } }).changes).toEqual([{ path: 'size', desired: 2, observed: 3, cause: 'drift' }]);
});

test('tags of others are left alone, and our own old ones are removed', () => {
  const found = run({ tags: { a: 'x' } }, { tags: { a: 'x', theirs: 'y', old: 'z' } }, { settled: { 'tags.old': d('z'), '': '~' } });
  expect(found.changes).toEqual([{ path: 'tags.old', desired: undefined, observed: 'z', cause: 'changed' }]);
});

test('a change of a field that the look left unread asks for a full look', () => {
  const base = { type, pending: [], key: KEY, seen: seenWith({ size: 1 }, ['tags']), settled: { size: d(1), 'tags.a': d('x') }, sent: {} };
  expect(isUnreadChanged({ ...base, desired: { size: 1, tags: { a: 'x' } } })).toBe(false);
  expect(isUnreadChanged({ ...base, desired: { size: 2, tags: { a: 'x' } } })).toBe(false);
  expect(isUnreadChanged({ ...base, desired: { size: 1, tags: { a: 'y' } } })).toBe(true);
  expect(isUnreadChanged({ ...base, desired: { size: 1, tags: { a: 'x', b: 'z' } } })).toBe(true);
  expect(isUnreadChanged({ ...base, desired: { size: 1, tags: {} } })).toBe(true);
  expect(isUnreadChanged({ ...base, desired: { size: 1, tags: { a: 'x' } }, sent: { 'tags.a': d('y') } })).toBe(true);
  expect(isUnreadChanged({ ...base, desired: { size: 1 }, pending: ['tags'] })).toBe(false);
  expect(isUnreadChanged({ ...base, desired: { size: 1 }, settled: { size: d(1), 'tags.theirs': '~1' } })).toBe(false);
});

test('an unset field is taken as it was when the thing became ready; moved later, it is drift', () => {
  const first = run({ size: 1 }, { size: 1, tier: 'a' });
  expect(first.changes).toEqual([]);
  const ready = { ...first.settled, '': '~' };
  expect(run({ size: 1 }, { size: 1, tier: 'a' }, { settled: ready }).changes).toEqual([]);
  expect(run({ size: 1 }, { size: 1, tier: 'b' }, { settled: ready }).changes).toEqual([{ path: 'tier', desired: undefined, observed: 'b', cause: 'drift' }]);
  expect(run({ size: 1 }, { size: 1, tier: 'a', policy: { x: 1 } }, { settled: ready }).changes).toEqual([
    { path: 'policy.x', desired: undefined, observed: 1, cause: 'drift' },
  ]);
});

test('a field that is no longer set is taken away', () => {
  expect(run({ size: 1 }, { size: 1, policy: { x: 1 } }, { settled: { 'policy.x': d(1), '': '~' } }).changes).toEqual([
    { path: 'policy.x', desired: undefined, observed: 1, cause: 'changed' },
  ]);
});

test('left-alone-unset, create-only and unread fields are not compared', () => {
  expect(run({ size: 1, seed: 'q' }, { size: 1, loose: 'any', seed: 'other' }, { settled: { '': '~' } }).changes).toEqual([]);
  expect(diff({ ...input({ tags: { a: 'x' } }), seen: seenWith({}, ['tags']) }).changes).toEqual([]);
});
const input = (desired: JsonObject) => ({
  type,
  desired,
  pending: [],
  secrets: [],
  seen: seenWith({}),
  settled: {},
  sent: {},
  quietMs: Number.POSITIVE_INFINITY,
  ignore: [],
  key: KEY,
});

test('within the settle time nothing is drift, and what was sent is not sent again', () => {
  expect(run({ size: 2 }, { size: 3 }, { settled: { size: d(2) }, quietMs: 0 }).changes).toEqual([]);
  const sent = sentDigests([{ path: 'size', desired: 2, observed: 1, cause: 'changed' }], [], KEY);
  expect(run({ size: 2 }, { size: 1 }, { settled: { size: d(1) }, sent, quietMs: 0 })).toMatchObject({ changes: [], travelling: ['size'] });
  expect(run({ size: 2 }, { size: 1 }, { settled: { size: d(1) }, sent })).toMatchObject({ stuck: ['size'] });
});

test('an ignored path is set once and never drift; a mark is never ignored', () => {
  expect(run({ size: 2 }, { size: 3 }, { settled: { size: d(2) }, ignore: ['size'] }).changes).toEqual([]);
  const marked = { tags: { 'plinth.dev/uid': 'u' } };
  expect(run(marked, { tags: {} }, { settled: { 'tags["plinth.dev/uid"]': d('u') }, ignore: ['tags'] }).changes).toHaveLength(1);
});

test('a secret that cannot be read back is compared with what was written last', () => {
  const secrets = [{ path: 'password', digest: 'abc', template: { kind: 'literal', value: '' } as const, roots: {} }];
  expect(run({ size: 1 }, { size: 1 }, { secrets }).changes).toEqual([
    { path: 'password', desired: undefined, observed: undefined, cause: 'changed', secret: true },
  ]);
  expect(run({ size: 1 }, { size: 1 }, { secrets, settled: { password: 'abc' } }).changes).toEqual([]);
  expect(run({ size: 1 }, { size: 1 }, { secrets, sent: { password: 'abc' } })).toMatchObject({ changes: [], settled: { password: 'abc' } });
});

test('a pending field is not judged', () => {
  expect(run({ size: 1 }, { size: 1, policy: { x: 1 } }, { pending: ['policy'], settled: { 'policy.x': d(1), '': '~' } }).changes).toEqual([]);
});

test('a mapping that is not there yet is not begun while a part of it is pending; one that is there goes on', () => {
  const waits = run({ policy: { count: 3 } }, { size: 1 }, { pending: ['policy.arn'] });
  expect(waits.changes).toEqual([]);
  const goes = run({ policy: { count: 3 } }, { size: 1, policy: { arn: 'a', count: 2 } }, { pending: ['policy.arn'] });
  expect(goes.changes).toMatchObject([{ path: 'policy.count', desired: 3, observed: 2 }]);
  const other = run({ policy: { count: 3 }, size: 2 }, { size: 1 }, { pending: ['policy.arn'] });
  expect(other.changes).toMatchObject([{ path: 'size' }]);
});

test('with a past that nobody knows, what is there and not desired is taken away once; what stays is what the service gives', () => {
  const first = run({ size: 1 }, { size: 1, policy: 'p', tier: 'a' }, { pastUnknown: true });
  expect(first.changes).toEqual([{ path: 'policy', desired: undefined, observed: 'p', cause: 'changed' }]);
  const unsent = run({ size: 1 }, { size: 1, policy: 'p' }, { settled: { ...first.settled, '': '~' } });
  expect(unsent.changes).toEqual(first.changes);
  const sent = sentDigests(first.changes, [], KEY);
  expect(run({ size: 1 }, { size: 1, policy: 'p' }, { settled: first.settled, sent, quietMs: 0 })).toMatchObject({ changes: [], travelling: ['policy'] });
  const stays = run({ size: 1 }, { size: 1, policy: 'p' }, { settled: { ...first.settled, '': '~' }, sent });
  expect(stays.changes).toEqual([]);
  expect(run({ size: 1 }, { size: 1, policy: 'q' }, { settled: stays.settled }).changes).toMatchObject([{ path: 'policy', cause: 'drift' }]);
  expect(run({ size: 1 }, { size: 1 }, { settled: { ...first.settled, '': '~' }, sent }).settled).not.toHaveProperty('policy');
});

test('a field that settles later than its type is waited for as long as it takes, and the others are not', () => {
  const sent = { size: d(2), slow: d(9) };
  const at = (quietMs: number) => run({ size: 2, slow: 9 }, { size: 1, slow: 1 }, { settled: { size: d(1), slow: d(1) }, sent, quietMs });
  expect(at(59_999)).toMatchObject({ changes: [], travelling: ['size', 'slow'], stuck: [] });
  expect(at(60_000)).toMatchObject({ travelling: ['slow'], stuck: ['size'] });
  expect(at(899_999)).toMatchObject({ travelling: ['slow'], stuck: ['size'] });
  expect(at(900_000)).toMatchObject({ travelling: [], stuck: ['size', 'slow'] });
  const outside = (quietMs: number) => run({ size: 2, slow: 9 }, { size: 1, slow: 1 }, { settled: sent, quietMs }).changes.map(change => change.path);
  expect(outside(60_000)).toEqual(['size']);
  expect(outside(900_000)).toEqual(['size', 'slow']);
});

test('where a type settles at once, each of its fields does', () => {
  const sent = { slow: d(9) };
  const emulated = { ...type, settleSeconds: 0 };
  expect(run({ slow: 9 }, { slow: 1 }, { type: emulated, settled: { slow: d(1) }, sent, quietMs: 0 })).toMatchObject({ stuck: ['slow'] });
  expect(run({ slow: 9 }, { slow: 1 }, { type: emulated, settled: { slow: d(9) }, quietMs: 0 }).changes).toMatchObject([{ cause: 'drift' }]);
});

test('a value taken back before it was seen is sent again: what is seen is older than what was sent', () => {
  const settled = { size: d(1) };
  const back = run({ size: 1 }, { size: 1 }, { settled, sent: { size: d(2) }, quietMs: 59_999 });
  expect(back.changes).toEqual([{ path: 'size', desired: 1, observed: 1, cause: 'changed' }]);
  const removed = run({ policy: 'p' }, { policy: 'p' }, { settled: { policy: d('p') }, sent: { policy: '~' }, quietMs: 0 });
  expect(removed.changes).toMatchObject([{ path: 'policy', desired: 'p', cause: 'changed' }]);
  expect(run({ size: 1 }, { size: 1 }, { settled, sent: { size: d(1) }, quietMs: 0 })).toMatchObject({ changes: [], travelling: [], settled });
  expect(run({ size: 1 }, { size: 1 }, { settled, sent: { size: d(2) }, quietMs: 60_000 }).changes).toEqual([]);
});
