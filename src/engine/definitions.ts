/**
 * Keeps claim kinds and admin objects in order, in a cluster: a CustomResourceDefinition for each ClaimDefinition, finalizers on what is in
 * use, and on each admin object whether it can be used. One engine of an instance runs it, the leader.
 */
import { CLAIM_KIND } from '../core/crd.ts';
import { isError } from '../core/errors.ts';
import { isAdminKind } from '../core/kinds.ts';
import type { ObjectKey, Provider } from '../core/types.ts';
import { metaOf } from '../kube/cache.ts';
import { type ListWatch, startListWatch, stopListWatch } from '../kube/list-watch.ts';
import type { Api } from '../kube/transport.ts';
import type { Clock } from './clock.ts';
import { CRDS } from './definitions-api.ts';
import { judgeAdmin } from './definitions-judge.ts';
import { applyAdminCrds, type Settling, settleDefinition } from './definitions-settle.ts';
import { protectInUse } from './definitions-use.ts';
import type { Log } from './engine.ts';
import { add, closeQueue, openQueue, type Queue, succeed } from './queue.ts';
import type { Store } from './store.ts';

export interface DefinitionsOptions {
  readonly api: Api;
  readonly store: Store;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Of this Plinth, semver. */
  readonly version: string;
  readonly log: Log;
  readonly providers: ReadonlyMap<string, Provider>;
}

export interface Definitions {
  readonly options: DefinitionsOptions;
  readonly queue: Queue;
  /** CustomResourceDefinitions of claim kinds, metadata only. */
  readonly crds: ListWatch;
  readonly watching: AbortController;
}

/** Of many changes at once, e.g. a thousand claims that begin, one look; ms. */
const GATHER_MS = 1_000;
const USE = 'use';
const JUDGE = 'judge';

/**
 * Begins: the CustomResourceDefinitions of the admin kinds first. Resolves when every definition there is was told, not when it is settled;
 * what fails from then on is tried again, with a growing wait. Errors: those of `applyAdminCrds`, and of Store.watch.
 */
export async function startDefinitions(options: DefinitionsOptions): Promise<Definitions> {
  const { api, store, clock, random, version, log } = options;
  const settling: Settling = { api, version, now: clock.now, log };
  await applyAdminCrds(settling);
  const queue = openQueue({
    clock,
    random,
    concurrency: 1,
    work: async key => {
      const afterMs = await work(options, settling, key);
      succeed(queue, key);
      if (afterMs !== undefined) add(queue, key, afterMs);
    },
    onError: (key, error) => {
      // Somebody wrote it in between: the next look is at what they wrote.
      const level = isError(error, 'StoreConflict') ? 'debug' : 'warn';
      log(level, `${TASKS[key] ?? `ClaimDefinition ${key}`}: ${error instanceof Error ? error.message : String(error)}`);
    },
  });
  const crds = startListWatch({
    api,
    resource: CRDS,
    labelSelector: CLAIM_KIND,
    metadataOnly: true,
    onChange: ({ object, before }) => add(queue, metaOf((object ?? before)!).name),
  });
  const definitions: Definitions = { options, queue, crds, watching: new AbortController() };
  await Promise.all([crds.synced, store.watch(key => onChange(definitions, key), definitions.watching.signal)]);
  return definitions;
}

const TASKS: Readonly<Record<string, string>> = { [USE]: 'finalizers of what is in use', [JUDGE]: 'what is wrong with admin objects' };

async function work({ store, providers }: DefinitionsOptions, settling: Settling, key: string): Promise<number | undefined> {
  if (key === USE) await protectInUse(settling, store);
  else if (key === JUDGE) await judgeAdmin(settling, store, providers);
  else return await settleDefinition(settling, key);
  return undefined;
}

function onChange({ queue }: Definitions, { kind, name }: ObjectKey): void {
  if (kind === 'ClaimDefinition') add(queue, name);
  if (isAdminKind(kind)) add(queue, JUDGE, GATHER_MS);
  // A claim, or an admin object: who uses what may have changed. Secrets, namespaces and revisions use nothing.
  if (isAdminKind(kind) || !OTHERS.has(kind)) add(queue, USE, GATHER_MS);
}
const OTHERS = new Set(['Secret', 'Namespace', 'Revision']);

/** Ends the watches and takes nothing new; resolves when nothing is being worked. */
export async function stopDefinitions({ watching, crds, queue }: Definitions): Promise<void> {
  watching.abort();
  stopListWatch(crds);
  await closeQueue(queue);
}
