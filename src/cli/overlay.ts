/** The state as it would be once the input is applied: a store that nothing is written to, for `plan` and `render`. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDefinition } from '../core/parse.ts';
import type { ClaimDefinition, JsonObject, ObjectKey, Provider } from '../core/types.ts';
import { realClock } from '../engine/clock.ts';
import type { Engine } from '../engine/engine.ts';
import { afterPut, byKey, keyOf, keyText, type Mint, metadataOf } from '../engine/objects.ts';
import type { Store } from '../engine/store.ts';
import { newTracker } from '../engine/tracker.ts';
import { adminObjects, allClaims, clusterKindsOf, inNamespace, type LocalEndpoint, requireClass } from './apply.ts';
import { answers, readNote } from './endpoint.ts';
import { isCluster } from './home.ts';
import type { Context } from './host.ts';
import type { Loaded } from './load.ts';
import { openHome } from './open-home.ts';
import { newEngine, openProject, projectName } from './project.ts';
import { recall } from './remember.ts';

export interface Overlay {
  readonly engine: Engine;
  readonly definitions: readonly ClaimDefinition[];
  /** The declared claims, as they would be stored. */
  readonly claims: readonly JsonObject[];
  /** In the state and not declared. */
  readonly undeclared: readonly JsonObject[];
  readonly namespace: string;
  /** Nothing was ever made from this state folder. */
  readonly isFresh: boolean;
}

/** Nothing is there: for what cannot or must not be asked. */
const OFFLINE_ENDPOINT = 'http://127.0.0.1:1';

/** `contact`: ask the real providers, as far as they can be there; false: none. Errors: those of reading the state folder; NoClass for a class that is not there. */
export async function overlay(context: Context, loaded: Loaded, className: string | undefined, contact: boolean): Promise<Overlay> {
  const folder = resolve(context.globals.state);
  const remote = isCluster(context.globals);
  const before = await readHome(context, contact);
  const instance = before?.instance ?? { id: recall(folder)?.instance ?? 'undecided', key: 'undecided' };
  const namespace = context.globals.namespace ?? before?.project ?? projectName(folder);
  const local = contact && !remote ? await reachable(context, folder, instance.id) : undefined;
  const objects = new Map((before?.objects ?? []).map(object => [keyText(keyOf(object)), object]));
  const mint = newMint();
  const put = (object: JsonObject): JsonObject => {
    const key = keyText(keyOf(object));
    const after = afterPut(objects.get(key), object, mint) ?? object;
    objects.set(key, after);
    return after;
  };
  const endpoint = local ?? { endpoint: OFFLINE_ENDPOINT, instance: instance.id };
  for (const object of [...loaded.others, ...adminObjects(loaded, endpoint)]) put(object);
  const claims = inNamespace(loaded.claims, namespace, clusterKindsOf([...objects.values()]));
  if (className !== undefined) {
    requireClass(
      className,
      [...objects.values()].filter(object => object['kind'] === 'EnvironmentClass').map(object => keyOf(object).name),
    );
    for (const name of new Set(claims.map(claim => keyOf(claim).namespace))) if (name !== '') put(namespaceOf(name, className));
  }
  const stored = claims.map(put);
  const providers = await context.host.providers();
  const engine = await newEngine(
    context,
    storeOf(objects, before?.secret),
    instance,
    newTracker(),
    new AbortController().signal,
    local === undefined && !(remote && contact) ? silenced(providers, contact, instance.id) : providers,
  );
  const definitions = [...objects.values()].filter(object => object['kind'] === 'ClaimDefinition').map(parseDefinition);
  const declared = new Set(stored.map(claim => keyText(keyOf(claim))));
  const kinds = new Set(definitions.map(definition => definition.kind));
  const undeclared = [...objects.values()].filter(object => kinds.has(String(object['kind'])) && !declared.has(keyText(keyOf(object))));
  // An admin object may touch any claim of a cluster; nothing is undeclared there.
  if (remote)
    return { engine, definitions, claims: loaded.admin.length === 0 ? stored : [...stored, ...undeclared], undeclared: [], namespace, isFresh: false };
  return { engine, definitions, claims: stored, undeclared, namespace, isFresh: before === undefined };
}

