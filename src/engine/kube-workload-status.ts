/** One look at one workload: what it says of the claims it waits for, and what it should say. Its condition is all that is ever written. */
import { equal } from '../core/digest.ts';
import { isError } from '../core/errors.ts';
import type { Json, JsonObject, ObjectKey, Timestamp } from '../core/types.ts';
import { readWorkload, STALLED, type Standing, type StuckClaim, standingFor, stuckClaim, WORKLOAD_MANAGER, type Workload } from '../core/workload.ts';
import { cacheKey, metaOf, type ObjectMeta } from '../kube/cache.ts';
import { type ListWatch, takeOwnWrite } from '../kube/list-watch.ts';
import { pathOf } from '../kube/paths.ts';
import { STRATEGIC_PATCH } from '../kube/transport.ts';
import type { Clock } from './clock.ts';
import type { Log } from './engine.ts';
import { call, goneIsConflict, type KubeHome } from './kube-home.ts';
import { RESOURCES } from './kube-objects.ts';
import { CONNECTION_SECRETS } from './kube-watches.ts';
import { conflict, keyText } from './objects.ts';
import { bindingName } from './secrets.ts';

/** What a look goes by. */
export interface Looking {
  readonly home: KubeHome;
  readonly clock: Clock;
  readonly log: Log;
  /** By kind: the workloads that wait for claims, as `keptOf` keeps them. */
  readonly watches: Map<string, ListWatch>;
  /** KeyTexts of workloads that we may have written more of than the cache shows. */
  readonly marked: Set<string>;
  /** KeyTexts of claims that are not stuck any more, whatever the cache shows. */
  readonly recovering: Set<string>;
  /** By keyText of a workload: when we took back what it said, by the clock's milliseconds. Forgotten after QUIET_MS. */
  readonly cleared: Map<string, number>;
}

interface Seen {
  readonly meta: ObjectMeta;
  readonly workload: Workload;
}

/** Whoever watches workloads and claims at once has heard of a change of the ones after so long, ms: Helm reads three lists for each Deployment. */
export const QUIET_MS = 2_000;
/** How often a write is made anew over what somebody else wrote meanwhile. */
const TRIES = 5;
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** What is kept of a workload. */
export function keptOf(object: JsonObject): JsonObject {
  const { name, namespace, uid, resourceVersion } = metaOf(object);
  return { metadata: { name, namespace: namespace ?? '', uid, resourceVersion }, workload: readWorkload(object) as unknown as Json };
}

/** The workload in what was kept. */
export function workloadOf(kept: JsonObject | undefined): Workload | undefined {
  return kept?.['workload'] as unknown as Workload | undefined;
}

/** True when, by what is known here, the workload says nothing and has nothing to say. */
export function isAtPeace(looking: Looking, key: ObjectKey): boolean {
  const workload = cached(looking, key)?.workload;
  if (looking.marked.has(keyText(key)) || workload?.isOurs === true) return false;
  return workload === undefined || workload.stalled !== undefined || stuckFor(looking, key.namespace, workload).length === 0;
}

/** True while the claim, as cached, is stuck. */
export function isStuck(home: KubeHome, { kind, namespace, name }: ObjectKey): boolean {
  const claim = home.kinds.get(kind)?.cache.objects.get(cacheKey(namespace, name));
  return claim !== undefined && stuckClaim(claim) !== undefined;
}

/** Looks, and writes what has to be said or taken back. Errors: LeaseLost, StoreConflict, StoreUnavailable, AccessDenied. */
export async function look(looking: Looking, key: ObjectKey): Promise<void> {
  const text = keyText(key);
  let seen = looking.marked.has(text) ? await live(looking, key) : cached(looking, key);
  for (let tries = 1; seen !== undefined; tries += 1) {
    const wanted = await wantedOf(looking, key.namespace, seen.workload);
    if (isRight(seen.workload, wanted)) break;
    if (await isWritten(looking, key, seen, wanted)) return;
    if (tries === TRIES) throw conflict(key);
    seen = await live(looking, key);
  }
  if (seen?.workload.isOurs !== true) looking.marked.delete(text);
}

/** What others say is theirs. */
function isRight({ stalled, isOurs }: Workload, wanted: Standing | undefined): boolean {
  if (stalled === undefined) return wanted === undefined;
  return !isOurs || (wanted !== undefined && equal(stalled as unknown as Json, wanted as unknown as Json));
}

function cached({ watches }: Looking, { kind, namespace, name }: ObjectKey): Seen | undefined {
  const kept = watches.get(kind)?.cache.objects.get(cacheKey(namespace, name));
  return kept === undefined ? undefined : { meta: metaOf(kept), workload: workloadOf(kept)! };
}

