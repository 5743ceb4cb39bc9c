/** The twenty claims of the kill test in this process, on the real controller, with time that runs faster than real. */

import { aws } from '../../providers/aws/index.ts';
import { localstack } from '../../providers/localstack/index.ts';
import { type Standing, standingOf } from '../../src/cli/standing.ts';
import type { Schedule } from '../../src/core/report.ts';
import type { JsonObject, ObjectKey } from '../../src/core/types.ts';
import { newBudgets } from '../../src/engine/budget.ts';
import { closeAll, newConnections } from '../../src/engine/clients.ts';
import { type Clock, realClock } from '../../src/engine/clock.ts';
import { type Controller, settled, startController, stopController } from '../../src/engine/controller.ts';
import { DEFAULT_OPTIONS, type Engine } from '../../src/engine/engine.ts';
import { keyOf, keyText } from '../../src/engine/objects.ts';
import { reconcile } from '../../src/engine/reconcile.ts';
import { type MemoryStore, memoryStore } from '../../src/engine/store-memory.ts';
import { newTracker, track } from '../../src/engine/tracker.ts';
import { shipped } from '../kill/admin.ts';
import { type Claims, NAMESPACE, type Phase, TWENTY } from '../kill/claims.ts';
import { TRIES } from '../kill/cloud.ts';
import { account, miniStack } from '../parts/emulators.ts';
import { clients } from '../parts/proxy/test-clients.ts';
import { type AwsProxy, startProxy } from '../parts/proxy.ts';
import { told } from '../support.ts';

export interface Village {
  readonly claims: Claims;
  readonly clock: FastClock;
  readonly proxy: AwsProxy;
  readonly client: ReturnType<typeof clients>;
  readonly store: MemoryStore;
  readonly controller: Controller;
  /** By keyText: where each claim stood after its last reconcile. */
  readonly standings: Map<string, Standing>;
  /** By keyText: how often it was reconciled. */
  readonly passes: Map<string, number>;
  close(): Promise<void>;
}
interface Options {
  readonly provider: 'aws' | 'localstack';
  /** Bound of one verb, in real milliseconds. */
  readonly callTimeoutMs?: number;
  /** So many seconds of the engine, and of what the proxy imitates, pass in one. Where everybody only waits none pass. */
  readonly faster?: number;
  /** All twenty when left out. */
  readonly claims?: Claims;
}

const KINDS = new Set(['Queue', 'Topic', 'Bucket', 'Table']);

interface FastClock extends Clock {
  /** Moves to the next timer: for when everybody only waits. */
  jump(): void;
}
interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
  cancel: () => void;
}

/** It begins a day ago, so that it never gets ahead of the time that services write on things. */
function fastClock(faster: number): FastClock {
  const start = Date.now();
  const timers = new Set<Timer>();
  let jumped = 0;
  const ms = () => (Date.now() - start) * faster + jumped;
  const arm = (timer: Timer): void => {
    timer.cancel = realClock.after((timer.dueMs - ms()) / faster, () => {
      timers.delete(timer);
      timer.run();
    });
  };
  return {
    now: () => new Date(start - 86_400_000 + ms()).toISOString(),
    ms,
    after: (wait, run) => {
      const timer: Timer = { dueMs: ms() + wait, run, cancel: () => {} };
      timers.add(timer);
      arm(timer);
      return () => {
        timers.delete(timer);
        timer.cancel();
      };
    },
    jump: () => {
      if (timers.size === 0) return;
      jumped += Math.max(0, Math.min(...[...timers].map(({ dueMs }) => dueMs)) - ms());
      for (const timer of timers) {
        timer.cancel();
        arm(timer);
      }
    },
  };
}

