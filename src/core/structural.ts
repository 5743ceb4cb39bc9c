/** JSON Schema and TypeBox to the structural schemas that a CustomResourceDefinition takes: translated where they mean the same, else refused. */
import { EngineError } from './errors.ts';
import { join } from './paths.ts';
import { isAnything, type Rule, type Schema, unionOf } from './schema-types.ts';
import { suggestion } from './similar.ts';
import type { Json, JsonObject, Path } from './types.ts';

/** Taken over as they are. */
const SAME = new Set(
  [
    'type title description default enum pattern minLength maxLength minimum maximum multipleOf minItems maxItems minProperties maxProperties',
    'nullable example x-kubernetes-preserve-unknown-fields x-kubernetes-int-or-string x-kubernetes-embedded-resource x-kubernetes-list-type',
    'x-kubernetes-list-map-keys x-kubernetes-map-type x-kubernetes-validations',
  ].flatMap(line => line.split(' ')),
);
/** Rewritten below. */
const REWRITTEN = new Set(
  'properties required items additionalProperties patternProperties anyOf oneOf const format exclusiveMinimum exclusiveMaximum uniqueItems'.split(' '),
);
/** Say nothing about what a value may be: for the engine or for people. */
const DROPPED = new Set(['plinth', 'removable', 'settleSeconds', '$id', '$schema', '$comment', 'examples', 'readOnly', 'writeOnly', 'deprecated']);
/** What the API server checks by itself (k8s.io/apiextensions-apiserver, supported formats of v3). */
const FORMATS = new Set(
  [
    'bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor rgbcolor byte password',
    'date duration date-time datetime int32 int64 float double',
  ].flatMap(line => line.split(' ')),
);

/**
 * The structural form of a schema: closed objects, one type per place, unions only as `nullable`, `enum` or int-or-string. What the API server
 * would not check becomes a CEL rule. Throws EngineError InvalidObject at the first thing that has no such form; `path` is where the schema stands.
 */
export function structural(schema: Schema, path: Path): JsonObject {
  if (isAnything(schema)) return { ...texts(schema), 'x-kubernetes-preserve-unknown-fields': true, nullable: true };
  const union = unionOf(schema);
  if (union !== undefined) return ofUnion(schema, union, path);
  for (const keyword of Object.keys(schema)) {
    if (SAME.has(keyword) || REWRITTEN.has(keyword) || DROPPED.has(keyword)) continue;
    throw refused(
      join(path, keyword),
      'cannot be said in a CustomResourceDefinition',
      'say it with the keywords of docs/claims.md, or as a rule under x-kubernetes-validations',
    );
  }
  const same = Object.fromEntries(Object.entries(schema).filter(([keyword]) => SAME.has(keyword)));
  const parts = { ...same, ...ofEnum(schema), ...ofBounds(schema), ...ofObject(schema, path), ...ofList(schema, path), ...branches(schema) };
  return withFormat(parts as JsonObject, schema.type, schema['format'], path);
}

function refused(path: Path, what: string, hint: string): EngineError {
  return new EngineError('InvalidObject', `\`${path}\` ${what}`, { path, hint });
}

/** The keywords that only people read. */
function texts(schema: Schema): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => ['title', 'description', 'default'].includes(keyword))) as JsonObject;
}

const typeOfValue = (value: Json): string =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : Number.isInteger(value) ? 'integer' : typeof value === 'boolean' ? 'boolean' : typeof value;

function ofEnum({ type, enum: words, const: only }: Schema): JsonObject {
  const values = words ?? (only === undefined ? undefined : [only]);
  if (values === undefined) return {};
  return { enum: [...values], type: type ?? typeOfValue(values[0] ?? '') };
}

/** A union of literals is an enum, one with null is nullable, one of integer and text is int-or-string; there is no other. */
function ofUnion(schema: Schema, forms: readonly Schema[], path: Path): JsonObject {
  const isNull = (form: Schema): boolean => form.type === 'null' || form.const === null;
  const rest = forms.filter(form => !isNull(form));
  const nullable: JsonObject = rest.length < forms.length ? { nullable: true } : {};
  if (rest.length === 1) return { ...structural(rest[0]!, path), ...texts(schema), ...nullable };
  const words = rest.map(form => form.enum ?? (form.const === undefined ? undefined : [form.const]));
  const types = new Set(rest.map(form => form.type ?? typeOfValue(form.const ?? form.enum?.[0] ?? '')));
  if (words.every(values => values !== undefined) && types.size === 1) {
    return { ...texts(schema), type: [...types][0]!, enum: words.flat() as Json[], ...nullable };
  }
  const isIntOrString = rest.every(form => Object.keys(form).every(keyword => keyword === 'type' || DROPPED.has(keyword)));
  if (isIntOrString && types.size === 2 && types.has('integer') && types.has('string')) {
    return { ...texts(schema), 'x-kubernetes-int-or-string': true, ...nullable };
  }
  const hint = 'give it one type; what depends on another field is a rule under x-kubernetes-validations';
  throw refused(path, 'has several forms (anyOf, oneOf), which a CustomResourceDefinition cannot say', hint);
}

