import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQSClient, TagQueueCommand } from '@aws-sdk/client-sqs';
import { afterEach, expect, it, vi } from 'vitest';
import { EngineError } from '../../src/sdk.ts';
import { makeAuthority, makeCertificate } from '../../test/parts/kube/certificates.ts';
import { close, s3, sqs } from './client.ts';
import { openHandler } from './transport.ts';
import { trial } from './trial.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of ends.splice(0).reverse()) await end();
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}
async function plain(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  const port = await portOf(server);
  ends.push(() => server.closeAllConnections());
  return `http://127.0.0.1:${port}`;
}

/** A fence that lets everything pass until it is closed. */
function fence() {
  const self = { asked: 0, closed: false };
  const ask = (): void => {
    self.asked += 1;
    if (self.closed) throw new EngineError('LeaseLost', 'the lease is not held');
  };
  return { self, ask };
}
const CREATED = JSON.stringify({ QueueUrl: 'http://127.0.0.1/000000000000/q' });
const until = (isTrue: () => boolean) => expect.poll(isTrue, { timeout: 60_000 }).toBe(true);

it('asks the fence on a connection that stands: one that waits for a free connection while the lease ends does not leave', async () => {
  const waiting: ServerResponse[] = [];
  const seen: string[] = [];
  const t = trial(
    await plain((request, response) => {
      request.on('data', bytes => seen.push(String((JSON.parse(String(bytes)) as { QueueName: string }).QueueName)));
      waiting.push(response);
    }),
  );
  const { self, ask } = fence();
  const create = (name: string) => sqs({ ...t.context(), fence: ask }, 'CreateQueue', { QueueName: name });
  const first = Array.from({ length: 64 }, (_, index) => create(`q${index}`));
  await until(() => waiting.length === 64);
  const late = create('late');
  const failed = expect(late).rejects.toMatchObject({ code: 'LeaseLost' });
  await new Promise(resolve => setTimeout(resolve, 50));
  self.closed = true;
  for (const response of waiting) response.end(CREATED);
  await Promise.all(first);
  await failed;
  expect(self.asked).toBe(65);
  self.closed = false;
  const again = create('again');
  await until(() => waiting.length === 65);
  waiting[64]!.end(CREATED);
  await again;
  expect(seen).not.toContain('late');
});

it('sends nothing when the lease ends during the handshake', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-tls-'));
  ends.push(() => rmSync(folder, { recursive: true }));
  const authority = await makeAuthority(folder, 'ca');
  const pair = await makeCertificate(folder, 'server', { authority, use: 'server', commonName: 'sqs', names: ['IP:127.0.0.1'] });
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  let requests = 0;
  const server = createTlsServer({ cert: readFileSync(pair.certFile), key: readFileSync(pair.keyFile) }, (_, response) => {
    requests += 1;
    response.end(CREATED);
  });
  const upstream = await portOf(server);
  ends.push(() => server.closeAllConnections());
  const held: Socket[] = [];
  const relay = createTcpServer({ pauseOnConnect: true }, socket => void held.push(socket));
  const t = trial(`https://127.0.0.1:${await portOf(relay)}`);
  const { self, ask } = fence();
  const create = expect(sqs({ ...t.context(), fence: ask }, 'CreateQueue', { QueueName: 'q' })).rejects.toMatchObject({ code: 'LeaseLost' });
  await until(() => held.length === 1);
  expect(self.asked).toBe(0);
  self.closed = true;
  const [socket] = held;
  const through = connect(upstream, '127.0.0.1');
  ends.push(
    () => through.destroy(),
    () => socket!.destroy(),
  );
  socket!.pipe(through).pipe(socket!);
  socket!.resume();
  await create;
  expect([self.asked, requests]).toEqual([1, 0]);
});

it('names what undici calls otherwise as Node and the SDK do', async () => {
  const dropping = trial(await plain(request => void request.socket.destroy()));
  await expect(sqs(dropping.context(), 'CreateQueue', { QueueName: 'q' })).rejects.toMatchObject({ message: 'SQS CreateQueue of q: ECONNRESET' });
  const endpoint = await plain(() => {});
  const requestHandler = openHandler({ connect: 100, answer: 100 });
  ends.push(() => requestHandler.destroy());
  const client = new SQSClient({ endpoint, region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1, requestHandler });
  const silent = client.send(new TagQueueCommand({ QueueUrl: `${endpoint}/q`, Tags: {} }));
  await expect(silent).rejects.toMatchObject({ name: 'TimeoutError' });
});

