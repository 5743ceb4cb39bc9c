/** A Store in memory with the semantics of a cluster: for tests, simulations and demos. */
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { allOf, type ByKind, deleteAt, ofKind, setAt, valueAt } from './by-kind.ts';
import type { Clock } from './clock.ts';
import {
  afterClaimWrite,
  afterPut,
  afterRemove,
  afterRevisionWrite,
  afterSecretWrite,
  byKey,
  checkedKey,
  type EditableStore,
  frozen,
  isOwnedBy,
  keyOf,
  keyText,
  type Mint,
  metadataOf,
  type StoredEvent,
} from './objects.ts';
import type { Event, Write } from './store.ts';
import { addWatcher, notify, type Watchers } from './watchers.ts';

export interface MemoryStore extends EditableStore {
  /** Every event emitted, oldest first; the newest 10,000. */
  events(): readonly StoredEvent[];
  /** Every object, by kind, namespace and name: to compare two states or to look at one. */
  dump(): readonly JsonObject[];
}

const MAX_EVENTS = 10_000;

interface Memory {
  readonly mint: Mint;
  readonly objects: ByKind<JsonObject>;
  readonly watchers: Watchers;
  readonly events: StoredEvent[];
}

/** An empty store. `uid`: where ids come from (random by default); nothing else is random. Values it hands out are frozen. */
export function memoryStore(clock: Clock, options: { readonly uid?: () => string } = {}): MemoryStore {
  let version = 0;
  const mint = { uid: options.uid ?? (() => crypto.randomUUID()), version: () => String(++version), now: () => clock.now() };
  const memory: Memory = { mint, objects: new Map(), watchers: new Set(), events: [] };
  return {
    get: async key => valueAt(memory.objects, key),
    list: async (kind, namespace) => list(memory, kind, namespace),
    watch: (onChange, signal) => addWatcher(memory.watchers, allOf(memory.objects).map(keyOf), onChange, signal),
    write: async write => apply(memory, write),
    emit: (key, event) => emit(memory, key, event),
    put: async object => put(memory, object),
    remove: async key => remove(memory, key),
    events: () => memory.events,
    dump: () => {
      const keyed = allOf(memory.objects).map(object => [keyText(keyOf(object)), object] as const);
      return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
    },
  };
}

function list(memory: Memory, kind: string, namespace: string | undefined): JsonObject[] {
  const matches = (object: JsonObject) => namespace === undefined || (metadataOf(object).namespace ?? '') === namespace;
  return ofKind(memory.objects, kind).filter(matches).sort(byKey);
}

function put(memory: Memory, object: JsonObject): JsonObject {
  const input = frozen(object);
  const key = keyOf(input);
  const before = valueAt(memory.objects, key);
  const after = afterPut(before, input, memory.mint);
  keep(memory, key, before, after);
  return after ?? input;
}

function remove(memory: Memory, key: ObjectKey): JsonObject | undefined {
  const before = valueAt(memory.objects, key);
  return before === undefined ? undefined : keep(memory, key, before, afterRemove(before, memory.mint));
}

function apply(memory: Memory, write: Write): JsonObject | undefined {
  const { objects, mint } = memory;
  if (write.kind === 'revision') {
    const key = checkedKey({ kind: 'Revision', namespace: '', name: write.name });
    const before = valueAt(objects, key);
    return keep(memory, key, before, afterRevisionWrite(before, write, mint));
  }
  const owner = valueAt(objects, write.claim);
  if (write.kind !== 'secret') return keep(memory, write.claim, owner, afterClaimWrite(owner, write, mint));
  const key = checkedKey({ kind: 'Secret', namespace: write.claim.namespace, name: write.name });
  const before = valueAt(objects, key);
  return keep(memory, key, before, afterSecretWrite(before, owner, write, mint), true);
}

/** `quiet`: nobody is told, for it is the engine's own doing. */
function keep(memory: Memory, key: ObjectKey, before: JsonObject | undefined, after: JsonObject | undefined, quiet = false): JsonObject | undefined {
  if (after === before) return after;
  if (after === undefined) deleteAt(memory.objects, key);
  else setAt(memory.objects, key, after);
  if (!quiet) notify(memory.watchers, { kind: key.kind, namespace: key.namespace, name: key.name });
  if (after === undefined && before !== undefined) collect(memory, metadataOf(before).uid);
  return after;
}

/** Garbage collection: Secrets go with their owner. */
function collect(memory: Memory, uid: string): void {
  for (const secret of list(memory, 'Secret', undefined)) {
    if (isOwnedBy(secret, uid)) keep(memory, keyOf(secret), secret, undefined);
  }
}

function emit(memory: Memory, { kind, namespace, name }: ObjectKey, event: Event): void {
  memory.events.push({ at: memory.mint.now(), object: { kind, namespace, name }, ...event });
  if (memory.events.length > MAX_EVENTS) memory.events.splice(0, memory.events.length - MAX_EVENTS);
}
