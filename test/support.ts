/** What tests share: an engine as main builds it, a clock that can skip, and a claim around any resource type. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isError } from '../src/core/errors.ts';
import { isAdminKind } from '../src/core/kinds.ts';
import { objectProblems } from '../src/core/parse.ts';
import type { Schedule } from '../src/core/report.ts';
import type { ClaimKey, ClaimStatus, Condition, ConditionType, JsonObject, OwnedEntry, Provider } from '../src/core/types.ts';
import { newBudgets } from '../src/engine/budget.ts';
import { closeAll, newConnections } from '../src/engine/clients.ts';
import { type Clock, realClock } from '../src/engine/clock.ts';
import { DEFAULT_OPTIONS, type Engine, type Options } from '../src/engine/engine.ts';
import { reconcile } from '../src/engine/reconcile.ts';
import type { Store } from '../src/engine/store.ts';
import { type MemoryStore, memoryStore } from '../src/engine/store-memory.ts';
import { newTracker, type Tracker, track } from '../src/engine/tracker.ts';

// ── time ──

export interface SkippingClock extends Clock {
  /** Moves the wall time and the monotonic one ahead; timers that run keep their real time. */
  skip(ms: number): void;
}

/** Real time that can be moved ahead: waits of hours take no time, deadlines of calls stay real. */
export function skippingClock(): SkippingClock {
  let offset = 0;
  return {
    now: () => new Date(Date.now() + offset).toISOString(),
    ms: () => realClock.ms() + offset,
    after: realClock.after,
    skip: ms => {
      offset += ms;
    },
  };
}

// ── an engine ──

export interface TestEngine {
  readonly engine: Engine;
  readonly store: MemoryStore;
  readonly clock: SkippingClock;
  readonly tracker: Tracker;
  /** Every line that was logged, with its fields. */
  readonly logged: string[];
  /** As when the process dies: no write arrives any more, no answer comes back. Nothing that runs goes on. */
  crash(): void;
  /** Ends what runs and closes connections. */
  stop(): Promise<void>;
}
export interface EngineOptions {
  readonly providers: readonly Provider[];
  readonly store?: MemoryStore;
  readonly clock?: SkippingClock;
  readonly instance?: { readonly id: string; readonly key: string };
  readonly options?: Partial<Options>;
  /** Bounds of connecting. */
  readonly limits?: Parameters<typeof newConnections>[1];
}
export const INSTANCE: { readonly id: string; readonly key: string } = { id: 'test-0a1b2c', key: 'key of the test instance' };

/** An engine as main makes it, on a store in memory and a clock that can skip. Two engines on one store are two processes. */
export function testEngine({
  providers,
  clock = skippingClock(),
  store = memoryStore(clock),
  instance = INSTANCE,
  options = {},
  limits = {},
}: EngineOptions): TestEngine {
  const ending = new AbortController();
  const tracker = newTracker();
  const logged: string[] = [];
  const gate = { closed: false };
  const connections = newConnections(clock, limits);
  const engine: Engine = {
    store: gated(store, gate),
    clock,
    instance,
    providers: new Map(providers.map(provider => [provider.name, provider])),
    connections,
    budgets: newBudgets(clock),
    options: { ...DEFAULT_OPTIONS, ...options },
    log: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
    signal: ending.signal,
    memory: new Map(),
    compiled: new Map(),
    track: (claim, dependsOn) => track(tracker, claim, dependsOn),
  };
  const crash = (): void => {
    gate.closed = true;
    ending.abort();
  };
  const stop = async (): Promise<void> => {
    ending.abort();
    await closeAll(connections);
  };
  return { engine, store, clock, tracker, logged, crash, stop };
}

const never = <T>(): Promise<T> => new Promise<T>(() => {});

/** The store as a process sees it that may die at any moment: afterwards nothing is written and nothing answers. */
function gated(store: Store, gate: { readonly closed: boolean }): Store {
  const through = async <T>(run: () => Promise<T>): Promise<T> => {
    if (gate.closed) return await never();
    const answer = await run();
    return gate.closed ? await never() : answer;
  };
  return {
    get: key => through(() => store.get(key)),
    list: (kind, namespace) => through(() => store.list(kind, namespace)),
    watch: (onChange, signal) => through(() => store.watch(onChange, signal)),
    write: write => through(() => store.write(write)),
    emit: (key, event) => (gate.closed ? undefined : store.emit(key, event)),
  };
}

// ── objects ──

const API = 'plinth.dev/v1alpha1';

/** An object of the plinth.dev group. `namespace` '' for cluster-scoped kinds. */
export function object(kind: string, name: string, spec: JsonObject, namespace = '', metadata: JsonObject = {}): JsonObject {
  return { apiVersion: API, kind, metadata: { name, ...(namespace === '' ? {} : { namespace }), ...metadata }, spec };
}

/** Puts objects in order; throws what is wrong with an admin object. */
export async function putAll({ store }: Pick<TestEngine, 'store'>, objects: readonly JsonObject[]): Promise<void> {
  for (const item of objects) {
    const problems = isAdminKind(String(item['kind'])) ? objectProblems(item, []) : [];
    if (problems[0] !== undefined) throw problems[0];
    await store.put(item);
  }
}

