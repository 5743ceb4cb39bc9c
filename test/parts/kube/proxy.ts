import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import type { Answer } from '../proxy/answers.ts';
import { activate, addTo, type RuleHandle } from '../proxy/rules.ts';
import { makeCertificate } from './certificates.ts';
import type { ControlPlane } from './control-plane.ts';
import { redirectKubeconfig, type Server } from './kubeconfig.ts';
import { identify, isStream, type KubeCall, type KubeCallFilter, matches } from './proxy/calls.ts';
import { type ActiveKubeRule, applyRules, type KubeOutcome, type KubeRule } from './proxy/rules.ts';
import { carryStream, endByRule, type Stream } from './proxy/streams.ts';
import { closeUpstream, type KubeOutgoing, type KubeUpstream, open, openUpstream, userOf, whole } from './proxy/upstream.ts';

export type { KubeCall, KubeCallFilter } from './proxy/calls.ts';
export type { KubeAct, KubeRule } from './proxy/rules.ts';

/**
 * A proxy between a client and a real API server, which counts calls and breaks them by rules. It speaks TLS with the API server's own certificate;
 * tokens pass through, and for a client certificate it vouches at the API server, so that whoever calls has the same rights as without it.
 */
export interface KubeProxy extends Server {
  /** Every call since the start or the last reset, in the order of arrival. */
  readonly calls: readonly KubeCall[];
  /** How many of `calls` the filter means; without a filter all. */
  count(filter?: KubeCallFilter): number;
  /** Puts a rule in force; one for watches acts on those that run already, too. */
  addRule(rule: KubeRule): RuleHandle;
  /** Awaited for every call before it goes to the API server (before the rules): the place to kill the caller at a given call. Returns a remover. */
  onBefore(callback: (call: KubeCall) => unknown): () => void;
  /** Awaited for every call when its answer is there but not yet returned (after the rules). Returns a remover. */
  onAfter(callback: (call: KubeCall) => unknown): () => void;
  /** A kubeconfig that is as the given one, but goes through the proxy. Returns its path. */
  kubeconfig(path: string): string;
  /** Forgets calls, rules, hooks and earlier answers, and lets go of held calls. Watches go on. */
  reset(): void;
  /** Ends the proxy; calls that are held are broken, not forwarded. */
  close(): Promise<void>;
}

interface State {
  readonly upstream: KubeUpstream;
  readonly server: HttpsServer;
  readonly closed: Promise<void>;
  readonly close: () => void;
  isClosed: boolean;
  mutations: number;
  readonly calls: KubeCall[];
  readonly rules: ActiveKubeRule[];
  readonly before: ((call: KubeCall) => unknown)[];
  readonly after: ((call: KubeCall) => unknown)[];
  readonly streams: Set<Stream>;
  /** By the question: the answer it had first, and the one it had last. */
  readonly answers: Map<string, { readonly first: Answer; readonly previous: Answer }>;
}

