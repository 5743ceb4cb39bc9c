import type { Answer } from './answers.ts';
import { oneIndexChange, tableNotFoundYet, tableStatus, ttlChangedTwice } from './behaviours-dynamodb.ts';
import { concurrentTagEdits, nameNotReleased, secureBucketDefaults, tagsNotThereYet, versioningNotThereYet } from './behaviours-others.ts';
import { attributesNotThereYet, deletedRecently, queueNotFoundYet, readAfterDelete, retentionNotThereYet } from './behaviours-sqs.ts';
import type { Call } from './call.ts';
import type { Outgoing } from './upstream.ts';

/** What a handler gets: the call, its own memory, its time, and a way to ask the emulator something (not recorded as a call). */
export interface Context {
  readonly call: Call;
  readonly outgoing: Outgoing;
  readonly ms: number;
  /** The time it goes by, ms. */
  readonly now: () => number;
  /** The thing the call is about, with account and region: the key of most memories. */
  readonly thing: string;
  readonly memory: Map<string, Memory>;
  readonly ask: (change: Partial<Outgoing>) => Promise<Answer>;
}

/** What all imitations of one call share. */
type Base = Pick<Context, 'call' | 'outgoing' | 'now' | 'ask'>;

/** What a handler remembers of one thing: until when it pretends, and what it kept for that. */
export interface Memory {
  readonly until: number;
  readonly kept: Readonly<Record<string, unknown>>;
}

/** `before` may answer in place of the emulator; `after` may change its answer. */
export interface Handler {
  readonly before?: (context: Context) => Promise<Answer | undefined> | Answer | undefined;
  readonly after?: (context: Context, answer: Answer) => Promise<Answer> | Answer;
}

export interface Behaviour {
  readonly service: string;
  /** What real AWS does and the emulators do not. */
  readonly imitates: string;
  /** How long it lasts on real AWS, in milliseconds. */
  readonly defaultMs: number;
  /** Where that is said. */
  readonly source: string;
  readonly handler: Handler;
}

