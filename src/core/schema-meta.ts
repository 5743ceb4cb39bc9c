/** Whether an administrator's schema is itself sane: structural, bounded, with defaults that fit. */
import { join } from './paths.ts';
import { regex } from './regex.ts';
import { checkValue, type Problem } from './schema.ts';
import { ruleProblems } from './schema-rules.ts';
import type { Schema } from './schema-types.ts';
import { listed, suggestion } from './similar.ts';
import type { Json, JsonObject, Path } from './types.ts';

const MAX_DEPTH = 12;
const MAX_NODES = 1_000;
const KEYWORDS = new Set(
  [
    'type description title default enum format pattern minLength maxLength minimum maximum multipleOf items minItems maxItems properties required',
    'additionalProperties minProperties maxProperties nullable example oneOf anyOf x-kubernetes-preserve-unknown-fields x-kubernetes-int-or-string',
    'x-kubernetes-list-type x-kubernetes-list-map-keys x-kubernetes-map-type x-kubernetes-validations',
  ].flatMap(line => line.split(' ')),
);
const TYPES = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean']);

/** Every problem of a schema for `spec`, `parameters` or `outputs`: an object without unsupported keywords, unsafe patterns or wrong defaults. */
export function checkSchema(schema: Json, path: Path): Problem[] {
  if (!isMap(schema)) return [problem(path, 'must be a schema', 'write a mapping with `type: object`')];
  const budget = { left: MAX_NODES };
  const problems = checkNode(schema, path, 0, budget);
  if (schema['type'] !== 'object') problems.unshift(problem(join(path, 'type'), 'must be `object`', 'write `type: object`'));
  return budget.left < 0 ? [problem(path, `has more than ${MAX_NODES} parts`, 'simplify it')] : problems;
}

const isMap = (value: Json | undefined): value is JsonObject => value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value);
const problem = (path: Path, what: string, hint: string): Problem => ({ path, message: `\`${path}\` ${what}`, hint });

function checkNode(schema: Json, path: Path, depth: number, budget: { left: number }): Problem[] {
  if (!isMap(schema)) return [problem(path, 'must be a schema', 'write a mapping with `type`')];
  if (budget.left-- <= 0) return [];
  if (depth > MAX_DEPTH) return [problem(path, `is nested deeper than ${MAX_DEPTH} levels`, 'flatten it')];
  const keywords = Object.keys(schema).filter(keyword => !KEYWORDS.has(keyword));
  const unknown = keywords.map(keyword => problem(join(path, keyword), 'is not a supported keyword', suggestion(keyword, KEYWORDS)));
  const inner = [...typeProblems(schema, path), ...formProblems(schema, path), ...childProblems(schema, path, depth, budget)];
  return unknown.length + inner.length > 0 ? [...unknown, ...inner] : valueProblems(schema as Schema, path);
}

function typeProblems(schema: JsonObject, path: Path): Problem[] {
  const { type } = schema as { type?: Json };
  const isFree = schema['x-kubernetes-preserve-unknown-fields'] === true || schema['x-kubernetes-int-or-string'] === true;
  if (type === undefined) return isFree ? [] : [problem(path, 'has no `type`', `set one of ${listed([...TYPES])}`)];
  if (typeof type === 'string' && TYPES.has(type)) return [];
  return [problem(join(path, 'type'), 'is not a known type', suggestion(String(type), TYPES))];
}

function formProblems(schema: JsonObject, path: Path): Problem[] {
  const problems: Problem[] = [];
  const { required, properties, enum: words, pattern } = schema as { required?: Json; properties?: Json; enum?: Json; pattern?: Json };
  if (isMap(properties) && schema['additionalProperties'] !== undefined) {
    problems.push(problem(path, 'has both `properties` and `additionalProperties`', 'keep one of them'));
  }
  for (const field of Array.isArray(required) ? required : []) {
    if (!isMap(properties) || !Object.hasOwn(properties, String(field))) {
      problems.push(
        problem(join(path, 'required'), `names \`${String(field)}\`, which is no property`, suggestion(String(field), Object.keys(properties ?? {}))),
      );
    }
  }
  if (words !== undefined && (!Array.isArray(words) || words.length === 0)) problems.push(problem(join(path, 'enum'), 'must be a list of values', 'name them'));
  if (schema['type'] === 'array' && schema['items'] === undefined) problems.push(problem(path, 'is a list without `items`', 'say what an item is'));
  const bad = typeof pattern === 'string' ? patternMistake(pattern) : '';
  if (bad !== '') problems.push(problem(join(path, 'pattern'), `cannot be used: ${bad}`, 'use RE2 syntax: no look-around, no back-references'));
  return problems;
}

function patternMistake(pattern: string): string {
  try {
    regex(pattern);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function childProblems(schema: JsonObject, path: Path, depth: number, budget: { left: number }): Problem[] {
  const { properties, items, additionalProperties } = schema as { properties?: Json; items?: Json; additionalProperties?: Json };
  const fields = isMap(properties) ? Object.entries(properties) : [];
  const problems = fields.flatMap(([field, inner]) => checkNode(inner, join(join(path, 'properties'), field), depth + 1, budget));
  if (items !== undefined) problems.push(...checkNode(items, join(path, 'items'), depth + 1, budget));
  if (isMap(additionalProperties)) problems.push(...checkNode(additionalProperties, join(path, 'additionalProperties'), depth + 1, budget));
  for (const keyword of ['oneOf', 'anyOf'] as const) problems.push(...branchProblems(schema[keyword], join(path, keyword)));
  return problems;
}

/** Structural schemas say types once; branches may only say which fields are required. */
function branchProblems(branches: Json | undefined, path: Path): Problem[] {
  if (branches === undefined) return [];
  const isSimple = (branch: Json): boolean => isMap(branch) && Object.keys(branch).every(keyword => keyword === 'required');
  if (Array.isArray(branches) && branches.every(isSimple)) return [];
  return [problem(path, 'may only hold branches with `required`', 'describe the fields once under `properties`')];
}

/** Checked only for a schema without other problems: its default must fit it, and its rules must compile. */
function valueProblems(schema: Schema, path: Path): Problem[] {
  const rules = ruleProblems(schema, path).map(error => ({ path: error.path, message: error.message, hint: error.hint }));
  if (schema.default === undefined) return rules;
  return [...rules, ...checkValue(schema, schema.default, join(path, 'default'))];
}
