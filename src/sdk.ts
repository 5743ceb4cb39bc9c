/** The only door for providers: the contract and the few functions a resource type needs. */
import type { Static, TObject } from '@sinclair/typebox';
import { head, put, split } from './core/paths.ts';
import type { Change, Json, JsonObject, Naming, Present, Provider, Readiness, ResourceType, StringMap } from './core/types.ts';

export { equal } from './core/digest.ts';
export { EngineError, type ErrorCode, isError } from './core/errors.ts';
export { ownerOf } from './core/ownership.ts';
export { at, join, leaves, put } from './core/paths.ts';
export type {
  Change,
  Context,
  Json,
  JsonObject,
  Naming,
  Observation,
  Owned,
  Owner,
  Present,
  Provider,
  Readiness,
  ResourceType,
  StringMap,
  Update,
} from './core/types.ts';

/** Types a resource type by its schemas. The engine checks values against them, so the erased form is safe to call. */
export function resourceType<S extends TObject, T extends TObject, Client>(
  type: Omit<ResourceType<Static<S>, Static<T>, Client>, 'spec' | 'state' | 'naming'> & {
    readonly spec: S;
    readonly state: T;
    readonly naming: Naming<Static<S>>;
  },
): ResourceType {
  return type as unknown as ResourceType;
}

/** Types a provider by its settings and client. */
export function provider<Settings, Client>(value: Provider<Settings, Client>): Provider {
  return value as unknown as Provider;
}

/** An observation of something that is there. `unread`: top-level fields this look left out. */
export function present<Spec, State>(
  spec: Partial<Spec>,
  state: State,
  readiness: Readiness,
  extra: { readonly secrets?: StringMap; readonly unread?: readonly string[]; readonly createdAt?: string } = {},
): Present<Spec, State> & { readonly secrets: StringMap } {
  const base = { kind: 'present', spec, state, readiness, secrets: extra.secrets ?? {}, unread: extra.unread ?? [] } as const;
  return extra.createdAt === undefined ? base : { ...base, createdAt: extra.createdAt };
}
export const absent = { kind: 'absent' } as const;
export const ready: Readiness = { ready: true };
/** Not usable yet; `reason` is one CamelCase word, `message` a sentence for the owner of the claim. */
export function notReady(reason: string, message: string): Readiness {
  return { ready: false, reason, message };
}

/** The top-level fields that the changes touch. */
export function changedFields(changes: readonly Change[]): Set<string> {
  return new Set(changes.map(change => head(change.path)));
}

/** What to set and what to remove in a map field such as tags. */
export function mapDelta(changes: readonly Change[], field: string): { readonly set: StringMap; readonly remove: readonly string[] } {
  const set: StringMap = {};
  const remove: string[] = [];
  for (const { path, desired } of changes) {
    const [first, key, ...rest] = split(path);
    if (first !== field || typeof key !== 'string' || rest.length > 0) continue;
    if (desired === undefined) remove.push(key);
    else set[key] = String(desired as Json);
  }
  return { set, remove };
}

/**
 * What is there with exactly these changes in it. A call that writes several fields at once sends this, so that what did not change, what is
 * pending and what is only reported keep their observed values.
 */
export function applied<Spec>({ seen, changes }: { readonly seen: { readonly spec: Partial<Spec> }; readonly changes: readonly Change[] }): Partial<Spec> {
  const result = changes.reduce<JsonObject>(
    (spec, { path, desired }) => (desired === undefined ? without(spec, split(path).map(String)) : put(spec, path, desired)),
    seen.spec as JsonObject,
  );
  return result as Partial<Spec>;
}

/** A copy without the field at the place; a map that this empties goes too. */
function without(value: JsonObject, [first, ...rest]: readonly string[]): JsonObject {
  const { [first!]: child, ...others } = value;
  if (rest.length === 0 || child === null || typeof child !== 'object' || Array.isArray(child)) return others;
  const inner = without(child, rest);
  return Object.keys(inner).length === 0 ? others : { ...others, [first!]: inner };
}
