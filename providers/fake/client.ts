/** A connection to a world, the one function through which every call goes, and what its failures mean. */
import { type Static, Type } from '@sinclair/typebox';
import { type Context, EngineError, type ErrorCode } from '../../src/sdk.ts';
import type { Behaviour } from './behaviour.ts';
import { findThing, nowMs, type Thing, thingsOf, type Verb, type World, type WorldCall, world } from './world.ts';

export const FakeSettings = Type.Object(
  {
    world: Type.String({
      default: 'default',
      description: 'Which world: connections that name the same one see the same things.',
      pattern: '^[A-Za-z0-9_.-]+$',
    }),
    account: Type.String({ default: 'main', description: 'Which account of the world.', pattern: '^[A-Za-z0-9_.-]+$' }),
    password: Type.Optional(Type.String({ plinth: 'secret', description: 'Any text; it appears nowhere else.' })),
    forgets: Type.Boolean({ default: false, description: 'What vanished is made again, as on an emulator that keeps nothing.' }),
    cannot: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String()), { description: 'By type: fields that this world cannot do; they leave desired and comparison.' }),
    ),
  },
  { additionalProperties: false },
);
export type FakeSettings = Static<typeof FakeSettings>;
export interface FakeClient {
  readonly settings: FakeSettings;
  readonly world: World;
}
export type Call = Context<FakeClient>;

/** Opens nothing; the world is there or is made. */
export function connect(settings: Partial<FakeSettings>): FakeClient {
  const { world: name = 'default', account = 'main', forgets = false, ...rest } = settings;
  return { settings: { world: name, account, forgets, ...rest }, world: world(name) };
}

/** A failure as a service would throw it: plain, with a code. */
export function fails(code: ErrorCode, message: string): Error {
  return Object.assign(new Error(message), { name: 'FakeError', code });
}

const KNOWN: ReadonlySet<string> = new Set<ErrorCode>([
  'NotFound',
  'AlreadyExists',
  'DependencyMissing',
  'InvalidCredentials',
  'AccessDenied',
  'Throttled',
  'Timeout',
  'Unreachable',
  'ServiceError',
  'Aborted',
  'InvalidRequest',
  'QuotaExceeded',
  'NameNotReleased',
  'NameTaken',
  'Busy',
  'NotEmpty',
  'Purging',
  'Protected',
  'Unsupported',
]);

/** By code alone; what has none that is known here is ProviderFailure. */
export function classify(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const { code, name, message } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown; name?: unknown; message?: unknown };
  if (name === 'AbortError') return new EngineError('Aborted', 'fake: given up', { cause: error });
  if (name === 'TimeoutError') return new EngineError('Timeout', 'fake: no answer in time', { cause: error });
  if (name === 'FakeError' && typeof code === 'string' && KNOWN.has(code)) return new EngineError(code as ErrorCode, String(message), { cause: error });
  return new EngineError('ProviderFailure', `fake: ${name === 'FakeError' ? String(message) : 'an unknown failure'}`, { cause: error });
}

export interface Asked {
  readonly verb: Verb;
  readonly operation: string;
  readonly type: string;
  readonly name: string;
  /** Of the thing, or of the spec it is made from. */
  readonly behaviour?: Behaviour | undefined;
}
const WRITES: ReadonlySet<Verb> = new Set(['create', 'update', 'delete']);

/** One call: counted, delayed, made to fail or cut off as hooks and behaviour say; `work` happens at one moment. */
export async function send<T>(ctx: Call, asked: Asked, work: (things: Map<string, Thing>) => T): Promise<T> {
  await ctx.budget('fake');
  ctx.signal.throwIfAborted();
  ctx.fence();
  const { world: place, settings } = ctx.client;
  const { behaviour = {}, ...what } = asked;
  const call: WorldCall = { ...what, index: place.calls.length, account: settings.account, writes: WRITES.has(asked.verb) };
  place.calls.push(call);
  if (place.before !== undefined) await orAborted(ctx, Promise.resolve(place.before(call)));
  if (behaviour.latencyMs !== undefined) await pause(ctx, behaviour.latencyMs);
  if (place.lockedOut.has(settings.account)) throw fails('InvalidCredentials', 'fake: the password is wrong');
  const failure = nextFailure(place, call, behaviour);
  if (failure !== undefined && failure.afterWork !== true) throw declared(call, failure.code);
  const answer = work(thingsOf(place, settings.account));
  if (place.after !== undefined) await orAborted(ctx, Promise.resolve(place.after(call)));
  if (failure !== undefined) throw declared(call, failure.code);
  return answer;
}

const declared = (call: WorldCall, code: string): Error => fails(code as ErrorCode, `fake ${call.operation} of ${call.name}: ${code}`);

function nextFailure(place: World, call: WorldCall, { failures = [] }: Behaviour): NonNullable<Behaviour['failures']>[number] | undefined {
  for (const [index, failure] of failures.entries()) {
    const key = `${call.account} ${call.type} ${call.name} ${index}`;
    const used = place.used.get(key) ?? 0;
    if (failure.verb !== call.verb || used >= (failure.times ?? Number.POSITIVE_INFINITY)) continue;
    place.used.set(key, used + 1);
    return failure;
  }
  return undefined;
}

function pause(ctx: Call, ms: number): Promise<void> {
  let cancel = (): void => {};
  const over = new Promise<void>(resolve => {
    cancel = ctx.client.world.clock.after(ms, resolve);
  });
  return orAborted(ctx, over).finally(cancel);
}

function orAborted<T>({ signal }: Call, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** The thing a call is about, unless it was deleted and its time is over. */
export function alive(client: FakeClient, type: string, name: string): Thing | undefined {
  const { world: place, settings } = client;
  const thing = findThing(place, settings.account, type, name);
  if (thing?.deletingMs === undefined) return thing;
  if (nowMs(place) < thing.deletingMs + (thing.behaviour.deletingMs ?? 0)) return thing;
  thingsOf(place, settings.account).delete(`${type} ${name}`);
  return undefined;
}
