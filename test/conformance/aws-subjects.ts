/** What the kit is told about the AWS types; the same for every emulator. */
import fc, { type Arbitrary } from 'fast-check';
import { localstack } from '../../providers/localstack/index.ts';
import type { Json, JsonObject, ResourceType } from '../../src/core/types.ts';
import { awsGround, type Furniture } from './aws-ground.ts';
import type { Subject } from './subject.ts';

type Fit = (spec: JsonObject, furniture: Furniture) => JsonObject | undefined;
type Told = Pick<Subject, 'base' | 'rich' | 'mutable' | 'immutable' | 'unset' | 'part' | 'generate'> & { readonly type: string; readonly suit: Fit };
export interface Emulator {
  readonly name: string;
  readonly endpoint: string;
  /** By type: fields that it cannot be asked for at all. */
  readonly leftOut?: Readonly<Record<string, readonly string[]>>;
  /** The name of another emulator whose engine cases do for both at depth gate. */
  readonly engineTriedBy?: string;
}

const without = (spec: JsonObject, ...fields: string[]): JsonObject => Object.fromEntries(Object.entries(spec).filter(([field]) => !fields.includes(field)));
const maybe = (values: Arbitrary<Json>): Arbitrary<Json | undefined> => fc.option(values, { nil: undefined });
const statement = (action: string): JsonObject => ({
  Sid: 'TlsOnly',
  Effect: 'Deny',
  Principal: '*',
  Action: action,
  Condition: { Bool: { 'aws:SecureTransport': 'false' } },
});
const policies = (action: string): Arbitrary<Json | undefined> => maybe(fc.constant({ Version: '2012-10-17', Statement: [statement(action)] }));
const anArn = (service: string): Arbitrary<Json> => fc.stringMatching(/^[a-z]{1,20}$/).map(name => `arn:aws:${service}:us-east-1:000000000000:${name}`);

/** `fifo` decides which fields go together (SetQueueAttributes, "high throughput for FIFO queues"). */
const fitQueue: Fit = (spec, { deadLetters, deadLettersFifo }) => {
  const fifo = spec['fifo'] === true;
  const deadLetter = spec['deadLetter'] as JsonObject | undefined;
  const allow = spec['redriveAllow'] as JsonObject | undefined;
  const encrypted = spec['kmsKey'] !== undefined;
  const left = without(
    spec,
    ...(encrypted ? ['managedEncryption'] : ['kmsDataKeyReuseSeconds']),
    ...(fifo ? [] : ['contentBasedDeduplication', 'deduplicationScope', 'fifoThroughputLimit']),
  );
  const scope = spec['fifoThroughputLimit'] === 'perMessageGroupId' && fifo ? { deduplicationScope: 'messageGroup' } : {};
  const sources = allow?.['permission'] === 'byQueue' ? { sources: [deadLetters] } : {};
  return {
    ...left,
    ...scope,
    ...(deadLetter === undefined || deadLetter['arn'] === NOWHERE ? {} : { deadLetter: { ...deadLetter, arn: fifo ? deadLettersFifo : deadLetters } }),
    ...(allow === undefined ? {} : { redriveAllow: { permission: allow['permission']!, ...sources } }),
  };
};
const NOWHERE = 'arn:aws:sqs:us-east-1:000000000000:nowhere';

const queue: Told = {
  type: 'aws/sqs-queue',
  suit: fitQueue,
  base: { visibilityTimeoutSeconds: 30, tags: { team: 'shop' } },
  rich: {
    visibilityTimeoutSeconds: 60,
    delaySeconds: 5,
    receiveWaitSeconds: 20,
    deadLetter: { arn: '', maxReceives: 5 },
    redriveAllow: { permission: 'denyAll' },
    allowSendFrom: ['arn:aws:sns:us-east-1:000000000000:order-events'],
    tags: { team: 'shop' },
  },
  mutable: [
    { path: 'visibilityTimeoutSeconds', value: 77, other: 88 },
    { path: 'delaySeconds', value: 7, other: 8 },
  ],
  immutable: { path: 'fifo', value: true },
  unset: { path: 'redriveAllow', value: { permission: 'denyAll' }, outcome: 'taken away' },
  part: 'deadLetter',
  generate: {
    kmsKey: maybe(fc.constantFrom('alias/aws/sqs', 'alias/mine')),
    policy: policies('sqs:*'),
    allowSendFrom: maybe(fc.uniqueArray(anArn('sns'), { maxLength: 3 })),
  },
};

