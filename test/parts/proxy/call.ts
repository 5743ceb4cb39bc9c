import type { IncomingHttpHeaders } from 'node:http';
import { s3Operation } from './s3-operations.ts';

/** One call an SDK client made through the proxy. */
export interface Call {
  /** Counted from 0 in the order of arrival, retries included. */
  readonly index: number;
  /** From the credential scope of the signature: `sqs`, `sns`, `s3`, `dynamodb`, `sts`, `tagging`; `unknown` for an unsigned call. */
  readonly service: string;
  /** As the SDK names it: `CreateQueue`, `PutBucketPolicy`. */
  readonly operation: string;
  readonly mutating: boolean;
  /** The access key id, which emulators take for the account. */
  readonly account: string;
  readonly region: string;
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  /** The bare name of the queue, topic, bucket, table or role the call is about, where it can be told. */
  readonly target: string | undefined;
  /** The JSON body, or the form fields of a query protocol call, or the query of an S3 call. */
  readonly input: Record<string, unknown>;
  /** What the client got; undefined while the call runs and when the connection was broken instead. */
  status: number | undefined;
  /** What the emulator answered; undefined when the call did not reach it. */
  upstreamStatus: number | undefined;
  /** Milliseconds of the wall clock. */
  readonly startedAt: number;
  endedAt: number | undefined;
}

/** Which calls are meant; an absent field means any. */
export interface CallFilter {
  readonly service?: string;
  readonly operation?: string | readonly string[];
  readonly target?: string;
  readonly mutating?: boolean;
  readonly index?: number;
  readonly account?: string;
}

/** Whether `call` is one of those `filter` means. */
export function matches(call: Call, filter: CallFilter): boolean {
  const operations = typeof filter.operation === 'string' ? [filter.operation] : filter.operation;
  if (operations && !operations.includes(call.operation)) return false;
  const fields = ['service', 'target', 'mutating', 'index', 'account'] as const;
  return fields.every(field => filter[field] === undefined || filter[field] === call[field]);
}

/** Reads from a request what it is about. Never throws: what cannot be told is `unknown`, empty or undefined. */
export function identify(index: number, method: string, path: string, headers: IncomingHttpHeaders, body: Buffer): Call {
  const url = new URL(path, 'http://proxy');
  const scope = credentialScope(headers, url);
  const { operation, input } = readOperation(scope.service, method, url, headers, body);
  return {
    ...scope,
    index,
    operation,
    mutating: isMutating(operation),
    method,
    path,
    target: scope.service === 's3' ? url.pathname.split('/')[1] || undefined : targetOf(input),
    input,
    status: undefined,
    upstreamStatus: undefined,
    startedAt: Date.now(),
    endedAt: undefined,
  };
}

function credentialScope(headers: IncomingHttpHeaders, url: URL): { account: string; region: string; service: string } {
  const signed = /Credential=([^,\s]+)/.exec(headers.authorization ?? '')?.[1] ?? url.searchParams.get('X-Amz-Credential') ?? '';
  const [account = '', , region = '', service = 'unknown'] = signed.split('/');
  return { account, region, service };
}

function readOperation(
  service: string,
  method: string,
  url: URL,
  headers: IncomingHttpHeaders,
  body: Buffer,
): { operation: string; input: Record<string, unknown> } {
  const jsonTarget = headers['x-amz-target'];
  if (typeof jsonTarget === 'string') return { operation: jsonTarget.slice(jsonTarget.lastIndexOf('.') + 1), input: parseJson(body) };
  if (service === 's3') {
    return { operation: s3Operation(method, url, headers['x-amz-copy-source'] !== undefined), input: Object.fromEntries(url.searchParams) };
  }
  const form = new URLSearchParams(body.toString('utf8'));
  return { operation: form.get('Action') ?? url.searchParams.get('Action') ?? 'unknown', input: Object.fromEntries(form) };
}

function parseJson(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8') || '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isMutating(operation: string): boolean {
  if (/^(Get|List|Describe|Head|Check|Query|Scan|BatchGet|TransactGet|Simulate)/.test(operation)) return false;
  return !['AssumeRole', 'AssumeRoleWithWebIdentity', 'AssumeRoleWithSAML', 'DecodeAuthorizationMessage', 'unknown'].includes(operation);
}

/** The first of these fields that a call has names its thing; of an ARN or URL the last part counts. */
const TARGET_FIELDS = [
  'QueueName',
  'QueueUrl',
  'TopicArn',
  'SubscriptionArn',
  'TableName',
  'ResourceArn',
  'ResourceARN',
  'Name',
  'RoleName',
  'PolicyName',
  'UserName',
];

function targetOf(input: Record<string, unknown>): string | undefined {
  const field = TARGET_FIELDS.find(name => typeof input[name] === 'string');
  if (!field) return undefined;
  const value = String(input[field]);
  if (field === 'QueueUrl') return value.slice(value.lastIndexOf('/') + 1);
  if (!value.startsWith('arn:')) return value;
  const resource = value.split(':').slice(5).join(':');
  return resource.slice(resource.indexOf('/') + 1);
}
