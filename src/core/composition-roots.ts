/** The names that the expressions of a composition may read, with their schemas. */

import { children, type Node, parse } from './cel.ts';
import type { Piece } from './composition-target.ts';
import type { EngineError } from './errors.ts';
import { conditionsOf } from './reads.ts';
import type { Schema } from './schema-types.ts';
import { parseTemplate, type RawExpression, type RawTemplate } from './template.ts';
import type { ClaimDefinition, Json, ResourceTemplate, ResourceType } from './types.ts';
import { type Root, VIEW } from './views.ts';

const TEXT: Schema = { type: 'string' };
const LOOPS = new Set(['map', 'filter', 'all', 'exists', 'exists_one', 'bind']);

/** Names no resource or reference may bear: roots, reserved words of CEL, and names the engine uses. */
export const RESERVED_IDS: ReadonlySet<string> = new Set(
  [
    'claim class parameters environment each self oldSelf id instance connection outputs inventory',
    'math base64 optional cel google string bool int uint double map list bytes null_type type dyn has true false null in',
    'as break const continue else for function if import let loop package namespace return var void while prototype',
  ].flatMap(line => line.split(' ')),
);

/** What `claim` is for a kind; an undefined definition leaves its spec open. */
export function claimRoot(definition: ClaimDefinition | undefined): Root {
  const spec: Schema = definition?.schema ?? { type: 'object', additionalProperties: true };
  return { schema: { type: 'object', required: ['name', 'namespace', 'kind', 'spec'], properties: { name: TEXT, namespace: TEXT, kind: TEXT, spec } } };
}

/** What `class` is: the name of the EnvironmentClass. */
export const CLASS_ROOT: Root = { schema: TEXT };

/** What `environment` is: the Environment that made the namespace, or nobody's, which never sleeps. */
export const ENVIRONMENT_ROOT: Root = {
  schema: {
    type: 'object',
    required: ['name', 'asleep', 'config'],
    properties: { name: TEXT, asleep: { type: 'boolean' }, config: { type: 'object', additionalProperties: TEXT } },
  },
};

/** The roots that are known before anything is rendered. */
export const PLAIN_ROOTS: ReadonlySet<string> = new Set(['claim', 'class', 'parameters', 'environment']);

/** What an expression sees of a referred claim. `item`: what the reference was made from. */
export function claimView(definition: ClaimDefinition | undefined, item: Schema | undefined): Schema {
  const outputs: Schema = definition?.outputs ?? { type: 'object', additionalProperties: true };
  return {
    type: 'object',
    [VIEW]: 'claim',
    required: ['kind', 'name', 'item', 'ready', 'outputs'],
    properties: { kind: TEXT, name: TEXT, item: item ?? {}, ready: { type: 'boolean' }, outputs },
  };
}

/** What an expression sees of one resource; of its spec only what the composition sets for sure may be read plainly. */
export function resourceView(type: ResourceType | undefined, piece: Piece | undefined): Schema {
  const spec: Schema = type?.spec ?? { type: 'object', additionalProperties: true };
  const state: Schema = type?.state ?? { type: 'object', additionalProperties: true };
  const secrets = Object.fromEntries((type?.secrets ?? []).map(name => [name, TEXT]));
  const secret: Schema = { type: 'object', 'x-plinth-secret': true, required: Object.keys(secrets), properties: secrets };
  const properties = { id: TEXT, spec: type === undefined ? spec : { ...spec, ...presence(spec, piece) }, state, secret };
  return { type: 'object', [VIEW]: 'resource', required: ['id', 'spec', 'state', 'secret'], properties };
}

/** Defaults are the type's business: what the composition leaves out is not in the rendered spec. */
function presence(spec: Schema, piece: Piece | undefined): Pick<Schema, 'required' | 'properties'> {
  const properties = Object.fromEntries(Object.entries(spec.properties ?? {}).map(([field, inner]) => [field, withoutDefault(inner)]));
  return { properties, required: surelySet(piece) };
}

function withoutDefault(schema: Schema): Schema {
  if (schema.default === undefined) return schema;
  const { default: _, ...rest } = schema;
  return rest;
}

function surelySet(piece: Piece | undefined): string[] {
  const template = piece?.template;
  if (template?.kind === 'literal') return Object.keys((template.value ?? {}) as object);
  return template?.kind === 'map' ? Object.keys(template.entries).filter(field => piece?.surely?.has(field) === true) : [];
}

/** What a resource's own text names and asks, found before anything is compiled: for the order, and for who may not exist. */
export interface Outline {
  readonly names: ReadonlySet<string>;
  /** Conditions of includeWhen; undefined when the resource is always there. */
  readonly conditions: readonly string[] | undefined;
}

/** Never fails: what cannot be parsed is left out here and reported when it is compiled. */
export function outlineOf(resource: ResourceTemplate): Outline {
  const names = new Set<string>();
  const { includeWhen, forEach, key, name, spec } = resource;
  for (const value of [includeWhen, forEach, key, name, spec]) if (value !== undefined) for (const raw of expressionsIn(value)) namesIn(raw, names);
  if (includeWhen === undefined) return { names, conditions: undefined };
  const [condition] = expressionsIn(includeWhen);
  const ast = condition === undefined ? undefined : quietParse(condition);
  return { names, conditions: ast === undefined ? [] : conditionsOf(ast, condition!.source) };
}

function expressionsIn(value: Json): RawExpression[] {
  try {
    return expressionsOf(parseTemplate(value, ''));
  } catch {
    return [];
  }
}

function expressionsOf(raw: RawTemplate): RawExpression[] {
  switch (raw.kind) {
    case 'literal':
      return [];
    case 'expression':
      return [raw.expression];
    case 'text':
      return raw.parts.filter(part => typeof part !== 'string');
    case 'list':
      return raw.items.flatMap(expressionsOf);
    case 'map':
      return Object.values(raw.entries).flatMap(expressionsOf);
  }
}

function quietParse({ source }: RawExpression): Node | undefined {
  try {
    return parse(source, { at: '', offset: 0 }).ast;
  } catch (error) {
    void (error as EngineError);
    return undefined;
  }
}

function namesIn(raw: RawExpression, names: Set<string>): void {
  const ast = quietParse(raw);
  if (ast !== undefined) collect(ast, new Set(), names);
}

function collect(node: Node, bound: ReadonlySet<string>, names: Set<string>): void {
  if (node.op === 'id' && !bound.has(node.args as string)) names.add(node.args as string);
  if (node.op !== 'rcall') {
    for (const child of children(node)) collect(child, bound, names);
    return;
  }
  const [name, receiver, args] = node.args as [string, Node, Node[]];
  collect(receiver, bound, names);
  const variable = LOOPS.has(name) && args.length >= 2 && args[0]!.op === 'id' ? String(args[0]!.args) : undefined;
  const inner = variable === undefined ? bound : new Set([...bound, variable]);
  for (const arg of variable === undefined ? args : args.slice(1)) collect(arg, inner, names);
}
