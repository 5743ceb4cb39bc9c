/** Hashes of plain data. The one core module that uses a Node module: node:crypto. */
import { createHash, createHmac } from 'node:crypto';
import type { Digest, Json, JsonObject } from './types.ts';

/** JSON text with sorted keys: equal values give equal text. Undefined members are left out. */
export function canonical(value: Json | undefined): string {
  if (value === undefined) return 'null';
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  return `{${fieldsOf(value)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join(',')}}`;
}

/** True when both hold the same data, whatever the order of keys; undefined members count as left out. */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index]));
  }
  const fields = fieldsOf(a);
  return fields.length === fieldsOf(b).length && fields.every(field => Object.hasOwn(b, field) && equal(a[field], b[field]));
}

const fieldsOf = (value: JsonObject): string[] => Object.keys(value).filter(key => value[key] !== undefined);

/** SHA-256 of the canonical text, first `length` hex digits (12 by default). */
export function hash(value: Json, length = 12): string {
  return createHash('sha256').update(canonical(value)).digest('hex').slice(0, length);
}

/** A look at a thing asks for the digest of each of its values, mostly the same ones as before; making an HMAC takes a hundred times as long as a look-up. */
const MOST_KNOWN = 2_000;
const LONGEST_KNOWN = 200;
const known = new Map<string, Map<string, Digest>>();

/** HMAC-SHA256 under the instance's key, first 12 hex digits: safe to show, whatever the value. */
export function digest(key: string, value: Json): Digest {
  const text = canonical(value);
  if (text.length > LONGEST_KNOWN) return hmac(key, text);
  const ofKey = known.get(key) ?? new Map<string, Digest>();
  known.set(key, ofKey);
  const before = ofKey.get(text);
  if (before !== undefined) return before;
  if (ofKey.size >= MOST_KNOWN) ofKey.clear();
  const made = hmac(key, text);
  ofKey.set(text, made);
  return made;
}

function hmac(key: string, text: string): Digest {
  return createHmac('sha256', key).update(text).digest('hex').slice(0, 12);
}
