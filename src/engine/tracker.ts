/** Which claim used what, so that a change wakes exactly those that used it. */
import type { ClaimKey, ObjectKey } from '../core/types.ts';
import { keyText, parseKey } from './objects.ts';

export interface Tracker {
  /** By claim: the texts of the keys it used. */
  readonly used: Map<string, ReadonlySet<string>>;
  /** By object: the claims that used it. */
  readonly users: Map<string, Set<string>>;
}

/** Nothing tracked yet. */
export function newTracker(): Tracker {
  return { used: new Map(), users: new Map() };
}

/**
 * Replaces what the claim depends on; an empty list forgets it. Objects need not exist: their arrival is a change. The name `*` stands
 * for every object of the kind in that namespace, e.g. for a claim that waits for any class to be marked default.
 */
export function track(tracker: Tracker, claim: ClaimKey, dependsOn: readonly ObjectKey[]): void {
  const text = keyText(claim);
  for (const old of tracker.used.get(text) ?? []) {
    const users = tracker.users.get(old);
    users?.delete(text);
    if (users?.size === 0) tracker.users.delete(old);
  }
  tracker.used.delete(text);
  if (dependsOn.length === 0) return;
  const now = new Set(dependsOn.map(keyText));
  tracker.used.set(text, now);
  for (const key of now) tracker.users.set(key, (tracker.users.get(key) ?? new Set()).add(text));
}

/** The claims that used this object when they were looked at last; never the object itself. */
export function dependents(tracker: Tracker, key: ObjectKey): ClaimKey[] {
  const found = new Set([...(tracker.users.get(keyText(key)) ?? []), ...(tracker.users.get(keyText({ ...key, name: '*' })) ?? [])]);
  found.delete(keyText(key));
  return [...found].sort().map(parseKey);
}

/** True when the claim used this object, both as keyText writes them, when it was looked at last. */
export function isUser({ used }: Tracker, claim: string, object: string): boolean {
  const keys = used.get(claim);
  return keys !== undefined && claim !== object && (keys.has(object) || keys.has(`${object.slice(0, object.lastIndexOf('/'))}/*`));
}
