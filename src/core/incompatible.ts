/** Which edits of a ClaimDefinition the claims that exist would not survive. Pure; the engine refuses them while there are any. */
import { claimSpecSchema } from './crd.ts';
import { equal } from './digest.ts';
import { join } from './paths.ts';
import type { Schema } from './schema-types.ts';
import type { ClaimDefinition, Json, JsonObject, Path } from './types.ts';

/** One reason why an edit is refused. `message` names the path and ends in what would happen. */
export interface Incompatibility {
  readonly path: Path;
  readonly message: string;
}

/**
 * Why an edit cannot go through while claims exist; empty when it can. A claim that is valid before must be valid after with the same meaning:
 * nothing it says may vanish or become wrong, and what applications read (Secret keys, outputs) must stay. New optional fields, wider bounds,
 * changed defaults, texts, fewer rules, and new keys and outputs are fine. Throws as `claimSpecSchema`.
 */
export function incompatible(before: ClaimDefinition, after: ClaimDefinition): Incompatibility[] {
  const named = [
    ...(before.kind === after.kind ? [] : [at('spec.kind', 'changed', 'the claims are of the old kind')]),
    ...(before.scope === after.scope ? [] : [at('spec.scope', 'changed', 'the claims are of the old one')]),
    ...(before.plural === after.plural ? [] : [at('spec.plural', 'changed', 'the claims are found under the old one')]),
  ];
  if (named.length > 0) return named;
  return [
    ...incompatibleSchemas(claimSpecSchema(before), claimSpecSchema(after)),
    ...connectionProblems(before.connection, after.connection),
    ...outputProblems(before.outputs as Schema, after.outputs as Schema),
  ];
}

/** The same for two structural schemas of a claim's spec: what the CustomResourceDefinition has, and what it would get. */
export function incompatibleSchemas(before: JsonObject, after: JsonObject): Incompatibility[] {
  // The default of the spec as a whole follows from its fields, which are compared.
  return compareNodes({ ...before, default: undefined } as Schema, after as Schema, 'spec');
}

const at = (path: Path, what: string, so: string): Incompatibility => ({ path, message: `\`${path}\` is ${what}: ${so}` });
const isOpen = (schema: Schema): boolean => schema['x-kubernetes-preserve-unknown-fields'] === true;

function compareNodes(before: Schema, after: Schema, path: Path): Incompatibility[] {
  // A field of any type may become one of any type only.
  if (before.type === undefined && !isIntOrString(before)) {
    return after.type === undefined && !isIntOrString(after) ? [] : [at(path, 'given a type', 'claims may hold another one')];
  }
  const type = typeProblem(before, after, path);
  if (type !== undefined) return [type];
  return [
    ...valueProblems(before, after, path),
    ...boundProblems(before, after, path),
    ...listProblems(before, after, path),
    ...ruleProblems(before, after, path),
    ...fieldProblems(before, after, path),
    ...mapProblems(before, after, path),
    ...(before.items !== undefined && after.items !== undefined ? compareNodes(before.items, after.items, `${path}[]`) : []),
  ];
}

const isIntOrString = (schema: Schema): boolean => schema['x-kubernetes-int-or-string'] === true;

function typeProblem(before: Schema, after: Schema, path: Path): Incompatibility | undefined {
  const same = before.type === after.type && isIntOrString(before) === isIntOrString(after);
  const toNumber = before.type === 'integer' && after.type === 'number';
  const toEither = isIntOrString(after) && (before.type === 'integer' || before.type === 'string');
  const toAnything = after.type === undefined && !isIntOrString(after);
  if (same || toNumber || toEither || toAnything) return undefined;
  const name = (schema: Schema): string => (isIntOrString(schema) ? 'integer or string' : (schema.type ?? 'anything'));
  return at(path, `changed from ${name(before)} to ${name(after)}`, 'what claims hold there would be wrong');
}

function valueProblems(before: Schema, after: Schema, path: Path): Incompatibility[] {
  const problems: Incompatibility[] = [];
  const gone = after.enum === undefined ? [] : (before.enum ?? []).filter(value => !after.enum!.some(other => equal(value, other)));
  if (after.enum !== undefined && before.enum === undefined) problems.push(at(path, 'limited to some values', 'claims may hold another one'));
  if (gone.length > 0) problems.push(at(path, `no longer ${gone.map(value => JSON.stringify(value)).join(' or ')}`, 'claims may say so'));
  if (before.nullable === true && after.nullable !== true) problems.push(at(path, 'no longer nullable', 'claims may hold null'));
  if (before.default !== undefined && after.default === undefined) problems.push(at(path, 'without its default', 'claims that leave it out would lack it'));
  for (const keyword of ['pattern', 'format'] as const) {
    if (after[keyword] === undefined || equal(before[keyword] as Json | undefined, after[keyword] as Json)) continue;
    problems.push(at(path, `given another ${keyword}`, 'what claims hold there may not fit'));
  }
  return problems;
}

/** Keyword, and whether a larger value allows less. */
const BOUNDS = { minimum: true, maximum: false, minLength: true, maxLength: false, minItems: true, maxItems: false, minProperties: true, maxProperties: false };

