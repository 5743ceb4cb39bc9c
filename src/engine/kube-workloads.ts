/**
 * Workloads that wait for claims say so (ADR 0013): those whose owner wants it are watched, and looked at when they, a claim whose Secret they need,
 * or that Secret changes. What is written is in kube-workload-status.ts.
 */
import { isCondition } from '../core/conditions.ts';
import { EngineError, isError } from '../core/errors.ts';
import type { Claim, JsonObject, ObjectKey } from '../core/types.ts';
import { AWAITS_CLAIMS, isRecovery, STALLED, WORKLOADS } from '../core/workload.ts';
import { metaOf, objectsOf } from '../kube/cache.ts';
import { type Change, type ListWatch, startListWatch, stopListWatch } from '../kube/list-watch.ts';
import type { Resource } from '../kube/paths.ts';
import type { Clock } from './clock.ts';
import { withDeadline } from './deadline.ts';
import type { Log } from './engine.ts';
import type { KubeHome } from './kube-home.ts';
import { RESOURCES } from './kube-objects.ts';
import { isAtPeace, isStuck, keptOf, type Looking, look, QUIET_MS, workloadOf } from './kube-workload-status.ts';
import { keyText, parseKey } from './objects.ts';
import { add, closeQueue, openQueue, type Queue, succeed } from './queue.ts';
import { bindingName } from './secrets.ts';
import type { Store, Write } from './store.ts';

export interface WorkloadsOptions {
  readonly home: KubeHome;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** True while this process works the claims of the namespace. */
  readonly holds: (namespace: string) => boolean;
  /** Told of each failure of a watch that is tried again. */
  readonly onError: (error: unknown) => void;
}

export interface Workloads extends Looking {
  readonly options: WorkloadsOptions;
  readonly queue: Queue;
  /** By keyText of a Secret: keyTexts of the workloads that need it. */
  readonly needing: Map<string, Set<string>>;
  /** Not ours to write when they were looked at. */
  readonly elsewhere: Set<string>;
  /** By keyText of a workload: the last look at it, if it goes on. */
  readonly looks: Map<string, Promise<void>>;
  /** By keyText of a claim: how often its report waited in vain. */
  readonly vain: Map<string, number>;
  readonly ending: AbortController;
  /** Claims and Secrets are known: before, what is missing means nothing. */
  isReady: boolean;
}

/** Looks at once. */
const LOOKS = 4;
/** A report of a claim waits for its workloads so long, ms, and so often in vain; then the claim's own word counts more. */
const WAIT_MS = 10_000;
const MOST_WAITS = 3;

/** Begins to watch, and returns at once. */
export function startWorkloads(options: WorkloadsOptions): Workloads {
  const { home, clock, random, log } = options;
  const queue = openQueue({
    clock,
    random,
    concurrency: LOOKS,
    work: async text => {
      await lookAt(workloads, text);
      succeed(queue, text);
    },
    onError: (text, error) => {
      // Whoever holds the claims now looks too, and whoever wrote the workload is told by the watch.
      const level = isError(error, 'LeaseLost') || isError(error, 'StoreConflict') ? 'debug' : 'warn';
      log(level, `${text} does not say yet whether it waits for claims: ${error instanceof Error ? error.message : String(error)}`);
    },
  });
  const workloads: Workloads = {
    options,
    home,
    clock,
    log,
    queue,
    watches: new Map(),
    needing: new Map(),
    elsewhere: new Set(),
    looks: new Map(),
    vain: new Map(),
    marked: new Set(),
    recovering: new Set(),
    cleared: new Map(),
    ending: new AbortController(),
    isReady: false,
  };
  for (const { kind, plural } of WORKLOADS) workloads.watches.set(kind, watchKind(workloads, { group: 'apps', version: 'v1', plural, kind, namespaced: true }));
  return workloads;
}

function watchKind(workloads: Workloads, resource: Resource): ListWatch {
  const { home, onError } = workloads.options;
  return startListWatch({
    api: home.api,
    resource,
    labelSelector: `${AWAITS_CLAIMS}=true`,
    // Where the role does not allow it, there are none.
    optional: true,
    keep: keptOf,
    onChange: change => onWorkload(workloads, resource.kind, change),
    onError,
    ...(home.idleMs === undefined ? {} : { idleMs: home.idleMs }),
  });
}

/** Follows the claims of a store whose watch is told of here; resolves when all there is was told and the first looks are due. */
export async function followClaims(workloads: Workloads, store: Store): Promise<void> {
  await store.watch(key => onChange(workloads, key), workloads.ending.signal);
  await untilKnown(workloads);
  workloads.isReady = true;
  for (const [kind, { cache }] of workloads.watches) {
    for (const object of objectsOf(cache)) add(workloads.queue, textOf(kind, object));
  }
}

async function untilKnown({ watches }: Workloads): Promise<void> {
  await Promise.all([...watches.values()].map(watch => watch.synced));
}

/** Takes no new look; resolves when none goes on. Reports are still waited for. */
export async function endLooks({ queue }: Workloads): Promise<void> {
  await closeQueue(queue);
}

/** Ends the watches, when no claim is worked any more: without what they tell nothing could be said of claims. */
export async function stopWorkloads(workloads: Workloads): Promise<void> {
  await endLooks(workloads);
  workloads.ending.abort();
  for (const watch of workloads.watches.values()) stopListWatch(watch);
}

/** To be called when the share of this process may have changed. */
export function onShare(workloads: Workloads): void {
  const { holds } = workloads.options;
  const gained = [...workloads.elsewhere].filter(text => holds(parseKey(text).namespace));
  for (const text of gained) {
    workloads.elsewhere.delete(text);
    add(workloads.queue, text);
  }
}