/** JSON Schema has the bound itself under `exclusive…`, a CustomResourceDefinition a mark beside the bound. */
function ofBounds(schema: Schema): JsonObject {
  const result: JsonObject = {};
  for (const [exclusive, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    const value = schema[exclusive];
    if (typeof value === 'boolean') result[exclusive] = value;
    if (typeof value === 'number') Object.assign(result, { [bound]: value, [exclusive]: true });
  }
  return result;
}

function ofObject(schema: Schema, path: Path): JsonObject {
  const result: JsonObject = {};
  const { properties, additionalProperties, patternProperties } = schema;
  if (properties !== undefined) {
    const inner = Object.entries(properties).map(([name, item]) => [name, structural(item, join(join(path, 'properties'), name))] as const);
    result['properties'] = Object.fromEntries(inner);
  }
  // A default makes a field one that need not be written.
  const required = (schema.required ?? []).filter(name => properties?.[name]?.default === undefined);
  if (required.length > 0) result['required'] = required;
  const values = typeof additionalProperties === 'object' ? additionalProperties : valuesOfPattern(patternProperties, path);
  if (values !== undefined && Object.keys(properties ?? {}).length > 0) {
    throw refused(path, 'has both named fields and others, which a CustomResourceDefinition cannot say', 'keep `properties` or `additionalProperties`');
  }
  if (values !== undefined) result['additionalProperties'] = structural(values, join(path, 'additionalProperties'));
  if (additionalProperties === true) result['x-kubernetes-preserve-unknown-fields'] = true;
  return result;
}

/** TypeBox writes a map with any keys as one pattern. */
function valuesOfPattern(patterns: Schema['patternProperties'], path: Path): Schema | undefined {
  if (patterns === undefined) return undefined;
  const [[pattern, values] = ['', undefined], ...others] = Object.entries(patterns);
  if (values !== undefined && others.length === 0 && /^\^?\(?\.\*\)?\$?$/.test(pattern)) return values;
  throw refused(join(path, 'patternProperties'), 'cannot be said in a CustomResourceDefinition', 'use `additionalProperties`, and a rule for the keys');
}

function ofList(schema: Schema, path: Path): JsonObject {
  const result: JsonObject = {};
  if (schema.items !== undefined) result['items'] = structural(schema.items, join(path, 'items'));
  if (schema['uniqueItems'] !== true) return result;
  const type = schema.items?.type;
  if (type === undefined || type === 'object' || type === 'array') {
    throw refused(join(path, 'uniqueItems'), 'works only for plain values', 'use x-kubernetes-list-type: map with x-kubernetes-list-map-keys');
  }
  return { ...result, 'x-kubernetes-list-type': 'set' };
}

/** Branches that only ask for fields stay: checkSchema lets no others through. */
function branches({ anyOf, oneOf }: Schema): JsonObject {
  const copy = (forms: readonly Schema[]): Json[] => forms.map(form => ({ required: [...(form.required ?? [])] }));
  return { ...(anyOf === undefined ? {} : { anyOf: copy(anyOf) }), ...(oneOf === undefined ? {} : { oneOf: copy(oneOf) }) };
}

/** A format that the API server does not know is a rule, or no constraint at all (`regex`: checked by what compiles it). */
function withFormat(parts: JsonObject, type: string | undefined, format: unknown, path: Path): JsonObject {
  if (format === undefined || format === 'regex') return parts;
  if (type === 'string' && format === 'quantity') {
    const rule = { rule: 'isQuantity(self)', message: 'must be a quantity, e.g. 500m or 2Gi' };
    const rules = (parts['x-kubernetes-validations'] ?? []) as unknown as Rule[];
    // The bound keeps the estimated cost of the rule small; no quantity is longer.
    return { maxLength: 64, ...parts, 'x-kubernetes-validations': [...rules, rule] as unknown as Json };
  }
  if (typeof format === 'string' && FORMATS.has(format)) return { ...parts, format };
  throw refused(join(path, 'format'), `\`${String(format)}\` is not a format of a CustomResourceDefinition`, suggestion(String(format), FORMATS));
}
