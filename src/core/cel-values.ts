/** Between JSON and CEL: JSON has one kind of number, CEL has integers (BigInt) and doubles. */
import { isOpen, literalsOf, type Schema, valuesOf } from './schema-types.ts';
import type { Json, JsonObject } from './types.ts';

/** More values than this in one result is a bomb, not a configuration. */
const MAX_VALUES = 20_000;
const MAX_TEXT = 262_144;
const NOTHING: Schema = {};
const lifted = new WeakMap<object, WeakMap<object, unknown>>();

/**
 * JSON as CEL sees it: numbers of integer fields (and safe integers where the schema is silent) become BigInt. Fields that a closed
 * schema does not know are not passed on. Remembered per value and schema, so values must never be changed in place.
 */
export function lift(value: Json | undefined, schema: Schema | undefined): unknown {
  if (value === null || typeof value !== 'object') return liftScalar(value, schema);
  const key = schema ?? NOTHING;
  const known = lifted.get(key) ?? new WeakMap<object, unknown>();
  lifted.set(key, known);
  const before = known.get(value);
  if (before !== undefined) return before;
  const result = liftDeep(value, schema);
  known.set(value, result);
  return result;
}

function liftDeep(value: Json, schema: Schema | undefined): unknown {
  if (value === null || typeof value !== 'object') return liftScalar(value, schema);
  if (Array.isArray(value)) return value.map(item => liftDeep(item, schema?.items));
  const result: Record<string, unknown> = {};
  const fields = schema?.properties;
  if (fields !== undefined) for (const field in fields) put(result, field, value, fields[field]);
  if (fields !== undefined && !isOpen(schema!)) return result;
  const values = schema === undefined ? undefined : valuesOf(schema);
  for (const field of Object.keys(value)) if (fields === undefined || !Object.hasOwn(fields, field)) put(result, field, value, values);
  return result;
}

function put(result: Record<string, unknown>, field: string, value: JsonObject, schema: Schema | undefined): void {
  if (field === '__proto__' || !Object.hasOwn(value, field)) return;
  const item = value[field];
  if (item !== undefined) result[field] = liftDeep(item, schema);
}

function liftScalar(value: Json | undefined, schema: Schema | undefined): unknown {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return value;
  return isDouble(schema) ? value : BigInt(value);
}

function isDouble(schema: Schema | undefined): boolean {
  if (schema === undefined) return false;
  if (schema.type === 'number') return !(literalsOf(schema) ?? [0.5]).every(Number.isInteger);
  return (schema.anyOf ?? schema.oneOf ?? []).some(isDouble);
}

/**
 * A CEL result as JSON; `undefined` is none. None in a list is dropped and leaves its key out of a map. Throws a RangeError for what JSON
 * cannot say (NaN, infinity, integers beyond 2^53, bytes) and for results that are far too large.
 */
export function lower(value: unknown): Json | undefined {
  return lowerDeep(value, { left: MAX_VALUES });
}

function lowerDeep(value: unknown, budget: { left: number }): Json | undefined {
  if (budget.left-- <= 0) throw new RangeError(`the result holds more than ${MAX_VALUES} values`);
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'string':
      if (value.length > MAX_TEXT) throw new RangeError(`the result is a text of more than ${MAX_TEXT} characters`);
      return value;
    case 'bigint':
      if (!Number.isSafeInteger(Number(value))) throw new RangeError(`the integer ${value} is too large`);
      return Number(value);
    case 'number':
      if (!Number.isFinite(value)) throw new RangeError('the result is not a finite number');
      return value;
    case 'undefined':
      return undefined;
    default:
      return lowerObject(value as object | null, budget);
  }
}

function lowerObject(value: object | null, budget: { left: number }): Json | undefined {
  if (value === null) return null;
  if (Array.isArray(value) || value instanceof Set) return [...value].map(item => lowerDeep(item, budget)).filter(item => item !== undefined);
  if (isOptional(value)) return value.hasValue() ? lowerDeep(value.value(), budget) : undefined;
  if (typeof value.valueOf() === 'bigint') return lowerDeep(value.valueOf(), budget);
  if (value instanceof Date) return value.toISOString();
  if (tagOf(value) === 'google.protobuf.Duration') return String(value);
  if (value instanceof Uint8Array) throw new RangeError('the result is bytes; turn it into text with string() or base64.encode()');
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const result: JsonObject = {};
  for (const [key, item] of entries) {
    const inner = lowerDeep(item, budget);
    if (inner !== undefined) result[String(key)] = inner;
  }
  return result;
}

interface Optional {
  hasValue(): boolean;
  value(): unknown;
}
const tagOf = (value: object): unknown => (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
const isOptional = (value: object): value is Optional => tagOf(value) === 'optional';
