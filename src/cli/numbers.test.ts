import { expect, test } from 'vitest';
import { milliseconds, namespaceName, waitTime } from './numbers.ts';

test.each([
  ['500ms', 500],
  ['1.5s', 1_500],
  ['2m', 120_000],
  ['90', 90_000],
])('a time: %s', (text, expected) => {
  expect([milliseconds(text), waitTime(text)]).toEqual([expected, expected]);
});

test.each(['0', '0s', '0.0m', '00'])('a wait of %s is one look, and no time between looks', text => {
  expect(waitTime(text)).toBe(0);
  expect(milliseconds(text)).toBe(1);
});

test('names of namespaces, as Kubernetes takes them', () => {
  for (const name of ['a', 'shop', 'team-1', '0', 'x'.repeat(63)]) expect(namespaceName(name)).toBe(name);
  for (const name of ['', 'Bad NS', 'Shop', '-a', 'a-', 'a_b', 'a.b', 'x'.repeat(64)])
    expect(() => namespaceName(name)).toThrow(/at most 63 lower-case letters/);
});
