/** Provider `aws`: SQS, SNS, S3 and DynamoDB, on AWS itself or an interface endpoint of it. */
import { provider } from '../../src/sdk.ts';
import { type AwsClient, close, connect, scopeOf } from './client.ts';
import { dynamodbTable } from './dynamodb-table.ts';
import { classify } from './errors.ts';
import { owned } from './owned.ts';
import { s3Bucket } from './s3-bucket.ts';
import { AwsSettings } from './settings.ts';
import { snsSubscription } from './sns-subscription.ts';
import { snsTopic } from './sns-topic.ts';
import { sqsQueue } from './sqs-queue.ts';

export { type AwsClient, close, connect, scopeOf } from './client.ts';
export { classify } from './errors.ts';
export { owned } from './owned.ts';
export { isForeign, parseEndpoint } from './settings.ts';

/** Every resource type of AWS; one line each. */
export const types = [sqsQueue, snsTopic, snsSubscription, s3Bucket, dynamodbTable];
/** A subscription has no tags: only those between a queue and a topic of ours are found. */
export const unsearchable = ['aws/sns-subscription'];
/** Far below the account limits of the control planes, which other tools of the account use too. */
export const rate = {
  callsPerSecond: 20,
  burst: 40,
  // DynamoDB API reference: TagResource and UntagResource five times a second and account, ListTagsOfResource ten times; rate and burst together.
  operations: {
    dynamodb: {
      TagResource: { callsPerSecond: 4, burst: 1 },
      UntagResource: { callsPerSecond: 4, burst: 1 },
      ListTagsOfResource: { callsPerSecond: 9, burst: 1 },
    },
  },
};

export const aws = provider<AwsSettings, AwsClient>({
  name: 'aws',
  description: 'Amazon Web Services: SQS, SNS, S3 and DynamoDB of one account and region.',
  settings: AwsSettings,
  types,
  unsearchable,
  rate,
  forgetful: () => false,
  connect: async settings => connect(settings),
  scope: scopeOf,
  close,
  classify: error => classify(error),
  owned,
});
