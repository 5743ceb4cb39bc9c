/** Calls to one API server over kept-alive connections: a deadline on each, fresh credentials, and repeats only of what cannot be done twice. */
import type { Readable } from 'node:stream';
import type { Dispatcher, Socks5ProxyAgent } from 'undici';
import { type EngineError, isError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/types.ts';
import { fenced, leave, type Outgoing, orAborted, type Undici, undici } from '../outgoing.ts';
import type { Access, Credentials, TlsOptions } from './config.ts';
import { connectionError, failureOf, isUntrusted, statusError, timeoutError, wasNeverSent } from './failure.ts';
import { type CallName, nameOfCall } from './paths.ts';

export const MERGE_PATCH = 'application/merge-patch+json';
export const JSON_PATCH = 'application/json-patch+json';
/** Of the kinds of Kubernetes itself: lists are merged by their keys. */
export const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
/** JSON is YAML: the body of an apply is sent as JSON. */
export const APPLY_PATCH = 'application/apply-patch+yaml';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Made by `pathOf`. */
  readonly path: string;
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: Json;
  /** `application/json` by default; a patch names its kind. */
  readonly contentType?: string;
  /** `application/json` by default. */
  readonly accept?: string;
  /** Of all tries together, ms; that of the Api by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Has connections of its own: a Lease must not wait behind calls that hang. */
  readonly urgent?: boolean;
  /** Asked beside that of the Api. */
  readonly fence?: () => void;
}

/** One try of a call, as told to metrics. `code`: HTTP status, 0 without an answer. */
export interface CallRecord extends CallName {
  readonly code: number;
  readonly durationMs: number;
}

export interface ApiOptions {
  /** `plinth` by default. */
  readonly userAgent?: string;
  /** 30 s by default: what kube-apiserver itself allows short requests is 60 s. */
  readonly timeoutMs?: number;
  /** Connections for calls; watches have their own. 16 by default: more at once gained nothing when it was measured. */
  readonly connections?: number;
  /** How often a call is sent at most; 5 by default: spread over a restart of an API server's front, and the deadline bounds them all. */
  readonly tries?: number;
  readonly onCall?: (record: CallRecord) => void;
  /** Asked right before each try leaves, unless it is urgent; what it throws is the call's error, and nothing is sent. */
  readonly fence?: (call: Pick<Call, 'path'> & { readonly method: string }) => void;
  /** In [0, 1): jitter. */
  readonly random?: () => number;
}

export interface Api {
  readonly access: Access;
  readonly options: ApiOptions;
  /** Replaced when certificates change. */
  agents: Agents | undefined;
}
interface Agents {
  readonly tls: string;
  /** As it was handed out: the same value is not compared again. */
  given: TlsOptions;
  readonly calls: Dispatcher;
  readonly watches: Dispatcher;
}

const TIMEOUT_MS = 30_000;
const CONNECTIONS = 16;
const TRIES = 5;
/** First and longest wait between two tries, ms. */
const WAIT_MS = { base: 100, max: 5_000 };
/** Idle connections are closed before kube-apiserver does it (90 s), ms. */
const KEEP_ALIVE_MS = 60_000;
/** TCP keep-alive: finds a peer that vanished without a word, ms. */
const PROBE_MS = 30_000;
const CONNECT_MS = 10_000;

/** Nothing is connected yet. */
export function openApi(access: Access, options: ApiOptions = {}): Api {
  return { access, options, agents: undefined };
}

/** Ends every connection, watches too. */
export async function closeApi(api: Api): Promise<void> {
  const { agents } = api;
  api.agents = undefined;
  await Promise.all([agents?.calls.destroy(), agents?.watches.destroy()]);
}

/**
 * Sends one call and returns the answer as JSON. Errors: those of failure.ts, each with its `failureOf`. Reads and applies are repeated
 * after a lost connection, 429, 503 and 504; any other write only when the server certainly did not do it: 429, or the connection never stood.
 */