it('ends what waits when its client is closed, and does not send a read again then', async () => {
  let asked = 0;
  const t = trial(await plain(() => asked++));
  const failed = expect(sqs(t.context(), 'GetQueueUrl', { QueueName: 'q' })).rejects.toMatchObject({ code: 'Unreachable' });
  await until(() => asked === 1);
  await close(t.client);
  await failed;
  expect([asked, t.client.loaded.size]).toEqual([1, 0]);
});

it('sends a read again whose answer ended in the middle of a chunk', async () => {
  let asked = 0;
  const endpoint = await plain((_, response) => {
    if (asked++ > 0) return void response.end(CREATED);
    response.writeHead(200, { connection: 'close' });
    response.write('{"Queue');
    setTimeout(() => response.destroy(), 20);
  });
  await sqs(trial(endpoint).context(), 'GetQueueUrl', { QueueName: 'q' });
  expect(asked).toBe(2);
});

it('passes over hints before an answer', async () => {
  const endpoint = await plain((_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.end(CREATED);
  });
  await sqs(trial(endpoint).context(), 'CreateQueue', { QueueName: 'q' });
});

it('keeps the connections before which requests were given up', async () => {
  const waiting: ServerResponse[] = [];
  let connections = 0;
  const server = createServer((_, response) => waiting.push(response));
  server.on('connection', () => connections++);
  const t = trial(`http://127.0.0.1:${await portOf(server)}`);
  const create = (signal: AbortSignal) => sqs({ ...t.context(), signal }, 'CreateQueue', { QueueName: 'q' });
  const first = Array.from({ length: 64 }, () => create(AbortSignal.timeout(100_000)));
  await until(() => waiting.length === 64);
  const giving = new AbortController();
  const given = Promise.allSettled(Array.from({ length: 100 }, () => create(giving.signal)));
  await new Promise(resolve => setTimeout(resolve, 50));
  giving.abort();
  for (const response of waiting) response.end(CREATED);
  await Promise.all([...first, given]);
  const last = create(AbortSignal.timeout(100_000));
  await until(() => waiting.length === 65);
  waiting[64]!.end(CREATED);
  await last;
  expect(connections).toBe(64);
});

it('sends large bodies at once', async () => {
  const t = trial(
    await plain((request, response) => {
      request.resume();
      request.on('end', () => response.end('<DeleteResult/>'));
    }),
  );
  const Objects = Array.from({ length: 1_000 }, (_, index) => ({ Key: `${index}${'&'.repeat(430)}` }));
  await s3(t.context(), 'DeleteObjects', { Bucket: 'files', Delete: { Objects } });
});

it('lets many requests of one verb share a signal without a word', async () => {
  const warnings: string[] = [];
  const warn = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', warn);
  ends.push(() => process.off('warning', warn));
  const t = trial(await plain((_, response) => response.end(CREATED)));
  const context = t.context();
  await Promise.all(Array.from({ length: 30 }, (_, index) => sqs(context, 'CreateQueue', { QueueName: `q${index}` })));
  await new Promise(resolve => setImmediate(resolve));
  expect(warnings).toEqual([]);
});

it('keeps its connection after a HEAD', async () => {
  let connections = 0;
  const server = createServer((_, response) => response.end());
  server.on('connection', () => connections++);
  const t = trial(`http://127.0.0.1:${await portOf(server)}`);
  for (let turn = 0; turn < 10; turn++) await s3(t.context(), 'HeadBucket', { Bucket: 'files' });
  // One may still be busy with what came before.
  expect(connections).toBeLessThan(3);
});

it('sends paths and queries as they were signed', async () => {
  const paths: string[] = [];
  const t = trial(
    await plain((request, response) => {
      paths.push(request.url ?? '');
      response.end();
    }),
  );
  await s3(t.context(), 'HeadObject', { Bucket: 'files', Key: "a b/ü+(1)*'!&=?", VersionId: 'x y+z*' });
  expect(paths).toEqual(['/files/a%20b/%C3%BC%2B%281%29%2A%27%21%26%3D%3F?versionId=x%20y%2Bz%2A']);
});