const topic: Told = {
  type: 'aws/sns-topic',
  suit: spec => (spec['fifo'] === true ? spec : without(spec, 'contentBasedDeduplication')),
  base: { tags: { team: 'shop' } },
  rich: { displayName: 'Orders', policy: { Version: '2012-10-17', Statement: [statement('sns:Publish')] }, tags: { team: 'shop' } },
  mutable: [
    { path: 'displayName', value: 'One', other: 'Two' },
    { path: 'tags.team', value: 'one', other: 'two' },
  ],
  immutable: { path: 'fifo', value: true },
  unset: { path: 'displayName', value: 'From outside', outcome: 'taken away' },
  part: 'displayName',
  generate: {
    kmsKey: maybe(fc.constantFrom('alias/aws/sns')),
    policy: policies('sns:Publish'),
    deliveryPolicy: maybe(fc.integer({ min: 1, max: 20 }).map(retriesOf)),
  },
};

function retriesOf(numRetries: number): Json {
  return { http: { defaultHealthyRetryPolicy: { minDelayTarget: 20, maxDelayTarget: 20, numRetries } } };
}

const bucket: Told = {
  type: 'aws/s3-bucket',
  suit: spec => (spec['kmsKey'] === undefined ? without(spec, 'bucketKey') : spec),
  base: { tags: { team: 'shop' }, purge: true },
  rich: {
    versioning: true,
    lifecycle: [{ id: 'old-versions', noncurrentExpireAfterDays: 30, abortUploadsAfterDays: 7 }],
    cors: [{ origins: ['https://app.example.com'], methods: ['GET', 'PUT'], headers: ['*'], maxAgeSeconds: 3_600 }],
    tags: { team: 'shop' },
    purge: true,
  },
  mutable: [
    { path: 'cors', value: [{ origins: ['https://a.example.com'], methods: ['GET'] }], other: [{ origins: ['https://b.example.com'], methods: ['PUT'] }] },
    { path: 'ownership', value: 'BucketOwnerPreferred', other: 'ObjectWriter' },
  ],
  immutable: 'none',
  unset: { path: 'cors', value: [{ origins: ['https://c.example.com'], methods: ['GET'] }], outcome: 'taken away' },
  part: 'lifecycle',
  generate: {
    kmsKey: maybe(fc.constantFrom('alias/aws/s3')),
    policy: policies('s3:*'),
    lifecycle: maybe(
      fc.uniqueArray(fc.record({ id: fc.stringMatching(/^[a-z]{1,8}$/), expireAfterDays: fc.integer({ min: 1, max: 900 }) }), {
        selector: rule => rule.id,
        minLength: 1,
        maxLength: 3,
      }),
    ),
    cors: maybe(
      fc.array(fc.record({ origins: fc.constant<string[]>(['https://app.example.com']), methods: fc.subarray(['GET', 'PUT', 'HEAD'], { minLength: 1 }) }), {
        minLength: 1,
        maxLength: 2,
      }),
    ),
  },
};

const keys: Arbitrary<Json> = fc.record({ name: fc.stringMatching(/^[a-z]{1,10}$/), type: fc.constantFrom('S', 'N', 'B') });
/** Every attribute has one type and plays one part; a sort key needs a local index or none, units need Provisioned. */
const fitTable: Fit = spec => {
  const provisioned = spec['billing'] === 'Provisioned';
  const left = without(spec, ...(provisioned ? [] : ['readCapacity', 'writeCapacity']), ...(spec['sortKey'] === undefined ? ['localIndexes'] : []));
  const sort = left['sortKey'] as JsonObject | undefined;
  return { ...left, ...(sort === undefined ? {} : { sortKey: { ...sort, name: `sort-${String(sort['name']).replace('sort-', '')}` } }) };
};
const indexes: Arbitrary<Json | undefined> = maybe(
  fc.uniqueArray(
    fc.stringMatching(/^[a-z]{3,8}$/).map(name => ({ name: `by-${name}`, partitionKey: { name: `of-${name}`, type: 'S' }, projection: 'KeysOnly' })),
    { selector: index => index.name, minLength: 1, maxLength: 2 },
  ),
);
const table: Told = {
  type: 'aws/dynamodb-table',
  suit: fitTable,
  base: { partitionKey: { name: 'id', type: 'S' }, tags: { team: 'shop' } },
  rich: {
    partitionKey: { name: 'customer', type: 'S' },
    sortKey: { name: 'sort-placed', type: 'N' },
    globalIndexes: [{ name: 'by-state', partitionKey: { name: 'state', type: 'S' } }],
    ttlAttribute: 'expires',
    pointInTimeRecovery: true,
    tags: { team: 'shop' },
  },
  mutable: [
    { path: 'pointInTimeRecovery', value: true, other: false },
    { path: 'tableClass', value: 'StandardInfrequentAccess', other: 'Standard' },
  ],
  immutable: { path: 'partitionKey', value: { name: 'other', type: 'S' } },
  unset: { path: 'ttlAttribute', value: 'until', outcome: 'taken away' },
  part: 'ttlAttribute',
  generate: {
    partitionKey: keys,
    sortKey: maybe(keys),
    localIndexes: fc.constant(undefined),
    globalIndexes: indexes,
    readCapacity: maybe(fc.integer({ min: 1, max: 100 })),
    writeCapacity: maybe(fc.integer({ min: 1, max: 100 })),
    kmsKey: fc.constant(undefined),
    stream: fc.constant(undefined),
    deletionProtection: fc.constant(undefined),
    ttlAttribute: maybe(fc.stringMatching(/^[a-z]{1,10}$/)),
  },
};

