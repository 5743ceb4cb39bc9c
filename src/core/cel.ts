/** The one module that knows the CEL library: parsing under limits, types from schemas, evaluation over plain roots. */
import { Environment } from '@marcbachmann/cel-js';
import { MATCHES, registerLibrary } from './cel-library.ts';
import { lift, lower } from './cel-values.ts';
import { EngineError, type ErrorCode } from './errors.ts';
import { regex } from './regex.ts';
import { isOpen, literalsOf, type Schema, valuesOf } from './schema-types.ts';
import type { Json, Path } from './types.ts';

/** A node of the parsed form; `args` depends on `op`. Offsets count characters of the expression. */
export interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly pos: number;
  readonly start: number;
  readonly end: number;
  readonly checkedType?: { readonly name: string };
}
/** Where an expression stands: the scalar's path, and the offset of the expression's first character in it. */
export interface Place {
  readonly at: Path;
  readonly offset: number;
}
/** An environment that knows the type of every root, and the schema behind every type name it made up. */
export interface TypeEnvironment {
  readonly environment: Environment;
  readonly schemas: ReadonlyMap<string, Schema>;
}
/** The values of the names an expression reads. */
export type Roots = Readonly<Record<string, Json | undefined>>;

const MAX_LENGTH = 2_000;
const MAX_LOOPS = 2;
const MAX_BINDS = 3;
const LOOPS = new Set(['map', 'filter', 'all', 'exists', 'exists_one']);
const limits = { maxAstNodes: 500, maxDepth: 40, maxListElements: 200, maxMapEntries: 100, maxCallArguments: 8 };
const base = registerLibrary(new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false, limits }));
const untyped = base.clone({ unlistedVariablesAreDyn: true });

/** Makes the type environment of a set of roots; an undefined schema is a value of any type. */
export function typeEnvironment(roots: ReadonlyMap<string, Schema | undefined>): TypeEnvironment {
  const environment = base.clone();
  const schemas = new Map<string, Schema>();
  const names = new Map<Schema, string>();
  for (const [name, schema] of roots) environment.registerVariable(name, typeName(schema, { environment, schemas, names }));
  return { environment, schemas };
}
interface Naming {
  readonly environment: Environment;
  readonly schemas: Map<string, Schema>;
  readonly names: Map<Schema, string>;
}

function typeName(schema: Schema | undefined, naming: Naming): string {
  if (schema === undefined || schema['x-kubernetes-int-or-string'] === true) return 'dyn';
  if (schema.type === undefined || schema.type === 'string') return literalType(schema) ?? unionType(schema, naming);
  const simple = { boolean: 'bool', integer: 'int', number: 'double', null: 'null' }[schema.type];
  if (simple !== undefined) return simple;
  if (schema.type === 'array') return `list<${typeName(schema.items, naming)}>`;
  if (isOpen(schema)) return schema.properties === undefined ? `map<string, ${typeName(valuesOf(schema), naming)}>` : 'map<string, dyn>';
  return objectType(schema, naming);
}

function literalType(schema: Schema): string | undefined {
  if (schema.type === 'string') return 'string';
  const kinds = new Set((literalsOf(schema) ?? []).map(word => typeof word));
  if (kinds.size !== 1) return undefined;
  return { string: 'string', boolean: 'bool' }[[...kinds][0] as string];
}

function unionType(schema: Schema, naming: Naming): string {
  const types = new Set((schema.anyOf ?? schema.oneOf ?? []).map(branch => typeName(branch, naming)));
  return types.size === 1 ? [...types][0]! : 'dyn';
}

function objectType(schema: Schema, naming: Naming): string {
  const known = naming.names.get(schema);
  if (known !== undefined) return known;
  const name = `Object${naming.names.size}`;
  naming.names.set(schema, name);
  naming.schemas.set(name, schema);
  const fields = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([field, inner]) => [field, typeName(inner, naming)]));
  // Only for the type check; evaluation compares plain maps.
  naming.environment.registerType(name, { fields }).registerOperator(`${name} == ${name}`, () => true);
  return name;
}

/** The schema of a type the library found; undefined where it is any type. Optionals are looked through. */
export function schemaOfType(name: string, schemas: ReadonlyMap<string, Schema>): Schema | undefined {
  const inner = /^(optional|list)<(.*)>$/.exec(name);
  if (inner?.[1] === 'optional') return schemaOfType(inner[2]!, schemas);
  if (inner?.[1] === 'list') return { type: 'array', items: schemaOfType(inner[2]!, schemas) };
  const map = /^map<string, (.*)>$/.exec(name);
  if (map !== null) return { type: 'object', additionalProperties: schemaOfType(map[1]!, schemas) ?? true };
  return schemas.get(name) ?? SIMPLE[name];
}
const SIMPLE: Readonly<Record<string, Schema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int: { type: 'integer' },
  uint: { type: 'integer' },
  double: { type: 'number' },
  null: { type: 'null' },
};

