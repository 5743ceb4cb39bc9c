/** JSON Schema without surprises: every problem at once, stable text, closed objects, patterns that cannot hang. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { fastFormats } from 'ajv-formats/dist/formats.js';
import { canonical, hash } from './digest.ts';
import type { ErrorCode } from './errors.ts';
import { join } from './paths.ts';
import { regex } from './regex.ts';
import { isOpen, literalsOf, type Schema } from './schema-types.ts';
import { listed, suggestion } from './similar.ts';
import type { FieldBehaviour, Json, JsonObject, Path } from './types.ts';

/** What is wrong with one place of a document. `message` names the path; `code` only where the code is not the caller's own. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
  readonly hint: string;
  readonly code?: ErrorCode;
}

const MAX_COMPILED = 500;
const byIdentity = new WeakMap<object, ValidateFunction>();
const byHash = new Map<string, ValidateFunction>();

function isRegex(text: string): boolean {
  try {
    return regex(text) !== undefined;
  } catch {
    return false;
  }
}
const QUANTITY = regex('^[+-]?(\\d+(\\.\\d*)?|\\.\\d+)(([numkMGTPE]|[KMGTPE]i)|[eE][+-]?\\d+)?$');
const CIDR = regex('^(\\d{1,3}\\.){3}\\d{1,3}/\\d{1,2}$|^[0-9a-fA-F:]+/\\d{1,3}$');
const engine = Object.assign((pattern: string) => regex(pattern), { code: 'regex' });
const ajv = new Ajv({
  strict: false,
  allErrors: true,
  verbose: true,
  ownProperties: true,
  logger: false,
  validateSchema: false,
  addUsedSchema: false,
  // Most schemas are used a few times per process: tidying up their code costs more than it gains.
  code: { regExp: engine, optimize: false },
  formats: { ...fastFormats, regex: isRegex, quantity: text => QUANTITY.test(text), cidr: text => CIDR.test(text) },
});

/**
 * Every problem of a value, sorted by path, the same text each time. Objects are closed unless the schema opens them.
 * Throws a SyntaxError for a pattern that RE2 cannot do; `checkSchema` finds these beforehand.
 */
export function checkValue(schema: Schema, value: Json, path: Path): Problem[] {
  const validate = validatorOf(schema);
  const problems = validate(value) ? [] : problemsOf(validate.errors ?? [], value, path);
  const all = [...problems, ...duplicates(schema, value, path)];
  return all.length < 2 ? all : distinct(all);
}

function distinct(problems: readonly Problem[]): Problem[] {
  const unique = new Map(problems.map(problem => [`${problem.path}\n${problem.message}`, problem]));
  return [...unique.values()].sort((a, b) => compare(a.path, b.path) || compare(a.message, b.message));
}
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function validatorOf(schema: Schema): ValidateFunction {
  const known = byIdentity.get(schema);
  if (known !== undefined) return known;
  const strict = closed(schema);
  const key = hash(strict as Json, 32);
  const validate = byHash.get(key) ?? ajv.compile(strict);
  // ajv would keep every schema for ever; the function goes on working without.
  ajv.removeSchema(strict);
  if (byHash.size >= MAX_COMPILED) byHash.clear();
  byHash.set(key, validate);
  byIdentity.set(schema, validate);
  return validate;
}

const SCHEMAS = ['items', 'additionalProperties', 'not'] as const;
const MAPS = ['properties', 'patternProperties'] as const;
const LISTS = ['anyOf', 'oneOf', 'allOf'] as const;

/** The schema as ajv gets it: objects closed, unions of literals as one enum, int-or-string spelled out, texts dropped. */
function closed(schema: Schema, open = false): Schema {
  const result: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) if (isChecked(schema, keyword)) result[keyword] = value;
  for (const keyword of SCHEMAS) {
    const inner = schema[keyword];
    if (inner !== null && typeof inner === 'object') result[keyword] = closed(inner as Schema, keyword === 'not');
  }
  for (const keyword of MAPS) {
    const inner = schema[keyword];
    if (inner !== undefined) result[keyword] = Object.fromEntries(Object.entries(inner).map(([name, item]) => [name, closed(item)]));
  }
  for (const keyword of LISTS) {
    const inner = schema[keyword];
    if (inner !== undefined) result[keyword] = inner.map(item => closed(item, keyword === 'allOf'));
  }
  const literals = literalsOf(schema);
  if (literals !== undefined && schema.enum === undefined) {
    for (const keyword of [...LISTS, 'const']) delete result[keyword];
    result['enum'] = literals;
  }
  if (schema['x-kubernetes-int-or-string'] === true) result['anyOf'] = [{ type: 'integer' }, { type: 'string' }];
  if (schema.type === 'object' && !open && !isOpen(schema) && schema.allOf === undefined) result['additionalProperties'] = false;
  return result;
}
/** `nullable` says nothing where there is no type, and ajv refuses it there. */
const isChecked = (schema: Schema, keyword: string): boolean => !IGNORED.has(keyword) && (keyword !== 'nullable' || schema.type !== undefined);
const IGNORED = new Set(['description', 'title', 'default', 'example', 'examples', 'x-kubernetes-validations', 'plinth', 'removable', 'settleSeconds', '$id']);