/** An empty account behind a proxy, and an engine that reaches it through provider `aws` or `localstack`. */
export async function openVillage({ provider, callTimeoutMs = 10_000, faster = 20, claims = TWENTY }: Options): Promise<Village> {
  const { endpoint } = await miniStack();
  const clock = fastClock(faster);
  const proxy = await startProxy(endpoint, clock.ms);
  const key = account();
  const store = memoryStore(clock);
  for (const object of adminFor(provider, proxy.endpoint, key)) await store.put(object);
  await store.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'plinth.dev/class': 'local' } } });
  const ending = new AbortController();
  const tracker = newTracker();
  const engine = newEngine(store, clock, key, ending.signal, callTimeoutMs * faster, (claim, on) => track(tracker, claim, on));
  const standings = new Map<string, Standing>();
  const passes = new Map<string, number>();
  const reconcileOne = async (claim: ObjectKey): Promise<Schedule> => {
    const schedule = await reconcile(engine, claim);
    standings.set(keyText(claim), standingOf(await store.get(claim), schedule));
    passes.set(keyText(claim), (passes.get(keyText(claim)) ?? 0) + 1);
    return schedule;
  };
  const controller = await startController({ store, clock, random: Math.random, tracker, isClaim: kind => KINDS.has(kind), reconcileOne, onError: () => {} });
  const close = async (): Promise<void> => {
    ending.abort();
    await stopController(controller);
    await closeAll(engine.connections);
    await proxy.close();
  };
  return { claims, clock, proxy, client: clients(endpoint, key, TRIES), store, controller, standings, passes, close };
}

function newEngine(store: MemoryStore, clock: Clock, unique: string, signal: AbortSignal, callTimeoutMs: number, tracked: Engine['track']): Engine {
  return {
    store,
    clock,
    // Names of buckets hold it, and all accounts of an emulator share those.
    instance: { id: `village-${unique}`, key: 'key of the village' },
    providers: new Map([aws, localstack].map(provider => [provider.name, provider])),
    connections: newConnections(clock, { deadlineMs: callTimeoutMs }),
    budgets: newBudgets(clock),
    options: { ...DEFAULT_OPTIONS, callTimeoutMs },
    log: () => {},
    signal,
    memory: new Map(),
    compiled: new Map(),
    track: tracked,
  };
}

function adminFor(provider: Options['provider'], endpoint: string, accessKeyId: string): JsonObject[] {
  if (provider === 'localstack') return shipped({ endpoint, accessKeyId });
  const settings = { region: 'us-east-1', endpoint, credentials: { from: 'Static', accessKeyId, secretAccessKey: 'test' } };
  const config: JsonObject = { apiVersion: 'plinth.dev/v1alpha1', kind: 'ProviderConfig', metadata: { name: 'local' }, spec: { provider, settings } };
  return shipped({}).map(object => (object['kind'] === 'ProviderConfig' && (object['metadata'] as JsonObject)['name'] === 'local' ? config : object));
}

/** Declares the claims of a phase and waits until all stand as declared. Throws when that takes longer than `withinMs` (real). */
export async function livePhase(village: Village, phase: Phase, withinMs: number): Promise<void> {
  const keys = village.claims.of('create').map(keyOf);
  village.standings.clear();
  for (const claim of village.claims.of(phase)) await village.store.put(claim);
  if (phase === 'delete') for (const key of keys) await village.store.remove(key);
  const wanted: Standing = phase === 'delete' ? 'gone' : 'ready';
  // A claim that nothing changed for is not looked at.
  const isThere = async (key: ObjectKey): Promise<boolean> => (village.standings.get(keyText(key)) ?? (await unchanged(village, key, wanted))) === wanted;
  const until = Date.now() + withinMs;
  for (;;) {
    const isSettled = await Promise.race([settled(village.controller).then(() => true), pause(1_000)]);
    const there = await Promise.all(keys.map(isThere));
    if (there.every(one => one)) return;
    if (Date.now() > until) throw new Error(`${phase} is not over: ${await open(village, keys, there)}`);
    if (isSettled) village.clock.jump();
    await pause(5);
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

async function unchanged({ store }: Village, key: ObjectKey, wanted: Standing): Promise<Standing> {
  const object = await store.get(key);
  if (object === undefined) return 'gone';
  const { generation } = object['metadata'] as { generation: number };
  return wanted === 'ready' && (object['status'] as { observedGeneration?: number } | undefined)?.observedGeneration === generation ? 'ready' : 'working';
}

async function open({ store }: Village, keys: readonly ObjectKey[], there: readonly boolean[]): Promise<string> {
  const late = keys.filter((_, index) => !there[index]);
  const texts = late.map(async key => `${keyText(key)} ${told(((await store.get(key)) as { status?: never } | undefined)?.status)}`);
  return (await Promise.all(texts)).join('\n');
}