/** Starts a proxy on a free port of 127.0.0.1 in front of the control plane's API server. */
export async function startKubeProxy(plane: ControlPlane): Promise<KubeProxy> {
  const state = await openState(plane);
  await new Promise<void>((resolve, reject) => state.server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(state.server.address() as AddressInfo).port}`;
  return {
    url,
    caFile: plane.caFile,
    calls: state.calls,
    count: (filter = {}) => state.calls.filter(call => matches(call, filter)).length,
    addRule: rule => addRule(state, rule),
    onBefore: callback => add(state.before, callback),
    onAfter: callback => add(state.after, callback),
    kubeconfig: path => redirectKubeconfig(path, url),
    reset: () => reset(state),
    close: () => end(state),
  };
}

async function openState(plane: ControlPlane): Promise<State> {
  let close = () => {};
  const closed = new Promise<void>(resolve => {
    close = resolve;
  });
  const options = { authority: plane.proxyAuthority, use: 'client', commonName: 'front-proxy' } as const;
  const pair = await makeCertificate(plane.folder, `front-proxy-${randomBytes(6).toString('hex')}`, options);
  const { certFile, keyFile } = plane.serverPair;
  const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile), ca: readFileSync(plane.caFile), requestCert: true, rejectUnauthorized: false };
  // As long as the API server keeps connections that nobody uses.
  const server = createServer({ ...tls, keepAliveTimeout: 90_000 }, (request, response) => void serve(state, request, response));
  const lists = { calls: [], rules: [], before: [], after: [] };
  const upstream = openUpstream(plane, pair);
  const state: State = { upstream, server, closed, close, isClosed: false, mutations: 0, ...lists, streams: new Set(), answers: new Map() };
  return state;
}

function addRule(state: State, rule: KubeRule): RuleHandle {
  const handle = addTo(state.rules, activate(rule));
  for (const stream of state.streams) endByRule(stream);
  return handle;
}

function add<T>(list: T[], item: T): () => void {
  list.push(item);
  return () => {
    const index = list.indexOf(item);
    if (index >= 0) list.splice(index, 1);
  };
}

function reset(state: State): void {
  for (const rule of state.rules) rule.release();
  for (const list of [state.calls, state.rules, state.before, state.after]) list.length = 0;
  state.mutations = 0;
  state.answers.clear();
}

async function end(state: State): Promise<void> {
  if (state.isClosed) return;
  state.isClosed = true;
  state.close();
  const ended = new Promise<void>(resolve => state.server.close(() => resolve()));
  state.server.closeAllConnections();
  closeUpstream(state.upstream);
  await ended;
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A client that went away (the kill test) must not end the proxy.
  response.on('error', () => {});
  let call: KubeCall | undefined;
  try {
    const outgoing = await readRequest(request);
    call = identify({ index: state.calls.length, mutatingIndex: state.mutations }, outgoing);
    if (call.mutating) state.mutations += 1;
    state.calls.push(call);
    await carry(state, call, outgoing, response);
  } catch {
    request.socket.destroy();
  }
  if (call) call.endedAt = Date.now();
}

async function readRequest(request: IncomingMessage): Promise<KubeOutgoing> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const user = userOf(request.socket as TLSSocket);
  return { method: request.method ?? 'GET', path: request.url ?? '/', headers: request.headers, body: Buffer.concat(chunks), user };
}

/** The way of one call: hooks and rules, the API server, and the same on the way back. */
async function carry(state: State, call: KubeCall, outgoing: KubeOutgoing, response: ServerResponse): Promise<void> {
  await Promise.race([runHooks(state.before, call), state.closed]);
  const early = earlier(state, outgoing, await applyRules(state.rules, 'before', call, state.closed));
  if (early || state.isClosed) return respond(state, call, early, response);
  const source = await open(state.upstream, outgoing, isStream(call));
  call.upstreamStatus = source.statusCode;
  const answer = isStream(call) && source.statusCode === 200 ? undefined : await whole(source);
  if (answer) remember(state, call, outgoing, answer);
  const late = await applyRules(state.rules, 'after', call, state.closed);
  await Promise.race([runHooks(state.after, call), state.closed]);
  if (answer && late && 'trickleMs' in late) return trickle(state, call, answer, late.trickleMs, response);
  if (answer || late || state.isClosed) return respond(state, call, late ?? (answer && { answer }), response);
  call.status = source.statusCode;
  await stream(state, { call, source, sink: response, rules: state.rules, closed: state.closed, isOver: false, rest: '', work: Promise.resolve() });
}

async function stream(state: State, running: Stream): Promise<void> {
  state.streams.add(running);
  await carryStream(running);
  state.streams.delete(running);
}

/** A rule's wish for an earlier answer, made one; nothing when there was none. */
function earlier(state: State, outgoing: KubeOutgoing, outcome: KubeOutcome): KubeOutcome {
  if (!outcome || !('stale' in outcome)) return outcome;
  const known = state.answers.get(questionOf(outgoing));
  return known && { answer: known[outcome.stale] };
}

function remember(state: State, call: KubeCall, outgoing: KubeOutgoing, answer: Answer): void {
  if (answer.status !== 200 || (call.verb !== 'get' && call.verb !== 'list')) return;
  const question = questionOf(outgoing);
  state.answers.set(question, { first: state.answers.get(question)?.first ?? answer, previous: answer });
}

/** The same question has the same answer but for time: whatever resourceVersion is asked for, in the same form, by the same caller. */
function questionOf({ path, headers, user }: KubeOutgoing): string {
  const url = new URL(path, 'https://proxy');
  for (const name of ['resourceVersion', 'resourceVersionMatch', 'timeout', 'timeoutSeconds']) url.searchParams.delete(name);
  return JSON.stringify([url.pathname, url.search, headers.accept, headers.authorization, user?.name]);
}

async function runHooks(hooks: readonly ((call: KubeCall) => unknown)[], call: KubeCall): Promise<void> {
  for (const hook of [...hooks]) await hook(call);
}

function respond(state: State, call: KubeCall, outcome: KubeOutcome, response: ServerResponse): void {
  const { socket } = response;
  if (state.isClosed || !outcome || !('answer' in outcome)) {
    if (outcome && 'broken' in outcome && outcome.broken === 'reset') resetSocket(socket as TLSSocket | null);
    else socket?.destroy();
    return;
  }
  const { status, headers, body } = outcome.answer;
  call.status = status;
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(call.method === 'HEAD' ? undefined : body);
}

/** A TLS socket cannot be reset, the TCP socket below can. */
function resetSocket(socket: TLSSocket | null): void {
  const below = (socket as { _parent?: { resetAndDestroy?: () => void } } | null)?._parent;
  below?.resetAndDestroy?.();
  socket?.destroy();
}

async function trickle(state: State, call: KubeCall, { status, headers, body }: Answer, ms: number, response: ServerResponse): Promise<void> {
  const pieces = 10;
  const size = Math.ceil(body.length / pieces);
  response.writeHead(status, { ...headers, 'content-length': body.length });
  for (let at = 0; at < body.length && !state.isClosed; at += size) {
    await Promise.race([sleep(ms / pieces, undefined, { ref: false }), state.closed]);
    response.write(body.subarray(at, at + size));
  }
  call.status = status;
  response.end();
}
