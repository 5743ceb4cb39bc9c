/** The twenty claims of the kill test in their two versions, and what has to exist for each, told without our code. */
import type { JsonObject } from '../../src/core/types.ts';
import { CLUSTER_KILL_STRIDE, KILL_STRIDE } from '../depth.ts';

export const NAMESPACE = 'shop';
export type Phase = 'create' | 'update' | 'delete';

/** What must exist, by raw names; buckets, whose names are hashed, by the claim's name. Attributes: the ones that a phase changes. */
export interface Expected {
  readonly queues: Readonly<Record<string, { readonly visibility: string; readonly deadLetter?: string; readonly topics?: readonly string[] }>>;
  readonly topics: Readonly<Record<string, { readonly displayName: string }>>;
  /** `topic queue` → the filter policy. */
  readonly subscriptions: Readonly<Record<string, string>>;
  readonly buckets: Readonly<Record<string, { readonly versioning: boolean; readonly expireDays?: number; readonly cors: boolean }>>;
  readonly tables: Readonly<Record<string, { readonly ttl?: string; readonly indexes: readonly string[]; readonly capacity?: number }>>;
}

function claim(kind: string, name: string, spec: JsonObject): JsonObject {
  return { apiVersion: 'plinth.dev/v1alpha1', kind, metadata: { name, namespace: NAMESPACE }, spec };
}
const queue = (name: string, spec: JsonObject = {}): JsonObject => claim('Queue', name, spec);
const topic = (name: string, spec: JsonObject = {}): JsonObject => claim('Topic', name, spec);
const bucket = (name: string, spec: JsonObject = {}): JsonObject => claim('Bucket', name, spec);
const table = (name: string, spec: JsonObject = {}): JsonObject => claim('Table', name, { key: { partition: { name: 'id' } }, ...spec });
const INDEX = { name: 'by-day', partition: { name: 'day' } };

const CREATED: readonly JsonObject[] = [
  queue('plain-a'),
  queue('plain-b', { visibilityTimeoutSeconds: 20 }),
  queue('plain-c', { visibilityTimeoutSeconds: 25 }),
  queue('dead-a', { deadLetter: { maxReceives: 3 } }),
  queue('dead-b', { deadLetter: { maxReceives: 3 } }),
  queue('dead-c', { deadLetter: { maxReceives: 3 } }),
  queue('ear-a', { subscriptions: [{ topic: 'news-a' }] }),
  queue('ear-b', { deadLetter: { maxReceives: 4 }, subscriptions: [{ topic: 'news-a' }, { topic: 'news-b' }] }),
  queue('ear-c', { subscriptions: [{ topic: 'news-c', filter: { kind: ['old'] } }] }),
  topic('news-a'),
  topic('news-b'),
  topic('news-c', { displayName: 'News' }),
  topic('news-d'),
  bucket('files-a'),
  bucket('files-b', { versioning: true }),
  bucket('files-c'),
  table('items-a'),
  table('items-b', { indexes: [INDEX] }),
  table('items-c', { ttlAttribute: 'until' }),
  table('items-d'),
];

/** What changes; the others stay as they are. */
const CHANGES: readonly JsonObject[] = [
  queue('plain-a', { visibilityTimeoutSeconds: 45 }),
  queue('plain-b', { visibilityTimeoutSeconds: 20, deadLetter: { maxReceives: 9 } }),
  queue('dead-a'),
  queue('dead-b', { deadLetter: { maxReceives: 7 } }),
  queue('ear-a', { subscriptions: [{ topic: 'news-d' }] }),
  queue('ear-b', { deadLetter: { maxReceives: 4 }, subscriptions: [{ topic: 'news-a' }] }),
  queue('ear-c', { subscriptions: [{ topic: 'news-c', filter: { kind: ['new'] } }] }),
  topic('news-a', { displayName: 'Tidings' }),
  topic('news-c'),
  bucket('files-a', { versioning: true }),
  bucket('files-c', { expireAfterDays: 30, cors: [{ origins: ['https://shop.example'], methods: ['GET'] }] }),
  table('items-a', { ttlAttribute: 'until' }),
  table('items-d', { capacity: { readUnits: 4, writeUnits: 4 }, indexes: [INDEX] }),
];

/** The claims of a phase; none are declared in the last one. */
export function claimsOf(phase: Phase): readonly JsonObject[] {
  if (phase === 'delete') return [];
  if (phase === 'create') return CREATED;
  return CREATED.map(before => CHANGES.find(after => nameOf(after) === nameOf(before)) ?? before);
}

const nameOf = (object: JsonObject): string => `${String(object['kind'])}/${String((object['metadata'] as JsonObject)['name'])}`;

