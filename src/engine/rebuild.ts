/** Finding an inventory again by the marks on the things themselves. */
import { EngineError, isError } from '../core/errors.ts';
import { holdsOf, identityKey, isOwned } from '../core/match.ts';
import { emptyStatus } from '../core/parse-status.ts';
import { select } from '../core/selection.ts';
import type { Claim, ClaimDefinition, InventoryEntry, Owned, OwnedEntry } from '../core/types.ts';
import { allTypes, loadClasses, loadConfig } from './catalogue.ts';
import { choose } from './choice.ts';
import { type Connection, classified, contextFor, withoutSecrets } from './clients.ts';
import type { Engine } from './engine.ts';
import { connectFor, isLifetimeOver } from './links.ts';
import { beginPass, planOnly } from './pass.ts';
import { placeOf } from './place.ts';

/** A thing with our marks and the connection it was found through. */
export interface Found extends Owned {
  readonly connection: Connection;
  readonly config: string;
}

/** Everything of this installation behind one connection. Throws what the provider throws, classified. */
export async function findOwned(engine: Engine, connection: Connection, config: string): Promise<Found[]> {
  const context = contextFor(connection, { signal: engine.signal, depth: 'full', log: engine.log, budgets: engine.budgets });
  const found: Found[] = [];
  try {
    for await (const owned of connection.provider.owned(context, engine.instance.id)) found.push({ ...owned, connection, config });
  } catch (error) {
    throw withoutSecrets(classified(connection.provider, error), connection.settings);
  }
  return found;
}

/** The entries of a claim whose status is lost. Throws when a provider cannot be searched: an inventory that is not complete is none. */
export async function rebuildInventory(engine: Engine, claim: Claim, definition: ClaimDefinition): Promise<InventoryEntry[]> {
  const entries = await entriesByMarks(engine, claim);
  return claim.deletionRequested ? await asPlanned(engine, { ...claim, status: { ...emptyStatus(), resources: entries } }, definition) : entries;
}

/**
 * A claim on its way out gets no good pass any more: what one would pin and in which order things go is planned, and nothing is done; what bears no
 * marks is found by the key it would have. What cannot be told stays as careful as it is. Throws what may work in a moment.
 */
async function asPlanned(engine: Engine, claim: Claim, definition: ClaimDefinition): Promise<InventoryEntry[]> {
  const { newest } = await choose(engine, claim);
  if (newest === undefined) return [...claim.status.resources];
  const { plan } = await planOnly(beginPass(engine, claim, definition), newest);
  const passing = plan.actions.find(action => action.kind === 'blocked' && action.error.retry === 'retryable');
  // What cannot be seen for a moment must not decide that it is kept for good.
  if (passing?.kind === 'blocked') throw passing.error;
  const planned = new Map(plan.inventory.filter(isOwned).map(entry => [identityKey(entry), entry]));
  const marked = claim.status.resources.filter(isOwned);
  const pinned = marked.map(entry => {
    const { deletion, onDelete, dependsOn } = planned.get(identityKey(entry)) ?? entry;
    return { ...entry, deletion, onDelete, dependsOn };
  });
  for (const entry of marked) planned.delete(identityKey(entry));
  const types = allTypes(engine.providers);
  return [...pinned, ...[...planned.values()].filter(entry => entry.phase === 'Present' && types.get(entry.type)?.mark.as === 'key')];
}

async function entriesByMarks(engine: Engine, claim: Claim): Promise<OwnedEntry[]> {
  const names = await configNames(engine, claim);
  const found = await Promise.all(
    names.map(async name => {
      const config = await loadConfig(engine.store, name);
      if (await isLifetimeOver(engine, claim, config)) return [];
      return await findOwned(engine, await connectFor(engine, claim, config), name);
    }),
  );
  const entries = entriesFor(
    found.flat().filter(thing => thing.owner.uid === claim.uid),
    engine.clock.now(),
  );
  return entries.map(entry => (isAdopted(claim, entry) ? { ...entry, origin: 'Adopted', deletion: 'Retain' } : entry));
}

/** What was taken over bears the same marks as what was made: the claim still says which it is. */
const isAdopted = ({ lifecycle }: Claim, { id, name }: OwnedEntry): boolean => lifecycle.adopt?.[id.split('[')[0]!] === name;

/** Entries as they stand after a good look, with the pins of one whose class is not known: data is retained. */
export function entriesFor(found: readonly Found[], now: string): OwnedEntry[] {
  const seen = new Map<string, number>();
  return found.map(({ type, name, owner, connection, config }) => {
    const incarnation = seen.get(owner.id) ?? 0;
    seen.set(owner.id, incarnation + 1);
    const known = connection.types.get(type);
    const holds = known === undefined ? 'data' : holdsOf(known, name);
    const pins = { origin: 'Created', deletion: holds === 'data' ? 'Retain' : 'Delete', onDelete: {} } as const;
    return {
      phase: 'Present',
      id: owner.id,
      type,
      name,
      scope: connection.scope,
      config,
      dependsOn: [],
      ready: false,
      message: '',
      since: now,
      incarnation,
      holds,
      settled: {},
      ...pins,
    };
  });
}

/** The configs the class gives the claim; without a class, all there are. */
async function configNames(engine: Engine, claim: Claim): Promise<string[]> {
  try {
    return Object.values(select(claim, await loadClasses(engine.store), await placeOf(engine.store, claim)).configs);
  } catch (error) {
    if (!isError(error) || isError(error, 'StoreUnavailable')) throw error;
    const configs = await engine.store.list('ProviderConfig');
    if (configs.length === 0) throw new EngineError('NoProviderConfig', 'there is no ProviderConfig to find through what the claim owns');
    return configs.map(config => (config['metadata'] as { name: string }).name);
  }
}
