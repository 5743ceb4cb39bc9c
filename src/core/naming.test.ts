import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tries } from '../../test/tries.ts';
import { nameOf } from './naming.ts';

const SQS = { by: 'template', maxLength: 80, characters: 'A-Za-z0-9_-', unique: 'account' } as const;
const S3 = { by: 'template', minLength: 3, maxLength: 63, characters: 'a-z0-9-', lowercase: true, unique: 'global' } as const;
const base = { base: '', namespace: 'dev-alice', claim: 'orders', id: 'queue', main: true, incarnation: 0, instance: 'laptop-1' };

test.each([
  ['the main resource carries no id', base, 'dev-alice_orders'],
  ['others carry theirs', { ...base, main: false, id: 'deadLetter' }, 'dev-alice_orders_deadLetter'],
  ['a successor is counted', { ...base, incarnation: 1 }, 'dev-alice_orders_1'],
  ['the naming of the class comes first', { ...base, base: 'shop-orders' }, 'shop-orders'],
])('%s', (_, parts, name) => {
  expect(nameOf(parts, SQS, {})).toBe(name);
});

test('a FIFO suffix comes last and counts', () => {
  const name = nameOf({ ...base, namespace: 'n'.repeat(63), claim: 'c'.repeat(40) }, { ...SQS, suffix: () => '.fifo' }, {});
  expect(name).toMatch(/-[0-9a-f]{10}\.fifo$/);
  expect(name.length).toBeLessThanOrEqual(80);
});

test('a name changed by sanitising or shortening carries a hash', () => {
  expect(nameOf({ ...base, main: false, id: 'subscription[order-events]' }, SQS, {})).toMatch(/^dev-alice_orders_subscription-order-events-[0-9a-f]{10}$/);
  expect(nameOf({ ...base, main: false, id: 'a_1' }, SQS, {})).not.toBe(nameOf({ ...base, main: false, id: 'a', incarnation: 1 }, SQS, {}));
});

test('where names are global the hash covers the instance', () => {
  const one = nameOf(base, S3, {});
  expect(one).toMatch(/^dev-alice-orders-[0-9a-f]{10}$/);
  expect(nameOf({ ...base, instance: 'laptop-2' }, S3, {})).not.toBe(one);
});

test('what belongs to no namespace is named by itself alone, and never like what belongs to one', () => {
  const other = { ...base, namespace: '', claim: 'dev-alice', main: false, id: 'orders' };
  expect(nameOf(other, SQS, {})).toMatch(/^dev-alice_orders-[0-9a-f]{10}$/);
  expect(nameOf({ ...other, main: true }, SQS, {})).toMatch(/^dev-alice-[0-9a-f]{10}$/);
  // A template of the class that begins with the namespace.
  expect(nameOf({ ...other, base: '_dev-alice' }, S3, {})).toMatch(/^dev-alice-orders-[0-9a-f]{10}$/);
});

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const id = fc.oneof(fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,12}$/), fc.stringMatching(/^[a-z]{1,5}\[[a-z0-9.-]{1,12}\]$/));
const parts = fc.record({
  namespace: fc.oneof({ weight: 3, arbitrary: label }, fc.constant('')),
  claim: label,
  id,
  incarnation: fc.integer({ min: 0, max: 12 }),
});

test.each([
  ['SQS', SQS],
  ['S3', S3],
])('injective and within the rules of %s', (_, rules) => {
  fc.assert(
    fc.property(fc.uniqueArray(parts, { minLength: 2, maxLength: 12, selector: part => JSON.stringify(part) }), list => {
      const names = list.map(part => nameOf({ ...base, ...part, main: false }, rules, {}));
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) {
        expect(name.length).toBeLessThanOrEqual(rules.maxLength);
        expect(name).toMatch(new RegExp(`^[${rules.characters}]+$`));
      }
    }),
    tries(),
  );
});
