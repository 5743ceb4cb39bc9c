/** `x-kubernetes-validations`: CEL rules of a claim schema, as the API server runs them. */
import { canonical } from './digest.ts';
import { EngineError } from './errors.ts';
import { type Compiled, compileExpression, scopeOf } from './expression.ts';
import { join, split } from './paths.ts';
import type { Problem } from './schema.ts';
import type { Rule, Schema } from './schema-types.ts';
import type { Json, JsonObject, Path } from './types.ts';

interface CompiledRule {
  readonly rule: Rule;
  readonly test: Compiled;
  readonly message: Compiled | undefined;
  readonly isTransition: boolean;
}
const compiledRules = new WeakMap<Schema, readonly CompiledRule[]>();

/**
 * Every rule that does not hold. A rule that reads `oldSelf` is checked only where there is an old value (items of lists: only of
 * list-maps, by their keys) and gives code ImmutableField. A rule that cannot be compiled is skipped: `ruleProblems` finds it.
 */
export function checkRules(schema: Schema, value: Json, old: Json | undefined, path: Path): Problem[] {
  const own = rulesOf(schema).flatMap(rule => checkRule(rule, value, old, path));
  if (value === null || typeof value !== 'object') return own;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return own;
    const before = correlate(schema, old);
    return [...own, ...value.flatMap((item, index) => checkRules(items, item, before(item), join(path, index)))];
  }
  const fields = Object.entries(value).flatMap(([field, item]) => {
    const inner = fieldSchema(schema, field);
    return inner === undefined ? [] : checkRules(inner, item, fieldOf(old, field), join(path, field));
  });
  return [...own, ...fields];
}

function fieldSchema(schema: Schema, field: string): Schema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, field)) return schema.properties[field];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function fieldOf(value: Json | undefined, field: string): Json | undefined {
  const isMap = value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value);
  return isMap && Object.hasOwn(value, field) ? value[field] : undefined;
}

function correlate(schema: Schema, old: Json | undefined): (item: Json) => Json | undefined {
  const keys = schema['x-kubernetes-list-type'] === 'map' ? schema['x-kubernetes-list-map-keys'] : undefined;
  if (keys === undefined || !Array.isArray(old)) return () => undefined;
  const keyOf = (item: Json): string => canonical(keys.map(key => (item as JsonObject | null)?.[key] ?? null));
  const byKey = new Map(old.map(item => [keyOf(item), item]));
  return item => byKey.get(keyOf(item));
}

function rulesOf(schema: Schema): readonly CompiledRule[] {
  if (schema['x-kubernetes-validations'] === undefined) return [];
  const known = compiledRules.get(schema);
  if (known !== undefined) return known;
  const rules = schema['x-kubernetes-validations'].flatMap(rule => compileRule(schema, rule, '', []) ?? []);
  compiledRules.set(schema, rules);
  return rules;
}

function compileRule(schema: Schema, rule: Rule, path: Path, problems: EngineError[]): CompiledRule | undefined {
  const scope = scopeOf(
    new Map([
      ['self', { schema }],
      ['oldSelf', { schema }],
    ]),
  );
  const test = compileExpression(rule.rule, path, 0, scope, problems);
  const message = rule.messageExpression === undefined ? undefined : compileExpression(rule.messageExpression, path, 0, scope, problems);
  if (test === undefined) return undefined;
  return { rule, test, message, isTransition: test.expression.reads.some(read => read.root === 'oldSelf') };
}

function checkRule({ rule, test, message, isTransition }: CompiledRule, value: Json, old: Json | undefined, path: Path): Problem[] {
  if (isTransition && old === undefined) return [];
  const roots = { self: value, oldSelf: old };
  try {
    if (test.expression.run(roots) === true) return [];
    const told = message?.expression.run(roots) ?? rule.message ?? `the rule \`${rule.rule}\` does not hold`;
    return [problemOf(String(told), rule, isTransition, path)];
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return [problemOf(error.message, rule, isTransition, path)];
  }
}

function problemOf(told: string, rule: Rule, isTransition: boolean, path: Path): Problem {
  const here = split((rule.fieldPath ?? '').replace(/^\./, '')).reduce<Path>(join, path);
  const message = `\`${here}\`: ${told}`;
  return isTransition ? { path: here, message, hint: 'put the old value back', code: 'ImmutableField' } : { path: here, message, hint: 'correct the value' };
}

/** What is wrong with the rules of one schema node themselves. */
export function ruleProblems(schema: Schema, path: Path): EngineError[] {
  const problems: EngineError[] = [];
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries()) {
    const here = join(join(join(path, 'x-kubernetes-validations'), index), 'rule');
    const compiled = compileRule(schema, rule, here, problems);
    if (rule.optionalOldSelf === true) problems.push(new EngineError('InvalidObject', `\`${here}\`: optionalOldSelf is not supported`, { path: here }));
    const type = compiled?.test.schema?.type;
    if (compiled !== undefined && type !== undefined && type !== 'boolean') {
      problems.push(new EngineError('InvalidExpression', `\`${here}\` must be true or false`, { path: here }));
    }
  }
  return problems;
}