export async function request(api: Api, call: Call): Promise<JsonObject> {
  const timeoutMs = call.timeoutMs ?? api.options.timeoutMs ?? TIMEOUT_MS;
  const untilMs = performance.now() + timeoutMs;
  const name = nameOfCall(call.method, call.path, call.query, call.contentType);
  let refused = false;
  for (let tries = 1; ; tries += 1) {
    try {
      return await tryOnce(api, call, name, untilMs, timeoutMs, refused);
    } catch (thrown) {
      const error = thrown as EngineError;
      const again = isError(error, 'InvalidCredentials') && failureOf(error) !== undefined ? !refused : isRepeatable(call, name, error);
      const waitMs = waitOf(api, error, tries);
      if (!again || tries >= (api.options.tries ?? TRIES) || performance.now() + waitMs >= untilMs || call.signal?.aborted === true) throw error;
      refused = isError(error, 'InvalidCredentials');
      await pause(refused ? 0 : waitMs, call.signal);
    }
  }
}

/** True when sending it again cannot do it twice. */
function isRepeatable(call: Call, { verb }: CallName, error: EngineError): boolean {
  const failure = failureOf(error);
  if (failure === undefined || isError(error, 'Aborted') || isUntrusted(failure.reason)) return false;
  if (failure.status === 429 || wasNeverSent(failure.reason)) return true;
  const isSafe = call.method === 'GET' || verb === 'apply';
  return isSafe && (failure.status === 0 || failure.status === 503 || failure.status === 504);
}

function waitOf({ options: { random = Math.random } }: Api, error: EngineError, tries: number): number {
  const jitter = 0.5 + random() / 2;
  return failureOf(error)?.retryAfterMs ?? Math.min(WAIT_MS.max, WAIT_MS.base * 2 ** tries) * jitter;
}

/** Ends early, without an error, when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted === true) end();
  });
}

async function tryOnce(api: Api, call: Call, name: CallName, untilMs: number, timeoutMs: number, refresh: boolean): Promise<JsonObject> {
  const what = `${name.verb} ${name.resource}`;
  const begin = performance.now();
  const { signal, cancel, isLate } = deadline(untilMs - begin, call.signal);
  let code = 0;
  try {
    const loaded = await undici();
    const credentials = await api.access.credentials(refresh);
    const { calls, watches } = agentsFor(loaded, api, credentials.tls);
    const fence = (): void => {
      if (call.urgent !== true) api.options.fence?.(call);
      call.fence?.();
    };
    const answer = await leave(call.urgent === true ? watches : calls, { ...dispatched(api, call, credentials), signal, fence });
    code = answer.statusCode;
    const text = await answer.body.text();
    const body = parsed(text);
    if (code >= 200 && code < 300 && body !== undefined) return body;
    const retryAfter = answer.headers['retry-after'];
    throw statusError(what, code, body, Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, call.method !== 'GET');
  } catch (thrown) {
    if (isLate()) throw timeoutError(what, timeoutMs, call.method !== 'GET');
    throw connectionError(what, thrown, call.method !== 'GET');
  } finally {
    cancel();
    api.options.onCall?.({ ...name, code, durationMs: performance.now() - begin });
  }
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Opens a watch and returns its bytes; ends with the signal. Only the first answer has a deadline (`timeoutMs`): silence afterwards is the
 * reader's business. Errors: as `request`, never repeated.
 */
export async function openStream(api: Api, call: Call & { readonly signal: AbortSignal }): Promise<Readable> {
  const name = nameOfCall(call.method, call.path, call.query);
  const what = `${name.verb} ${name.resource}`;
  const begin = performance.now();
  const timeoutMs = call.timeoutMs ?? api.options.timeoutMs ?? TIMEOUT_MS;
  const { signal, cancel, isLate } = deadline(timeoutMs, call.signal);
  let code = 0;
  try {
    const answer = await streamOnce(api, call, signal);
    code = answer.statusCode;
    if (code >= 200 && code < 300) return answer.body;
    throw statusError(what, code, parsed(await answer.body.text()), undefined, false);
  } catch (thrown) {
    if (isLate()) throw timeoutError(what, timeoutMs, false);
    throw connectionError(what, thrown, false);
  } finally {
    cancel();
    api.options.onCall?.({ ...name, code, durationMs: performance.now() - begin });
  }
}