/** Everything the proxy can imitate. */
export const BEHAVIOURS = {
  'sqs-deleted-recently': {
    service: 'sqs',
    imitates: 'CreateQueue answers QueueDeletedRecently for a name that was deleted less than 60 s ago',
    defaultMs: 60_000,
    source: 'SQS API reference, CreateQueue and DeleteQueue',
    handler: deletedRecently,
  },
  'sqs-attribute-propagation': {
    service: 'sqs',
    imitates: 'GetQueueAttributes answers the old values for up to 60 s after SetQueueAttributes',
    defaultMs: 60_000,
    source: 'SQS API reference, SetQueueAttributes',
    handler: attributesNotThereYet,
  },
  'sqs-retention-propagation': {
    service: 'sqs',
    imitates: 'GetQueueAttributes answers the old MessageRetentionPeriod for up to 15 minutes after SetQueueAttributes',
    defaultMs: 900_000,
    source: 'SQS API reference, SetQueueAttributes',
    handler: retentionNotThereYet,
  },
  'sqs-read-after-delete': {
    service: 'sqs',
    imitates: 'reads of a deleted queue may still succeed for up to 60 s',
    defaultMs: 60_000,
    source: 'SQS API reference, DeleteQueue',
    handler: readAfterDelete,
  },
  'sqs-not-found-after-create': {
    service: 'sqs',
    imitates: 'a queue can be used only a second after CreateQueue answered; until then it does not exist',
    defaultMs: 1_000,
    source: 'SQS API reference, CreateQueue',
    handler: queueNotFoundYet,
  },
  'dynamodb-not-found-after-create': {
    service: 'dynamodb',
    imitates: 'DescribeTable right after CreateTable answers ResourceNotFoundException',
    defaultMs: 1_000,
    source: 'DynamoDB API reference, DescribeTable',
    handler: tableNotFoundYet,
  },
  'dynamodb-table-status': {
    service: 'dynamodb',
    imitates: 'a table or index is CREATING, UPDATING or DELETING for a while; changing or deleting it meanwhile is ResourceInUseException',
    defaultMs: 10_000,
    source: 'DynamoDB API reference, CreateTable, UpdateTable, DeleteTable, UpdateContinuousBackups',
    handler: tableStatus,
  },
  'dynamodb-one-index-change': {
    service: 'dynamodb',
    imitates: 'one UpdateTable creates or deletes at most one global secondary index',
    defaultMs: 0,
    source: 'DynamoDB API reference, UpdateTable',
    handler: oneIndexChange,
  },
  'dynamodb-ttl-twice': {
    service: 'dynamodb',
    imitates: 'a second change of the time to live within an hour is a ValidationException',
    defaultMs: 3_600_000,
    source: 'DynamoDB API reference, UpdateTimeToLive',
    handler: ttlChangedTwice,
  },
  'tag-propagation': {
    service: '*',
    imitates: 'tags given at creation can be read only seconds later (SQS, SNS, DynamoDB, S3)',
    defaultMs: 5_000,
    source: 'DynamoDB API reference, ListTagsOfResource: eventually consistent; field reports for the others',
    handler: tagsNotThereYet,
  },
  's3-name-release': {
    service: 's3',
    imitates: 'CreateBucket answers 409 OperationAborted for a name that was deleted, for an hour or more',
    defaultMs: 3_600_000,
    source: 'no published time; field reports say 1 to 2 h, some 24 to 48 h',
    handler: nameNotReleased,
  },
  's3-versioning-propagation': {
    service: 's3',
    imitates: 'GetBucketVersioning answers the old status for up to 15 minutes after PutBucketVersioning',
    defaultMs: 900_000,
    source: 'S3 user guide, Enabling versioning on buckets',
    handler: versioningNotThereYet,
  },
  's3-secure-defaults': {
    service: 's3',
    imitates: 'a new bucket has all four public access blocks and BucketOwnerEnforced (MiniStack has neither)',
    defaultMs: 0,
    source: 'S3 user guide, default settings of new buckets since April 2023',
    handler: secureBucketDefaults,
  },
  'sns-concurrent-tags': {
    service: 'sns',
    imitates: 'a tag edit of a topic during another one is ConcurrentAccessException',
    defaultMs: 200,
    source: 'SNS API reference, TagResource',
    handler: concurrentTagEdits,
  },
} as const satisfies Record<string, Behaviour>;

export type BehaviourId = keyof typeof BEHAVIOURS;

/** One behaviour that is switched on. */
export interface ImitationState {
  readonly behaviour: Behaviour;
  readonly ms: number;
  readonly memory: Map<string, Memory>;
}

/** A behaviour as it starts, with `ms` in place of the real time. */
export function imitationOf(id: BehaviourId, ms: number = BEHAVIOURS[id].defaultMs): ImitationState {
  return { behaviour: BEHAVIOURS[id], ms, memory: new Map() };
}

/** The answer of the first imitation that answers in place of the emulator. */
export async function runBefore(imitations: readonly ImitationState[], base: Base): Promise<Answer | undefined> {
  for (const imitation of imitations.filter(one => concerns(one, base.call))) {
    const answer = await imitation.behaviour.handler.before?.(contextOf(imitation, base));
    if (answer) return answer;
  }
  return undefined;
}

/** The emulator's answer after all imitations changed it. */
export async function runAfter(imitations: readonly ImitationState[], base: Base, answer: Answer): Promise<Answer> {
  let current = answer;
  for (const imitation of imitations.filter(one => concerns(one, base.call))) {
    current = (await imitation.behaviour.handler.after?.(contextOf(imitation, base), current)) ?? current;
  }
  return current;
}

function concerns({ behaviour }: ImitationState, call: Call): boolean {
  return behaviour.service === '*' || behaviour.service === call.service;
}

function contextOf({ ms, memory }: ImitationState, base: Base): Context {
  const { service, account, region, target } = base.call;
  // Bucket names are global: whoever asks, and from wherever, means the same bucket.
  const thing = service === 's3' ? `s3/${target}` : [service, account, region, target].join('/');
  return { ...base, ms, memory, thing };
}