const namespaceOf = (name: string, className: string): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'plinth.dev/class': className } },
});

function newMint(): Mint {
  let version = 0;
  return { uid: () => crypto.randomUUID(), version: () => `plan-${++version}`, now: () => realClock.now() };
}

async function readHome(context: Context, contact: boolean): Promise<State | undefined> {
  if (isCluster(context.globals)) return await readCluster(context);
  return contact || existsSync(resolve(context.globals.state)) ? await readState(context) : undefined;
}

interface State {
  readonly instance: { readonly id: string; readonly key: string };
  readonly project: string;
  readonly objects: readonly JsonObject[];
  /** Where Secrets are not among the objects. */
  readonly secret?: (key: ObjectKey) => Promise<JsonObject | undefined>;
}
const KINDS = ['ClaimDefinition', 'Composition', 'EnvironmentClass', 'ProviderConfig', 'Namespace', 'Secret', 'Revision'];

async function readState(context: Context): Promise<State | undefined> {
  const folder = resolve(context.globals.state);
  if (!existsSync(folder)) return undefined;
  const project = await openProject(context, { write: false, create: false });
  const { store, files } = project;
  const [problem] = files.problems();
  if (problem !== undefined) throw problem;
  const admin = (await Promise.all(KINDS.map(kind => store.list(kind)))).flat();
  const kinds = admin.filter(object => object['kind'] === 'ClaimDefinition').map(object => String((object['spec'] as JsonObject)['kind']));
  const claims = (await Promise.all(kinds.map(kind => store.list(kind)))).flat();
  await files.close();
  return { instance: files.instance, project: files.instance.project, objects: [...admin, ...claims] };
}

/** All but the values of Secrets, which are read one by one when a connection needs them. */
async function readCluster(context: Context): Promise<State> {
  const home = await openHome(context);
  try {
    const { store, namespace } = home;
    const admin = (await Promise.all(KINDS.filter(kind => kind !== 'Secret').map(kind => store.list(kind)))).flat();
    const { instance } = await home.engine();
    return { instance, project: namespace, objects: [...admin, ...(await allClaims(store))], secret: key => readSecret(context, key) };
  } finally {
    await home.close();
  }
}

async function readSecret(context: Context, key: ObjectKey): Promise<JsonObject | undefined> {
  const home = await openHome(context);
  return await home.store.get(key).finally(() => home.close());
}

/** The endpoint of the local class, if something answers there; --endpoint is taken at its word. */
async function reachable({ globals }: Context, folder: string, instance: string): Promise<LocalEndpoint | undefined> {
  if (globals.endpoint !== undefined) return { endpoint: globals.endpoint, instance: undefined };
  const note = readNote(folder) ?? recall(folder)?.emulator;
  return note !== undefined && (await answers(note)) ? { endpoint: note.endpoint, instance } : undefined;
}

/** Providers that say that nothing is there: all of them when nothing may be asked, else those of emulators, which forget. */
function silenced(providers: ReadonlyMap<string, Provider>, contact: boolean, instance: string): Map<string, Provider> {
  return new Map([...providers].map(([name, provider]) => [name, contact && name !== 'localstack' ? provider : silent(provider, instance)]));
}

function silent(provider: Provider, instance: string): Provider {
  const types = provider.types.map(type => ({ ...type, observe: async () => ({ kind: 'absent' }) as const }));
  const { unsupported: _, ...rest } = provider;
  const scope = provider.name === 'localstack' ? `emulator:${instance}:000000000000/us-east-1` : provider.name;
  return { ...rest, types, connect: async () => ({}), scope: async () => scope, close: async () => undefined };
}

function storeOf(objects: ReadonlyMap<string, JsonObject>, secret: State['secret']): Store {
  return {
    get: async key => objects.get(keyText(key)) ?? (key.kind === 'Secret' ? await secret?.(key) : undefined),
    list: async (kind, namespace) => {
      const found = [...objects.values()].filter(
        object => object['kind'] === kind && (namespace === undefined || (metadataOf(object).namespace ?? '') === namespace),
      );
      return found.sort(byKey);
    },
    watch: async () => undefined,
    write: async write => {
      if (write.kind !== 'revision') throw new Error('a plan writes nothing');
      return {};
    },
    emit: () => undefined,
  };
}
