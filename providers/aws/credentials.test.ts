import { afterEach, describe, expect, it, vi } from 'vitest';
import { sqs } from './client.ts';
import { credentialsOf } from './credentials.ts';
import { trial } from './trial.ts';

afterEach(() => vi.unstubAllEnvs());

describe('credentialsOf', () => {
  it('takes the environment without a word, and nothing of it for a foreign endpoint', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAENVIRONMENT');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'from-environment');
    expect(await credentialsOf({ region: 'eu-west-1' })()).toMatchObject({ accessKeyId: 'AKIAENVIRONMENT' });
    expect(await credentialsOf({ region: 'eu-west-1', endpoint: 'http://127.0.0.1:1' })()).toEqual({ accessKeyId: 'test', secretAccessKey: 'test' });
  });

  it('hands over the keys of a Secret', async () => {
    const credentials = { from: 'Secret', accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' } as const;
    expect(await credentialsOf({ region: 'eu-west-1', credentials })()).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' });
  });

  it('says InvalidCredentials when there are none, and looks again the next time', async () => {
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', '/nowhere/token');
    const t = trial('https://sqs.eu-west-1.amazonaws.com', 'x', {
      credentials: { from: 'WebIdentity', roleArn: 'arn:aws:iam::111122223333:role/r', tokenFile: '/nowhere/token' },
    });
    for (let i = 0; i < 2; i++)
      await expect(sqs(t.context(), 'GetQueueUrl', { QueueName: 'orders' })).rejects.toMatchObject({ retry: 'waiting', code: 'InvalidCredentials' });
  });
});
