/** What an Environment says about its namespace: overrides, values for expressions, and when it ends. Pure. */
import { durationMs } from './duration.ts';
import { isMap } from './object-head.ts';
import { ownerOf } from './ownership.ts';
import type { Environment, Json, JsonObject, Override, Timestamp } from './types.ts';

/** The claim kind, cluster-scoped, that makes namespaces. */
export const ENVIRONMENT = 'Environment';
/** Annotation of an Environment whose end is near: when it will be deleted. */
export const EXPIRES = 'plinth.dev/expires';
/** What holds where no Environment made the namespace. */
export const NO_ENVIRONMENT: Environment = { name: '', asleep: false, config: {}, overrides: [] };

/** The Environment of that name and spec. What does not have the form that its schema demands is left out. */
export function environmentFrom(name: string, spec: JsonObject): Environment {
  const { asleep, config, overrides } = spec;
  return {
    name,
    asleep: asleep === true,
    config: isMap(config) ? textsIn(config) : {},
    overrides: Array.isArray(overrides) ? overrides.flatMap(overrideFrom) : [],
  };
}

const textsIn = (map: JsonObject): Record<string, string> =>
  Object.fromEntries(Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));

function overrideFrom(value: Json): Override[] {
  if (!isMap(value) || typeof value['claim'] !== 'string') return [];
  const { claim, composition, parameters } = value;
  return [{ claim, ...(typeof composition === 'string' ? { composition } : {}), parameters: isMap(parameters) ? parameters : {} }];
}

/**
 * Whether the namespace of its name is the Environment's: `own` when it made it, `none` when it met somebody else's, `unknown` while it has not told
 * yet. `space`: the Namespace, if it is there; one that bears no marks of an Environment of the name is nobody's to tell.
 */
export function standingOf(object: JsonObject, space: JsonObject | undefined): 'own' | 'none' | 'unknown' {
  const { name, uid } = object['metadata'] as { name: string; uid: string };
  const { outputs, conditions, inventoryFor } = (isMap(object['status']) ? object['status'] : {}) as Told;
  const isTold = inventoryFor === uid;
  if (isTold && outputs?.namespace === name) return 'own';
  const isConflict = conditions?.some(({ type, status, reason }) => type === 'Stalled' && status === 'True' && reason === 'Conflict') === true;
  if ((isTold && isConflict) || (space !== undefined && !observes(object) && !bearsMarks(space, name))) return 'none';
  return 'unknown';
}

/** What it only observes bears no marks of it. */
function observes(object: JsonObject): boolean {
  const { lifecycle } = (object['spec'] ?? {}) as { lifecycle?: { management?: string } };
  return lifecycle?.management === 'ObserveOnly';
}

/** A namespace that an Environment makes bears them from its first moment. */
function bearsMarks(space: JsonObject, name: string): boolean {
  const { annotations } = space['metadata'] as { annotations?: JsonObject };
  const owner = ownerOf(annotations ?? {});
  return owner?.kind === ENVIRONMENT && owner.name === name;
}

interface Told {
  readonly inventoryFor?: string;
  readonly outputs?: { readonly namespace?: string };
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
}

/** An hour's notice, or a tenth of a short life; a minute at least, ms. */
const NOTICE_MS = 3_600_000;
const LEAST_MS = 60_000;

export interface Life {
  readonly createdAt: Timestamp;
  /** Of the Environment, else of its class; form of DURATION. */
  readonly ttl: string | undefined;
  /** Counts instead of `ttl`. */
  readonly keepUntil: Timestamp | undefined;
  /** What the annotation EXPIRES says. */
  readonly announced: string | undefined;
  readonly now: Timestamp;
}
/** `announce`: say that it ends `at` · `withdraw`: it was prolonged, so take back what was said · `look`: nothing is due before `at` · `end`: delete it. */
export type Expiry = { readonly kind: 'never' | 'withdraw' | 'end' } | { readonly kind: 'look' | 'announce'; readonly at: Timestamp };

/** Nothing ends that was not announced: the end is put off until there was time enough to see the announcement. */
export function expiryOf({ createdAt, ttl, keepUntil, announced, now }: Life): Expiry {
  const [born, today] = [Date.parse(createdAt), Date.parse(now)];
  const end = keepUntil !== undefined ? Date.parse(keepUntil) : ttl === undefined || ttl === '' ? Number.NaN : born + durationMs(ttl);
  if (Number.isNaN(end)) return announced === undefined ? { kind: 'never' } : { kind: 'withdraw' };
  const noticeMs = Math.min(NOTICE_MS, Math.max(LEAST_MS, (Math.max(end, today) - born) / 10));
  const told = Date.parse(announced ?? '');
  const stands = told >= end;
  if (stands) return today >= told ? { kind: 'end' } : { kind: 'look', at: timestamp(told) };
  if (today < end - noticeMs) return announced === undefined ? { kind: 'look', at: timestamp(end - noticeMs) } : { kind: 'withdraw' };
  return { kind: 'announce', at: timestamp(Math.max(end, today + noticeMs)) };
}

const timestamp = (ms: number): Timestamp => new Date(ms).toISOString();