/** Parses under the limits that make an expression cheap. Throws EngineError InvalidExpression or TooComplex with its place. */
export function parse(source: string, place: Place, environment: Environment = untyped): { readonly ast: Node; readonly check: () => unknown } {
  if (source.length > MAX_LENGTH) throw tooComplex(`The expression has ${source.length} characters; at most ${MAX_LENGTH} are allowed`, place, 0);
  try {
    const parsed = environment.parse(source);
    const ast = parsed.ast as Node;
    cap(ast, place, 0, 0);
    return { ast, check: () => parsed.check().error };
  } catch (error) {
    throw celError(error, place);
  }
}

/** Compiles for evaluation; the schemas say which numbers are integers. The function throws EngineError EvaluationFailed. */
export function evaluator(source: string, place: Place, schemas: ReadonlyMap<string, Schema | undefined>): (roots: Roots) => Json | undefined {
  const parsed = untyped.parse(source);
  cap(parsed.ast as Node, place, 0, 0);
  return roots => {
    const context: Record<string, unknown> = {};
    for (const [name, schema] of schemas) context[name] = roots[name] === undefined ? {} : lift(roots[name], schema);
    try {
      return lower(parsed(context));
    } catch (error) {
      throw failure(error, source, place);
    }
  };
}

/** Walks the whole tree once: nesting of loops and of cel.bind is limited, and `matches` is sent to RE2. */
function cap(node: Node, place: Place, loops: number, binds: number): void {
  const isCall = node.op === 'rcall';
  const [name, receiver, args] = (isCall ? node.args : []) as [string?, Node?, Node[]?];
  if (name === 'matches') {
    checkPattern(args![0], node, place);
    (node.args as string[])[0] = MATCHES;
  }
  if (node.op === 'call' && (node.args as [string])[0] === 'matches') checkPattern((node.args as [string, Node[]])[1][1], node, place);
  const isLoop = isCall && LOOPS.has(name!) && args!.length >= 2;
  const isBind = isCall && name === 'bind' && args!.length === 3;
  if (isLoop && loops >= MAX_LOOPS) throw tooComplex(`Loops (map, filter, all, exists) may be nested ${MAX_LOOPS} deep`, place, node.start);
  if (isBind && binds >= MAX_BINDS) throw tooComplex(`cel.bind may be nested ${MAX_BINDS} deep`, place, node.start);
  if (receiver !== undefined) cap(receiver, place, loops, binds);
  for (const child of isCall ? args! : children(node)) cap(child, place, loops + (isLoop ? 1 : 0), binds + (isBind ? 1 : 0));
}

/** Patterns are written out, so that one that RE2 cannot do is found now. */
function checkPattern(pattern: Node | undefined, node: Node, place: Place): void {
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') throw tooComplex('The pattern of matches() must be written out', place, node.start);
  try {
    regex(pattern.args);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError('InvalidExpression', `The pattern cannot be used: ${reason}`, {
      path: place.at,
      offset: place.offset + pattern.start,
      hint: 'use RE2 syntax: no look-around, no back-references',
    });
  }
}

/** The nodes directly below a node. */
export function children(node: Node): Node[] {
  const isNode = (value: unknown): value is Node => value !== null && typeof value === 'object' && 'op' in value;
  const args = Array.isArray(node.args) ? node.args.flat(2) : [node.args];
  return args.filter(isNode);
}

const tooComplex = (message: string, place: Place, start: number): EngineError =>
  new EngineError('TooComplex', message, { path: place.at, offset: place.offset + start });

interface LibraryError {
  readonly code: string;
  readonly summary: string;
  readonly range?: { readonly start: number };
}

/** Translates what the library throws while it parses or checks. */
export function celError(error: unknown, place: Place): EngineError {
  if (error instanceof EngineError) return error;
  const { code, summary, range } = error as LibraryError;
  const start = range?.start ?? 0;
  if (code === 'limit_exceeded') return tooComplex(`The expression is too large: ${summary}`, place, start);
  return new EngineError('InvalidExpression', `The expression is wrong: ${readable(summary ?? String(error))}`, {
    path: place.at,
    offset: place.offset + start,
    cause: error,
  });
}

const readable = (summary: string): string =>
  summary
    .replaceAll(MATCHES, 'matches')
    .replaceAll(/\bObject\d+\b/g, 'object')
    .replaceAll(/\s+/g, ' ');

function failure(error: unknown, source: string, place: Place): EngineError {
  const { summary, range } = error as Partial<LibraryError>;
  const code: ErrorCode = 'EvaluationFailed';
  const reason = summary === undefined ? (error instanceof Error ? error.message : String(error)) : readable(summary);
  return new EngineError(code, `The expression \`${source}\` failed: ${reason}`, { path: place.at, offset: place.offset + (range?.start ?? 0), cause: error });
}
