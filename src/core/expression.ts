/** Compiles one `${…}`: parsed, limited, its reads checked against the schemas in scope, its type known. */
import { celError, evaluator, type Node, type Place, parse, type TypeEnvironment, typeEnvironment } from './cel.ts';
import { EngineError } from './errors.ts';
import { conditionsOf, truths, walkExpression } from './reads.ts';
import type { Schema } from './schema-types.ts';
import type { Expression, Path } from './types.ts';
import type { Root, View, Walk } from './views.ts';

/** The names an expression may read, and what is known to hold where it stands (from `factsOf`). */
export interface Scope {
  readonly roots: ReadonlyMap<string, Root>;
  readonly types: TypeEnvironment;
  readonly facts: ReadonlySet<string>;
}
/** A compiled expression with its static type. `mayBeNone`: it can leave its field out. `conditions` hold together when it is true. */
export interface Compiled {
  readonly expression: Expression;
  readonly schema: Schema | undefined;
  readonly mayBeNone: boolean;
  /** Some root that it reads plainly may not exist: then the expression as a whole is none. */
  readonly conditional: readonly string[];
  readonly facts: readonly string[];
  readonly conditions: readonly string[];
  /** What the items are, when the result is a list. */
  readonly view: View;
}

/** Makes a scope; `facts` come from conditions that hold wherever the expression is evaluated. */
export function scopeOf(roots: ReadonlyMap<string, Root>, facts: Iterable<string> = []): Scope {
  const types = typeEnvironment(new Map([...roots].map(([name, root]) => [name, root.schema])));
  return { roots, types, facts: new Set(facts) };
}

/** The same scope with more that is known to hold. */
export function scopeWith(scope: Scope, facts: Iterable<string>): Scope {
  return { ...scope, facts: new Set([...scope.facts, ...facts]) };
}

/**
 * Compiles `source`, which stands at `at` behind `offset` characters. Every mistake is appended to `problems` as EngineError
 * InvalidExpression, SecretMisuse or TooComplex with path and offset; undefined when there was one.
 */
export function compileExpression(source: string, at: Path, offset: number, scope: Scope, problems: EngineError[]): Compiled | undefined {
  const place: Place = { at, offset };
  try {
    const { ast, check } = parse(source, place, scope.types.environment);
    const typeError = check();
    const walk = walkOf(source, place, scope);
    const view = walkExpression(ast, walk);
    const found = typeError === undefined || walk.found.problems.length > 0 ? walk.found.problems : [celError(typeError, place)];
    problems.push(...found);
    return found.length > 0 ? undefined : compiled(ast, view, walk, scope);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    problems.push(error);
    return undefined;
  }
}

function walkOf(source: string, position: Place, scope: Scope): Walk {
  const { roots, types, facts } = scope;
  return {
    source,
    position,
    roots,
    schemas: types.schemas,
    facts,
    variables: new Map(),
    found: { reads: [], problems: [], conditional: new Set(), secret: false },
  };
}

function compiled(ast: Node, view: View, walk: Walk, scope: Scope): Compiled {
  const { reads, conditional, secret } = walk.found;
  const schemas = new Map(reads.map(({ root }) => [root, scope.roots.get(root)?.schema]));
  return {
    expression: {
      source: walk.source.trim(),
      at: walk.position.at,
      reads,
      secret,
      run: evaluator(walk.source, walk.position, schemas),
    },
    schema: view.schema,
    mayBeNone: view.optional || conditional.size > 0,
    conditional: [...conditional],
    facts: truths(ast, walk),
    conditions: conditionsOf(ast, walk.source),
    view,
  };
}
