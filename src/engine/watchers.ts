/** Who is told of changes in a store. Callbacks never run inside the write that causes them. */
import type { ObjectKey } from '../core/types.ts';
import { keyText } from './objects.ts';

interface Watcher {
  readonly onChange: (key: ObjectKey) => void;
  readonly signal: AbortSignal;
  /** Changed and not told yet; one call covers several changes of an object. */
  readonly pending: Map<string, ObjectKey>;
}
export type Watchers = Set<Watcher>;

/** Tells every watcher of a change, in a later microtask. */
export function notify(watchers: Watchers, key: ObjectKey): void {
  for (const watcher of watchers) enqueue(watcher, key);
}

function enqueue(watcher: Watcher, key: ObjectKey): void {
  if (watcher.pending.size === 0) queueMicrotask(() => deliver(watcher));
  watcher.pending.set(keyText(key), key);
}

function deliver(watcher: Watcher): void {
  const keys = [...watcher.pending.values()];
  watcher.pending.clear();
  for (const key of keys) {
    if (!watcher.signal.aborted) watcher.onChange(key);
  }
}

/** Adds a watcher until its signal is aborted; resolves when it was called once for each object of the snapshot. */
export async function addWatcher(watchers: Watchers, snapshot: Iterable<ObjectKey>, onChange: (key: ObjectKey) => void, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const watcher: Watcher = { onChange, signal, pending: new Map() };
  watchers.add(watcher);
  signal.addEventListener('abort', () => watchers.delete(watcher), { once: true });
  for (const key of snapshot) enqueue(watcher, key);
  await Promise.resolve();
}