const filters: Arbitrary<Json | undefined> = maybe(
  fc.uniqueArray(fc.stringMatching(/^[a-z]{1,10}$/), { minLength: 1, maxLength: 3 }).map(kinds => ({ kind: kinds })),
);
const NO_TOPIC = 'arn:aws:sns:us-east-1:000000000000:nowhere';
/** Endpoints are not looked at when something is subscribed; the topic is. */
const fitSubscription: Fit = (spec, { topic: arn, account }) => ({
  ...(spec['filterPolicy'] === undefined ? without(spec, 'filterPolicyScope') : spec),
  topic: spec['topic'] === NO_TOPIC ? NO_TOPIC : arn,
  protocol: 'sqs',
  endpoint: String(spec['endpoint']).replace('000000000000', account),
});
const subscription: Told = {
  type: 'aws/sns-subscription',
  suit: fitSubscription,
  base: { topic: '', endpoint: 'arn:aws:sqs:us-east-1:000000000000:orders' },
  rich: { topic: '', endpoint: 'arn:aws:sqs:us-east-1:000000000000:orders', filterPolicy: { kind: ['created'] }, filterPolicyScope: 'MessageBody' },
  mutable: [
    { path: 'rawDelivery', value: true, other: false },
    { path: 'filterPolicy.kind', value: ['one'], other: ['two'] },
  ],
  immutable: { path: 'endpoint', value: 'arn:aws:sqs:us-east-1:000000000000:others' },
  unset: { path: 'filterPolicy', value: { kind: ['outside'] }, outcome: 'taken away' },
  part: 'filterPolicy',
  generate: {
    topic: fc.constant('arn:'),
    protocol: fc.constant('sqs'),
    endpoint: anArn('sqs'),
    filterPolicy: filters,
    deadLetterArn: maybe(anArn('sqs')),
    deliveryPolicy: fc.constant(undefined),
  },
};

/** The five types on one emulator. `accepts`: types for which it takes a reference to nothing. */
export function awsSubjects(emulator: Emulator, accepts: readonly string[]): Subject[] {
  return [queue, topic, subscription, bucket, table].map(told => subjectOf(emulator, told, accepts));
}

const DANGLING: Readonly<Record<string, JsonObject>> = {
  'aws/sqs-queue': { deadLetter: { arn: NOWHERE, maxReceives: 3 } },
  'aws/sns-subscription': { topic: NO_TOPIC },
  'aws/dynamodb-table': { kmsKey: 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000' },
};

function subjectOf({ name, endpoint, leftOut = {}, engineTriedBy }: Emulator, { type: typeName, suit, ...told }: Told, accepts: readonly string[]): Subject {
  const type = localstack.types.find(item => item.type === typeName) as ResourceType;
  const dangling = DANGLING[typeName];
  return {
    ...told,
    ...(engineTriedBy === undefined ? {} : { engineTriedBy: `${typeName} on ${engineTriedBy}` }),
    title: `${typeName} on ${name}`,
    provider: localstack,
    type,
    open: () => awsGround({ endpoint, type, suit: (spec, furniture) => suit(without(spec, ...(leftOut[typeName] ?? [])), furniture) }),
    dangling: dangling === undefined ? 'none' : accepts.includes(typeName) ? { accepted: dangling } : { refused: dangling },
  };
}
