/** `${…}` in plain data: found by a scanner that knows the strings, braces and comments of CEL. */
import { EngineError } from './errors.ts';
import { join } from './paths.ts';
import type { Json, Path } from './types.ts';

/** An expression as written; `offset` counts the characters of the scalar before its first one. */
export interface RawExpression {
  readonly source: string;
  readonly offset: number;
}
/** Plain data with its expressions split off, not compiled yet. `at` is the place in the document. */
export type RawTemplate =
  | { readonly kind: 'literal'; readonly at: Path; readonly value: Json }
  | { readonly kind: 'expression'; readonly at: Path; readonly expression: RawExpression }
  | { readonly kind: 'text'; readonly at: Path; readonly parts: readonly (string | RawExpression)[] }
  | { readonly kind: 'list'; readonly at: Path; readonly items: readonly RawTemplate[] }
  | { readonly kind: 'map'; readonly at: Path; readonly entries: Readonly<Record<string, RawTemplate>> };

const MAX_DEPTH = 32;

/**
 * Splits data into literals and expressions. A string that is nothing but one `${…}` is an expression of any type; `$${` stands for a
 * literal `${`. Throws EngineError InvalidExpression for `${` that is not closed or stands in a key, TooComplex past 32 levels.
 */
export function parseTemplate(value: Json, at: Path, depth = 0): RawTemplate {
  if (depth > MAX_DEPTH) throw new EngineError('TooComplex', `\`${at}\` is nested deeper than ${MAX_DEPTH} levels`, { path: at });
  if (typeof value === 'string') return parseText(value, at);
  if (value === null || typeof value !== 'object') return { kind: 'literal', at, value };
  if (Array.isArray(value)) {
    const items = value.map((item, index) => parseTemplate(item, join(at, index), depth + 1));
    return items.every(isLiteral) ? { kind: 'literal', at, value: items.map(literalValue) } : { kind: 'list', at, items };
  }
  const entries = Object.entries(value).map(([key, item]) => [plainKey(key, at), parseTemplate(item, join(at, key), depth + 1)] as const);
  if (!entries.every(([, item]) => isLiteral(item))) return { kind: 'map', at, entries: Object.fromEntries(entries) };
  return { kind: 'literal', at, value: Object.fromEntries(entries.map(([key, item]) => [key, literalValue(item)])) };
}

const isLiteral = (template: RawTemplate): boolean => template.kind === 'literal';
const literalValue = (template: RawTemplate): Json => (template.kind === 'literal' ? template.value : null);

function plainKey(key: string, at: Path): string {
  if (!key.includes('${')) return key;
  throw new EngineError('InvalidExpression', `the key \`${key}\` holds an expression; only values may`, { path: at, hint: 'write the key out' });
}

/** Splits one string. A line break at its end (a YAML block) does not make a text of a lone expression. */
export function parseText(text: string, at: Path): RawTemplate {
  if (!text.includes('${')) return { kind: 'literal', at, value: text };
  const parts = splitText(text, at);
  const trimmed = parts.length === 2 && parts[1] === '\n' ? parts.slice(0, 1) : parts;
  const [only] = trimmed;
  if (trimmed.length === 1 && typeof only === 'object') return { kind: 'expression', at, expression: only };
  if (parts.every(part => typeof part === 'string')) return { kind: 'literal', at, value: parts.join('') };
  return { kind: 'text', at, parts };
}

function splitText(text: string, at: Path): (string | RawExpression)[] {
  const parts: (string | RawExpression)[] = [];
  let plain = '';
  let index = 0;
  while (index < text.length) {
    if (text.startsWith('$${', index)) {
      plain += '${';
      index += 3;
    } else if (text.startsWith('${', index)) {
      const end = endOf(text, index + 2, at);
      if (plain !== '') parts.push(plain);
      plain = '';
      parts.push(rawExpression(text, index + 2, end, at));
      index = end + 1;
    } else {
      plain += text[index];
      index++;
    }
  }
  return plain === '' ? parts : [...parts, plain];
}

function rawExpression(text: string, start: number, end: number, at: Path): RawExpression {
  const source = text.slice(start, end);
  if (source.trim() !== '') return { source, offset: start };
  throw new EngineError('InvalidExpression', 'there is nothing between `${` and `}`', { path: at, offset: start, hint: 'write `$${` for a literal `${`' });
}

/** Index of the `}` that closes the `${` whose content starts at `start`. */
function endOf(text: string, start: number, at: Path): number {
  let depth = 0;
  let index = start;
  while (index < text.length) {
    const character = text[index]!;
    if (character === '"' || character === "'") {
      index = endOfString(text, index);
      continue;
    }
    if (character === '/' && text[index + 1] === '/') {
      const line = text.indexOf('\n', index);
      index = line === -1 ? text.length : line;
      continue;
    }
    if (character === '}' && depth === 0) return index;
    if (character === '{') depth++;
    if (character === '}') depth--;
    index++;
  }
  throw new EngineError('InvalidExpression', '`${` is not closed', { path: at, offset: start - 2, hint: 'close it with `}`; write `$${` for a literal `${`' });
}

/** Index behind a string that starts at `start`; the end of the text when it is not closed. */
function endOfString(text: string, start: number): number {
  const quote = text[start]!;
  const delimiter = text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
  let index = start + delimiter.length;
  while (index < text.length) {
    if (text[index] === '\\') index += 2;
    else if (text.startsWith(delimiter, index)) return index + delimiter.length;
    else index++;
  }
  return text.length;
}
