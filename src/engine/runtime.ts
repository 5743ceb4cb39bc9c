/** The controller as one of several processes: works what it holds, lets go what it loses, and stops in an orderly way. */

import { isError } from '../core/errors.ts';
import type { Schedule } from '../core/report.ts';
import type { ClaimKey } from '../core/types.ts';
import { watchThings } from './clients.ts';
import { type Controller, startController, stopController, wake } from './controller.ts';
import type { Engine } from './engine.ts';
import { leaseLost } from './lease.ts';
import { keyText, parseKey } from './objects.ts';
import type { Store, Write } from './store.ts';
import type { Tenure } from './tenure.ts';
import type { Tracker } from './tracker.ts';

export interface RuntimeOptions {
  readonly engine: Engine;
  readonly tracker: Tracker;
  readonly random: () => number;
  readonly isClaim: (kind: string) => boolean | Promise<boolean>;
  /** One look at a claim with an engine that is fenced. */
  readonly work: (engine: Engine, key: ClaimKey) => Promise<Schedule>;
  /** Claims at once. */
  readonly workers: number;
  /** How long a stop waits for reconciles that run, ms, before it aborts them, and once more after that. */
  readonly stopMs: number;
  /** Asks for the tenure; `onChange` and `drained` are to be called as LeaderOptions and MemberOptions say. */
  readonly begin: (onChange: () => void, drained: (isMoving: (namespace: string) => boolean) => Promise<void>) => Tenure | Promise<Tenure>;
  /** Told after each reconcile. `error`: of one that was rejected. */
  readonly onWorked?: (key: ClaimKey, result: { readonly schedule?: Schedule; readonly error?: unknown; readonly ms: number }) => void;
  /** Told when this process begins or ends to work claims of a namespace. */
  readonly onTenure?: (namespace: string, isHeld: boolean) => void;
}

interface Running {
  readonly key: ClaimKey;
  readonly term: number;
  readonly abort: AbortController;
}

export interface Runtime {
  readonly options: RuntimeOptions;
  /** By keyText. */
  readonly running: Map<string, Running>;
  /** By namespace, as last told: the term in which it is held. */
  readonly held: Map<string, number>;
  readonly drains: Set<() => void>;
  tenure: Tenure | undefined;
  controller: Controller | undefined;
  isStopping: boolean;
}

/** Fills the caches, then asks for its share of the work; resolves when both are done. Errors: those of Store.watch and of `begin`. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { engine, tracker, random, workers, stopMs, isClaim } = options;
  const runtime: Runtime = { options, running: new Map(), held: new Map(), drains: new Set(), tenure: undefined, controller: undefined, isStopping: false };
  const controller = await startController({
    store: engine.store,
    clock: engine.clock,
    random,
    tracker,
    isClaim,
    reconcileOne: key => workOne(runtime, key),
    onError: () => undefined,
    concurrency: workers,
    stopMs,
  });
  runtime.controller = controller;
  watchThings(engine.connections, engine.instance.id, key => wake(controller, key));
  controller.running.signal.addEventListener('abort', () => abortAll(runtime, () => true));
  try {
    runtime.tenure = await options.begin(
      () => onChange(runtime),
      isMoving => drained(runtime, isMoving),
    );
  } catch (error) {
    await stopController(controller);
    throw error;
  }
  onChange(runtime);
  return runtime;
}

/** Takes no new claim, waits for those that run, aborts them when it takes too long, then gives its share back. True when nothing was cut off. */
export async function stopRuntime(runtime: Runtime): Promise<boolean> {
  runtime.isStopping = true;
  const isOver = runtime.controller === undefined || (await stopController(runtime.controller));
  await runtime.tenure?.stop();
  return isOver;
}

/** True while claims of the namespace are worked here; '' stands for what has no namespace. */
export function holds({ tenure, options }: Runtime, namespace: string): boolean {
  return tenure !== undefined && options.engine.clock.ms() < tenure.holdsUntil(namespace);
}

