import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer } from './proxy/answers.ts';
import { type BehaviourId, type ImitationState, imitationOf, runAfter, runBefore } from './proxy/behaviours.ts';
import { type Call, type CallFilter, identify, matches } from './proxy/call.ts';
import { type ActiveRule, activate, addTo, applyRules, type Outcome, type Rule, type RuleHandle } from './proxy/rules.ts';
import { openUpstream, send, type Upstream } from './proxy/upstream.ts';

/** A proxy between AWS SDK clients and an emulator, which counts calls, breaks them by rules and imitates what only real AWS does. */
export interface AwsProxy {
  /** `http://127.0.0.1:<port>`: the endpoint for the client (with path-style S3). */
  readonly endpoint: string;
  /** Every call since the start or the last reset, in the order of arrival. */
  readonly calls: readonly Call[];
  /** How many of `calls` the filter means; without a filter all. */
  count(filter?: CallFilter): number;
  addRule(rule: Rule): RuleHandle;
  /** Awaited for every call before it goes to the emulator (before the rules). Returns a remover. */
  onBefore(callback: (call: Call) => unknown): () => void;
  /** Awaited for every call when its answer is there but not yet returned (after the rules). Returns a remover. */
  onAfter(callback: (call: Call) => unknown): () => void;
  /** Imitates one behaviour of real AWS, for `ms` milliseconds (default: as long as there). Returns what switches it off. */
  imitate(id: BehaviourId, ms?: number): () => void;
  /** Forgets calls, rules, hooks and imitations, and lets go of held calls. */
  reset(): void;
  /** Ends the proxy; calls that are held are broken, not forwarded. */
  close(): Promise<void>;
}

interface State {
  readonly upstream: Upstream;
  readonly now: () => number;
  readonly server: Server;
  readonly closed: Promise<void>;
  readonly close: () => void;
  isClosed: boolean;
  readonly calls: Call[];
  readonly rules: ActiveRule[];
  readonly before: ((call: Call) => unknown)[];
  readonly after: ((call: Call) => unknown)[];
  readonly imitations: ImitationState[];
}

/** Starts a proxy on a free port of 127.0.0.1 in front of `upstream`, the endpoint of an emulator. `now`: the time that imitations go by. */
export async function startProxy(upstream: string, now: () => number = Date.now): Promise<AwsProxy> {
  let close = () => {};
  const closed = new Promise<void>(resolve => {
    close = resolve;
  });
  const server = createServer((request, response) => void serve(state, request, response));
  const state: State = {
    upstream: openUpstream(upstream),
    now,
    server,
    closed,
    close,
    isClosed: false,
    calls: [],
    rules: [],
    before: [],
    after: [],
    imitations: [],
  };
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: state.calls,
    count: (filter = {}) => state.calls.filter(call => matches(call, filter)).length,
    addRule: rule => addTo(state.rules, activate(rule)),
    onBefore: callback => add(state.before, callback),
    onAfter: callback => add(state.after, callback),
    imitate: (id, ms) => add(state.imitations, imitationOf(id, ms)),
    reset: () => reset(state),
    close: () => end(state),
  };
}

function add<T>(list: T[], item: T): () => void {
  list.push(item);
  return () => remove(list, item);
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}

function reset(state: State): void {
  for (const rule of state.rules) rule.release();
  for (const list of [state.calls, state.rules, state.before, state.after, state.imitations]) list.length = 0;
}

async function end(state: State): Promise<void> {
  if (state.isClosed) return;
  state.isClosed = true;
  state.close();
  const ended = new Promise<void>(resolve => state.server.close(() => resolve()));
  state.server.closeAllConnections();
  state.upstream.agent.destroy();
  await ended;
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A client that went away (the kill test) must not end the proxy.
  response.on('error', () => {});
  let call: Call | undefined;
  try {
    const body = await readBody(request);
    call = identify(state.calls.length, request.method ?? 'GET', request.url ?? '/', request.headers, body);
    state.calls.push(call);
    const outcome = await carry(state, call, request, body);
    call.endedAt = Date.now();
    if (outcome && 'answer' in outcome) call.status = outcome.answer.status;
    if (state.isClosed || !outcome) request.socket.destroy();
    else respond(outcome, request, response);
  } catch {
    if (call) call.endedAt = Date.now();
    request.socket.destroy();
  }
}

/** The way of one call: hooks, rules and imitations, the emulator, and the same on the way back. */
async function carry(state: State, call: Call, request: IncomingMessage, body: Buffer): Promise<Outcome> {
  await Promise.race([runHooks(state.before, call), state.closed]);
  const early = await applyRules(state.rules, 'before', call, state.closed);
  if (early || state.isClosed) return early;
  const answer = await work(state, call, request, body);
  const late = await applyRules(state.rules, 'after', call, state.closed);
  await Promise.race([runHooks(state.after, call), state.closed]);
  return late ?? { answer };
}

async function work(state: State, call: Call, request: IncomingMessage, body: Buffer): Promise<Answer> {
  const outgoing = { method: call.method, path: call.path, headers: request.headers, body };
  const imitations = [...state.imitations];
  const context = { call, outgoing, now: state.now, ask: (change: Partial<typeof outgoing>) => send(state.upstream, { ...outgoing, ...change }) };
  const instead = await runBefore(imitations, context);
  if (instead) return instead;
  const answer = await send(state.upstream, outgoing);
  call.upstreamStatus = answer.status;
  return runAfter(imitations, context, answer);
}

async function runHooks(hooks: readonly ((call: Call) => unknown)[], call: Call): Promise<void> {
  for (const hook of [...hooks]) await hook(call);
}

function respond(outcome: NonNullable<Outcome>, request: IncomingMessage, response: ServerResponse): void {
  if ('broken' in outcome) {
    if (outcome.broken === 'reset') request.socket.resetAndDestroy();
    else request.socket.destroy();
    return;
  }
  const { status, headers, body } = outcome.answer;
  // The length a HEAD answer names is of the body it does not have.
  const hasBody = request.method !== 'HEAD' && status !== 204;
  response.writeHead(status, hasBody ? { ...headers, 'content-length': body.length } : headers);
  response.end(hasBody ? body : undefined);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