/** Sets or takes back (undefined) an annotation, as a person does. */
export async function annotate({ store }: Pick<TestEngine, 'store'>, key: ClaimKey, annotations: Readonly<Record<string, string | undefined>>): Promise<void> {
  const found = await store.get(key);
  if (found === undefined) throw new Error(`${key.kind}/${key.name} does not exist`);
  const { status: _, ...rest } = found;
  const metadata = found['metadata'] as JsonObject;
  const merged = Object.entries({ ...(metadata['annotations'] as JsonObject | undefined), ...annotations }).filter(([, value]) => value !== undefined);
  await store.put({ ...rest, metadata: { ...metadata, annotations: Object.fromEntries(merged) as JsonObject } });
}

/** Applies a change to the spec of an object that is there. */
export async function editSpec({ store }: Pick<TestEngine, 'store'>, key: ClaimKey, change: (spec: JsonObject) => JsonObject): Promise<void> {
  const found = await store.get(key);
  if (found === undefined) throw new Error(`${key.kind}/${key.name} does not exist`);
  const { status: _, ...rest } = found;
  await store.put({ ...rest, spec: change(found['spec'] as JsonObject) });
}

/** The status of a claim, or undefined when there is no claim. */
export async function statusOf({ store }: Pick<TestEngine, 'store'>, key: ClaimKey): Promise<ClaimStatus | undefined> {
  const found = await store.get(key);
  return found === undefined ? undefined : (found['status'] as unknown as ClaimStatus);
}

export function condition(status: ClaimStatus | undefined, type: ConditionType): Condition | undefined {
  return status?.conditions.find(item => item.type === type);
}

/** `Ready=True/Available Synced=…`: conditions as one line, for messages of tests. */
export function told(status: ClaimStatus | undefined): string {
  return (status?.conditions ?? [])
    .map(({ type, status: value, reason, message }) => `${type}=${value}/${reason}${message === '' ? '' : ` (${message})`}`)
    .join('; ');
}

// ── running ──

export interface Rest {
  /** How many passes it took. */
  readonly passes: number;
  readonly last: Schedule;
  readonly status: ClaimStatus | undefined;
}
export interface Patience {
  /** Most passes; more is a failure. */
  readonly passes?: number;
  /** Real milliseconds to wait per pass, for things that take real time. */
  readonly realMs?: number;
}
/** A claim that waits, unchanged for so many passes and so long, is at rest. */
const STILL_PASSES = 5;
const STILL_MS = 150_000;

/** One pass; a StoreConflict is a pass that did nothing. */
export async function pass({ engine }: Pick<TestEngine, 'engine'>, key: ClaimKey): Promise<Schedule> {
  try {
    return await reconcile(engine, key);
  } catch (error) {
    if (isError(error, 'StoreConflict')) return { kind: 'again', afterMs: 10, because: 'backoff' };
    throw error;
  }
}

/** Reconciles until nothing moves any more, skipping the waits: fine, stalled, gone, or waiting for somebody else. */
export async function settle(test: TestEngine, key: ClaimKey, { passes = 120, realMs = 0 }: Patience = {}): Promise<Rest> {
  let before = '';
  let still = { passes: 0, ms: 0 };
  for (let count = 1; count <= passes; count += 1) {
    const last = await pass(test, key);
    const status = await statusOf(test, key);
    if (last.kind === 'done' || last.because === 'resync' || last.because === 'recheck') return { passes: count, last, status };
    const waitMs = last.because === 'backoff' ? Math.max(last.afterMs, Math.min(60_000, 500 * 2 ** Math.min(count, 7))) : last.afterMs;
    const now = JSON.stringify(status ?? null);
    still = now === before ? { passes: still.passes + 1, ms: still.ms + waitMs } : { passes: 0, ms: 0 };
    if (still.passes >= STILL_PASSES && still.ms >= STILL_MS) return { passes: count, last, status };
    before = now;
    if (realMs > 0) await sleep(realMs);
    test.clock.skip(waitMs);
  }
  throw new Error(`${key.kind}/${key.name} does not come to rest in ${passes} passes: ${told(await statusOf(test, key))}`);
}

/** Settles several claims, round after round, until a whole round changes nothing. */
export async function settleAll(test: TestEngine, keys: readonly ClaimKey[], patience: Patience = {}): Promise<Rest[]> {
  for (let round = 0; ; round += 1) {
    const before = JSON.stringify(test.store.dump());
    const rests: Rest[] = [];
    for (const key of keys) rests.push(await settle(test, key, patience));
    if (JSON.stringify(test.store.dump()) === before) return rests;
    if (round === 30) throw new Error('the claims never come to rest together');
  }
}

/** The entries of a claim that stand for real things. */
export function owned(status: ClaimStatus | undefined): OwnedEntry[] {
  return (status?.resources ?? []).filter((entry): entry is OwnedEntry => entry.phase !== 'Waiting');
}
