/** Marks: who owns a thing, written on the thing itself. No resource type contains ownership code. */
import type { JsonObject, Mark, Owner, Present, ResourceType, StringMap } from './types.ts';

const PREFIX = 'plinth.dev/';
const FIELDS = ['instance', 'kind', 'namespace', 'name', 'id', 'uid'] as const;
/** What AWS allows in tag values (letters, digits, spaces and these); the strictest of the services that carry marks. */
const FORBIDDEN = /[^A-Za-z0-9 .:/=+\-@]/gu;
const ESCAPED = /_([0-9a-f]+)_/g;

const encode = (text: string): string => text.replace(FORBIDDEN, character => `_${character.codePointAt(0)!.toString(16)}_`);
const decode = (text: string): string => text.replace(ESCAPED, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));

/** The marks of an owner as tags: `plinth.dev/uid` and five more. Characters that services forbid stand as `_hex_`. */
export function marksOf(owner: Owner): StringMap {
  return Object.fromEntries(FIELDS.map(field => [PREFIX + field, encode(owner[field])]));
}

/** The owner that tags tell of; undefined when any mark is missing. */
export function ownerOf(tags: Readonly<Record<string, unknown>>): Owner | undefined {
  const values = FIELDS.map(field => [field, tags[PREFIX + field]] as const);
  if (values.some(([, value]) => typeof value !== 'string')) return undefined;
  return Object.fromEntries(values.map(([field, value]) => [field, decode(value as string)])) as unknown as Owner;
}

/** True for a key of a shared map that is ours to write: one of the marks. */
export function isMark(key: string): boolean {
  return key.startsWith(PREFIX);
}

/** The spec with the owner's marks in it, where the type carries them. */
export function marked(spec: JsonObject, mark: Mark, owner: Owner): JsonObject {
  if (mark.as === 'key') return spec;
  if (mark.as === 'text') return { ...spec, [mark.at]: markText(owner) };
  return { ...spec, [mark.at]: { ...(spec[mark.at] as JsonObject | undefined), ...marksOf(owner) } };
}

/** The marks as one text, for things that carry a comment only. */
export function markText(owner: Owner): string {
  return Object.entries(marksOf(owner))
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

function readOwner(mark: Mark, spec: JsonObject): Owner | undefined {
  if (mark.as === 'key') return undefined;
  const value = spec[mark.at];
  if (mark.as === 'map') return ownerOf((value ?? {}) as JsonObject);
  const pairs = String(value ?? '')
    .split(' ')
    .map(pair => pair.split('=', 2) as [string, string]);
  return ownerOf(Object.fromEntries(pairs));
}

/** True when marks could be read and there are none at all. */
export function isBare({ mark }: Pick<ResourceType, 'mark'>, seen: Pick<Present, 'spec' | 'unread'>): boolean {
  if (mark.as === 'key' || seen.unread.includes(mark.at)) return false;
  const value = (seen.spec as JsonObject)[mark.at];
  if (mark.as === 'text') return !String(value ?? '').includes(PREFIX);
  return !Object.keys((value ?? {}) as JsonObject).some(key => isMark(key) && key !== RETAINED);
}

/** Tag of a thing that was let go on purpose, by deletion policy Retain or `plinth abandon`. */
export const RETAINED = `${PREFIX}retained`;

/**
 * ours: this very claim (the id may be an earlier one of it) · predecessor: the same logical owner with another uid (left by Retain, a restore, a removed finalizer) ·
 * foreign: marks of somebody else, or broken ones · unmarked: none · unread: this look did not read them · key: the type carries none.
 */
export type Ownership = 'ours' | 'predecessor' | 'foreign' | 'unmarked' | 'unread' | 'key';

/** Whose thing this is, judged from what was read in this pass. */
export function judge(type: Pick<ResourceType, 'mark'>, seen: Present, owner: Owner): Ownership {
  const { mark } = type;
  if (mark.as === 'key') return 'key';
  if (seen.unread.includes(mark.at)) return 'unread';
  if (isBare(type, seen)) return 'unmarked';
  const found = readOwner(mark, seen.spec as JsonObject);
  if (found === undefined) return 'foreign';
  const same = FIELDS.every(field => field === 'uid' || field === 'id' || found[field] === owner[field]);
  if (!same) return 'foreign';
  return found.uid === owner.uid ? 'ours' : 'predecessor';
}
