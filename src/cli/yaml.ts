/** Text to objects with positions: every problem of a file at once, in bounded time. */
import { isUtf8 } from 'node:buffer';
import { type Document, isMap, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments, type YAMLError } from 'yaml';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import { split } from '../core/paths.ts';
import type { Json, JsonObject, Path } from '../core/types.ts';

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
/** One thing wrong with the input. */
export interface InputProblem extends Place {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}
/** A document and where it stands; `base` leads to the object inside it (items of a List). */
export interface Source {
  readonly file: string;
  readonly document: Document;
  readonly counter: LineCounter;
  readonly base: Path;
}
export interface ParsedObject {
  readonly value: JsonObject;
  readonly source: Source;
}

export const MAX_BYTES = 5 * 1024 * 1024;
const MAX_DEPTH = 100;
const MAX_PROBLEMS = 20;
const MAX_DOCUMENTS = 10_000;
const MAX_VALUES = 300_000;
const SEPARATOR = /[:,[{]|\n/g;
const DOCUMENT = /^---/gm;
const QUOTE_IT = 'quote it: "${…}" in double or single quotes';

/** The text of a file; else what is wrong with its bytes. */
export function decode(file: string, bytes: Buffer, size: number): string | InputProblem {
  const start = { file, line: 1, column: 1 };
  if (size > MAX_BYTES) return problem(start, 'InputTooLarge', `there are ${(size / 2 ** 20).toFixed(1)} MiB; at most 5 are read`);
  if (!isUtf8(bytes)) return problem(firstBadByte(file, bytes), 'NotUtf8', 'this is not UTF-8 text');
  const text = new TextDecoder('utf-8').decode(bytes);
  const nul = text.indexOf('\0');
  if (nul >= 0)
    return problem(placeIn(file, text, nul), 'InvalidYaml', 'there is a NUL character here', 'this does not look like a text file; remove the character');
  // The parser's trees are some hundred times as large as the text: what they would hold is counted first.
  if (count(text, SEPARATOR) > MAX_VALUES) return problem(start, 'InputTooLarge', `the file holds more than ${MAX_VALUES.toLocaleString('en')} values`);
  if (count(text, DOCUMENT) > MAX_DOCUMENTS) return problem(start, 'InputTooLarge', `the file holds more than ${MAX_DOCUMENTS.toLocaleString('en')} documents`);
  return text;
}

function count(text: string, pattern: RegExp): number {
  let found = 0;
  for (const _ of text.matchAll(pattern)) found += 1;
  return found;
}

function firstBadByte(file: string, bytes: Buffer): Place {
  let [good, bad] = [0, bytes.length];
  // A prefix that ends inside a character is not UTF-8 either: three bytes of doubt are allowed for.
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if ([0, 1, 2, 3].some(cut => cut <= middle && isUtf8(bytes.subarray(0, middle - cut)))) good = middle;
    else bad = middle;
  }
  while (!isUtf8(bytes.subarray(0, good))) good -= 1;
  const text = bytes.subarray(0, good).toString('utf8');
  return placeIn(file, text, text.length);
}

function placeIn(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset);
  return { file, line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

function problem(place: Place, code: ErrorCode, message: string, hint: string = ERRORS[code].hint): InputProblem {
  return { ...place, code, message, hint };
}

/** Every document of a text. With a problem in one of them, its objects are left out. */
export function parseText(file: string, text: string): { readonly objects: readonly ParsedObject[]; readonly problems: readonly InputProblem[] } {
  const counter = new LineCounter();
  let documents: Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
    documents = 'empty' in parsed ? [] : parsed;
  } catch (error) {
    // The only thing the parser throws is the stack running out.
    return {
      objects: [],
      problems: [
        problem({ file, line: 1, column: 1 }, 'InvalidYaml', `the file is nested too deeply (${(error as Error).name})`, `keep below ${MAX_DEPTH} levels`),
      ],
    };
  }
  const results = documents.map(document => readDocument({ file, document, counter, base: '' }, text));
  return { objects: results.flatMap(result => result.objects), problems: results.flatMap(result => result.problems).slice(0, MAX_PROBLEMS) };
}

interface Read {
  readonly objects: readonly ParsedObject[];
  readonly problems: readonly InputProblem[];
}

function readDocument(source: Source, text: string): Read {
  const { document, file, counter } = source;
  const found: readonly YAMLError[] = [...document.errors, ...document.warnings];
  const twice = found.length > 0 ? [] : duplicateKeys(source);
  if (twice.length > 0) return { objects: [], problems: twice };
  if (found.length > 0) return { objects: [], problems: distinct(found.map(error => yamlProblem(file, counter, text, error))) };
  const start = placeAt(source, document.contents?.range?.[0] ?? document.range?.[0] ?? 0);
  let value: Json;
  try {
    value = document.toJS({ maxAliasCount: 100 }) as Json;
  } catch (error) {
    const isBomb = error instanceof ReferenceError;
    const message = isBomb ? 'anchors and aliases of this document expand to far too much' : 'the document is nested too deeply';
    return { objects: [], problems: [problem(start, 'InvalidYaml', message, isBomb ? 'write the values out' : `keep below ${MAX_DEPTH} levels`)] };
  }
  if (value === null) return { objects: [], problems: [] };
  if (isTooLarge(value))
    return {
      objects: [],
      problems: [problem(start, 'InputTooLarge', 'anchors and aliases of this document expand to more than 5 MiB', 'write the values out')],
    };
  if (isDeeper(value, MAX_DEPTH))
    return { objects: [], problems: [problem(start, 'InvalidYaml', `the document is nested more than ${MAX_DEPTH} levels deep`, 'make it flatter')] };
  if (typeof value !== 'object' || Array.isArray(value)) {
    return {
      objects: [],
      problems: [
        problem(start, 'InvalidObject', 'the document is not a mapping with apiVersion, kind and metadata', 'write an object, or remove the document'),
      ],
    };
  }
  return { objects: items(value, source), problems: [] };
}

/** `kind: List` as kubectl writes it stands for its items. */
function items(value: JsonObject, source: Source): ParsedObject[] {
  const list = value['items'];
  if (value['kind'] !== 'List' || !Array.isArray(list)) return [{ value, source }];
  return list.flatMap((item, index) =>
    item !== null && typeof item === 'object' && !Array.isArray(item) ? [{ value: item, source: { ...source, base: `items[${index}]` } }] : [],
  );
}

/** Our own look, as the parser's compares each key with each other: a file of many keys would take minutes. */
function duplicateKeys(source: Source): InputProblem[] {
  const found: InputProblem[] = [];
  const open: unknown[] = [source.document.contents];
  while (open.length > 0) {
    const node = open.pop();
    if (isSeq(node)) for (const item of node.items) open.push(item);
    if (!isMap(node)) continue;
    const keys = new Set<unknown>();
    for (const { key, value } of node.items) {
      open.push(value);
      if (!isScalar(key)) continue;
      if (keys.has(key.value))
        found.push(
          problem(placeAt(source, key.range?.[0] ?? 0), 'InvalidYaml', `the key \`${String(key.value)}\` stands twice in one mapping`, 'remove one of them'),
        );
      keys.add(key.value);
    }
  }
  return found.sort((a, b) => a.line - b.line || a.column - b.column).slice(0, MAX_PROBLEMS);
}

function isTooLarge(value: Json): boolean {
  let left = MAX_BYTES;
  const visit = (item: Json): void => {
    left -= typeof item === 'string' ? item.length + 2 : 4;
    if (left < 0 || item === null || typeof item !== 'object') return;
    for (const child of Object.values(item)) {
      if (left < 0) return;
      visit(child as Json);
    }
  };
  try {
    visit(value);
  } catch {
    return true;
  }
  return left < 0;
}

function isDeeper(value: Json, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  return levels === 0 || Object.values(value).some(item => isDeeper(item as Json, levels - 1));
}

function yamlProblem(file: string, counter: LineCounter, text: string, error: YAMLError): InputProblem {
  const { line, col } = counter.linePos(error.pos[0]);
  const lines = [line, line - 1].map(number => text.slice(counter.lineStarts[number - 1] ?? 0, counter.lineStarts[number] ?? text.length));
  const place = { file, line, column: col };
  const broken = lines.find(hasBareExpression);
  if (/call stack/.test(error.message)) return problem(place, 'InvalidYaml', 'this is nested too deeply', `keep below ${MAX_DEPTH} levels`);
  if (broken !== undefined) {
    const column = broken === lines[0] ? broken.indexOf('${') + 1 : col;
    return problem({ ...place, column }, 'InvalidYaml', 'YAML trips over the ${…} on this line, which is not quoted', QUOTE_IT);
  }
  return problem(place, 'InvalidYaml', messageOf(error), hintOf(error));
}

/** A `${` on the line that no quote was opened before. */
function hasBareExpression(line: string): boolean {
  const at = line.indexOf('${');
  return at >= 0 && !/["']/.test(line.slice(0, at));
}

function messageOf(error: YAMLError): string {
  return error.message.split('\n')[0]!.replace(/ at line \d+.*$/, '');
}

function hintOf(error: YAMLError): string {
  return error.code === 'TAB_AS_INDENT' ? 'use spaces' : ERRORS.InvalidYaml.hint;
}

/** The parser tells of one mistake several times. */
function distinct(problems: readonly InputProblem[]): InputProblem[] {
  const byLine = new Map<number, InputProblem>();
  for (const item of problems) if (!byLine.has(item.line)) byLine.set(item.line, item);
  return [...byLine.values()];
}

/** Where an offset of the text stands. */
export function placeAt(source: Source, offset: number): Place {
  const { line, col } = source.counter.linePos(offset);
  return { file: source.file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Where a path of the object stands: its value, its key when the value is a mapping or list, the nearest parent when it is missing. */
export function placeOf(source: Source, path: Path, offset = 0): Place {
  let node = source.document.contents as Node | null;
  let key: Node | undefined;
  let isMissing = false;
  for (const segment of segmentsOf(source.base, path)) {
    const next = childOf(node, segment);
    if (next === undefined) {
      isMissing = true;
      break;
    }
    // An item of a list has no key: its own beginning tells more than that of the list.
    [node, key] = [next.value, next.key];
  }
  const target = isScalar(node) && !isMissing ? node : (key ?? firstKey(node) ?? node);
  const start = target?.range?.[0] ?? 0;
  const quote = isScalar(target) && (target.type === 'QUOTE_DOUBLE' || target.type === 'QUOTE_SINGLE') ? 1 : 0;
  return placeAt(source, offset > 0 ? start + quote + offset : start);
}

function segmentsOf(base: Path, path: Path): (string | number)[] {
  try {
    return [...split(base), ...split(path)];
  } catch {
    return [...split(base)];
  }
}

function childOf(node: Node | null, segment: string | number): { value: Node | null; key: Node | undefined } | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(segment)] as Node | Pair | undefined;
    return item === undefined || isPair(item) ? undefined : { value: item, key: undefined };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(item => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === String(segment));
  return pair === undefined ? undefined : { value: (pair.value as Node | null) ?? (pair.key as Node), key: pair.key as Node };
}

function firstKey(node: Node | null): Node | undefined {
  return isMap(node) ? (node.items[0]?.key as Node | undefined) : undefined;
}
