/**
 * What an object remembers of what was sent, so that it can be compared in the words of the manifest. The API server fills in defaults and others
 * add items, which a list as a whole would show as changed; and a value it writes in its own way looks like another one. Lists are noted as they
 * were sent; such values with what the server made of them, which a dry-run apply told. Pure.
 */
import { at, equal, type Json, type JsonObject, leaves, put } from '../../src/sdk.ts';
import { normalManifest } from './normal-form.ts';

/** By path inside the manifest. `became`: what the API server makes of the value of that path; null when it leaves it out. */
export interface Sent {
  /** The version the manifest is written in. */
  readonly apiVersion: string;
  /** Every path that was sent: what is pending the next time is still known to be ours, and stays. */
  readonly fields: readonly string[];
  readonly lists: Readonly<Record<string, Json>>;
  readonly words: Readonly<Record<string, { readonly sent: Json; readonly became: Json }>>;
}

/** The annotation that holds the note. Not one of the marks: it says nothing about whose the object is. */
export const SENT = 'kubernetes.plinth.dev/sent';
/** All annotations together may have 256 KiB (apimachinery, TotalAnnotationSizeLimitB); larger lists are compared as a whole. */
const MAX_CHARACTERS = 100_000;

/** The note of a manifest. `answer`: what the API server makes of it; undefined: not known yet. */
export function sentOf(manifest: JsonObject, answer: JsonObject | undefined): Sent {
  const apiVersion = String(manifest['apiVersion']);
  const parts = leaves(manifest).filter(([path]) => isNoted(path));
  const lists = Object.fromEntries(parts.filter(([, value]) => Array.isArray(value) && value.some(isMap)));
  const note: Sent = { apiVersion, fields: parts.map(([path]) => path), lists, words: {} };
  if (answer === undefined) return note;
  const read = readInWords(answer, note);
  const doubts = parts.filter(([path, value]) => !isEmptyMap(value) && !equal(value, at(read, path)));
  const became = normalManifest(answer);
  return { ...note, words: Object.fromEntries(doubts.map(([path, sent]) => [path, { sent, became: at(became, path) ?? null }])) };
}

const isNoted = (path: string): boolean => !path.startsWith('metadata') && path !== 'apiVersion' && path !== 'kind';
const isMap = (value: Json | undefined): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value);
const isEmptyMap = (value: Json): boolean => isMap(value) && Object.keys(value).length === 0;

/** The note as an annotation; without lists where they are too large. */
export function writeSent(note: Sent): string {
  const text = JSON.stringify(note);
  return text.length <= MAX_CHARACTERS ? text : JSON.stringify({ ...note, fields: [], lists: {}, words: {} });
}

/** The note in an annotation; undefined when there is none, or somebody spoilt it: then everything is compared as it stands. */
export function parseSent(text: unknown): Sent | undefined {
  try {
    const value = JSON.parse(String(text)) as Json;
    if (!isMap(value)) return undefined;
    const { apiVersion, fields, lists, words } = value;
    if (typeof apiVersion !== 'string' || !Array.isArray(fields) || !fields.every(path => typeof path === 'string') || !isMap(lists) || !isMap(words))
      return undefined;
    // Throws where one is no path.
    for (const path of [...fields, ...Object.keys(lists), ...Object.keys(words)]) at({}, path as string);
    return Object.values(words).every(word => isMap(word) && word['sent'] !== undefined) ? (value as unknown as Sent) : undefined;
  } catch {
    return undefined;
  }
}

/** The object as a manifest in normal form, and in the words of the note where they mean what is there. */
export function readInWords(object: JsonObject, note: Sent | undefined): JsonObject {
  const normal = normalManifest(object);
  if (note === undefined || note.apiVersion !== object['apiVersion']) return normal;
  let read = normal;
  for (const [path, sent] of Object.entries(note.lists)) {
    const there = at(normal, path);
    if (there !== undefined) read = put(read, path, asSent(there, sent));
  }
  for (const [path, { sent, became }] of Object.entries(note.words)) {
    if (equal(at(normal, path) ?? null, became)) read = put(read, path, sent);
  }
  return read;
}

/** What is there of what was sent: items by their keys, of each the fields that were sent. What others added is left out. */
function asSent(there: Json, sent: Json): Json {
  if (Array.isArray(there) && Array.isArray(sent)) return itemsAsSent(there, sent);
  if (!isMap(there) || !isMap(sent)) return there;
  return Object.fromEntries(Object.entries(sent).flatMap(([field, item]) => (there[field] === undefined ? [] : [[field, asSent(there[field], item)]])));
}

function itemsAsSent(there: readonly Json[], sent: readonly Json[]): Json[] {
  if (!sent.some(isMap)) return [...there];
  const byKey = keyed(sent);
  const items = byKey === undefined ? undefined : keyed(there);
  if (byKey !== undefined && items !== undefined) return [...byKey].flatMap(([key, item]) => (items.has(key) ? [asSent(items.get(key)!, item)] : []));
  return there.length === sent.length ? sent.map((item, index) => asSent(there[index]!, item)) : [...there];
}

/** Items by their keys, in order; undefined when they have none, or one twice. */
function keyed(items: readonly Json[]): Map<string, Json> | undefined {
  const keys = items.map(item => (isMap(item) ? keyOfItem(item) : undefined));
  if (keys.includes(undefined) || new Set(keys).size < items.length) return undefined;
  return new Map(items.map((item, index) => [keys[index]!, item]));
}

/**
 * By which fields the API server tells items apart (`x-kubernetes-list-map-keys` of core, apps and batch); the first that an item has. A port's
 * protocol is part of its key, with a default.
 */
const KEYS: readonly (readonly string[])[] = [
  ['containerPort', 'protocol'],
  ['mountPath'],
  ['devicePath'],
  ['topologyKey', 'whenUnsatisfiable'],
  ['name'],
  ['port', 'protocol'],
  ['ip'],
  ['type'],
];
const KEY_DEFAULTS: Readonly<Record<string, string>> = { protocol: 'TCP' };

function keyOfItem(item: JsonObject): string | undefined {
  const fields = isPort(item) ? ['port', 'protocol'] : KEYS.find(([first]) => item[first!] !== undefined);
  return fields && JSON.stringify(fields.map(field => item[field] ?? KEY_DEFAULTS[field] ?? null));
}

/** A port of a Service may have a name, and yet is told by its number. */
const isPort = (item: JsonObject): boolean => typeof item['port'] === 'number' && item['containerPort'] === undefined;
