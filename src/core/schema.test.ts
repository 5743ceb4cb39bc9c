import { Type } from '@sinclair/typebox';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpuMsOf } from '../../test/cpu-time.ts';
import { tries } from '../../test/tries.ts';
import { behaviourOf, checkValue, isRemovable, withDefaults } from './schema.ts';
import { checkSchema } from './schema-meta.ts';
import { checkRules } from './schema-rules.ts';
import type { Schema } from './schema-types.ts';
import type { Json } from './types.ts';

const schema: Schema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 5, pattern: '^[a-z]+$' },
    count: { type: 'integer', minimum: 1, maximum: 9 },
    mode: { type: 'string', enum: ['fast', 'slow'] },
    size: { 'x-kubernetes-int-or-string': true },
    tags: { type: 'object', additionalProperties: { type: 'string' } },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    mail: { type: 'string', format: 'email' },
    none: { type: 'string', nullable: true },
    any: { 'x-kubernetes-preserve-unknown-fields': true, nullable: true },
    items: {
      type: 'array',
      maxItems: 3,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['id'],
      items: { type: 'object', required: ['id'], properties: { id: { type: 'string' }, on: { type: 'boolean', default: true } } },
    },
  },
};

test.each<[Json, string[]]>([
  [{ name: 'a', tags: { x: 'y' }, free: { a: { b: 1 } }, size: '5', none: null, any: null }, []],
  [{}, ['s.name: `s.name` is missing']],
  [{ name: '' }, ['s.name: `s.name` must match ^[a-z]+$, not ""', 's.name: `s.name` must not be empty']],
  [{ name: 'abcdef' }, ['s.name: `s.name` must have at most 5 characters, not 6']],
  [{ name: 1 }, ['s.name: `s.name` must be a text, not 1']],
  [{ name: 'a', count: 10 }, ['s.count: `s.count` must be at most 9, not 10']],
  [{ name: 'a', count: 1.5 }, ['s.count: `s.count` must be an integer, not 1.5']],
  [{ name: 'a', mode: 'fsat' }, ['s.mode: `s.mode` must be one of `fast`, `slow`, not "fsat"']],
  [{ name: 'a', cuont: 1 }, ['s.cuont: `s.cuont` is not a known field']],
  [{ name: 'a', mail: 'x' }, ['s.mail: `s.mail` must be a valid email, not "x"']],
  [{ name: 'a', tags: { 'a/b': 1 } }, ['s.tags["a/b"]: `s.tags["a/b"]` must be a text, not 1']],
  [{ name: 'a', items: [{ id: 'x' }, { id: 'y' }, { id: 'x' }] }, ['s.items[2]: `s.items[2]` has the same `id` as `s.items[0]`']],
  [{ name: 'a', items: [{ id: 'x', of: 1 }] }, ['s.items[0].of: `s.items[0].of` is not a known field']],
  [[], ['s: `s` must be a mapping, not []']],
  [{ name: 'a', constructor: 1 }, ['s.constructor: `s.constructor` is not a known field']],
])('problems of %j', (value, expected) => {
  expect(checkValue(schema, value, 's').map(problem => `${problem.path}: ${problem.message}`)).toEqual(expected);
});

test('a value that is forbidden is named', () => {
  const problems = checkValue({ type: 'string', not: { enum: ['Secret'] } }, 'Secret', 'kind');
  expect(problems.map(problem => problem.message)).toEqual(['`kind` must not be `Secret`']);
});

test('hints name what was meant', () => {
  expect(checkValue(schema, { name: 'a', cuont: 1 }, '')[0]!.hint).toBe('did you mean `count`?');
  expect(checkValue(schema, { name: 'a', mode: 'fsat' }, '')[0]!.hint).toBe('did you mean `fast`?');
});

test('unions of TypeBox', () => {
  const union = Type.Object({
    stream: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
    policy: Type.Optional(Type.Union([Type.Object({ x: Type.Integer() }), Type.String()])),
  });
  expect(checkValue(union, { stream: 'c' }, '')[0]!.message).toBe('`stream` must be one of `a`, `b`, not "c"');
  expect(checkValue(union, { policy: { x: 'y' } }, '')[0]!.message).toBe('`policy.x` must be an integer, not "y"');
  expect(checkValue(union, { policy: 1 }, '')[0]!.message).toBe('`policy` has none of the forms that are allowed here (object or string)');
  expect(checkValue(union, { policy: 't' }, '')).toEqual([]);
});

test('a pattern cannot hang', () => {
  const ms = cpuMsOf(() => expect(checkValue({ type: 'string', pattern: '^(a+)+$' }, `${'a'.repeat(50)}!`, 'x')).toHaveLength(1));
  expect(ms).toBeLessThan(500);
});