/** As the API server has it, labelled or not. */
async function live({ home, watches }: Looking, { kind, namespace, name }: ObjectKey): Promise<Seen | undefined> {
  const path = pathOf(watches.get(kind)!.options.resource, namespace, name);
  const object = await orUndefined(call(home, `${kind} ${namespace}/${name}`, { method: 'GET', path }));
  return object === undefined ? undefined : { meta: metaOf(object), workload: readWorkload(object) };
}

async function orUndefined(asked: Promise<JsonObject>): Promise<JsonObject | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

// ── what it should say ──

async function wantedOf(looking: Looking, namespace: string, workload: Workload): Promise<Standing | undefined> {
  const missed: StuckClaim[] = [];
  for (const claim of stuckFor(looking, namespace, workload)) {
    // Pods start with whatever Secret bears the name, and only ours are cached.
    const path = pathOf(RESOURCES['Secret']!, namespace, bindingName(claim));
    const secret = await orUndefined(call(looking.home, `Secret ${namespace}/${bindingName(claim)}`, { method: 'GET', path, accept: METADATA }));
    if (secret === undefined) missed.push(claim);
  }
  return standingFor(missed);
}

/** The claims, as cached, without which it cannot start. */
function stuckFor({ home, recovering }: Looking, namespace: string, { awaits, needs }: Workload): StuckClaim[] {
  const secrets = home.secrets.get(CONNECTION_SECRETS)?.cache.objects;
  const missing = awaits ? needs.filter(name => secrets?.has(cacheKey(namespace, name)) !== true) : [];
  return missing.flatMap(name => claimsOf(home, namespace, name)).filter(claim => !recovering.has(keyText({ ...claim, namespace })));
}

/** The stuck claims whose Secret has this name. */
function claimsOf(home: KubeHome, namespace: string, secret: string): StuckClaim[] {
  return [...home.kinds].flatMap(([kind, { cache }]) => {
    const ending = bindingName({ kind, name: '' });
    if (RESOURCES[kind] !== undefined || !secret.endsWith(ending)) return [];
    const claim = cache.objects.get(cacheKey(namespace, secret.slice(0, -ending.length)));
    return (claim && stuckClaim(claim)) ?? [];
  });
}

// ── saying it ──

/** False when somebody else wrote the workload meanwhile. */
async function isWritten(looking: Looking, key: ObjectKey, { meta, workload }: Seen, wanted: Standing | undefined): Promise<boolean> {
  const { home, watches, marked, log, clock } = looking;
  const watch = watches.get(key.kind)!;
  const path = pathOf(watch.options.resource, key.namespace, key.name, 'status');
  const { uid, resourceVersion } = meta;
  const body = { metadata: { uid, resourceVersion }, status: { conditions: [conditionFor(key, workload, wanted, clock.now())] } };
  const query = { fieldManager: WORKLOAD_MANAGER };
  const text = keyText(key);
  marked.add(text);
  try {
    const answer = await call(home, text, { method: 'PATCH', path, query, body, contentType: STRATEGIC_PATCH }).catch(goneIsConflict(key));
    const isCached = takeOwnWrite(watch, cacheKey(key.namespace, key.name), resourceVersion, answer, true);
    if (isCached || wanted === undefined) marked.delete(text);
  } catch (error) {
    if (isError(error, 'StoreConflict')) return false;
    throw error;
  }
  const about = { workload: { kind: key.kind, namespace: key.namespace, name: key.name } };
  if (wanted === undefined) {
    remember(looking, text);
    log('info', `${text} does not say any more that it waits for claims that cannot be served`, about);
  } else log('info', `${text} says now that it waits for claims that cannot be served`, { ...about, reason: wanted.reason });
  return true;
}

function remember({ cleared, clock }: Looking, text: string): void {
  const atMs = clock.ms();
  cleared.set(text, atMs);
  clock.after(QUIET_MS, () => {
    if (cleared.get(text) === atMs) cleared.delete(text);
  });
}

/** Lists of conditions are merged by `type`: this touches no other. */
function conditionFor({ kind }: ObjectKey, { stalled }: Workload, wanted: Standing | undefined, now: Timestamp): JsonObject {
  if (wanted === undefined) return { $patch: 'delete', type: STALLED };
  const updated = kind === 'Deployment' ? { lastUpdateTime: now } : {};
  const begun = stalled === undefined ? { lastTransitionTime: now } : {};
  return { type: STALLED, status: 'True', reason: wanted.reason, message: wanted.message, ...updated, ...begun };
}
