/** One engine as a process that can die at any await: everything it asks of store and world waits at a gate until the schedule lets it go on. */

import { fake } from '../../providers/fake/index.ts';
import { type World, world } from '../../providers/fake/world.ts';
import { EngineError } from '../../src/core/errors.ts';
import { identityKey, isOwned } from '../../src/core/match.ts';
import { newBudgets } from '../../src/engine/budget.ts';
import { newConnections } from '../../src/engine/clients.ts';
import { type Controller, startController } from '../../src/engine/controller.ts';
import { DEFAULT_OPTIONS, type Engine } from '../../src/engine/engine.ts';
import { reconcile } from '../../src/engine/reconcile.ts';
import type { Store } from '../../src/engine/store.ts';
import type { MemoryStore } from '../../src/engine/store-memory.ts';
import { newTracker, track } from '../../src/engine/tracker.ts';
import { KINDS, WORLD } from './admin.ts';
import type { Random } from './random.ts';
import { clockOf, type SimulatedClock } from './time.ts';

/** Something a process waits for. `at`: where, for the trace; `fail`: what may go wrong there. */
export interface Parked {
  readonly at: string;
  readonly go: () => void;
  readonly fail: (error: Error) => void;
}
export interface Process {
  alive: boolean;
  readonly parked: Parked[];
  readonly engine: Engine;
  controller: Controller | undefined;
}
export interface Home {
  readonly store: MemoryStore;
  readonly clock: SimulatedClock;
  readonly random: Random;
  /** Told of every write to the world before it happens, and of every log line. */
  readonly onWrite: (call: { verb: string; type: string; name: string; account: string }) => void;
  readonly onLog: (line: string) => void;
  /** Identities that ever stood on a stored claim. */
  readonly recorded: Set<string>;
  stale: Map<string, Awaited<ReturnType<Store['list']>>>;
}

/** Waits at the gate; a dead process never comes back from it. */
function gate(process: Process, at: string): Promise<void> {
  if (!process.alive) return new Promise(() => {});
  return new Promise((resolve, reject) => process.parked.push({ at, go: resolve, fail: reject }));
}

/** Starts an engine on the store and world that the last one left. */
export function startProcess(home: Home): Process {
  const tracker = newTracker();
  const life = { alive: true };
  const clock = clockOf(home.clock, life);
  const engine: Engine = {
    store: undefined as unknown as Store,
    clock,
    instance: { id: 'simulation-0a1b2c', key: 'simulated key' },
    providers: new Map([[fake.name, fake]]),
    connections: newConnections(clock),
    budgets: newBudgets(clock),
    options: DEFAULT_OPTIONS,
    log: (_, message, fields) => home.onLog(`${message} ${JSON.stringify(fields ?? {})}`),
    signal: new AbortController().signal,
    memory: new Map(),
    compiled,
    track: (claim, dependsOn) => track(tracker, claim, dependsOn),
  };
  const process: Process = Object.assign(life, { parked: [], engine, controller: undefined });
  Object.assign(engine, { store: gatedStore(process, home) });
  hook(world(WORLD), process, home);
  void startController({
    store: engine.store,
    clock,
    random: () => home.random.next(),
    tracker,
    isClaim: kind => (KINDS as readonly string[]).includes(kind),
    reconcileOne: key => reconcile(engine, key),
    onError: (_, error) => home.onLog(String(error)),
    concurrency: 3,
  }).then(controller => {
    process.controller = controller;
  });
  return process;
}

/** Compiled compositions are the same for every process and schedule: content is the key. */
const compiled: Engine['compiled'] = new Map();

function gatedStore(process: Process, { store, stale, random, onLog, recorded }: Home): Store {
  const through = async <T>(at: string, run: () => Promise<T>): Promise<T> => {
    await gate(process, `${at} before`);
    const answer = await run();
    await gate(process, `${at} after`);
    return answer;
  };
  return {
    get: key => through(`store get ${key.kind}/${key.name}`, () => store.get(key)),
    list: async (kind, namespace) => {
      const old = stale.get(kind);
      if (old !== undefined && random.next() < 0.2) return old;
      const now = await store.list(kind, namespace);
      stale.set(kind, now);
      return now;
    },
    watch: (onChange, signal) => store.watch(key => void (process.alive && onChange(key)), signal),
    write: write =>
      through(`store write ${write.kind}`, async () => {
        const after = await store.write(write);
        if (write.kind === 'status') for (const entry of write.status.resources) if (isOwned(entry)) recorded.add(identityKey(entry));
        return after;
      }),
    emit: (key, event) => {
      onLog(event.message);
      if (process.alive) store.emit(key, event);
    },
  };
}

function hook(place: World, process: Process, home: Home): void {
  place.clock = home.clock;
  place.before = async call => {
    await gate(process, `${call.verb} ${call.type} ${call.name} before`);
    if (call.writes) home.onWrite(call);
  };
  place.after = call => gate(process, `${call.verb} ${call.type} ${call.name} after`);
}

/** The process is no more: nothing it waits for comes, its timers never ring. */
export function kill(process: Process): void {
  process.alive = false;
  process.parked.length = 0;
}

/** What a call of the outside can end with. */
export function failureOf(random: Random, at: string): Error {
  const codes = at.startsWith('store')
    ? (['StoreConflict', 'StoreUnavailable'] as const)
    : (['Throttled', 'Timeout', 'ServiceError', 'Unreachable', 'AccessDenied', 'Busy', 'QuotaExceeded'] as const);
  return new EngineError(codes[Math.floor(random.next() * codes.length)]!, 'simulated');
}
