/** Where a claim stands: the class of its namespace, and the Environment that made it. */
import { ENVIRONMENT, environmentFrom, NO_ENVIRONMENT, standingOf } from '../core/environment.ts';
import { EngineError } from '../core/errors.ts';
import { ownClass } from '../core/own-class.ts';
import type { Claim, Environment, JsonObject, Place } from '../core/types.ts';
import { loadDefinition } from './catalogue.ts';
import { metadataOf } from './objects.ts';
import type { Store } from './store.ts';

type Where = Pick<Claim, 'kind' | 'namespace' | 'name' | 'spec'>;

/** What chooses for a claim beside itself. Throws EngineError WaitingForEnvironment while that cannot be told, and what Store.get throws. */
export async function placeOf(store: Store, claim: Where): Promise<Place> {
  const { environment, standing, space } = await lookAround(store, claim);
  if (claim.namespace === '') return { class: ownClass(claim), environment };
  if (standing === 'unknown') {
    throw new EngineError('WaitingForEnvironment', `the Environment ${claim.namespace} has not said yet whether this namespace is its own`);
  }
  return { class: space === undefined ? undefined : metadataOf(space).labels?.['plinth.dev/class'], environment };
}

/** What expressions read of the Environment, its own included; also while it has not said yet whether the namespace is its own. */
export async function environmentAt(store: Store, claim: Where): Promise<Environment> {
  return (await lookAround(store, claim)).environment;
}

interface Surroundings {
  readonly environment: Environment;
  readonly standing: ReturnType<typeof standingOf>;
  /** The Namespace. */
  readonly space: JsonObject | undefined;
}

async function lookAround(store: Store, { kind, namespace, name, spec }: Where): Promise<Surroundings> {
  if (kind === ENVIRONMENT) return { environment: environmentFrom(name, spec), standing: 'own', space: undefined };
  if (namespace === '') return { environment: NO_ENVIRONMENT, standing: 'none', space: undefined };
  const object = await environmentObject(store, namespace);
  const space = await store.get({ kind: 'Namespace', namespace: '', name: namespace }, 'cache');
  const standing = object === undefined ? 'none' : standingOf(object, space);
  if (object === undefined || standing === 'none') return { environment: NO_ENVIRONMENT, standing: 'none', space };
  return { environment: environmentFrom(namespace, (object['spec'] ?? {}) as JsonObject), standing, space };
}

/** Its name is that of the namespace it makes. Where nothing defines the kind, nobody is asked. */
async function environmentObject(store: Store, namespace: string): Promise<JsonObject | undefined> {
  if ((await loadDefinition(store, ENVIRONMENT)) === undefined) return undefined;
  return await store.get({ kind: ENVIRONMENT, namespace: '', name: namespace }, 'cache');
}
