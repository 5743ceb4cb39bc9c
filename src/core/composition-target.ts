/** Compiles plain data with expressions against the schema of the place it fills. */
import { EngineError } from './errors.ts';
import { type Compiled, compileExpression, type Scope } from './expression.ts';
import { misfit, requiredOf } from './fit.ts';
import { join } from './paths.ts';
import { checkValue, withDefaults } from './schema.ts';
import { fieldsOf, isAnything, propertyOf, type Schema, unionOf } from './schema-types.ts';
import { listed, suggestion } from './similar.ts';
import { parseTemplate, type RawExpression, type RawTemplate } from './template.ts';
import type { Expression, Json, Path, Template } from './types.ts';

/** What the compiler knows while it walks; `problems` is appended to in document order. */
export interface Target {
  readonly scope: Scope;
  readonly problems: EngineError[];
  /** Secrets may flow here. */
  readonly secret: boolean;
  /** What the fields belong to, for messages: "aws/sqs-queue". */
  readonly of: string;
  /** Fields that are filled in later by the engine. */
  readonly filled: readonly string[];
}
/** `mayBeNone`: the field may be left out. */
export interface Piece {
  readonly template: Template;
  readonly mayBeNone: boolean;
  readonly compiled?: Compiled;
  /** Of a mapping: the fields that are always set. */
  readonly surely?: ReadonlySet<string>;
}
const NOTHING: Piece = { template: { kind: 'literal', value: null }, mayBeNone: false };

/** Compiles data that stands at `at`, to be of `schema` (undefined: anything). Mistakes go to `target.problems`; the piece is then partial. */
export function compileData(value: Json, at: Path, schema: Schema | undefined, target: Target): Piece {
  try {
    return compileRaw(parseTemplate(value, at), schema, target, true);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    target.problems.push(error);
    return NOTHING;
  }
}

/** A problem of the composition at a path. */
export function mistake(at: Path, message: string, hint: string): EngineError {
  return new EngineError('InvalidComposition', message, { path: at, hint });
}

function compileRaw(raw: RawTemplate, schema: Schema | undefined, target: Target, isRoot = false): Piece {
  switch (raw.kind) {
    case 'literal':
      return compileLiteral(raw.value, raw.at, schema, target, isRoot);
    case 'expression':
      return compileWhole(raw.expression, raw.at, schema, target);
    case 'text':
      return compileText(raw.parts, raw.at, schema, target);
    case 'list':
      return compileList(raw.items, raw.at, schema, target);
    case 'map':
      return compileMap(raw.entries, raw.at, schema, target, isRoot);
  }
}

function compileLiteral(value: Json, at: Path, schema: Schema | undefined, target: Target, isRoot: boolean): Piece {
  const problems = schema === undefined ? [] : checkValue(schema, withDefaults(schema, value), at);
  const isFilled = (path: Path): boolean => isRoot && target.filled.some(field => path === join(at, field));
  for (const problem of problems) if (!isFilled(problem.path)) target.problems.push(mistake(problem.path, `${problem.message} (${target.of})`, problem.hint));
  return { template: { kind: 'literal', value }, mayBeNone: false };
}

/** One `${…}` on its own: its type must fit the schema. */
function compileWhole({ source, offset }: RawExpression, at: Path, schema: Schema | undefined, target: Target): Piece {
  const compiled = compileExpression(source, at, offset, target.scope, target.problems);
  if (compiled === undefined) return NOTHING;
  const { expression } = compiled;
  if (expression.secret && !target.secret) target.problems.push(secretMisuse(at, offset, expression));
  const complaint = misfit(compiled.schema, schema);
  if (complaint !== '') {
    const message = `\`${expression.source}\` ${complaint} (${target.of})`;
    target.problems.push(new EngineError('InvalidComposition', message, { path: at, offset, hint: 'correct the expression or the field' }));
  }
  return { template: { kind: 'expression', expression }, mayBeNone: compiled.mayBeNone, compiled };
}

const secretMisuse = (at: Path, offset: number, { source }: Expression): EngineError =>
  new EngineError('SecretMisuse', `\`${source}\` is secret, and \`${at}\` is not a place for secrets`, {
    path: at,
    offset,
    hint: 'secrets may flow only into `connection` or a field marked secret',
  });

/** Text with expressions in it: every part must be there and be a scalar. */
function compileText(parts: readonly (string | RawExpression)[], at: Path, schema: Schema | undefined, target: Target): Piece {
  const complaint = misfit({ type: 'string' }, schema);
  if (complaint !== '')
    target.problems.push(mistake(at, `the text at \`${at}\` ${complaint} (${target.of})`, 'use one `${…}` alone for values that are no text'));
  const compiled = parts.map(part => (typeof part === 'string' ? part : compilePart(part, at, target)));
  const done = compiled.filter(part => part !== undefined);
  return done.length < parts.length ? NOTHING : { template: { kind: 'text', parts: done }, mayBeNone: false };
}

