/** What a failed call to the API server means for an object: by status and reason of the answer, never by its text. */
import { type ApiFailure, failureOf } from '../../src/kube/failure.ts';
import { EngineError, type ErrorCode, isError } from '../../src/sdk.ts';

/** Which call failed. `thing`: what it was about, as people know it. */
export interface FailedCall {
  readonly verb: 'get' | 'list' | 'create' | 'apply' | 'patch' | 'delete';
  readonly thing: string;
}

/** Reasons of a Status (apimachinery, metav1.StatusReason). */
const BY_REASON: Readonly<Record<string, ErrorCode>> = {
  Unauthorized: 'InvalidCredentials',
  Forbidden: 'AccessDenied',
  NotFound: 'NotFound',
  AlreadyExists: 'AlreadyExists',
  Conflict: 'Busy',
  Gone: 'ServiceError',
  Expired: 'ServiceError',
  Invalid: 'InvalidRequest',
  BadRequest: 'InvalidRequest',
  RequestEntityTooLarge: 'InvalidRequest',
  MethodNotAllowed: 'Unsupported',
  NotAcceptable: 'Unsupported',
  UnsupportedMediaType: 'Unsupported',
  TooManyRequests: 'Throttled',
  ServerTimeout: 'ServiceError',
  Timeout: 'Timeout',
  InternalError: 'ServiceError',
  ServiceUnavailable: 'ServiceError',
};
/** Where an answer names no reason that is known, e.g. one of a proxy in between. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'InvalidRequest',
  401: 'InvalidCredentials',
  403: 'AccessDenied',
  404: 'NotFound',
  405: 'Unsupported',
  408: 'Timeout',
  409: 'Busy',
  413: 'InvalidRequest',
  422: 'InvalidRequest',
  429: 'Throttled',
  504: 'Timeout',
};
/** What the API server says then helps, and is the same each time. */
const TELLING: ReadonlySet<ErrorCode> = new Set(['InvalidRequest', 'AccessDenied', 'DependencyMissing', 'Unsupported']);
const WORDS: Partial<Record<ErrorCode, string>> = {
  NotFound: 'does not exist',
  AlreadyExists: 'exists already',
  Busy: 'was changed by somebody else meanwhile',
  Throttled: 'the API server asks for fewer calls',
  Timeout: 'the API server did not answer in time',
  ServiceError: 'the API server failed on its side',
  InvalidCredentials: 'the API server does not accept the credentials',
  Unreachable: 'no connection to the API server',
  Aborted: 'given up',
};
const MESSAGE_LENGTH = 500;

/** The EngineError for anything thrown while an object was worked on; an error that no answer stands behind passes as it is. */
export function translated(error: unknown, { verb, thing }: FailedCall): EngineError {
  const failure = failureOf(error);
  if (failure === undefined) return classify(error);
  const code = failure.status === 0 ? (isError(error) ? error.code : 'Unreachable') : codeOf(failure, verb);
  const said = TELLING.has(code) ? steady(failure.message) : '';
  const words = isDying(failure) ? 'its namespace is being deleted' : said === '' ? (WORDS[code] ?? `status ${failure.status}`) : said;
  return new EngineError(code, `${verb} ${thing}: ${words}`, { cause: error, ...(code === 'Busy' ? { hint: 'nothing to do; it is looked at again' } : {}) });
}

/** Anything thrown elsewhere. */
export function classify(error: unknown): EngineError {
  if (isError(error)) return error;
  const { name } = (error ?? {}) as { readonly name?: unknown };
  if (name === 'AbortError') return new EngineError('Aborted', 'given up', { cause: error });
  return new EngineError('ProviderFailure', `kubernetes: ${typeof name === 'string' ? name : 'an unknown failure'}`, { cause: error });
}

/** A namespace on its way out takes nothing new. */
const isDying = ({ causes }: ApiFailure): boolean => causes.includes('NamespaceTerminating');

function codeOf(failure: ApiFailure, verb: FailedCall['verb']): ErrorCode {
  if (isDying(failure)) return 'Busy';
  const code = BY_REASON[failure.reason] ?? BY_STATUS[failure.status] ?? (failure.status >= 500 ? 'ServiceError' : 'ProviderFailure');
  // What is made cannot be missing: it is its namespace, or the kind.
  return code === 'NotFound' && verb === 'create' ? 'DependencyMissing' : code;
}

/** The server's words without what changes from call to call. */
function steady(message: string): string {
  return message
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '…')
    .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*/g, '…')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MESSAGE_LENGTH);
}
