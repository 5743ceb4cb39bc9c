import { expect, test } from 'vitest';
import { incompatible } from './incompatible.ts';
import type { ClaimDefinition, JsonObject } from './types.ts';

const BASE: JsonObject = {
  size: { type: 'integer', minimum: 1, maximum: 10, default: 3 },
  name: { type: 'string', minLength: 1, maxLength: 20, pattern: '^[a-z]+$' },
  mode: { type: 'string', enum: ['fast', 'slow'] },
  note: { type: 'string', nullable: true },
  tags: { type: 'object', additionalProperties: { type: 'string', maxLength: 9 } },
  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  any: { 'x-kubernetes-preserve-unknown-fields': true },
  either: { 'x-kubernetes-int-or-string': true },
  ratio: { type: 'number' },
  list: { type: 'array', maxItems: 5, items: { type: 'object', required: ['id'], properties: { id: { type: 'string' }, on: { type: 'boolean' } } } },
  keyed: {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['id'],
    items: { type: 'object', required: ['id'], properties: { id: { type: 'string' }, other: { type: 'string' } } },
  },
  inner: { type: 'object', required: ['a'], properties: { a: { type: 'string' }, b: { type: 'string' } } },
};

function definition(fields: JsonObject, root: JsonObject = {}, more: Partial<ClaimDefinition> = {}): ClaimDefinition {
  return {
    name: 'things.plinth.dev',
    kind: 'Thing',
    plural: 'things',
    shortNames: [],
    schema: { type: 'object', properties: fields, ...root },
    connection: { type: 'thing', keys: { uri: { optional: false }, user: { optional: true } } },
    outputs: { type: 'object', required: ['arn'], properties: { arn: { type: 'string' }, url: { type: 'string' } } },
    ...more,
  } as unknown as ClaimDefinition;
}
const edit = (field: string, schema: JsonObject | undefined): ClaimDefinition => {
  const { [field]: old, ...rest } = BASE;
  return definition(schema === undefined ? rest : { ...rest, [field]: { ...(old as JsonObject | undefined), ...schema } });
};
const without = (field: string, keyword: string): ClaimDefinition => {
  const { [keyword]: _, ...rest } = BASE[field] as JsonObject;
  return definition({ ...BASE, [field]: rest });
};
const item = (schema: JsonObject): ClaimDefinition => edit('list', { items: { ...((BASE['list'] as JsonObject)['items'] as JsonObject), ...schema } });
const messages = (after: ClaimDefinition, before = definition(BASE)): string[] => incompatible(before, after).map(({ message }) => message);

