/** What a call to the API server that did not work means: a Status, a broken connection or a bad answer becomes one EngineError. */
import { EngineError, type ErrorCode, isError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';

/** The plain data of a failed call; it is the `cause` of the EngineError. */
export interface ApiFailure {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Reason of the Status (`Conflict`, `Expired`, `NotFound`, …), or the code of the connection's error (`ECONNRESET`); '' if there is none. */
  readonly reason: string;
  /** As the server put it. */
  readonly message: string;
  /** Reasons of the Status's causes, e.g. `NamespaceTerminating`, `FieldManagerConflict`. */
  readonly causes: readonly string[];
  /** Fields that the Status complains about, e.g. `metadata.uid`. */
  readonly fields: readonly string[];
  /** The server's wish, ms. */
  readonly retryAfterMs: number | undefined;
  /** False when the server certainly did not do it. */
  readonly mayBeDone: boolean;
}

const MARK = Symbol.for('plinth.kube.failure');

/** The plain data behind an error of `request`; undefined for any other. */
export function failureOf(error: unknown): ApiFailure | undefined {
  const cause = error instanceof EngineError ? (error.cause as (ApiFailure & { [MARK]?: true }) | undefined) : undefined;
  return cause?.[MARK] === true ? cause : undefined;
}

/** True for 410: the continue token or the resourceVersion is too old. */
export function isExpired(error: unknown): boolean {
  const failure = failureOf(error);
  return failure?.status === 410 || failure?.reason === 'Expired' || failure?.reason === 'Gone';
}

/** True when the namespace of the object is on its way out. */
export function isTerminating(error: unknown): boolean {
  return failureOf(error)?.causes.includes('NamespaceTerminating') === true;
}

/**
 * The error of an answer that is no success. Codes: NotFound, AlreadyExists, StoreConflict (409), InvalidCredentials (401), AccessDenied
 * (403), Throttled (429), Timeout, ServiceError (5xx, 410), InvalidRequest (the rest).
 */
export function statusError(what: string, status: number, body: JsonObject | undefined, retryAfter: string | undefined, wrote: boolean): EngineError {
  const isStatus = body?.['kind'] === 'Status';
  const reason = isStatus ? String(body['reason'] ?? '') : '';
  const message = isStatus ? String(body['message'] ?? '') : '';
  const details = (isStatus ? (body['details'] ?? {}) : {}) as { causes?: { reason?: string; field?: string }[]; retryAfterSeconds?: number };
  const causes = (details.causes ?? []).map(cause => cause.reason ?? '');
  const code = codeOf(status, reason);
  const retryAfterMs = secondsOf(retryAfter) ?? details.retryAfterSeconds;
  const failure = {
    status,
    reason,
    message,
    causes,
    fields: (details.causes ?? []).flatMap(({ field }) => (field === undefined ? [] : [field])),
    retryAfterMs: retryAfterMs === undefined ? undefined : retryAfterMs * 1_000,
    mayBeDone: wrote && status >= 500,
  };
  return failed(code, `${what}: ${message === '' ? `the API server answered ${status}` : message}`, failure);
}

/** The error of a call that got no whole answer. Codes: Unreachable, Timeout, Aborted. */
export function connectionError(what: string, thrown: unknown, wrote: boolean): EngineError {
  if (isError(thrown)) return thrown;
  const { code = '', name = '' } = thrown as { code?: string; name?: string };
  const reason = code || name;
  const failure = { status: 0, reason, message: '', causes: [], fields: [], retryAfterMs: undefined, mayBeDone: wrote && !wasNeverSent(reason) };
  if (name === 'AbortError') return failed('Aborted', `${what}: given up`, failure);
  if (/TIMEOUT/.test(reason) && reason !== 'UND_ERR_CONNECT_TIMEOUT') return failed('Timeout', `${what}: no answer in time`, failure);
  return failed('Unreachable', `${what}: no connection to the API server (${reason})`, failure);
}

/** The error of a call whose time is over. */
export function timeoutError(what: string, ms: number, wrote: boolean): EngineError {
  const failure = { status: 0, reason: 'Timeout', message: '', causes: [], fields: [], retryAfterMs: undefined, mayBeDone: wrote };
  return failed('Timeout', `${what}: the API server did not answer within ${ms / 1_000} s`, failure);
}

/** The connection never stood, so nothing was sent over it. */
export function wasNeverSent(reason: string): boolean {
  return /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)/.test(reason) || isUntrusted(reason);
}

/** The certificate is not one to trust: no try mends that. */
export function isUntrusted(reason: string): boolean {
  return /^(ERR_TLS_CERT|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(reason);
}

function failed(code: ErrorCode, message: string, failure: ApiFailure): EngineError {
  return new EngineError(code, message, { hint: HINTS[code] ?? '', cause: { ...failure, [MARK]: true } });
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  InvalidCredentials: 'check the user of the kubeconfig, or the token of the service account',
  AccessDenied: 'grant the permission named to the user or service account',
  Unreachable: 'check that the API server is alive and its address is right',
  Timeout: 'check that the API server is alive and its address is right',
};

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'InvalidCredentials',
  403: 'AccessDenied',
  404: 'NotFound',
  409: 'StoreConflict',
  410: 'ServiceError',
  429: 'Throttled',
  504: 'Timeout',
};

function codeOf(status: number, reason: string): ErrorCode {
  if (reason === 'AlreadyExists') return 'AlreadyExists';
  return BY_STATUS[status] ?? (status >= 500 ? 'ServiceError' : 'InvalidRequest');
}

/** Seconds of a Retry-After header; a date, which API servers never send, is not read. */
function secondsOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}
