/** Values that fit a JSON Schema, for generated specs. */
import fc, { type Arbitrary } from 'fast-check';
import { literalsOf, type Schema } from '../../src/core/schema-types.ts';
import type { Json, JsonObject, ResourceType } from '../../src/core/types.ts';

const KEY = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/);
const TEXT = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.:/=+@';
/** Lengths and sizes that a real spec may have; limits of schemas go to megabytes. */
const LONG = 40;
const MANY = 4;

/** Values of a schema. Throws for one that says too little: such a field needs an arbitrary of its own. */
export function arbitraryOf(schema: Schema): Arbitrary<Json> {
  const literals = literalsOf(schema);
  if (literals !== undefined) return fc.constantFrom(...literals);
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) return fc.oneof(...branches.map(arbitraryOf));
  const number = (name: string, fallback: number): number => (schema[name] as number | undefined) ?? fallback;
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: number('minimum', 0), max: number('maximum', 1_000_000) });
    case 'number':
      return fc.integer({ min: Math.ceil(number('minimum', 0)), max: Math.floor(number('maximum', 1_000_000)) });
    case 'string':
      return textOf(schema);
    case 'array':
      return fc.uniqueArray(arbitraryOf(schema.items ?? { type: 'string' }), {
        minLength: number('minItems', 0),
        maxLength: Math.min(number('maxItems', MANY), Math.max(MANY, number('minItems', 0))),
        selector: item => JSON.stringify(item),
      });
    case 'object':
      return objectOf(schema, {});
    default:
      throw new Error(`the schema says too little to generate a value: ${JSON.stringify(schema).slice(0, 200)}`);
  }
}

function textOf(schema: Schema): Arbitrary<string> {
  const min = (schema['minLength'] as number | undefined) ?? 0;
  const max = Math.min((schema['maxLength'] as number | undefined) ?? LONG, Math.max(LONG, min));
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern)).filter(text => text.length >= min && text.length <= max);
  const inside = fc.string({ unit: fc.constantFrom(...TEXT), minLength: min, maxLength: max });
  return inside.filter(text => text.trim() === text);
}

/** Objects of a schema; `instead`: by field, as it is. Optional fields come and go. */
export function objectOf(schema: Schema, instead: Readonly<Record<string, Arbitrary<Json | undefined>>>): Arbitrary<JsonObject> {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return mapOf(schema);
  const required = new Set(schema.required ?? []);
  const fields = properties.map(([field, inner]) => {
    const given = instead[field];
    if (given !== undefined) return [field, given] as const;
    const values = arbitraryOf(inner);
    return [field, required.has(field) ? values : fc.option(values, { nil: undefined, freq: 2 })] as const;
  });
  return fc.record(Object.fromEntries(fields)).map(value => Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as JsonObject);
}

function mapOf(schema: Schema): Arbitrary<JsonObject> {
  const values = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : Object.values(schema.patternProperties ?? {})[0];
  return fc.dictionary(KEY, values === undefined ? fc.constant('x') : arbitraryOf(values), { maxKeys: MANY, noNullPrototype: true }) as Arbitrary<JsonObject>;
}

/** Specs of a type; fields that are never compared, secret, or the engine's own are left out. */
export function specsOf(type: ResourceType, instead: Readonly<Record<string, Arbitrary<Json | undefined>>> = {}): Arbitrary<JsonObject> {
  const { mark } = type;
  const isLeftOut = (field: string, schema: Schema): boolean =>
    ['secret', 'create-only', 'delete-only'].includes(schema.plinth ?? '') || (mark.as === 'text' && mark.at === field);
  const properties = Object.entries((type.spec as Schema).properties ?? {}).filter(([field, schema]) => !isLeftOut(field, schema));
  // A field with a default may be left out as well.
  const required = (type.spec.required ?? []).filter(field => (type.spec.properties[field] as Schema).default === undefined);
  return objectOf({ ...(type.spec as Schema), properties: Object.fromEntries(properties), required }, instead);
}
