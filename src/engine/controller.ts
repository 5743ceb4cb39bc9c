/** Drives reconciles: what changed, what uses it, and what is due. */
import { equal } from '../core/digest.ts';
import { ENVIRONMENT } from '../core/environment.ts';
import type { Schedule } from '../core/report.ts';
import type { ClaimKey, Json, JsonObject, ObjectKey } from '../core/types.ts';
import type { Clock } from './clock.ts';
import { withDeadline } from './deadline.ts';
import { keyText, metadataOf, parseKey } from './objects.ts';
import { add, backOff, closeQueue, idle, openQueue, type Queue, succeed } from './queue.ts';
import type { Store } from './store.ts';
import { dependents, isUser, type Tracker, track } from './tracker.ts';

export interface ControllerOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Filled by whoever reconciles, after each pass. */
  readonly tracker: Tracker;
  /** Claim kinds are learned from ClaimDefinitions; asked again when one changes. */
  readonly isClaim: (kind: string) => boolean | Promise<boolean>;
  /** One look at a claim. A rejection backs off; `signal` is aborted when stopping takes too long. */
  readonly reconcileOne: (key: ClaimKey, signal: AbortSignal) => Promise<Schedule>;
  /** Told of each rejection of reconcileOne. */
  readonly onError: (key: ClaimKey, error: unknown) => void;
  /** Claims at once; 8 by default. */
  readonly concurrency?: number;
  /** How long a stop waits for reconciles that run, ms, before it aborts them, and once more after that; 20 s by default. */
  readonly stopMs?: number;
}

export interface Controller {
  readonly options: ControllerOptions;
  readonly queue: Queue;
  /** Ends the watch. */
  readonly watching: AbortController;
  /** Ends reconciles. */
  readonly running: AbortController;
  /** By keyText of a claim: what was last seen of it. */
  readonly seen: Map<string, Seen>;
  /** Objects that were no claims when they were seen; a new definition may make them some. */
  readonly others: Map<string, ObjectKey>;
  /** Changes being looked into. */
  readonly lookups: Set<Promise<void>>;
  /** By claim being reconciled: the texts of what changed for others meanwhile. What it depends on is known only when it is done. */
  readonly meanwhile: Map<string, Set<string>>;
}
interface Seen {
  /** What people set: a change of it wakes the claim. */
  readonly wanted: Json;
  /** What others read of it: a change of it wakes those that refer to it. */
  readonly told: Json;
  /** Its inventory is that of this very object. Lost (a status that was emptied), it is woken. */
  readonly isKnown: boolean;
}

const SPREAD = 0.2;
const DEFINITION = 'ClaimDefinition';

/** Watches the store and begins to work; resolves when every claim there is has been added. Errors: those of Store.watch. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const queue = openQueue({
    clock: options.clock,
    random: options.random,
    concurrency: options.concurrency ?? 8,
    work: text => work(controller, text),
    onError: (text, error) => options.onError(parseKey(text), error),
  });
  const controller: Controller = {
    options,
    queue,
    watching: new AbortController(),
    running: new AbortController(),
    seen: new Map(),
    others: new Map(),
    lookups: new Set(),
    meanwhile: new Map(),
  };
  await options.store.watch(key => onChange(controller, key), controller.watching.signal);
  await Promise.all(controller.lookups);
  return controller;
}

async function work(controller: Controller, text: string): Promise<void> {
  const changed = new Set<string>();
  controller.meanwhile.set(text, changed);
  const schedule = await controller.options.reconcileOne(parseKey(text), controller.running.signal).finally(() => controller.meanwhile.delete(text));
  if (changed.size > 0 && dependsOnAny(controller, text, changed)) add(controller.queue, text);
  if (schedule.kind === 'again' && schedule.because === 'backoff') {
    backOff(controller.queue, text, schedule.afterMs);
    return;
  }
  succeed(controller.queue, text);
  if (schedule.kind === 'again') add(controller.queue, text, waitOf(schedule, controller.options.random));
}

function waitOf({ afterMs, because }: Extract<Schedule, { kind: 'again' }>, random: () => number): number {
  return because === 'recheck' || because === 'resync' ? afterMs * (1 - SPREAD + 2 * SPREAD * random()) : afterMs;
}

function onChange(controller: Controller, key: ObjectKey): void {
  const lookup = lookInto(controller, key).finally(() => controller.lookups.delete(lookup));
  controller.lookups.add(lookup);
}

async function lookInto(controller: Controller, key: ObjectKey): Promise<void> {
  if (await isClaim(controller, key)) return await lookIntoClaim(controller, key);
  controller.others.set(keyText(key), key);
  if (key.kind === DEFINITION) await revisitOthers(controller);
  wakeDependents(controller, key);
}

/** A kind that cannot be judged now is no claim; the definition's next change asks again. */
async function isClaim(controller: Controller, key: ObjectKey): Promise<boolean> {
  try {
    return await controller.options.isClaim(key.kind);
  } catch {
    return false;
  }
}

