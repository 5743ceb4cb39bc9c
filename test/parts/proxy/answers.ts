import { randomUUID } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { Call } from './call.ts';

/** An HTTP answer, of the emulator or made up here. */
export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** What a service says when it throttles: [code, HTTP status]. */
const THROTTLES: Readonly<Record<string, readonly [string, number]>> = {
  sqs: ['RequestThrottled', 400],
  dynamodb: ['ThrottlingException', 400],
  tagging: ['ThrottledException', 400],
  sns: ['Throttling', 400],
  sts: ['Throttling', 400],
  iam: ['Throttling', 400],
  s3: ['SlowDown', 503],
};

/** The namespace of the error names in the JSON protocol, and the query-protocol code that SQS sends in a header beside it. */
const JSON_SERVICES: Readonly<Record<string, string>> = {
  sqs: 'com.amazonaws.sqs',
  dynamodb: 'com.amazonaws.dynamodb.v20120810',
  tagging: 'com.amazonaws.resourcegroupstaggingapi',
  kms: 'com.amazonaws.kms',
};
const SQS_QUERY_CODES: Readonly<Record<string, string>> = {
  QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue',
  QueueDeletedRecently: 'AWS.SimpleQueueService.QueueDeletedRecently',
  QueueNameExists: 'QueueAlreadyExists',
};

/** The answer of a service that has had too many calls, in its own protocol and with its own code. */
export function throttleAnswer(call: Call): Answer {
  const [code, status] = THROTTLES[call.service] ?? ['ThrottlingException', 400];
  return errorAnswer(call, status, code, 'Rate exceeded');
}

/** An answer with a 5xx status. */
export function serverErrorAnswer(call: Call, status = 500): Answer {
  if (status === 503) return errorAnswer(call, status, 'ServiceUnavailable', 'Service is unavailable, please try again');
  return errorAnswer(call, status, call.service === 'dynamodb' ? 'InternalServerError' : 'InternalError', 'We encountered an internal error, please try again');
}

/** An error in the wire protocol of the call's service: JSON 1.0, query XML or S3 XML. A HEAD answer has no body, so only the status arrives. */
export function errorAnswer(call: Call, status: number, code: string, message: string): Answer {
  const requestId = randomUUID();
  const space = JSON_SERVICES[call.service];
  if (space) {
    const headers: OutgoingHttpHeaders = { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': requestId };
    if (call.service === 'sqs') headers['x-amzn-query-error'] = `${SQS_QUERY_CODES[code] ?? code};${status < 500 ? 'Sender' : 'Receiver'}`;
    return { status, headers, body: Buffer.from(JSON.stringify({ __type: `${space}#${code}`, message })) };
  }
  const error = `<Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message>`;
  if (call.service === 's3') {
    const body = call.method === 'HEAD' ? '' : `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${error}<RequestId>${requestId}</RequestId></Error>`;
    return { status, headers: { 'content-type': 'application/xml', 'x-amz-request-id': requestId }, body: Buffer.from(body) };
  }
  const type = `<Type>${status < 500 ? 'Sender' : 'Receiver'}</Type>`;
  const body = `<ErrorResponse><Error>${type}${error}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
  return { status, headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body: Buffer.from(body) };
}

/** A successful answer of the JSON protocol. */
export function jsonAnswer(value: unknown): Answer {
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': randomUUID() };
  return { status: 200, headers, body: Buffer.from(JSON.stringify(value)) };
}

/** The body of a JSON answer; an empty object when there is none. */
export function jsonOf(answer: Answer): Record<string, unknown> {
  const text = answer.body.toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** The same answer with another JSON body. */
export function withJson(answer: Answer, value: unknown): Answer {
  return { ...answer, body: Buffer.from(JSON.stringify(value)) };
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