/** Resolves when no workload of these namespaces is being looked at. None begins: what is given up is no longer held. */
export async function looksEnded({ looks }: Workloads, isMoving: (namespace: string) => boolean): Promise<void> {
  await Promise.allSettled([...looks].filter(([text]) => isMoving(parseKey(text).namespace)).map(([, going]) => going));
}

// ── what wakes ──

function textOf(kind: string, object: JsonObject): string {
  const { namespace = '', name } = metaOf(object);
  return keyText({ kind, namespace, name });
}

function onWorkload(workloads: Workloads, kind: string, { object, before }: Change): void {
  const text = textOf(kind, (object ?? before)!);
  for (const secret of secretsOf(before)) unlink(workloads, secret, text);
  for (const secret of secretsOf(object)) workloads.needing.set(secret, (workloads.needing.get(secret) ?? new Set()).add(text));
  // It is gone, or its label is: then what we said goes too.
  if (object === undefined && workloadOf(before)?.isOurs === true) workloads.marked.add(text);
  if (workloads.isReady) add(workloads.queue, text);
}

function secretsOf(object: JsonObject | undefined): string[] {
  if (object === undefined) return [];
  const { namespace = '' } = metaOf(object);
  return workloadOf(object)!.needs.map(name => keyText({ kind: 'Secret', namespace, name }));
}

function unlink({ needing }: Workloads, secret: string, text: string): void {
  const all = needing.get(secret);
  all?.delete(text);
  if (all?.size === 0) needing.delete(secret);
}

/** Of a claim, or of a Secret. */
function onChange(workloads: Workloads, key: ObjectKey): void {
  if (key.kind !== 'Secret' && RESOURCES[key.kind] !== undefined) return;
  if (!isStuck(workloads.home, key)) workloads.recovering.delete(keyText(key));
  if (workloads.isReady) for (const text of waitingFor(workloads, key)) add(workloads.queue, text);
}

/** KeyTexts of the workloads that need the Secret of a claim, or this Secret. */
function waitingFor({ needing }: Workloads, key: ObjectKey): string[] {
  const name = key.kind === 'Secret' ? key.name : bindingName(key);
  return [...(needing.get(keyText({ kind: 'Secret', namespace: key.namespace, name })) ?? [])];
}

// ── looking ──

/** One look after the other at one workload. */
function lookAt(workloads: Workloads, text: string): Promise<void> {
  const { looks } = workloads;
  const going = (looks.get(text) ?? Promise.resolve()).catch(() => undefined).then(() => lookIfOurs(workloads, text));
  looks.set(text, going);
  const forget = (): void => {
    if (looks.get(text) === going) looks.delete(text);
  };
  going.then(forget, forget);
  return going;
}

async function lookIfOurs(workloads: Workloads, text: string): Promise<void> {
  const key = parseKey(text);
  if (isAtPeace(workloads, key)) return;
  if (workloads.options.holds(key.namespace)) return await look(workloads, key);
  workloads.elsewhere.add(text);
}

// ── before a claim recovers ──

/**
 * The store for those who work claims. The Secret of a claim that is stuck, and the report that it is so no longer, are written when no workload
 * says any more that it waits, and everybody has heard of that. Otherwise whoever waits for both, as Helm does, finds the claim ready and the
 * workload failed, and gives up.
 */
export function clearedFirst(workloads: Workloads, store: Store): Store {
  const write: Store['write'] = async what => {
    if (what.kind !== 'status' && what.kind !== 'secret') return await store.write(what);
    if (takesBack(what)) return await recover(workloads, what.claim, () => store.write(what));
    if (what.kind === 'status') workloads.recovering.delete(keyText(what.claim));
    return await store.write(what);
  };
  return { ...store, write };
}

function takesBack(what: Extract<Write, { kind: 'status' | 'secret' }>): boolean {
  const { conditions } = what.claim.status;
  return what.kind === 'status' ? isRecovery(conditions, what.status.conditions) : what.data !== undefined && isCondition(conditions, STALLED);
}

async function recover(workloads: Workloads, claim: Claim, write: () => Promise<JsonObject | undefined>): Promise<JsonObject | undefined> {
  const text = keyText(claim);
  // Until the cache has heard of it: what it shows until then would be said again.
  workloads.recovering.add(text);
  try {
    await untilCleared(workloads, claim);
    await untilHeard(workloads, claim);
    return await write();
  } catch (error) {
    workloads.recovering.delete(text);
    onChange(workloads, claim);
    throw error;
  }
}

async function untilCleared(workloads: Workloads, claim: Claim): Promise<void> {
  const { options, vain, log } = workloads;
  const text = keyText(claim);
  try {
    await withDeadline(options.clock, WAIT_MS, new AbortController().signal, async () => {
      await untilKnown(workloads);
      await Promise.all(waitingFor(workloads, claim).map(workload => lookAt(workloads, workload)));
    });
    vain.delete(text);
  } catch (error) {
    if (isError(error, 'LeaseLost')) throw error;
    const tries = (vain.get(text) ?? 0) + 1;
    vain.set(text, tries);
    const why = `what waits for ${text} still says that it cannot be served: ${error instanceof Error ? error.message : String(error)}`;
    if (tries < MOST_WAITS && !isError(error, 'AccessDenied')) throw new EngineError('StoreUnavailable', why, { hint: 'it is tried again', cause: error });
    vain.delete(text);
    log('warn', why);
  }
}

async function untilHeard(workloads: Workloads, claim: Claim): Promise<void> {
  const { clock, cleared } = workloads;
  const untilMs = Math.max(0, ...waitingFor(workloads, claim).map(text => (cleared.get(text) ?? -QUIET_MS) + QUIET_MS));
  const leftMs = untilMs - clock.ms();
  if (leftMs > 0) await new Promise<void>(resolve => clock.after(leftMs, resolve));
}