async function revisitOthers(controller: Controller): Promise<void> {
  const kinds = new Map<string, boolean>();
  for (const [text, key] of [...controller.others]) {
    if (!kinds.has(key.kind)) kinds.set(key.kind, await isClaim(controller, key));
    if (!kinds.get(key.kind)) continue;
    controller.others.delete(text);
    await lookIntoClaim(controller, key);
  }
}

/** The engine's own writes come back as changes: only what people set wakes the claim, and only what it tells wakes the others. */
async function lookIntoClaim(controller: Controller, key: ClaimKey): Promise<void> {
  const { options, queue, seen } = controller;
  let object: JsonObject | undefined;
  try {
    object = await options.store.get(key, 'cache');
  } catch {
    // The reconcile meets the same error and has the means to report it.
    add(queue, keyText(key));
    return;
  }
  const before = seen.get(keyText(key));
  const now = object === undefined ? undefined : whatIsSeen(object);
  if (now === undefined) forget(controller, key);
  else seen.set(keyText(key), now);
  const isLost = before?.isKnown === true && now?.isKnown === false;
  if (now === undefined || isLost || !equal(before?.wanted, now.wanted)) add(queue, keyText(key));
  if (!equal(before?.told, now?.told)) wakeDependents(controller, key);
}

function forget(controller: Controller, key: ClaimKey): void {
  controller.seen.delete(keyText(key));
  track(controller.options.tracker, key, []);
}

/** It read one of these before it changed, and was not yet known to depend on it when others were woken. */
function dependsOnAny({ options }: Controller, text: string, changed: ReadonlySet<string>): boolean {
  for (const key of changed) if (isUser(options.tracker, text, key)) return true;
  return false;
}

function wakeDependents(controller: Controller, key: ObjectKey): void {
  const text = keyText(key);
  for (const changed of controller.meanwhile.values()) changed.add(text);
  for (const claim of dependents(controller.options.tracker, key)) add(controller.queue, keyText(claim));
}

function whatIsSeen(object: JsonObject): Seen {
  const { uid, generation, deletionTimestamp = '', labels = {}, annotations = {} } = metadataOf(object);
  const { conditions = [], resources: _, drift: __, pendingPlan: ___, observedGeneration: ____, ...told } = (object['status'] ?? {}) as JsonObject;
  const ready = (conditions as JsonObject[]).find(condition => condition['type'] === 'Ready') ?? null;
  const isKnown = told['inventoryFor'] === uid;
  // What an Environment says of its namespace stands in its spec.
  const said = object['kind'] === ENVIRONMENT ? { spec: object['spec'] ?? null } : {};
  return { wanted: { uid, generation, deletionTimestamp, labels, annotations }, told: { ...told, ...said, ready, uid, deletionTimestamp }, isKnown };
}

/** Adds a claim at once, e.g. after a verb of a person. */
export function wake(controller: Controller, key: ClaimKey): void {
  add(controller.queue, keyText(key));
}

/** Resolves when every change that was told is looked into and nothing is due or being reconciled. */
export async function settled(controller: Controller): Promise<void> {
  do {
    await Promise.all(controller.lookups);
    await idle(controller.queue);
    // A write's change is told in a later microtask.
    await Promise.resolve();
  } while (controller.lookups.size > 0);
}

/**
 * Ends the watch and takes no new claim; waits for the reconciles that run, aborts them after `stopMs`, and gives up after as long
 * again. True when nothing runs any more.
 */
export async function stopController(controller: Controller): Promise<boolean> {
  const { clock, stopMs = 20_000 } = controller.options;
  controller.watching.abort();
  const closed = closeQueue(controller.queue);
  if (await isOverIn(clock, stopMs, closed)) return true;
  controller.running.abort();
  return await isOverIn(clock, stopMs, closed);
}

async function isOverIn(clock: Clock, ms: number, closed: Promise<void>): Promise<boolean> {
  try {
    await withDeadline(clock, ms, new AbortController().signal, () => closed);
    return true;
  } catch {
    return false;
  }
}
