import { CreateTableCommand, DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, GetPublicAccessBlockCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { CreateQueueCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { expect, test } from 'vitest';
import { account, type Emulator, ENDPOINT_VARIABLE, localStack, miniStack, part, parts, SWITCH_VARIABLE } from './emulators.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

function settings(endpoint: string, accessKeyId: string) {
  return { endpoint, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey: 'test' }, forcePathStyle: true, maxAttempts: 1 };
}

async function exerciseEveryService({ endpoint }: Emulator): Promise<void> {
  const [mine, other] = [account(), account()];
  const config = settings(endpoint, mine);
  expect((await new STSClient(config).send(new GetCallerIdentityCommand({}))).Account).toBe(mine);
  const queue = await new SQSClient(config).send(new CreateQueueCommand({ QueueName: 'orders' }));
  expect(new URL(queue.QueueUrl ?? '').pathname).toContain(mine);
  expect((await new SQSClient(settings(endpoint, other)).send(new ListQueuesCommand({}))).QueueUrls ?? []).toEqual([]);
  expect((await new SNSClient(config).send(new CreateTopicCommand({ Name: 'events' }))).TopicArn).toContain(`:${mine}:events`);
  const bucket = `bucket-${mine}`;
  await new S3Client(config).send(new CreateBucketCommand({ Bucket: bucket }));
  await new S3Client(config).send(new HeadBucketCommand({ Bucket: bucket }));
  const dynamo = new DynamoDBClient(config);
  await dynamo.send(
    new CreateTableCommand({
      TableName: 'items',
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    }),
  );
  expect((await dynamo.send(new DescribeTableCommand({ TableName: 'items' }))).Table?.TableStatus).toBe('ACTIVE');
}

test.skipIf(!part('ministack').available)('MiniStack serves the five services, an account per access key', { timeout: 60_000 }, async () => {
  await exerciseEveryService(await miniStack());
});

test.skipIf(!part('localstack').available)('LocalStack serves the five services, an account per access key', { timeout: 240_000 }, async () => {
  const emulator = await localStack();
  await exerciseEveryService(emulator);
  const s3 = new S3Client(settings(emulator.endpoint, account()));
  await s3.send(new CreateBucketCommand({ Bucket: 'strict-defaults' }));
  const access = await s3.send(new GetPublicAccessBlockCommand({ Bucket: 'strict-defaults' }));
  expect(Object.values(access.PublicAccessBlockConfiguration ?? {})).toEqual([true, true, true, true]);
});

test('a part that is switched off says so, and is missed in CI only if nobody switched it off', () => {
  const before = { ...process.env };
  try {
    Object.assign(process.env, { CI: 'true' });
    for (const variable of Object.values(SWITCH_VARIABLE)) process.env[variable] = 'off';
    expect(parts().map(({ name, available, reason }) => [name, available, reason])).toEqual([
      ['ministack', false, 'switched off by PLINTH_TEST_MINISTACK'],
      ['localstack', false, 'switched off by PLINTH_TEST_LOCALSTACK'],
      ['kubernetes', false, 'switched off by PLINTH_TEST_KUBERNETES'],
      ['helm3', false, 'switched off by PLINTH_TEST_HELM3'],
      ['helm4', false, 'switched off by PLINTH_TEST_HELM4'],
      ['node', false, 'switched off by PLINTH_TEST_NODE'],
    ]);
    for (const name of [...Object.values(SWITCH_VARIABLE), ...Object.values(ENDPOINT_VARIABLE), 'KUBEBUILDER_ASSETS']) delete process.env[name];
    Object.assign(process.env, { PLINTH_CACHE: '/nonexistent', PATH: '/nonexistent', PYENV_ROOT: '/nonexistent' });
    expect(() => parts()).toThrow(/ministack is missing in CI: no Python 3\.10.*\nlocalstack is missing in CI: Python 3\.12 or 3\.13 is missing/);
    expect(() => parts()).toThrow(/\nkubernetes is missing in CI: openssl is missing.*\nhelm3 is missing in CI: helm3 not installed\. Run /);
    process.env['CI'] = 'false';
    expect(parts().every(({ available }) => !available)).toBe(true);
  } finally {
    process.env = before;
  }
});

test('accounts are twelve digits, and never the account that stands for none', () => {
  const made = Array.from({ length: 200 }, account);
  expect(made.every(id => /^[1-9]\d{11}$/.test(id))).toBe(true);
  expect(new Set(made).size).toBe(200);
});