test('defaults as the API server fills them', () => {
  const nested: Schema = {
    type: 'object',
    properties: {
      a: { type: 'integer', default: 1 },
      b: { type: 'object', properties: { c: { type: 'string', default: 'x' } } },
      d: { type: 'object', default: {}, properties: { e: { type: 'boolean', default: false } } },
      f: { type: 'array', items: { type: 'object', properties: { g: { type: 'integer', default: 2 } } } },
      n: { type: 'string', default: 'y', nullable: true },
      m: { type: 'object', additionalProperties: { type: 'object', properties: { h: { type: 'integer', default: 3 } } } },
    },
  };
  expect(withDefaults(nested, {})).toEqual({ a: 1, d: { e: false }, n: 'y' });
  expect(withDefaults(nested, { a: null, b: {}, f: [{}], n: null, m: { z: {} }, other: 1 } as Json)).toEqual({
    a: 1,
    b: { c: 'x' },
    d: { e: false },
    f: [{ g: 2 }],
    n: null,
    m: { z: { h: 3 } },
    other: 1,
  });
});

test('defaults are idempotent and change nothing that is given', () => {
  fc.assert(
    fc.property(fc.record({ name: fc.string(), count: fc.integer(), items: fc.array(fc.record({ id: fc.string() })) }, { requiredKeys: [] }), value => {
      const frozen = JSON.stringify(value);
      const once = withDefaults(schema, value as Json);
      expect(withDefaults(schema, once)).toEqual(once);
      expect(JSON.stringify(value)).toBe(frozen);
    }),
    tries(),
  );
});

test('any value gives problems or none, never an exception, and in the same order each time', () => {
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      expect(checkValue(schema, value as Json, 'v')).toEqual(checkValue(schema, value as Json, 'v'));
    }),
    tries(),
  );
});

test('keywords of a field', () => {
  const typed = Type.Object({ a: Type.String({ plinth: 'immutable' }), b: Type.Optional(Type.String({ removable: true })) });
  expect([behaviourOf(typed, 'a'), behaviourOf(typed, 'b'), behaviourOf(typed, 'toString')]).toEqual(['immutable', undefined, undefined]);
  expect([isRemovable(typed, 'a'), isRemovable(typed, 'b'), isRemovable(typed, 'c')]).toEqual([false, true, false]);
});

test.each<[Json, string]>([
  [{ type: 'object', properties: { a: { type: 'string' } } }, ''],
  [{ type: 'string' }, 'must be `object`'],
  [{ type: 'object', properties: { a: {} } }, 'has no `type`'],
  [{ type: 'object', properties: { a: { type: 'text' } } }, 'not a known type'],
  [{ type: 'object', properties: { a: { type: 'string', $ref: '#' } } }, 'not a supported keyword'],
  [{ type: 'object', required: ['b'], properties: { a: { type: 'string' } } }, 'names `b`'],
  [{ type: 'object', properties: { a: { type: 'string', pattern: '(?=a)' } } }, 'cannot be used'],
  [{ type: 'object', properties: { a: { type: 'integer', default: 'x' } } }, 'must be an integer'],
  [{ type: 'object', properties: { a: { type: 'array' } } }, 'without `items`'],
  [{ type: 'object', properties: {}, additionalProperties: true }, 'both `properties` and'],
  [{ type: 'object', properties: { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self.x' }] } } }, 'has no field `x`'],
  [{ type: 'object', properties: { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self + "a"' }] } } }, 'must be true or false'],
  [{ type: 'object', properties: { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self ==' }] } } }, 'is wrong'],
  ['x', 'must be a schema'],
])('a schema itself: %j', (value, expected) => {
  const problems = checkSchema(value, 'spec.schema');
  if (expected === '') expect(problems).toEqual([]);
  else expect(problems[0]?.message).toContain(expected);
});

test('rules, also those that compare with the value before', () => {
  const ruled: Schema = {
    type: 'object',
    'x-kubernetes-validations': [{ rule: '!has(self.max) || self.min <= self.max', messageExpression: '"min " + string(self.min) + " is above max"' }],
    properties: {
      min: { type: 'integer', default: 0 },
      max: { type: 'integer' },
      fifo: { type: 'boolean', 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'cannot change' }] },
      key: { type: 'object', required: ['a'], properties: { a: { type: 'string' } }, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
      list: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['id'],
        items: {
          type: 'object',
          properties: { id: { type: 'string' }, n: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= oldSelf', message: 'only grows' }] } },
        },
      },
    },
  };
  const check = (value: Json, old?: Json): string[] => checkRules(ruled, value, old, 'spec').map(p => `${p.code ?? ''} ${p.path}: ${p.message}`);
  expect(check({ min: 1, max: 2 })).toEqual([]);
  expect(check({ min: 3, max: 2 })).toEqual([' spec: `spec`: min 3 is above max']);
  expect(check({ min: 0, fifo: true }, { min: 0, fifo: false })).toEqual(['ImmutableField spec.fifo: `spec.fifo`: cannot change']);
  expect(check({ min: 0, fifo: true }, { min: 0 })).toEqual([]);
  expect(check({ min: 0, key: { a: 'x' } }, { min: 0, key: { a: 'x' } })).toEqual([]);
  expect(check({ min: 0, key: { a: 'y' } }, { min: 0, key: { a: 'x' } })).toHaveLength(1);
  expect(
    check(
      {
        min: 0,
        list: [
          { id: 'b', n: 1 },
          { id: 'a', n: 1 },
        ],
      },
      { min: 0, list: [{ id: 'a', n: 2 }] },
    ),
  ).toEqual(['ImmutableField spec.list[1].n: `spec.list[1].n`: only grows']);
});
