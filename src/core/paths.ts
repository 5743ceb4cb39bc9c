/** Paths inside a document: `a.b[0]["x.y"]`. One syntax for spec paths, drift rows and positions of mistakes. */
import type { Json, JsonObject, Path } from './types.ts';

export type Segment = string | number;
const PLAIN = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const TOKEN = /\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;

/** Appends one segment: a field name, or an index as number. */
export function join(path: Path, segment: Segment): Path {
  if (typeof segment === 'number') return `${path}[${segment}]`;
  if (!PLAIN.test(segment)) return `${path}[${JSON.stringify(segment)}]`;
  return path === '' ? segment : `${path}.${segment}`;
}

/** The paths of specs and expressions come again and again. */
const MOST_KNOWN = 5_000;
const known = new Map<Path, readonly Segment[]>();

/** The segments of a path; throws a TypeError on text that is not a path. */
export function split(path: Path): readonly Segment[] {
  const before = known.get(path);
  if (before !== undefined) return before;
  const segments = parsed(path);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(path, segments);
  return segments;
}

function parsed(path: Path): Segment[] {
  const segments: Segment[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < path.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(path);
    if (match === null) throw new TypeError(`not a path at character ${at}: ${path}`);
    segments.push(match[1] ?? (match[2] === undefined ? (JSON.parse(match[3]!) as string) : Number(match[2])));
  }
  return segments;
}

/** The first segment: the top-level field. */
export function head(path: Path): string {
  return String(split(path)[0] ?? '');
}

/** True when `path` is `parent` or lies under it. */
export function isUnder(path: Path, parent: Path): boolean {
  if (parent === '' || path === parent) return true;
  return path.startsWith(parent) && (path[parent.length] === '.' || path[parent.length] === '[');
}

/** The value at a path, or undefined where there is none. */
export function at(value: Json | undefined, path: Path): Json | undefined {
  let current: Json | undefined = value;
  for (const segment of split(path)) {
    if (current === null || typeof current !== 'object') return undefined;
    current = Array.isArray(current) ? current[segment as number] : Object.hasOwn(current, segment) ? current[segment] : undefined;
  }
  return current;
}

/** Every leaf of an object with its path. A list is one leaf, and so is an empty map. */
export function leaves(value: JsonObject, path: Path = ''): [Path, Json][] {
  const found: [Path, Json][] = [];
  collect(value, path, found);
  return found;
}

function collect(value: JsonObject, path: Path, found: [Path, Json][]): void {
  for (const key of Object.keys(value)) {
    const item = value[key]!;
    const here = join(path, key);
    const isMap = item !== null && typeof item === 'object' && !Array.isArray(item);
    if (isMap && Object.keys(item).length > 0) collect(item, here, found);
    else found.push([here, item]);
  }
}

/** A copy with one field set at a path of field names; maps on the way are made. */
export function put(value: JsonObject, path: Path, item: Json): JsonObject {
  const [first, ...rest] = split(path);
  const key = String(first);
  if (rest.length === 0) return { ...value, [key]: item };
  const child = value[key];
  const inner = child !== null && typeof child === 'object' && !Array.isArray(child) ? child : {};
  return { ...value, [key]: put(inner, rest.reduce<Path>(join, ''), item) };
}
