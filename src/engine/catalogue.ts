/** The admin objects of a store, parsed once per version. */
import { EngineError } from '../core/errors.ts';
import { parseClass, parseComposition, parseConfig, parseDefinition } from '../core/parse.ts';
import type { ClaimDefinition, Composition, EnvironmentClass, JsonObject, ProviderConfig, ResourceType, TypeName } from '../core/types.ts';
import type { Engine } from './engine.ts';
import type { Store } from './store.ts';

const parsed = new WeakMap<JsonObject, unknown>();

/** Stores hand out frozen objects and the same one until it changes, so the object itself is the cache key. */
function once<T>(object: JsonObject, parse: (object: JsonObject) => T): T {
  const known = parsed.get(object);
  if (known !== undefined) return known as T;
  const value = parse(object);
  parsed.set(object, value);
  return value;
}

/** Parses every object; one that cannot be parsed is left out (its own claim of attention is `validate`'s and the condition's business). */
function parseAll<T>(objects: readonly JsonObject[], parse: (object: JsonObject) => T): T[] {
  return objects.flatMap(object => {
    try {
      return [once(object, parse)];
    } catch (error) {
      if (error instanceof EngineError) return [];
      throw error;
    }
  });
}

/** By the first of the objects that were listed: what came of them all. Every look at a claim lists them, and hardly ever one is another. */
const lists = new WeakMap<JsonObject, { readonly objects: readonly JsonObject[]; readonly all: readonly ClaimDefinition[] }>();

/** As they are in force: in a cluster an edit that claims would not survive is not taken over, and `status.accepted` holds what stands. */
export async function loadDefinitions(store: Store): Promise<readonly ClaimDefinition[]> {
  const objects = await store.list('ClaimDefinition');
  const [first] = objects;
  const known = first === undefined ? undefined : lists.get(first);
  if (known?.objects.length === objects.length && known.objects.every((object, index) => object === objects[index])) return known.all;
  const all = parseAll(objects, object => parseDefinition(inForce(object)));
  if (first !== undefined) lists.set(first, { objects, all });
  return all;
}

function inForce(object: JsonObject): JsonObject {
  const accepted = (object['status'] as JsonObject | undefined)?.['accepted'] as JsonObject | undefined;
  return accepted === undefined ? object : { ...object, spec: accepted };
}

export async function loadDefinition(store: Store, kind: string): Promise<ClaimDefinition | undefined> {
  return (await loadDefinitions(store)).find(definition => definition.kind === kind);
}

export async function loadClasses(store: Store): Promise<EnvironmentClass[]> {
  return parseAll(await store.list('EnvironmentClass'), parseClass);
}

/** NoComposition when there is none of the name; what is wrong with it as EngineError. */
export async function loadComposition(store: Store, name: string): Promise<Composition> {
  const object = (await store.list('Composition')).find(item => (item['metadata'] as JsonObject)['name'] === name);
  if (object === undefined) throw new EngineError('NoComposition', `composition ${name} does not exist`);
  return once(object, parseComposition);
}

/** NoProviderConfig when there is none of the name. */
export async function loadConfig(store: Store, name: string): Promise<ProviderConfig> {
  const object = (await store.list('ProviderConfig')).find(item => (item['metadata'] as JsonObject)['name'] === name);
  if (object === undefined) throw new EngineError('NoProviderConfig', `ProviderConfig ${name} does not exist`);
  return once(object, parseConfig);
}

const typeMaps = new WeakMap<Engine['providers'], ReadonlyMap<TypeName, ResourceType>>();

/** Every resource type there is; a family served by two providers has the same types in both. */
export function allTypes(providers: Engine['providers']): ReadonlyMap<TypeName, ResourceType> {
  const known = typeMaps.get(providers);
  if (known !== undefined) return known;
  const types = new Map<TypeName, ResourceType>();
  for (const provider of providers.values()) for (const type of provider.types) if (!types.has(type.type)) types.set(type.type, type);
  typeMaps.set(providers, types);
  return types;
}