test.each<[string, ClaimDefinition, string]>([
  ['a field removed', edit('size', undefined), '`spec.size` is removed: what claims hold there would vanish'],
  ['a nested field removed', edit('inner', { properties: { a: { type: 'string' } } }), '`spec.inner.b` is removed: what claims hold there would vanish'],
  ['a field of an item removed', item({ properties: { id: { type: 'string' } } }), '`spec.list[].on` is removed: what claims hold there would vanish'],
  ['the type changed', edit('note', { type: 'integer' }), '`spec.note` is changed from string to integer: what claims hold there would be wrong'],
  ['number to integer', edit('ratio', { type: 'integer' }), '`spec.ratio` is changed from number to integer: what claims hold there would be wrong'],
  [
    'either to one',
    definition({ ...BASE, either: { type: 'string' } }),
    '`spec.either` is changed from integer or string to string: what claims hold there would be wrong',
  ],
  ['anything to something', definition({ ...BASE, any: { type: 'string' } }), '`spec.any` is given a type: claims may hold another one'],
  ['a new required field', definition({ ...BASE, fresh: { type: 'string' } }, { required: ['fresh'] }), '`spec.fresh` is new and required: claims may lack it'],
  ['a field made required', definition(BASE, { required: ['name'] }), '`spec.name` is now required: claims may lack it'],
  ['a nested field made required', edit('inner', { required: ['a', 'b'] }), '`spec.inner.b` is now required: claims may lack it'],
  ['a word removed', edit('mode', { enum: ['fast'] }), '`spec.mode` is no longer "slow": claims may say so'],
  ['words introduced', edit('name', { enum: ['a'] }), '`spec.name` is limited to some values: claims may hold another one'],
  ['minimum raised', edit('size', { minimum: 2 }), '`spec.size` is narrowed to minimum 2: what claims hold there may not fit'],
  ['maximum lowered', edit('size', { maximum: 9 }), '`spec.size` is narrowed to maximum 9: what claims hold there may not fit'],
  ['the bound itself excluded', edit('size', { exclusiveMaximum: 10 }), '`spec.size` is narrowed to maximum 10: what claims hold there may not fit'],
  ['a bound introduced', edit('ratio', { maximum: 1 }), '`spec.ratio` is narrowed to maximum 1: what claims hold there may not fit'],
  ['minLength raised', edit('name', { minLength: 2 }), '`spec.name` is narrowed to minLength 2: what claims hold there may not fit'],
  [
    'maxLength of map values lowered',
    edit('tags', { additionalProperties: { type: 'string', maxLength: 8 } }),
    '`spec.tags.*` is narrowed to maxLength 8: what claims hold there may not fit',
  ],
  ['maxItems lowered', edit('list', { maxItems: 4 }), '`spec.list` is narrowed to maxItems 4: what claims hold there may not fit'],
  ['maxProperties introduced', edit('tags', { maxProperties: 4 }), '`spec.tags` is narrowed to maxProperties 4: what claims hold there may not fit'],
  ['multipleOf introduced', edit('size', { multipleOf: 2 }), '`spec.size` is narrowed to multipleOf 2: what claims hold there may not fit'],
  ['the pattern changed', edit('name', { pattern: '^[a-z0-9]+$' }), '`spec.name` is given another pattern: what claims hold there may not fit'],
  ['a pattern introduced', edit('note', { pattern: 'x' }), '`spec.note` is given another pattern: what claims hold there may not fit'],
  ['a format introduced', edit('note', { format: 'email' }), '`spec.note` is given another format: what claims hold there may not fit'],
  ['the default removed', without('size', 'default'), '`spec.size` is without its default: claims that leave it out would lack it'],
  ['null no longer', without('note', 'nullable'), '`spec.note` is no longer nullable: claims may hold null'],
  ['an open object closed', definition({ ...BASE, free: { type: 'object' } }), '`spec.free` is closed: what claims hold there would vanish'],
  [
    'a field described in an open object',
    edit('free', { properties: { x: { type: 'string' } } }),
    '`spec.free.x` is described where anything was allowed: what claims hold there may not fit',
  ],
  ['a map closed', definition({ ...BASE, tags: { type: 'object' } }), '`spec.tags` is closed: what claims hold there would vanish'],
  [
    'an open object made a map',
    definition({ ...BASE, free: { type: 'object', additionalProperties: { type: 'string' } } }),
    '`spec.free` is closed: what claims hold there would vanish',
  ],
  [
    'a list made a set',
    edit('list', { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id'] }),
    '`spec.list` is made a list of type map: claims may hold the same item twice',
  ],
  ['another key', edit('keyed', { 'x-kubernetes-list-map-keys': ['other'] }), '`spec.keyed` is keyed by other fields: claims may hold the same key twice'],
  [
    'a new rule',
    definition(BASE, { 'x-kubernetes-validations': [{ rule: 'self.size > 1' }] }),
    '`spec` is given the rule `self.size > 1`: claims may break it',
  ],
  ['new branches', definition(BASE, { oneOf: [{ required: ['name'] }] }), '`spec` is given other branches (oneOf): claims may fit none of them'],
  ['another kind', definition(BASE, {}, { kind: 'Other' }), '`spec.kind` is changed: the claims are of the old kind'],
  ['another plural', definition(BASE, {}, { plural: 'others' }), '`spec.plural` is changed: the claims are found under the old one'],
  [
    'another Secret type',
    definition(BASE, {}, { connection: { type: 'x', keys: { uri: { optional: false }, user: { optional: true } } } }),
    '`spec.connection.type` is changed: the type of a Secret cannot change',
  ],
  [
    'a Secret key removed',
    definition(BASE, {}, { connection: { type: 'thing', keys: { uri: { optional: false } } } }),
    '`spec.connection.keys.user` is removed: applications may read it',
  ],
  [
    'a Secret key made optional',
    definition(BASE, {}, { connection: { type: 'thing', keys: { uri: { optional: true }, user: { optional: true } } } }),
    '`spec.connection.keys.uri` is made optional: applications count on it',
  ],
  [
    'an output removed',
    definition(BASE, {}, { outputs: { type: 'object', required: ['arn'], properties: { arn: { type: 'string' } } } as never }),
    '`spec.outputs.properties.url` is removed: other claims may read it',
  ],
  [
    'an output made optional',
    definition(BASE, {}, { outputs: { type: 'object', properties: { arn: { type: 'string' }, url: { type: 'string' } } } as never }),
    '`spec.outputs.properties.arn` is made optional: other claims count on it',
  ],
])('refused: %s', (_, after, message) => {
  expect(messages(after)).toEqual([message]);
});

test.each<[string, ClaimDefinition]>([
  ['nothing changed', definition(BASE)],
  ['a new optional field', definition({ ...BASE, fresh: { type: 'string' } })],
  ['a new required field with a default', definition({ ...BASE, fresh: { type: 'string', default: 'x' } }, { required: ['fresh'] })],
  ['wider bounds', edit('size', { minimum: 0, maximum: 11 })],
  ['a bound removed', without('size', 'maximum')],
  ['a smallest length of nothing', edit('note', { minLength: 0 })],
  ['a word added', edit('mode', { enum: ['fast', 'slow', 'slower'] })],
  ['words removed altogether', without('mode', 'enum')],
  ['another default', edit('size', { default: 4 })],
  ['a default introduced', edit('name', { default: 'x' })],
  ['a pattern removed', without('name', 'pattern')],
  ['integer to number', edit('size', { type: 'number' })],
  ['text to integer or text', definition({ ...BASE, note: { 'x-kubernetes-int-or-string': true, nullable: true } })],
  ['something to anything', definition({ ...BASE, inner: { 'x-kubernetes-preserve-unknown-fields': true } })],
  ['a closed object opened', edit('inner', { 'x-kubernetes-preserve-unknown-fields': true })],
  ['fields removed from an object that is opened', edit('inner', { properties: { a: { type: 'string' } }, 'x-kubernetes-preserve-unknown-fields': true })],
  ['no longer required', without('inner', 'required')],
  ['a keyed list made a plain one', edit('keyed', { 'x-kubernetes-list-type': 'atomic' })],
  ['texts', edit('name', { description: 'new', title: 'new' })],
  [
    'a new Secret key',
    definition(BASE, {}, { connection: { type: 'thing', keys: { uri: { optional: false }, user: { optional: false }, port: { optional: false } } } }),
  ],
])('goes through: %s', (_, after) => {
  expect(messages(after)).toEqual([]);
});

test('rules: fewer, and other words for the same one, go through', () => {
  const rules = (...items: JsonObject[]) => definition(BASE, { 'x-kubernetes-validations': items });
  const before = rules({ rule: 'self.size > 1', message: 'a' }, { rule: 'self.size > 2' });
  expect(messages(rules({ rule: 'self.size > 1', message: 'b' }), before)).toEqual([]);
});

test('every reason at once', () => {
  expect(messages(definition({ size: { type: 'string' } }))).toHaveLength(Object.keys(BASE).length);
});

test('the scope of a kind stays', () => {
  const [before, after] = [definition(BASE, {}, { scope: 'Namespaced' }), definition(BASE, {}, { scope: 'Cluster' })];
  expect(incompatible(before, after).map(({ message }) => message)).toEqual(['`spec.scope` is changed: the claims are of the old one']);
  expect(incompatible(before, before)).toEqual([]);
});
