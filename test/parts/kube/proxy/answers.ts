import type { Answer } from '../../proxy/answers.ts';

/** The statuses with which an API server refuses, as a client meets them. */
export type Refusal = 403 | 404 | 409 | 410 | 429 | 500 | 503 | 504;

const REASONS: Readonly<Record<Refusal, readonly [reason: string, message: string]>> = {
  403: ['Forbidden', 'forbidden by the test'],
  404: ['NotFound', 'not found, says the test'],
  409: ['Conflict', 'the object has been modified; please apply your changes to the latest version and try again'],
  410: ['Expired', 'The resourceVersion for the provided watch is too old.'],
  429: ['TooManyRequests', 'the server has received too many requests and has asked us to try again later'],
  500: ['InternalError', 'Internal error occurred: the test said so'],
  503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  504: ['Timeout', 'Timeout: request did not complete within requested timeout'],
};

/** A Status object, the body of every refusal. */
export function statusObject(code: Refusal, retryAfterSeconds?: number): Record<string, unknown> {
  const [reason, message] = REASONS[code];
  const details = retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, ...details, code };
}

/** A refusal as an answer; with `retryAfterSeconds` it says when to come again. */
export function refusal(code: Refusal, retryAfterSeconds?: number): Answer {
  const retry = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  return { status: code, headers: { 'content-type': 'application/json', ...retry }, body: Buffer.from(JSON.stringify(statusObject(code, retryAfterSeconds))) };
}

/** The line of a watch that says its resourceVersion is too old. */
export function goneEvent(): string {
  return `${JSON.stringify({ type: 'ERROR', object: statusObject(410) })}\n`;
}
