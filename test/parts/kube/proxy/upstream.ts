import { readFileSync } from 'node:fs';
import type { Agent, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request, Agent as TlsAgent } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Answer } from '../../proxy/answers.ts';
import type { KeyPair } from '../certificates.ts';
import type { Server } from '../kubeconfig.ts';

/** The API server behind the proxy. */
export interface KubeUpstream {
  readonly url: URL;
  /** For callers who prove themselves by a token. */
  readonly plain: TlsAgent;
  /** Shows the proxy's own certificate, with which it may say whom it speaks for. */
  readonly trusted: TlsAgent;
}

/** A request as it goes to the API server. */
export interface KubeOutgoing {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Of the client's certificate, which ends at the proxy; undefined when it showed none. */
  readonly user: User | undefined;
}

/** As a client certificate names it. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Longer than the API server lets a call run that is no watch. */
const ANSWER_MS = 90_000;
/** Hop-by-hop, no longer true once the body was read whole, or not for a client to say. */
const DROPPED_REQUEST_HEADERS = /^(accept-encoding|connection|content-length|expect|keep-alive|transfer-encoding|x-remote-.*)$/;
const DROPPED_ANSWER_HEADERS = /^(connection|content-length|keep-alive|transfer-encoding)$/;

/** Connections are kept. `pair` is the proxy's own certificate, of the authority that the API server trusts for that. */
export function openUpstream(server: Server, pair: KeyPair): KubeUpstream {
  const ca = readFileSync(server.caFile);
  const options = { keepAlive: true, ca };
  const trusted = new TlsAgent({ ...options, cert: readFileSync(pair.certFile), key: readFileSync(pair.keyFile) });
  return { url: new URL(server.url), plain: new TlsAgent(options), trusted };
}

/** Ends the connections. */
export function closeUpstream({ plain, trusted }: KubeUpstream): void {
  for (const agent of [plain, trusted] satisfies Agent[]) agent.destroy();
}

/** Whom the client's certificate names; undefined without a certificate of our authority. */
export function userOf(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  // A session taken up again counts as authorized even where no certificate was ever shown.
  const { CN, O } = (socket.getPeerCertificate().subject ?? {}) as { CN?: string | string[]; O?: string | string[] };
  const name = [CN].flat()[0];
  return name === undefined ? undefined : { name, groups: [O].flat().filter(group => group !== undefined) };
}

/** Sends one request; settles when the head of the answer is there. For a stream (no time limit) the caller ends it by destroying the answer. */
export async function open(upstream: KubeUpstream, outgoing: KubeOutgoing, isStream: boolean): Promise<IncomingMessage> {
  try {
    return await openOnce(upstream, outgoing, isStream);
  } catch (error) {
    // A kept connection that the server closed just now: the request was never read, as Node's documentation on reusedSocket says.
    if ((error as { onClosedConnection?: boolean }).onClosedConnection) return openOnce(upstream, outgoing, isStream);
    throw error;
  }
}

/** The whole of an answer. Rejects when the connection breaks. */
export async function whole(answer: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode ?? 502, headers: without(answer.headers, DROPPED_ANSWER_HEADERS), body: Buffer.concat(chunks) };
}

function openOnce({ url, plain, trusted }: KubeUpstream, outgoing: KubeOutgoing, isStream: boolean): Promise<IncomingMessage> {
  const { method, path, body, user } = outgoing;
  const hasToken = outgoing.headers.authorization !== undefined;
  const headers: OutgoingHttpHeaders = { ...without(outgoing.headers, DROPPED_REQUEST_HEADERS), 'content-length': body.length };
  if (user && !hasToken) Object.assign(headers, { 'x-remote-user': user.name, 'x-remote-group': [...user.groups] });
  const limit = isStream ? {} : { signal: AbortSignal.timeout(ANSWER_MS) };
  const options = { host: url.hostname, port: url.port, method, path, headers, agent: user && !hasToken ? trusted : plain, ...limit };
  return new Promise((resolve, reject) => {
    const call = request(options);
    call.on('error', (error: NodeJS.ErrnoException) => {
      reject(Object.assign(error, { onClosedConnection: call.reusedSocket && error.code === 'ECONNRESET' }));
    });
    call.once('response', resolve);
    call.end(body);
  });
}

function without(headers: IncomingHttpHeaders, names: RegExp): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.test(name)));
}