function compilePart({ source, offset }: RawExpression, at: Path, target: Target): Expression | undefined {
  const compiled = compileExpression(source, at, offset, target.scope, target.problems);
  if (compiled === undefined) return undefined;
  const { expression, schema, mayBeNone, conditional } = compiled;
  const complain = (message: string, hint: string): void => {
    target.problems.push(new EngineError('InvalidExpression', message, { path: at, offset, hint }));
  };
  if (expression.secret && !target.secret) target.problems.push(secretMisuse(at, offset, expression));
  if (mayBeNone) {
    const because = conditional.length > 0 ? ` (${listed(conditional)} may not exist)` : '';
    complain(
      `\`${expression.source}\` may have no value${because}, and stands inside text`,
      'give a default with `.orValue("…")`, or use the expression alone',
    );
  }
  const scalar = misfit(schema, { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] });
  if (scalar !== '')
    complain(`\`${expression.source}\` stands inside text, but it is no text or number`, 'turn it into text, e.g. with `.join(",")` or `json(…)`');
  return expression;
}

function compileList(items: readonly RawTemplate[], at: Path, schema: Schema | undefined, target: Target): Piece {
  const complaint = misfit({ type: 'array' }, schema);
  if (complaint !== '') target.problems.push(mistake(at, `\`${at}\` ${complaint} (${target.of})`, 'look at the schema of the field'));
  const inner = schema?.type === 'array' ? schema.items : undefined;
  const pieces = items.map(item => compileRaw(item, inner, target));
  return { template: { kind: 'list', items: pieces.map(piece => piece.template) }, mayBeNone: false };
}

function compileMap(entries: Readonly<Record<string, RawTemplate>>, at: Path, schema: Schema | undefined, target: Target, isRoot: boolean): Piece {
  const branches = schema === undefined ? undefined : unionOf(schema);
  if (branches !== undefined) return compileUnion(entries, at, branches, target);
  const complaint = misfit({ type: 'object', additionalProperties: true }, schema);
  if (complaint !== '') target.problems.push(mistake(at, `\`${at}\` ${complaint} (${target.of})`, 'look at the schema of the field'));
  const pieces = Object.entries(entries).map(([field, raw]) => [field, compileField(field, raw, schema, target, isRoot)] as const);
  if (schema !== undefined && complaint === '') checkRequired(pieces, at, schema, target, isRoot);
  const template: Template = { kind: 'map', entries: Object.fromEntries(pieces.map(([field, piece]) => [field, piece.template])) };
  const surely = new Set(pieces.filter(([, piece]) => !piece.mayBeNone).map(([field]) => field));
  return { template, mayBeNone: surely.size === 0, surely };
}

function compileField(field: string, raw: RawTemplate, schema: Schema | undefined, target: Target, isRoot: boolean): Piece {
  const property = schema?.type === 'object' || schema?.properties !== undefined ? propertyOf(schema, field) : { schema: undefined };
  if (property === undefined) target.problems.push(mistake(raw.at, `${target.of} has no field \`${field}\``, suggestion(field, fieldsOf(schema))));
  const isSecret = target.secret || (isRoot && property?.schema?.plinth === 'secret');
  return compileRaw(raw, property?.schema, isSecret ? { ...target, secret: true } : target);
}

/** A map for a union: the first form it fits, else the one with the fewest problems. */
function compileUnion(entries: Readonly<Record<string, RawTemplate>>, at: Path, branches: readonly Schema[], target: Target): Piece {
  const objects = branches.filter(branch => isAnything(branch) || branch.type === 'object');
  const tries = (objects.length === 0 ? branches : objects).map(branch => {
    const problems: EngineError[] = [];
    return { problems, piece: compileMap(entries, at, branch, { ...target, problems }, false) };
  });
  const best = tries.sort((a, b) => a.problems.length - b.problems.length)[0]!;
  target.problems.push(...best.problems);
  return best.piece;
}

/** Required fields must be set; one that may be none is fine only when the whole mapping then vanishes with it. */
function checkRequired(pieces: readonly (readonly [string, Piece])[], at: Path, schema: Schema, target: Target, isRoot: boolean): void {
  const given = new Map(pieces);
  const vanishes = !isRoot && pieces.every(([, piece]) => piece.mayBeNone);
  for (const field of requiredOf(schema)) {
    const piece = given.get(field);
    const here = join(at, field);
    if (isRoot && target.filled.includes(field)) continue;
    if (piece === undefined) target.problems.push(mistake(here, `${target.of} needs \`${field}\`, which is not set`, 'set it'));
    else if (piece.mayBeNone && !vanishes) {
      const message = `${target.of} needs \`${field}\`, but its expression may have no value`;
      target.problems.push(mistake(here, message, 'give a default with `.orValue(…)`, or make the whole mapping optional'));
    }
  }
}
