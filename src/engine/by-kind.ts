/** What a store holds, found by key, and by kind without looking at everything else. */
import type { ObjectKey } from '../core/types.ts';
import { keyText } from './objects.ts';

/** By kind, then by keyText. */
export type ByKind<T> = Map<string, Map<string, T>>;

export function valueAt<T>(all: ByKind<T>, key: ObjectKey): T | undefined {
  return all.get(key.kind)?.get(keyText(key));
}

export function setAt<T>(all: ByKind<T>, key: ObjectKey, value: T): void {
  const known = all.get(key.kind);
  if (known === undefined) all.set(key.kind, new Map([[keyText(key), value]]));
  else known.set(keyText(key), value);
}

export function deleteAt<T>(all: ByKind<T>, key: ObjectKey): void {
  all.get(key.kind)?.delete(keyText(key));
}

export function ofKind<T>(all: ByKind<T>, kind: string): T[] {
  return [...(all.get(kind)?.values() ?? [])];
}

export function allOf<T>(all: ByKind<T>): T[] {
  return [...all.values()].flatMap(values => [...values.values()]);
}