function problemsOf(errors: readonly ErrorObject[], value: Json, path: Path): Problem[] {
  const unions = errors.filter(error => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  const inUnion = (error: ErrorObject): boolean => unions.some(union => union !== error && error.schemaPath.startsWith(`${union.schemaPath}/`));
  const outside = errors.filter(error => !inUnion(error));
  return outside.flatMap(error => {
    const branches = errors.filter(other => other !== error && other.schemaPath.startsWith(`${error.schemaPath}/`) && other.keyword !== 'if');
    const isUnion = error.keyword === 'anyOf' || error.keyword === 'oneOf';
    return isUnion ? unionProblems(error, branches, value, path) : [problemOf(error, placeOf(error.instancePath, value, path))];
  });
}

/** Of a union that fits nowhere: the problems of the branch that came nearest, when only one has the right type. */
function unionProblems(union: ErrorObject, errors: readonly ErrorObject[], value: Json, path: Path): Problem[] {
  const branch = (error: ErrorObject): string => error.schemaPath.slice(union.schemaPath.length + 1).split('/')[0] ?? '';
  const wrongType = new Set(errors.filter(error => error.keyword === 'type' && error.instancePath === union.instancePath).map(branch));
  const near = errors.filter(error => !wrongType.has(branch(error)));
  if (near.length > 0 && new Set(near.map(branch)).size === 1) return near.map(error => problemOf(error, placeOf(error.instancePath, value, path)));
  const here = placeOf(union.instancePath, value, path);
  const types = (union.parentSchema?.[union.keyword] as Schema[] | undefined)?.map(item => item.type ?? '').filter(Boolean) ?? [];
  const wanted = types.length > 0 && wrongType.size > 0 ? ` (${[...new Set(types)].join(' or ')})` : '';
  return [{ path: here, message: `${named(here)} has none of the forms that are allowed here${wanted}`, hint: 'look at the schema of the field' }];
}

/** Turns ajv's JSON pointer into a path; only the value tells an index from a key. */
function placeOf(pointer: string, value: Json, path: Path): Path {
  let here = path;
  let current: Json | undefined = value;
  for (const raw of pointer.split('/').slice(1)) {
    const segment = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    here = join(here, Array.isArray(current) ? Number(segment) : segment);
    current = Array.isArray(current) ? current[Number(segment)] : (current as JsonObject | null)?.[segment];
  }
  return here;
}

const named = (path: Path): string => (path === '' ? 'the value' : `\`${path}\``);

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function problemOf(error: ErrorObject, here: Path): Problem {
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'required') {
    const path = join(here, String(params['missingProperty']));
    return { path, message: `${named(path)} is missing`, hint: 'set it' };
  }
  if (error.keyword === 'additionalProperties') {
    const field = String(params['additionalProperty']);
    const path = join(here, field);
    return { path, message: `${named(path)} is not a known field`, hint: suggestion(field, Object.keys(error.parentSchema?.['properties'] ?? {})) };
  }
  return { path: here, message: `${named(here)} ${complaint(error, params)}`, hint: hintOf(error) };
}

function hintOf(error: ErrorObject): string {
  const words = error.keyword === 'enum' ? (error.schema as Json[]).filter(word => typeof word === 'string') : [];
  if (words.length > 0 && typeof error.data === 'string') return suggestion(error.data, words);
  return 'correct the value';
}

