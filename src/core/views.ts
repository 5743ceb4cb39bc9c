/** What parts of an expression are, while it is walked. */
import type { Node, Place as Position } from './cel.ts';
import type { EngineError } from './errors.ts';
import { join } from './paths.ts';
import type { Schema } from './schema-types.ts';
import type { Path, Read } from './types.ts';

/**
 * A name in scope. `conditions`: the thing may not exist at all; it does when all these conditions (as written) hold, an empty list says
 * that no condition is known to prove it.
 */
export interface Root {
  readonly schema: Schema | undefined;
  readonly conditions?: readonly string[];
}
/** Schema keyword of the values that the compiler builds itself. */
export const VIEW = 'x-plinth-view';

/** A place that a chain of fields leads to. `guard` names it among the facts; `needs` is the part that must be there. */
export interface Place {
  readonly root: string;
  readonly path: Path;
  readonly needs: Path;
  readonly optional: boolean;
  readonly guard: string;
}
/** What a part of an expression is: its schema (undefined: anything), and the place when it is nothing but a chain of fields. */
export interface View {
  readonly schema: Schema | undefined;
  readonly optional: boolean;
  readonly secret: boolean;
  readonly place?: Place | undefined;
  /** What is known to hold for every item of this list, relative to the item. */
  readonly itemFacts?: readonly string[];
}
/** What a walk finds; appended to in place. */
export interface Found {
  readonly reads: Read[];
  readonly problems: EngineError[];
  /** Roots read plainly that may not exist: without them the whole expression is none. */
  readonly conditional: Set<string>;
  /** Something goes through `.secret`. */
  secret: boolean;
}
/** One walk through an expression: the names in scope, and what is known to hold at the node it is at (`facts`). */
export interface Walk {
  readonly source: string;
  readonly position: Position;
  readonly roots: ReadonlyMap<string, Root>;
  readonly schemas: ReadonlyMap<string, Schema>;
  readonly facts: ReadonlySet<string>;
  readonly variables: ReadonlyMap<string, View>;
  readonly found: Found;
}

/** A view that nothing is known of. */
export const PLAIN: View = { schema: undefined, optional: false, secret: false };

/** A place as people write it: `queue.state.arn`. */
export const nameOf = (place: Place): string => (place.path === '' ? place.root : `${place.root}${place.path.startsWith('[') ? '' : '.'}${place.path}`);

/** One segment further down. */
export function below(place: Place, segment: string | number, guard: string): Place {
  const path = join(place.path, segment);
  return { ...place, path, needs: place.optional ? place.needs : path, guard: `${place.guard}.${guard}` };
}

/** The view of a literal. */
export function literal(node: Node): View {
  const value = node.args;
  if (typeof value === 'string') return { ...PLAIN, schema: { type: 'string', enum: [value] } };
  if (typeof value === 'bigint') return { ...PLAIN, schema: { type: 'integer', enum: [Number(value)] } };
  if (typeof value === 'number') return { ...PLAIN, schema: { type: 'number' } };
  if (typeof value === 'boolean') return { ...PLAIN, schema: { type: 'boolean' } };
  return value === null ? { ...PLAIN, schema: { type: 'null' } } : PLAIN;
}

/** The view of one item of a list, or of one key of a map. */
export function itemOf(list: View): View {
  if (list.schema?.type === 'object') return { ...PLAIN, schema: { type: 'string' } };
  const { place } = list;
  const schema = list.schema?.items;
  if (place === undefined) return { schema, optional: false, secret: list.secret };
  const path = `${place.path}[]`;
  return { schema, optional: false, secret: list.secret, place: { ...place, path, needs: place.optional ? place.needs : path } };
}

/** The schema of values that may be any of these. */
export function unite(schemas: readonly (Schema | undefined)[]): Schema | undefined {
  if (schemas.length === 0 || schemas.some(schema => schema === undefined)) return undefined;
  return schemas.length === 1 ? schemas[0] : { anyOf: schemas as Schema[] };
}

/** Of open maps and values without a schema nothing is known: reading a field plainly is the author's risk. */
export const isUnknown = (parent: Schema | undefined, schema: Schema | undefined): boolean =>
  parent === undefined || (schema === undefined && parent.properties === undefined);

/** `optional.none()`: it has no type of its own. */
export function isNothing(node: Node): boolean {
  const [name, receiver] = node.op === 'rcall' ? (node.args as [string, Node]) : ['', node];
  return name === 'none' && receiver.op === 'id' && receiver.args === 'optional';
}
