import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import type { Answer } from './answers.ts';

/** The emulator behind the proxy. */
export interface Upstream {
  readonly url: URL;
  readonly agent: Agent;
}

/** A request as it goes to the emulator. */
export interface Outgoing {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const ANSWER_MS = 60_000;
/** Hop-by-hop, or no longer true once the body was read whole. */
const DROPPED_REQUEST_HEADERS = ['accept-encoding', 'connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding'];
const DROPPED_ANSWER_HEADERS = ['connection', 'keep-alive', 'transfer-encoding', 'x-amz-crc32'];

/** Connections are kept: the servers close idle ones after 5 s, so we let go of them before that. */
export function openUpstream(endpoint: string): Upstream {
  return { url: new URL(endpoint), agent: new Agent({ keepAlive: true, maxSockets: 128, timeout: 2_500 }) };
}

/** Sends one request and reads the whole answer. Rejects when the connection breaks or nothing came within 60 s. */
export async function send(upstream: Upstream, outgoing: Outgoing): Promise<Answer> {
  try {
    return await sendOnce(upstream, outgoing);
  } catch (error) {
    // A kept connection that the server closed just now: the request was never read, as Node's documentation on reusedSocket says.
    if ((error as { onClosedConnection?: boolean }).onClosedConnection) return sendOnce(upstream, outgoing);
    throw error;
  }
}

function sendOnce({ url, agent }: Upstream, { method, path, headers, body }: Outgoing): Promise<Answer> {
  const outgoing: OutgoingHttpHeaders = { ...without(headers, DROPPED_REQUEST_HEADERS), 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const call = request({ host: url.hostname, port: url.port, method, path, headers: outgoing, agent, signal: AbortSignal.timeout(ANSWER_MS) });
    call.once('error', (error: NodeJS.ErrnoException) => {
      reject(Object.assign(error, { onClosedConnection: call.reusedSocket && error.code === 'ECONNRESET' }));
    });
    call.once('response', answer => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 502, headers: without(answer.headers, DROPPED_ANSWER_HEADERS), body: Buffer.concat(chunks) }),
      );
    });
    call.end(body);
  });
}

function without(headers: IncomingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
