import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { account, miniStack } from '../../test/parts/emulators.ts';
import { close, s3, scopeOf, sqs } from './client.ts';
import { answer, failure, trial } from './trial.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function server(listener: RequestListener): Promise<string> {
  const http = createServer(listener).listen(0, '127.0.0.1');
  await once(http, 'listening');
  ends.push(
    () => http.close(),
    () => http.closeAllConnections(),
  );
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

describe('a connection', () => {
  it('says whom it reaches', async () => {
    const { endpoint } = await miniStack();
    const id = account();
    const t = trial(endpoint, id);
    expect(await scopeOf(t.client)).toBe(`aws:${id}/us-east-1@${new URL(endpoint).host}`);
    expect(await scopeOf(trial(endpoint, id, { instance: 'laptop', region: 'eu-west-1' }).client)).toBe(`emulator:laptop:${id}/eu-west-1`);
    await close(t.client);
  });

  it('has one account where there is no STS, and asks again where nothing was answered', async () => {
    const t = trial('http://127.0.0.1:1');
    await expect(scopeOf(t.client)).rejects.toMatchObject({ code: 'Unreachable' });
    await answer(t, 'sts', () => {
      throw failure('InvalidAction');
    });
    expect(await scopeOf(t.client)).toBe('aws:000000000000/us-east-1@127.0.0.1:1');
  });

  it('tries a read three times when its connection is dropped, and a write once', async () => {
    let requests = 0;
    const endpoint = await server(request => {
      requests++;
      request.socket.resetAndDestroy();
    });
    const t = trial(endpoint);
    await expect(sqs(t.context(), 'GetQueueUrl', { QueueName: 'orders' })).rejects.toMatchObject({
      code: 'Unreachable',
      message: 'SQS GetQueueUrl of orders: ECONNRESET',
    });
    expect(requests).toBe(3);
    expect(t.counted()).toBe(3);
    await expect(sqs(t.context(), 'CreateQueue', { QueueName: 'orders' })).rejects.toMatchObject({ code: 'Unreachable' });
    expect(requests).toBe(4);
  });

  it('tries a read three times when it is throttled or fails on the other side, and a write once', async () => {
    for (const [status, code] of [
      [503, 'ServiceError'],
      [429, 'Throttled'],
    ] as const) {
      const t = trial(await server((_, response) => response.writeHead(status).end()));
      await expect(s3(t.context(), 'GetBucketPolicy', { Bucket: 'files' })).rejects.toMatchObject({ code });
      expect(t.counted()).toBe(3);
      await expect(s3(t.context(), 'CreateBucket', { Bucket: 'files' })).rejects.toMatchObject({ code });
      expect(t.counted()).toBe(1);
    }
  });

  it('ends with the signal: a deadline is Timeout, the end of the run Aborted', async () => {
    const t = trial(await server(() => {}));
    const with_ = (signal: AbortSignal) => sqs({ ...t.context(), signal }, 'GetQueueUrl', { QueueName: 'orders' });
    await expect(with_(AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'Timeout', message: 'SQS GetQueueUrl of orders: no answer in time' });
    await expect(with_(AbortSignal.abort())).rejects.toMatchObject({ code: 'Aborted' });
  });

  it('survives answers that are no XML and no JSON', async () => {
    const t = trial(await server((_, response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>')));
    await expect(sqs(t.context(), 'GetQueueUrl', { QueueName: 'orders' })).rejects.toMatchObject({ code: 'ServiceError' });
  });
});