function boundProblems(before: Schema, after: Schema, path: Path): Incompatibility[] {
  const problems = Object.entries(BOUNDS).flatMap(([keyword, isLower]) => {
    const [old, now] = [before[keyword] as number | undefined, after[keyword] as number | undefined];
    if (now === undefined) return [];
    const exclusive = keyword === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum';
    const isStricter = old === now && /^(minimum|maximum)$/.test(keyword) && after[exclusive] === true && before[exclusive] !== true;
    const isNarrower = old === undefined ? !saysNothing(keyword, now) : isLower ? now > old : now < old;
    return isNarrower || isStricter ? [at(path, `narrowed to ${keyword} ${now}`, 'what claims hold there may not fit')] : [];
  });
  const [old, now] = [before['multipleOf'] as number | undefined, after['multipleOf'] as number | undefined];
  const isCoarser = now !== undefined && (old === undefined || old % now !== 0);
  return isCoarser ? [...problems, at(path, `narrowed to multipleOf ${now}`, 'what claims hold there may not fit')] : problems;
}

/** A smallest length of 0 is none. */
const saysNothing = (keyword: string, value: number): boolean => value === 0 && /^min[LIP]/.test(keyword);

function listProblems(before: Schema, after: Schema, path: Path): Incompatibility[] {
  const kind = (schema: Schema): string => schema['x-kubernetes-list-type'] ?? 'atomic';
  if (kind(after) === 'atomic') return [];
  if (kind(before) !== kind(after)) return [at(path, `made a list of type ${kind(after)}`, 'claims may hold the same item twice')];
  const keys = (schema: Schema): Json => [...(schema['x-kubernetes-list-map-keys'] ?? [])];
  return equal(keys(before), keys(after)) ? [] : [at(path, 'keyed by other fields', 'claims may hold the same key twice')];
}

function ruleProblems(before: Schema, after: Schema, path: Path): Incompatibility[] {
  const rules = (schema: Schema): string[] => (schema['x-kubernetes-validations'] ?? []).map(({ rule }) => rule);
  const fresh = rules(after).filter(rule => !rules(before).includes(rule));
  const problems = fresh.map(rule => at(path, `given the rule \`${rule}\``, 'claims may break it'));
  for (const keyword of ['anyOf', 'oneOf'] as const) {
    const [old, now] = [before[keyword] as Json | undefined, after[keyword] as Json | undefined];
    if (now !== undefined && !equal(old, now)) problems.push(at(path, `given other branches (${keyword})`, 'claims may fit none of them'));
  }
  return problems;
}

function fieldProblems(before: Schema, after: Schema, path: Path): Incompatibility[] {
  const [old, now] = [before.properties ?? {}, after.properties ?? {}];
  const problems = Object.entries(old).flatMap(([name, inner]) => {
    const here = join(path, name);
    if (now[name] !== undefined) return compareNodes(inner, now[name], here);
    return isOpen(after) ? [] : [at(here, 'removed', 'what claims hold there would vanish')];
  });
  const required = (after.required ?? []).filter(name => !(before.required ?? []).includes(name));
  problems.push(...required.map(name => at(join(path, name), old[name] === undefined ? 'new and required' : 'now required', 'claims may lack it')));
  if (!isOpen(before)) return problems;
  if (!isOpen(after)) return [...problems, at(path, 'closed', 'what claims hold there would vanish')];
  const typed = Object.keys(now).filter(name => old[name] === undefined);
  return [...problems, ...typed.map(name => at(join(path, name), 'described where anything was allowed', 'what claims hold there may not fit'))];
}

function mapProblems(before: Schema, after: Schema, path: Path): Incompatibility[] {
  const [old, now] = [before.additionalProperties, after.additionalProperties];
  if (typeof old !== 'object') return [];
  if (typeof now === 'object') return compareNodes(old, now, `${path}.*`);
  return isOpen(after) ? [] : [at(path, 'closed', 'what claims hold there would vanish')];
}

function connectionProblems(before: ClaimDefinition['connection'], after: ClaimDefinition['connection']): Incompatibility[] {
  const path = 'spec.connection';
  const problems = before.type === after.type ? [] : [at(`${path}.type`, 'changed', 'the type of a Secret cannot change')];
  for (const [key, { optional }] of Object.entries(before.keys)) {
    const here = join(`${path}.keys`, key);
    const now = after.keys[key];
    if (now === undefined) problems.push(at(here, 'removed', 'applications may read it'));
    else if (!optional && now.optional) problems.push(at(here, 'made optional', 'applications count on it'));
  }
  return problems;
}

function outputProblems(before: Schema, after: Schema): Incompatibility[] {
  return Object.entries(before.properties ?? {}).flatMap(([name, inner]) => {
    const here = join('spec.outputs.properties', name);
    const now = after.properties?.[name];
    if (now === undefined) return [at(here, 'removed', 'other claims may read it')];
    if (now.type !== inner.type) return [at(here, `changed from ${inner.type} to ${now.type}`, 'other claims may read it')];
    const isLess = (before.required ?? []).includes(name) && !(after.required ?? []).includes(name);
    return isLess ? [at(here, 'made optional', 'other claims count on it')] : [];
  });
}
