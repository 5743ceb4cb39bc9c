/** The functions expressions may use beside those of CEL itself. All pure; results are bounded. */
import type { Environment } from '@marcbachmann/cel-js';
import { lift, lower } from './cel-values.ts';
import { canonical } from './digest.ts';
import { regex } from './regex.ts';
import type { Json } from './types.ts';

const MAX_TEXT = 262_144;
const MAX_LIST = 10_000;

type Handler = (...args: never[]) => unknown;
interface Function {
  readonly name: string;
  readonly on?: string;
  readonly takes: readonly string[];
  readonly gives: string;
  readonly does: string;
  readonly run: Handler;
}

function bounded<T extends string | readonly unknown[]>(value: T): T {
  const limit = typeof value === 'string' ? MAX_TEXT : MAX_LIST;
  if (value.length > limit) throw new RangeError(`the result is larger than ${limit}`);
  return value;
}

/** At most as many as `limit`, from the left; refused before it is built when it would grow past all bounds. */
function replace(text: string, from: string, to: string, limit = Number.POSITIVE_INFINITY): string {
  const parts = from === '' ? [text] : text.split(from);
  const count = Math.min(parts.length - 1, limit);
  if (text.length + count * to.length > MAX_TEXT) throw new RangeError(`the result is longer than ${MAX_TEXT} characters`);
  return (
    parts.slice(0, count + 1).join(to) +
    parts
      .slice(count + 1)
      .map(part => from + part)
      .join('')
  );
}

const order = (a: unknown, b: unknown): number => ((a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0);
const least = <T>(a: T, b: T): T => (order(a, b) <= 0 ? a : b);
const greatest = <T>(a: T, b: T): T => (order(a, b) >= 0 ? a : b);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const encode = (bytes: Uint8Array): string => btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''));
const decode = (text: string): Uint8Array => Uint8Array.from(atob(text), character => character.charCodeAt(0));

function distinct(list: unknown[]): unknown[] {
  const seen = new Set<string>();
  return list.filter(item => {
    const key = canonical(lower(item));
    return seen.has(key) ? false : seen.add(key);
  });
}

/** Name that a call of `matches` is redirected to: the library's own runs JavaScript's RegExp, which can hang. */
export const MATCHES = 'matchesRe2';

/** Every function, for the environment and for the reference page. */
export const FUNCTIONS: readonly Function[] = [
  {
    name: MATCHES,
    on: 'string',
    takes: ['string'],
    gives: 'bool',
    does: 'the text matches an RE2 pattern',
    run: (text: string, pattern: string) => regex(pattern).test(text),
  },
  {
    name: 'matches',
    takes: ['string', 'string'],
    gives: 'bool',
    does: 'the text matches an RE2 pattern',
    run: (text: string, pattern: string) => regex(pattern).test(text),
  },
  {
    name: 'replace',
    on: 'string',
    takes: ['string', 'string'],
    gives: 'string',
    does: 'every occurrence replaced',
    run: (text: string, from: string, to: string) => replace(text, from, to),
  },
  {
    name: 'replace',
    on: 'string',
    takes: ['string', 'string', 'int'],
    gives: 'string',
    does: 'the first n occurrences replaced',
    run: (text: string, from: string, to: string, limit: bigint) => replace(text, from, to, Math.max(0, Number(limit))),
  },
  {
    name: 'charAt',
    on: 'string',
    takes: ['int'],
    gives: 'string',
    does: 'one character, or an empty text',
    run: (text: string, index: bigint) => text.charAt(Number(index)),
  },
  { name: 'json', takes: ['dyn'], gives: 'string', does: 'JSON text with sorted keys', run: (value: unknown) => bounded(canonical(lower(value))) },
  { name: 'fromJson', takes: ['string'], gives: 'dyn', does: 'the value of a JSON text', run: (text: string) => lift(JSON.parse(text) as Json, undefined) },
  {
    name: 'encode',
    on: 'Base64',
    takes: ['string'],
    gives: 'string',
    does: 'Base64 of a text in UTF-8',
    run: (_: unknown, text: string) => encode(bytesOf(text)),
  },
  { name: 'encode', on: 'Base64', takes: ['bytes'], gives: 'string', does: 'Base64 of bytes', run: (_: unknown, bytes: Uint8Array) => encode(bytes) },
  { name: 'decode', on: 'Base64', takes: ['string'], gives: 'bytes', does: 'the bytes of a Base64 text', run: (_: unknown, text: string) => decode(text) },
  { name: 'sort', on: 'list<T>', takes: [], gives: 'list<T>', does: 'texts or numbers in order', run: (list: unknown[]) => [...list].sort(order) },
  { name: 'distinct', on: 'list<T>', takes: [], gives: 'list<T>', does: 'the first of equal items', run: distinct },
  {
    name: 'flatten',
    on: 'list<list<T>>',
    takes: [],
    gives: 'list<T>',
    does: 'one level of lists taken away',
    run: (list: unknown[][]) => bounded(list.flat()),
  },
  {
    name: 'merge',
    on: 'map<string, T>',
    takes: ['map<string, T>'],
    gives: 'map<string, T>',
    does: 'both maps; the second wins',
    run: (a: object, b: object) => ({ ...a, ...b }),
  },
  ...['int', 'double', 'string'].flatMap((type): Function[] => [
    { name: 'least', on: 'Math', takes: [type, type], gives: type, does: 'the smaller of two', run: (_: unknown, a: unknown, b: unknown) => least(a, b) },
    { name: 'greatest', on: 'Math', takes: [type, type], gives: type, does: 'the larger of two', run: (_: unknown, a: unknown, b: unknown) => greatest(a, b) },
  ]),
  { name: 'abs', on: 'Math', takes: ['int'], gives: 'int', does: 'without its sign', run: (_: unknown, n: bigint) => (n < 0n ? -n : n) },
  { name: 'abs', on: 'Math', takes: ['double'], gives: 'double', does: 'without its sign', run: (_: unknown, n: number) => Math.abs(n) },
  { name: 'ceil', on: 'Math', takes: ['double'], gives: 'double', does: 'rounded up', run: (_: unknown, n: number) => Math.ceil(n) },
  { name: 'floor', on: 'Math', takes: ['double'], gives: 'double', does: 'rounded down', run: (_: unknown, n: number) => Math.floor(n) },
  { name: 'round', on: 'Math', takes: ['double'], gives: 'double', does: 'rounded to the nearest', run: (_: unknown, n: number) => Math.round(n) },
];

/** Names that expressions may write where no root stands: namespaces, type names, constants. */
export const CONSTANTS: ReadonlySet<string> = new Set(
  'math base64 optional cel google string bool int uint double map list bytes null_type type dyn'.split(' '),
);

/** Adds the functions and the namespaces `math` and `base64`. */
export function registerLibrary(environment: Environment): Environment {
  for (const [namespace, type] of [
    ['math', 'Math'],
    ['base64', 'Base64'],
  ] as const) {
    const ctor = { [type]: function namespaceType() {} }[type] as unknown as new () => object;
    environment.registerType(type, ctor).registerConstant(namespace, type, new ctor());
  }
  for (const { name, on, takes, gives, does, run } of FUNCTIONS) {
    const declared = { name, returnType: gives, description: does, params: takes.map(type => ({ type })), handler: run, async: false };
    environment.registerFunction((on === undefined ? declared : { ...declared, receiverType: on }) as Parameters<Environment['registerFunction']>[0]);
  }
  return environment;
}
