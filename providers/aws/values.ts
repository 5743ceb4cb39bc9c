/** Small conversions between the plain specs of Plinth and the shapes of AWS. */

import { Type } from '@sinclair/typebox';
import type { JsonObject, StringMap } from '../../src/sdk.ts';

/** An object without its undefined fields. */
export function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** A JSON object from JSON text; undefined for empty text, and for text that is no JSON object. */
export function parseObject(text: string | undefined): JsonObject | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

/** A document as a JSON object, whether it was written as one or as JSON text; text that is no JSON stays as it is, for AWS to refuse. */
export function document(value: unknown): JsonObject | string | undefined {
  if (typeof value === 'string') return parseObject(value) ?? value;
  return value as JsonObject | undefined;
}

/** A document as JSON text. */
export function documentText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Schema of a field that holds a JSON document, written as a mapping or as JSON text. */
export function Document(description: string, options: object = {}) {
  return Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.String()], { description, ...options });
}

/** `{key: value}` as the lists of SNS, S3 and DynamoDB. */
export function tagList(tags: Readonly<StringMap>): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Tag lists of SNS, S3 and DynamoDB as `{key: value}`. */
export function tagMap(tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined): StringMap {
  return Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}

/** RFC 3339 with milliseconds, from seconds or (ElasticMQ) milliseconds since 1970; undefined for anything else. */
export function timestamp(since1970: string | Date | undefined): string | undefined {
  if (since1970 instanceof Date) return since1970.toISOString();
  const count = Number(since1970);
  if (!Number.isFinite(count) || count <= 0) return undefined;
  const MILLISECONDS_FROM = 100_000_000_000;
  return new Date(count >= MILLISECONDS_FROM ? count : count * 1000).toISOString();
}

/** The tags field, the same in every type. */
export function Tags(limit: string) {
  return Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Type.String({ maxLength: 256 }), {
    default: {},
    plinth: 'shared',
    description: `Tags; those of others on the same thing are left alone. ${limit}`,
  });
}