/** `first` bounds the answer's beginning; the signal of the call all of it. */
async function streamOnce(api: Api, call: Call & { readonly signal: AbortSignal }, first: AbortSignal): Promise<Dispatcher.ResponseData> {
  const open = async (refresh: boolean): Promise<Dispatcher.ResponseData> => {
    const loaded = await undici();
    const credentials = await api.access.credentials(refresh);
    const options = { ...dispatched(api, call, credentials), signal: call.signal, headersTimeout: 0, bodyTimeout: 0 };
    return await orAborted(agentsFor(loaded, api, credentials.tls).watches.request(options), first);
  };
  const answer = await open(false);
  if (answer.statusCode !== 401) return answer;
  await answer.body.dump();
  return await open(true);
}

function dispatched(api: Api, call: Call, credentials: Credentials): Omit<Outgoing, 'signal'> {
  const { origin, pathname } = placeOf(api.access);
  const path = `${pathname}${call.path}${queryOf(call)}`;
  const headers: Record<string, string> = {
    ...credentials.headers,
    accept: call.accept ?? 'application/json',
    'user-agent': api.options.userAgent ?? 'plinth',
    ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
  };
  return { origin, path, method: call.method, headers, body: call.body === undefined ? null : JSON.stringify(call.body) };
}

const places = new WeakMap<Access, { readonly origin: string; readonly pathname: string }>();

/** Where the API server is, and the path before all others. */
function placeOf(access: Access): { readonly origin: string; readonly pathname: string } {
  const known = places.get(access);
  if (known !== undefined) return known;
  const { origin, pathname } = new URL(access.server);
  const place = { origin, pathname: pathname.replace(/\/$/, '') };
  places.set(access, place);
  return place;
}

function queryOf({ query = {} }: Call): string {
  const asked = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) asked.set(key, String(value));
  return asked.size > 0 ? `?${asked}` : '';
}

/** The agents of these certificates; calls that run on the old ones are left to end. To be used at once: the next call may close them. */
function agentsFor(loaded: Undici, api: Api, tls: TlsOptions): Agents {
  if (api.agents?.given === tls) return api.agents;
  const text = JSON.stringify(tls);
  if (api.agents?.tls === text) return Object.assign(api.agents, { given: tls });
  const old = api.agents;
  const open = (connections: number | null): Dispatcher => fenced(loaded, agent(loaded, api, tls, connections));
  api.agents = { tls: text, given: tls, calls: open(api.options.connections ?? CONNECTIONS), watches: open(null) };
  void old?.calls.close();
  void old?.watches.close();
  return api.agents;
}

function agent({ Agent, ProxyAgent, Socks5ProxyAgent }: Undici, api: Api, tls: TlsOptions, connections: number | null): Dispatcher {
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: PROBE_MS, timeout: CONNECT_MS };
  const options = { connections, connect, pipelining: 1, keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS };
  const { proxyUrl } = api.access;
  if (proxyUrl === undefined) return new Agent(options);
  if (proxyUrl.startsWith('socks'))
    return new Socks5ProxyAgent(proxyUrl, { connections, keepAliveTimeout: KEEP_ALIVE_MS, requestTls: tls } as Socks5ProxyAgent.Options);
  return new ProxyAgent({ uri: proxyUrl, connections, requestTls: connect, keepAliveTimeout: KEEP_ALIVE_MS });
}

/** A signal that is aborted with the parent or after `ms`. */
function deadline(ms: number, parent: AbortSignal | undefined): { signal: AbortSignal; cancel: () => void; isLate: () => boolean } {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(
    () => {
      late = true;
      controller.abort();
    },
    Math.max(1, ms),
  );
  const onAbort = (): void => controller.abort();
  parent?.addEventListener('abort', onAbort, { once: true });
  if (parent?.aborted === true) onAbort();
  const cancel = (): void => {
    clearTimeout(timer);
    parent?.removeEventListener('abort', onAbort);
  };
  return { signal: controller.signal, cancel, isLate: () => late };
}