async function workOne(runtime: Runtime, key: ClaimKey): Promise<Schedule> {
  const { engine, work, onWorked } = runtime.options;
  // Whoever gets it later is woken for it.
  if (!holds(runtime, key.namespace)) return { kind: 'done' };
  const run: Running = { key, term: runtime.tenure!.term(), abort: new AbortController() };
  runtime.running.set(keyText(key), run);
  const beginMs = engine.clock.ms();
  try {
    const schedule = await work(fencedEngine(runtime, run), key);
    onWorked?.(key, { schedule, ms: engine.clock.ms() - beginMs });
    return schedule;
  } catch (error) {
    onWorked?.(key, { error, ms: engine.clock.ms() - beginMs });
    if (!isError(error, 'LeaseLost') || holds(runtime, key.namespace)) throw error;
    return { kind: 'done' };
  } finally {
    runtime.running.delete(keyText(key));
    for (const go of runtime.drains) go();
  }
}

/** The engine of one reconcile: it may act as long as the term lasts in which it began. */
function fencedEngine(runtime: Runtime, { key, term, abort }: Running): Engine {
  const { engine } = runtime.options;
  const holdsUntil = (namespace: string): number => (runtime.tenure!.term() === term ? runtime.tenure!.holdsUntil(namespace) : 0);
  const claim = { kind: key.kind, namespace: key.namespace, name: key.name };
  return {
    ...engine,
    holdsUntil,
    signal: abort.signal,
    store: fencedStore(engine.store, () => engine.clock.ms() < holdsUntil(key.namespace)),
    log: (level, message, fields) => engine.log(level, message, { claim, ...fields }),
  };
}

/** Nothing is written, not even a status, and nothing is told by a process that lost the claim. */
function fencedStore(store: Store, isHeld: () => boolean): Store {
  const write = async (what: Write): Promise<Awaited<ReturnType<Store['write']>>> => {
    if (!isHeld()) throw leaseLost(what.kind === 'revision' ? what.name : `${what.claim.kind}/${what.claim.name}`);
    return await store.write(what);
  };
  const emit: Store['emit'] = (of, event) => {
    if (isHeld()) store.emit(of, event);
  };
  return { ...store, write, emit };
}

/** Wakes what was gained, and cuts off what was lost. */
function onChange(runtime: Runtime): void {
  const { controller, tenure, held, options } = runtime;
  if (controller === undefined || tenure === undefined) return;
  const term = tenure.term();
  abortAll(runtime, run => run.term !== term);
  const claims = [...controller.seen.keys()].map(parseKey);
  const changed = new Map<string, boolean>();
  for (const namespace of new Set(['', ...held.keys(), ...claims.map(key => key.namespace)])) {
    const isHeld = holds(runtime, namespace);
    if (isHeld === held.has(namespace) && (!isHeld || held.get(namespace) === term)) continue;
    changed.set(namespace, isHeld);
    if (isHeld) held.set(namespace, term);
    else held.delete(namespace);
  }
  for (const key of claims) {
    if (changed.get(key.namespace) !== true) continue;
    // Others worked it: the first look is a whole one.
    options.engine.memory.delete(keyText(key));
    wake(controller, key);
  }
  for (const [namespace, isHeld] of changed) options.onTenure?.(namespace, isHeld);
}

function abortAll({ running }: Runtime, isMeant: (run: Running) => boolean): void {
  for (const run of running.values()) if (isMeant(run)) run.abort.abort();
}

/** Resolves when no claim of these namespaces is being worked. None begins: what is given up is no longer held. */
async function drained({ running, drains }: Runtime, isMoving: (namespace: string) => boolean): Promise<void> {
  while ([...running.values()].some(({ key }) => isMoving(key.namespace))) {
    await new Promise<void>(resolve => {
      const go = (): void => {
        drains.delete(go);
        resolve();
      };
      drains.add(go);
    });
  }
}