function complaint(error: ErrorObject, params: Record<string, unknown>): string {
  const limit = String(params['limit']);
  const got = shown(error.data);
  switch (error.keyword) {
    case 'type':
      return `must be ${article(String(params['type']))}, not ${got}`;
    case 'enum':
      return `must be one of ${listed((error.schema as Json[]).map(String))}, not ${got}`;
    case 'not':
      return `must not be ${listed(((error.schema as Schema).enum ?? []).map(String)) || shown(error.data)}`;
    case 'const':
      return `must be ${shown(error.schema)}, not ${got}`;
    case 'minimum':
    case 'exclusiveMinimum':
      return `must be ${error.keyword === 'minimum' ? 'at least' : 'more than'} ${limit}, not ${got}`;
    case 'maximum':
    case 'exclusiveMaximum':
      return `must be ${error.keyword === 'maximum' ? 'at most' : 'less than'} ${limit}, not ${got}`;
    case 'minLength':
      return Number(limit) === 1 ? 'must not be empty' : `must have at least ${limit} characters, not ${String(error.data).length}`;
    case 'maxLength':
      return `must have at most ${limit} characters, not ${String(error.data).length}`;
    case 'minItems':
      return `must have at least ${limit} items, not ${(error.data as Json[]).length}`;
    case 'maxItems':
      return `must have at most ${limit} items, not ${(error.data as Json[]).length}`;
    case 'minProperties':
    case 'maxProperties':
      return `must have at ${error.keyword === 'minProperties' ? 'least' : 'most'} ${limit} fields`;
    case 'pattern':
      return `must match ${String(params['pattern'])}, not ${got}`;
    case 'format':
      return `must be a valid ${String(params['format'])}, not ${got}`;
    case 'multipleOf':
      return `must be a multiple of ${String(params['multipleOf'])}, not ${got}`;
    case 'uniqueItems':
      return `has the same item twice (items ${String(params['j'])} and ${String(params['i'])})`;
    default:
      return `is wrong: ${error.message ?? error.keyword}`;
  }
}

const article = (type: string): string =>
  ({ integer: 'an integer', object: 'a mapping', array: 'a list', boolean: 'true or false', string: 'a text', number: 'a number', null: 'null' })[type] ?? type;

/** Items of a Kubernetes list-map or list-set that bear the same key. */
function duplicates(schema: Schema, value: Json, path: Path): Problem[] {
  if (value === null || typeof value !== 'object') return [];
  if (!Array.isArray(value)) {
    return Object.entries(schema.properties ?? {}).flatMap(([field, inner]) => {
      const item = Object.hasOwn(value, field) ? value[field] : undefined;
      return item === undefined ? [] : duplicates(inner, item, join(path, field));
    });
  }
  const inner = schema.items === undefined ? [] : value.flatMap((item, index) => duplicates(schema.items!, item, join(path, index)));
  const kind = schema['x-kubernetes-list-type'];
  return kind === 'map' || kind === 'set' ? [...inner, ...sameKeys(value, schema['x-kubernetes-list-map-keys'], path)] : inner;
}

function sameKeys(items: readonly Json[], keys: readonly string[] | undefined, path: Path): Problem[] {
  const seen = new Map<string, number>();
  return items.flatMap((item, index): Problem[] => {
    const key = keys === undefined ? item : keys.map(name => (item as JsonObject | null)?.[name] ?? null);
    const text = canonical(key);
    const first = seen.get(text);
    if (first === undefined) {
      seen.set(text, index);
      return [];
    }
    const what = keys === undefined ? 'the same value' : `the same ${keys.map(name => `\`${name}\``).join(' and ')}`;
    const here = join(path, index);
    return [{ path: here, message: `${named(here)} has ${what} as ${named(join(path, first))}`, hint: 'remove one of them' }];
  });
}

/** A new value with the defaults of the schema filled in, deeply, as the API server does: inside what is there, never making a parent. */
export function withDefaults<T extends Json>(schema: Schema, value: T): T {
  return defaulted(schema, value) as T;
}

function defaulted(schema: Schema, value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return schema.items === undefined ? value : value.map(item => defaulted(schema.items!, item));
  const result: JsonObject = { ...value };
  const fields = schema.properties ?? {};
  for (const field of Object.keys(fields)) {
    const inner = fields[field]!;
    const given = Object.hasOwn(result, field) ? result[field] : undefined;
    const replaced = given === undefined || (given === null && inner.default !== undefined && inner.nullable !== true);
    const start = replaced ? inner.default : given;
    if (start !== undefined) result[field] = defaulted(inner, start);
  }
  const values = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  if (values === undefined) return result;
  for (const field of Object.keys(result)) if (!Object.hasOwn(fields, field)) result[field] = defaulted(values, result[field]!);
  return result;
}

/** Keyword `plinth` of a top-level field; undefined: compared exactly. */
export function behaviourOf(schema: Schema, field: string): FieldBehaviour | undefined {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, field) ? schema.properties[field]!.plinth : undefined;
}

/** Keyword `settleSeconds` of a top-level field; 0 without it. */
export function fieldSettleSeconds(schema: Schema, field: string): number {
  return (schema.properties !== undefined && Object.hasOwn(schema.properties, field) ? schema.properties[field]!.settleSeconds : undefined) ?? 0;
}

/** True when leaving the top-level field out takes the value away (keyword `removable`). */
export function isRemovable(schema: Schema, field: string): boolean {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, field) && schema.properties[field]!.removable === true;
}
