import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { Identity, Server } from './kubeconfig.ts';

/** What an API server answered: the status, and the body as JSON where it is some. */
export interface KubeAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every kind
  readonly body: any;
}

const ANSWER_MS = 120_000;

/**
 * One plain call to an API server, for tests that look at it from outside. `body` is sent as JSON, with the content type of the patch if given.
 * Rejects when the connection breaks or nothing came within two minutes; a status that says no is an answer.
 */
export function callKube(
  server: Server,
  identity: Identity,
  method: string,
  path: string,
  body?: unknown,
  contentType = 'application/json',
): Promise<KubeAnswer> {
  const credentials =
    identity === undefined ? {} : 'certificate' in identity ? keyPairOf(identity) : { headers: { authorization: `Bearer ${identity.token}` } };
  const { headers = {}, ...tls } = { headers: undefined, ...credentials };
  const options = { method, ca: readFileSync(server.caFile), ...tls, agent: false, timeout: ANSWER_MS };
  return new Promise((resolve, reject) => {
    const call = request(new URL(path, server.url), { ...options, headers: { ...headers, ...(body === undefined ? {} : { 'content-type': contentType }) } });
    call.once('error', reject);
    call.once('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within ${ANSWER_MS / 1000} s`)));
    call.once('response', answer => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: parsed(Buffer.concat(chunks)) }));
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function keyPairOf({ certificate }: Extract<Identity, { certificate: unknown }>): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) };
}

function parsed(content: Buffer): unknown {
  const text = content.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
