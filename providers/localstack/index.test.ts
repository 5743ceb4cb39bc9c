import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { account, miniStack } from '../../test/parts/emulators.ts';
import { localstack } from './index.ts';
import { limits, unsupportedFields } from './limits.ts';

const settings = { region: 'us-east-1', accessKeyId: 'test', secretAccessKey: 'test', forgets: true };

describe('localstack', () => {
  it('connects to MiniStack and knows it', async () => {
    const { endpoint } = await miniStack();
    const accessKeyId = account();
    const client = await localstack.connect({ ...settings, endpoint, accessKeyId });
    expect(client).toMatchObject({ kind: 'ministack' });
    expect(await localstack.scope(client)).toBe(`aws:${accessKeyId}/us-east-1@${new URL(endpoint).host}`);
    expect(localstack.unsupported?.(client)).toEqual({});
    await localstack.close(client);
  });

  it('takes for unknown what has neither health page, and says so when nothing answers', async () => {
    const http = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
    await once(http, 'listening');
    const endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    expect(await localstack.connect({ ...settings, endpoint })).toMatchObject({ kind: 'unknown' });
    http.close();
    http.closeAllConnections();
    await expect(localstack.connect({ ...settings, endpoint })).rejects.toMatchObject({ code: 'Unreachable' });
  });

  it('refuses AWS itself', async () => {
    await expect(localstack.connect({ ...settings, endpoint: 'https://sqs.eu-west-1.amazonaws.com' })).rejects.toMatchObject({
      code: 'InvalidObject',
      path: 'endpoint',
    });
  });

  it('forgets unless told otherwise', () => {
    expect(localstack.forgetful({})).toBe(true);
    expect(localstack.forgetful({ forgets: false })).toBe(false);
  });
});

describe('limits', () => {
  it('name types and top-level fields that exist', () => {
    for (const { type, field } of limits) {
      const found = localstack.types.find(one => one.type === type);
      expect(found, type).toBeDefined();
      if (field !== undefined) expect(Object.keys(found!.spec.properties)).toContain(field);
    }
    expect(unsupportedFields('localstack')).toEqual({ 'aws/dynamodb-table': ['kmsKey'] });
  });
});
