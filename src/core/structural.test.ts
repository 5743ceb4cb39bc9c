import { Type } from '@sinclair/typebox';
import { expect, test } from 'vitest';
import type { Schema } from './schema-types.ts';
import { structural } from './structural.ts';
import type { JsonObject } from './types.ts';

test.each<[string, unknown, unknown]>([
  [
    'a closed TypeBox object',
    Type.Object({ a: Type.String({ minLength: 1 }) }, { additionalProperties: false }),
    { type: 'object', required: ['a'], properties: { a: { type: 'string', minLength: 1 } } },
  ],
  ['an optional field', Type.Object({ a: Type.Optional(Type.Integer()) }), { type: 'object', properties: { a: { type: 'integer' } } }],
  [
    'a default makes a field optional',
    Type.Object({ a: Type.Integer({ default: 1 }) }),
    { type: 'object', properties: { a: { type: 'integer', default: 1 } } },
  ],
  ['a literal', Type.Literal('x'), { type: 'string', enum: ['x'] }],
  ['a union of literals', Type.Union([Type.Literal('x'), Type.Literal('y')], { default: 'x' }), { type: 'string', enum: ['x', 'y'], default: 'x' }],
  ['an enum without a type', { enum: [1, 2] }, { type: 'integer', enum: [1, 2] }],
  ['something or null', Type.Union([Type.String({ description: 'd' }), Type.Null()]), { type: 'string', description: 'd', nullable: true }],
  ['integer or text', Type.Union([Type.Integer(), Type.String()]), { 'x-kubernetes-int-or-string': true }],
  ['a map', Type.Record(Type.String(), Type.Integer()), { type: 'object', additionalProperties: { type: 'integer' } }],
  ['any fields', { type: 'object', additionalProperties: true }, { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }],
  ['anything', { description: 'd' }, { description: 'd', 'x-kubernetes-preserve-unknown-fields': true, nullable: true }],
  ['an exclusive bound', { type: 'integer', exclusiveMinimum: 3 }, { type: 'integer', minimum: 3, exclusiveMinimum: true }],
  [
    'items that are unique',
    { type: 'array', uniqueItems: true, items: { type: 'string' } },
    { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
  ],
  ['what the engine alone reads', { type: 'string', plinth: 'immutable', removable: true, settleSeconds: 9, $id: 'x', examples: ['a'] }, { type: 'string' }],
  ['a known format', { type: 'string', format: 'email' }, { type: 'string', format: 'email' }],
  ['a regular expression', { type: 'string', format: 'regex' }, { type: 'string' }],
  [
    'a quantity',
    { type: 'string', format: 'quantity' },
    { type: 'string', maxLength: 64, 'x-kubernetes-validations': [{ rule: 'isQuantity(self)', message: 'must be a quantity, e.g. 500m or 2Gi' }] },
  ],
  [
    'branches that ask for fields',
    { type: 'object', properties: { a: { type: 'string' } }, oneOf: [{ required: ['a'] }] },
    { type: 'object', properties: { a: { type: 'string' } }, oneOf: [{ required: ['a'] }] },
  ],
])('says %s', (_, schema, expected) => {
  expect(structural(schema as Schema, 's')).toEqual(expected);
});

test.each<[string, unknown, string, string]>([
  ['forms of several types', { anyOf: [{ type: 'object' }, { type: 'string' }] }, 's', 'has several forms'],
  ['a reference', { type: 'object', $ref: '#/x' }, 's["$ref"]', 'cannot be said'],
  ['an intersection', { type: 'object', allOf: [{ type: 'object' }] }, 's.allOf', 'cannot be said'],
  ['a condition', { type: 'object', properties: { a: { type: 'string', not: {} } } }, 's.properties.a.not', 'cannot be said'],
  ['keys by pattern', { type: 'object', patternProperties: { '^a': { type: 'string' } } }, 's.patternProperties', 'cannot be said'],
  [
    'named fields and others',
    { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } },
    's',
    'both named fields and others',
  ],
  ['unique objects', { type: 'array', uniqueItems: true, items: { type: 'object' } }, 's.uniqueItems', 'works only for plain values'],
  ['an unknown format', { type: 'string', format: 'emial' }, 's.format', '`emial` is not a format'],
])('refuses %s', (_, schema, path, message) => {
  const refusal = (): JsonObject => structural(schema as Schema, 's');
  expect(refusal).toThrow(expect.objectContaining({ code: 'InvalidObject', path }));
  expect(refusal).toThrow(message);
});