const AFTER_CREATE: Expected = {
  queues: {
    'shop_plain-a': { visibility: '30' },
    'shop_plain-b': { visibility: '20' },
    'shop_plain-c': { visibility: '25' },
    'shop_dead-a': { visibility: '30', deadLetter: 'shop_dead-a_deadLetter 3' },
    'shop_dead-a_deadLetter': { visibility: '30' },
    'shop_dead-b': { visibility: '30', deadLetter: 'shop_dead-b_deadLetter 3' },
    'shop_dead-b_deadLetter': { visibility: '30' },
    'shop_dead-c': { visibility: '30', deadLetter: 'shop_dead-c_deadLetter 3' },
    'shop_dead-c_deadLetter': { visibility: '30' },
    'shop_ear-a': { visibility: '30', topics: ['shop_news-a'] },
    'shop_ear-b': { visibility: '30', deadLetter: 'shop_ear-b_deadLetter 4', topics: ['shop_news-a', 'shop_news-b'] },
    'shop_ear-b_deadLetter': { visibility: '30' },
    'shop_ear-c': { visibility: '30', topics: ['shop_news-c'] },
  },
  topics: {
    'shop_news-a': { displayName: '' },
    'shop_news-b': { displayName: '' },
    'shop_news-c': { displayName: 'News' },
    'shop_news-d': { displayName: '' },
  },
  subscriptions: {
    'shop_news-a shop_ear-a': '',
    'shop_news-a shop_ear-b': '',
    'shop_news-b shop_ear-b': '',
    'shop_news-c shop_ear-c': '{"kind":["old"]}',
  },
  buckets: { 'files-a': { versioning: false, cors: false }, 'files-b': { versioning: true, cors: false }, 'files-c': { versioning: false, cors: false } },
  tables: {
    'shop_items-a': { indexes: [] },
    'shop_items-b': { indexes: ['by-day'] },
    'shop_items-c': { ttl: 'until', indexes: [] },
    'shop_items-d': { indexes: [] },
  },
};

const AFTER_UPDATE: Expected = {
  queues: {
    ...without(AFTER_CREATE.queues, 'shop_dead-a_deadLetter'),
    'shop_plain-a': { visibility: '45' },
    'shop_plain-b': { visibility: '20', deadLetter: 'shop_plain-b_deadLetter 9' },
    'shop_plain-b_deadLetter': { visibility: '30' },
    'shop_dead-a': { visibility: '30' },
    'shop_dead-b': { visibility: '30', deadLetter: 'shop_dead-b_deadLetter 7' },
    'shop_ear-a': { visibility: '30', topics: ['shop_news-d'] },
    'shop_ear-b': { visibility: '30', deadLetter: 'shop_ear-b_deadLetter 4', topics: ['shop_news-a'] },
  },
  topics: { ...AFTER_CREATE.topics, 'shop_news-a': { displayName: 'Tidings' }, 'shop_news-c': { displayName: '' } },
  subscriptions: { 'shop_news-d shop_ear-a': '', 'shop_news-a shop_ear-b': '', 'shop_news-c shop_ear-c': '{"kind":["new"]}' },
  buckets: {
    'files-a': { versioning: true, cors: false },
    'files-b': { versioning: true, cors: false },
    'files-c': { versioning: false, expireDays: 30, cors: true },
  },
  tables: { ...AFTER_CREATE.tables, 'shop_items-a': { ttl: 'until', indexes: [] }, 'shop_items-d': { indexes: ['by-day'], capacity: 4 } },
};

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  const { [key]: _, ...rest } = record;
  return rest;
}

/** What must exist when a phase is at rest. */
export const EXPECTED: Readonly<Record<Phase, Expected>> = {
  create: AFTER_CREATE,
  update: AFTER_UPDATE,
  delete: { queues: {}, topics: {}, subscriptions: {}, buckets: {}, tables: {} },
};

/** Some of the claims in their two versions, and what has to exist for them. */
export interface Claims {
  of(phase: Phase): readonly JsonObject[];
  expected(phase: Phase): Expected;
}

/** All of them. */
export const TWENTY: Claims = { of: claimsOf, expected: phase => EXPECTED[phase] };

/** Those with these names. What one of them refers to must be among them. */
export function only(names: readonly string[]): Claims {
  const isMeant = (name: string): boolean =>
    names.includes(
      name
        .replace(/^.* /, '')
        .replace(/^shop_/, '')
        .replace(/_deadLetter$/, ''),
    );
  const some = <T>(record: Readonly<Record<string, T>>): Record<string, T> => Object.fromEntries(Object.entries(record).filter(([name]) => isMeant(name)));
  return {
    of: phase => claimsOf(phase).filter(claim => names.includes(String((claim['metadata'] as JsonObject)['name']))),
    expected: phase => {
      const { queues, topics, subscriptions, buckets, tables } = EXPECTED[phase];
      return { queues: some(queues), topics: some(topics), subscriptions: some(subscriptions), buckets: some(buckets), tables: some(tables) };
    },
  };
}

/** Each change of the twenty, and each class of call, once. */
const VARIED = ['plain-b', 'dead-a', 'ear-a', 'ear-c', 'news-a', 'news-c', 'news-d', 'files-a', 'files-c', 'items-a', 'items-c', 'items-d'];

/** The claims of the tests in this folder. */
export const DECLARED: Claims = KILL_STRIDE === undefined && CLUSTER_KILL_STRIDE === undefined ? only(VARIED) : TWENTY;
