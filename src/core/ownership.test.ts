import { expect, test } from 'vitest';
import { judge, marked, marksOf, ownerOf } from './ownership.ts';
import type { Owner, Present } from './types.ts';

const owner: Owner = { instance: 'laptop-1', kind: 'Queue', namespace: 'a-b', name: 'c', id: 'subscription[order_events]', uid: 'u-1' };
const type = { mark: { as: 'map', at: 'tags' } } as const;
const present = (tags: Record<string, string>, unread: string[] = []): Present => ({
  kind: 'present',
  spec: { tags },
  unread,
  state: {},
  readiness: { ready: true },
});

test('marks read back as the owner and hold only characters that AWS tags allow', () => {
  const marks = marksOf(owner);
  expect(ownerOf(marks)).toEqual(owner);
  for (const value of Object.values(marks)) expect(value).toMatch(/^[A-Za-z0-9 _.:/=+\-@]*$/);
});

test('marks are written beside the tags of the composition', () => {
  expect(marked({ tags: { team: 'x' } }, type.mark, owner)).toEqual({ tags: { team: 'x', ...marksOf(owner) } });
});

test('a text mark reads back too', () => {
  const spec = marked({}, { as: 'text', at: 'comment' }, owner);
  const seen: Present = { kind: 'present', spec, unread: [], state: {}, readiness: { ready: true } };
  expect(judge({ mark: { as: 'text', at: 'comment' } }, seen, owner)).toBe('ours');
});

test.each([
  ['ours', marksOf(owner), 'ours'],
  ['an earlier id of the same claim is ours', marksOf({ ...owner, id: 'old' }), 'ours'],
  ['another uid', marksOf({ ...owner, uid: 'u-0' }), 'predecessor'],
  ['another claim', marksOf({ ...owner, name: 'd' }), 'foreign'],
  ['another installation', marksOf({ ...owner, instance: 'laptop-2' }), 'foreign'],
  ['no tags', {}, 'unmarked'],
  ['other tags', { team: 'x' }, 'unmarked'],
  ['half of the marks', { 'plinth.dev/uid': 'u-1' }, 'foreign'],
  ['a retained thing that lost the rest', { 'plinth.dev/retained': 'true' }, 'unmarked'],
])('%s', (_, tags, verdict) => {
  expect(judge(type, present(tags), owner)).toBe(verdict);
});

test('tags that a look left out say nothing', () => {
  expect(judge(type, present({}, ['tags']), owner)).toBe('unread');
});
