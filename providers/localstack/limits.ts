/** What emulators cannot do, as data. A row with a field takes it out of desired and comparison; one without is there to be known. */

/** Which emulator answers at the endpoint; `unknown` is anything else that speaks AWS's language. */
export type Kind = 'ministack' | 'localstack' | 'unknown';
/** One limit. `found`: the version it was tried on. */
export interface Limit {
  readonly emulator: Kind;
  readonly type: string;
  readonly field?: string;
  readonly happens: string;
  readonly found: string;
}

const MINISTACK = 'tried on MiniStack 1.5.33';
const LOCALSTACK = 'tried on LocalStack 4.14.0';

export const limits: readonly Limit[] = [
  { emulator: 'ministack', type: 'aws/sqs-queue', happens: 'A name is free at once after deletion; AWS keeps it for 60 s.', found: MINISTACK },
  {
    emulator: 'ministack',
    type: 'aws/sns-topic',
    happens: 'CreateTopic of a topic with other attributes or tags answers ok and changes nothing.',
    found: MINISTACK,
  },
  { emulator: 'ministack', type: 'aws/s3-bucket', happens: 'A new bucket has no public access block; it is set by an update.', found: MINISTACK },
  { emulator: 'ministack', type: 'aws/s3-bucket', happens: 'A malformed bucket policy is accepted.', found: MINISTACK },
  { emulator: 'ministack', type: 'aws/dynamodb-table', happens: 'Tables and indexes are ACTIVE at once.', found: MINISTACK },
  { emulator: 'ministack', type: 'aws/dynamodb-table', happens: 'A KMS key that does not exist is accepted.', found: MINISTACK },
  { emulator: 'localstack', type: 'aws/sqs-queue', happens: 'A name is free at once after deletion; AWS keeps it for 60 s.', found: LOCALSTACK },
  {
    emulator: 'localstack',
    type: 'aws/sqs-queue',
    happens: 'Values out of range and a dead letter queue that does not exist are accepted.',
    found: LOCALSTACK,
  },
  {
    emulator: 'localstack',
    type: 'aws/sns-subscription',
    happens: 'A dead letter queue cannot be taken away (500); the subscription is made anew without it.',
    found: LOCALSTACK,
  },
  {
    emulator: 'localstack',
    type: 'aws/sns-subscription',
    happens: 'ListSubscriptionsByTopic answers 500 now and then while others subscribe to the topic or leave it; it is asked again.',
    found: LOCALSTACK,
  },
  {
    emulator: 'localstack',
    type: 'aws/sns-subscription',
    happens: 'Two Subscribes for the same endpoint that come at the same moment make two subscriptions; AWS makes one.',
    found: LOCALSTACK,
  },
  { emulator: 'localstack', type: 'aws/s3-bucket', happens: "HeadBucket of another account's bucket answers 200.", found: LOCALSTACK },
  {
    emulator: 'localstack',
    type: 'aws/dynamodb-table',
    field: 'kmsKey',
    happens: 'UpdateTable answers ok to a KMS key and leaves the table as it was.',
    found: LOCALSTACK,
  },
  {
    emulator: 'localstack',
    type: 'aws/dynamodb-table',
    happens: 'A stream starts Kinesis inside LocalStack, which is downloaded at first use: without network the call hangs.',
    found: LOCALSTACK,
  },
  {
    emulator: 'localstack',
    type: 'aws/dynamodb-table',
    happens: 'ListTagsOfResource of a table that is gone answers no tags; nothing is said to have lost its marks before a second look.',
    found: LOCALSTACK,
  },
  {
    emulator: 'localstack',
    type: 'aws/sns-topic',
    happens: 'ListTagsForResource of a topic that is gone answers no tags; nothing is said to have lost its marks before a second look.',
    found: LOCALSTACK,
  },
];

/** By type: the fields that this emulator cannot do. */
export function unsupportedFields(kind: Kind): Record<string, string[]> {
  const result: Record<string, string[]> = {};
  for (const { emulator, type, field } of limits) {
    if (emulator !== kind || field === undefined) continue;
    result[type] = [...(result[type] ?? []), field];
  }
  return result;
}
