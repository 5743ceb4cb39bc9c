/** `plinth orphans`: real things with our marks that no claim owns. Only looks. */
import { EngineError } from '../core/errors.ts';
import { identityKey, isOwned } from '../core/match.ts';
import type { JsonObject } from '../core/types.ts';
import { loadConfig } from '../engine/catalogue.ts';
import { namedBy } from '../engine/clients.ts';
import { connectFor } from '../engine/links.ts';
import { keyOf } from '../engine/objects.ts';
import { type Found, findOwned } from '../engine/rebuild.ts';
import { allClaims } from './apply.ts';
import type { Home } from './home.ts';
import type { Context, ExitCode } from './host.ts';
import { openHome } from './open-home.ts';
import { columns, note, tell } from './output.ts';
import { statusOf } from './standing.ts';

/** Runs the command. Errors: those of openHome. A config that cannot be searched is named and makes the run fail. */
export async function runOrphans(context: Context): Promise<ExitCode> {
  const home = await openHome(context);
  try {
    const { found, failed } = await searchAll(home);
    const owned = await ownedKeys(home);
    const orphans = found.filter(thing => !owned.has(keyOfThing(thing)));
    const data = orphans.map(({ type, name, owner, connection }) => ({
      type,
      name,
      scope: connection.scope,
      claim: `${owner.kind}/${owner.name}`,
      namespace: owner.namespace,
      id: owner.id,
      uid: owner.uid,
    }));
    await tell(context.out, { orphans: data, failed }, () =>
      orphans.length === 0
        ? ['no orphans']
        : columns(
            [
              ['TYPE', 'NAME', 'MADE FOR', 'NAMESPACE', 'SCOPE'],
              ...data.map(item => [item.type, item.name, `${item.claim} ${item.id}`, item.namespace, item.scope]),
            ],
            context.out.colours.dim,
          ),
    );
    for (const line of failed) note(`not searched: ${line}`);
    return failed.length > 0 ? 1 : orphans.length > 0 ? 3 : 0;
  } finally {
    await home.close();
  }
}

async function searchAll(home: Home): Promise<{ found: Found[]; failed: string[] }> {
  const used = new Set([...home.configs(), ...(await allClaims(home.store)).flatMap(claim => statusOf(claim).resources.map(entry => entry.config))]);
  const found = new Map<string, Found>();
  const failed: string[] = [];
  const engine = await home.engine();
  const nobody = { kind: '', namespace: home.namespace, name: '', spec: {} };
  for (const name of [...used].sort()) {
    try {
      const connection = await connectFor(engine, nobody, await loadConfig(home.store, name));
      for (const thing of await findOwned(engine, connection, name)) found.set(keyOfThing(thing), thing);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      failed.push(namedBy(name, error).message);
    }
  }
  return { found: [...found.values()], failed };
}

const keyOfThing = ({ connection, type, name }: Found): string => identityKey({ scope: connection.scope, type, name });

async function ownedKeys({ store }: Home): Promise<Set<string>> {
  const claims: JsonObject[] = await allClaims(store);
  return new Set(claims.filter(claim => keyOf(claim).name !== '').flatMap(claim => statusOf(claim).resources.filter(isOwned).map(identityKey)));
}
