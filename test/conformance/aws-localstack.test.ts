/** The conformance kit over the AWS types on LocalStack, the stricter of the two emulators. */
import { test } from 'vitest';
import { conformance } from '../conformance.ts';
import { localStack, part } from '../parts/emulators.ts';
import { awsSubjects } from './aws-subjects.ts';

// A stream starts Kinesis inside LocalStack, which it would have to download (providers/localstack/limits.ts).
const leftOut = { 'aws/dynamodb-table': ['stream'] };
const { available, reason, cure } = part('localstack');
if (available) {
  const { endpoint } = await localStack();
  const emulator = { name: 'localstack', endpoint, leftOut, engineTriedBy: 'ministack' };
  for (const subject of awsSubjects(emulator, ['aws/sqs-queue', 'aws/dynamodb-table'])) conformance(subject);
} else {
  test.skip(`LocalStack is not here: ${reason}. ${cure}`);
}
