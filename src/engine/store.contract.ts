/** What every Store must do, whatever it is kept in: run over each of them by its own test file. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ErrorCode, isError } from '../core/errors.ts';
import type { Claim, ClaimStatus, JsonObject, ObjectKey } from '../core/types.ts';
import { type EditableStore, type Metadata, metadataOf, type StoredEvent } from './objects.ts';

/** One store under test, and the way to what it keeps beside objects. */
export interface Subject {
  readonly store: EditableStore;
  /** After everything emitted was kept. */
  events(): Promise<readonly StoredEvent[]>;
  /** Resolves when every change so far has been told to watchers; a microtask by default. */
  settle?(): Promise<void>;
  /** Secrets whose owner is gone are collected a while later by somebody else, and may be made until then. */
  readonly collectsLater?: boolean;
  close(): Promise<void>;
}

export const orders: ObjectKey = { kind: 'Queue', namespace: 'dev', name: 'orders' };
const secretKey: ObjectKey = { kind: 'Secret', namespace: 'dev', name: 'orders-queue' };

/** A claim object as a user writes it. */
export function queueObject(spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: 'plinth.dev/v1alpha1', kind: 'Queue', metadata: { name: 'orders', namespace: 'dev', ...metadata }, spec };
}

/** The claim that a stored object parses to, as far as a store looks at it. */
export function claimOf(object: JsonObject | undefined): Claim {
  const metadata = metadataOf(object!);
  return {
    kind: 'Queue',
    namespace: metadata.namespace!,
    name: metadata.name,
    uid: metadata.uid,
    generation: metadata.generation,
    annotations: metadata.annotations ?? {},
    spec: object!['spec'] as JsonObject,
    lifecycle: {},
    deletionRequested: metadata.deletionTimestamp !== undefined,
    hasFinalizer: (metadata.finalizers ?? []).length > 0,
    status: statusOf(0),
    version: metadata.resourceVersion,
  };
}

/** A status that differs by a number. */
export function statusOf(n: number): ClaimStatus {
  return {
    inventoryFor: 'uid',
    observedGeneration: n,
    conditions: [],
    class: 'dev',
    composition: 'queue-sqs',
    revision: 'r1',
    outputs: { n },
    resources: [],
    drift: [],
  };
}

/** Runs every case; `open` gives an empty store each time. */
export function storeContract(open: () => Promise<Subject>): void {
  let subject: Subject;
  let store: EditableStore;
  beforeEach(async () => {
    subject = await open();
    store = subject.store;
  });
  afterEach(() => subject.close());

  const meta = async (key: ObjectKey = orders): Promise<Metadata> => metadataOf((await store.get(key))!);
  const claim = async (): Promise<Claim> => claimOf(await store.get(orders));
  const fails = async (promise: Promise<unknown>, code: ErrorCode): Promise<void> => {
    const error = await promise.then(
      () => undefined,
      thrown => thrown as unknown,
    );
    expect(isError(error, code), `expected ${code}, got ${String(error)}`).toBe(true);
  };
  const held = async (): Promise<Claim> => claimOf(await store.write({ kind: 'finalizer', claim: claimOf(await store.put(queueObject())), present: true }));
  const settle = async (): Promise<void> => await (subject.settle?.() ?? Promise.resolve());
  /** At once, or as late as a cluster collects: it learns of new kinds only every half a minute. */
  const collected = async (check: () => Promise<void>): Promise<void> => {
    if (subject.collectsLater === true) await vi.waitFor(check, { timeout: 240_000, interval: 500 });
    else await check();
  };
  const writeSecret = async (data: Record<string, string> | undefined, version: string | undefined, of?: Claim) =>
    store.write({ kind: 'secret', claim: of ?? (await claim()), name: 'orders-queue', type: 'servicebinding.io/queue', data, version });

  test('what is not there is undefined, and lists are empty', async () => {
    expect(await store.get(orders)).toBeUndefined();
    expect(await store.list('Queue')).toEqual([]);
    expect(await store.remove(orders)).toBeUndefined();
  });

  test('the first put gives uid, generation 1 and a version; the status of the input is dropped', async () => {
    const made = await store.put({ ...queueObject({ a: 1 }, { labels: { x: 'y' } }), status: { forged: true } });
    expect(metadataOf(made)).toMatchObject({ name: 'orders', namespace: 'dev', generation: 1, labels: { x: 'y' } });
    expect(metadataOf(made).uid).not.toBe('');
    expect(made['status']).toBeUndefined();
    expect(await store.get(orders)).toEqual(made);
  });

  test('a put that changes nothing is no write; one of the spec raises the generation; one of a label does not', async () => {
    const made = await store.put(queueObject({ a: 1 }));
    expect(await store.put(queueObject({ a: 1 }))).toEqual(made);
    const edited = metadataOf(await store.put(queueObject({ a: 2 })));
    expect(edited).toMatchObject({ uid: metadataOf(made).uid, generation: 2 });
    expect(edited.resourceVersion).not.toBe(metadataOf(made).resourceVersion);
    expect(metadataOf(await store.put(queueObject({ a: 2 }, { labels: { x: 'y' } })))).toMatchObject({ generation: 2, labels: { x: 'y' } });
  });

  test('a put keeps the status, the finalizer and annotations that others set, and takes back its own', async () => {
    const first = claimOf(await store.put(queueObject({}, { annotations: { mine: '1', gone: '1' } })));
    const second = claimOf(await store.write({ kind: 'finalizer', claim: first, present: true }));
    const third = claimOf(await store.write({ kind: 'annotations', claim: second, set: { theirs: '2' } }));
    await store.write({ kind: 'status', claim: third, status: statusOf(7) });
    const after = await store.put(queueObject({}, { annotations: { mine: '3' } }));
    expect(metadataOf(after)).toMatchObject({ annotations: { mine: '3', theirs: '2' }, finalizers: ['plinth.dev/claim'] });
    expect(metadataOf(after).annotations).not.toHaveProperty('gone');
    expect(after['status']).toMatchObject({ observedGeneration: 7 });
  });

  test('a put with a version replaces exactly that version', async () => {
    const made = await store.put(queueObject({ a: 1 }, { annotations: { x: '1' } }));
    const { annotations: _, ...bare } = metadataOf(made);
    const replaced = await store.put({ ...made, metadata: bare as unknown as JsonObject });
    expect(metadataOf(replaced).annotations).toBeUndefined();
    await fails(store.put(made), 'StoreConflict');
  });

  test('status writes raise the version and not the generation; an equal status is no write', async () => {
    const before = claimOf(await store.put(queueObject()));
    const after = await store.write({ kind: 'status', claim: before, status: statusOf(1) });
    expect(metadataOf(after!)).toMatchObject({ generation: 1 });
    expect(claimOf(after).version).not.toBe(before.version);
    expect(await store.write({ kind: 'status', claim: claimOf(after), status: statusOf(1) })).toEqual(after);
  });

  test('writes at a stale version, of another uid or on nothing conflict', async () => {
    const stale = claimOf(await store.put(queueObject()));
    const fresh = claimOf(await store.write({ kind: 'status', claim: stale, status: statusOf(1) }));
    await fails(store.write({ kind: 'status', claim: stale, status: statusOf(2) }), 'StoreConflict');
    await fails(store.write({ kind: 'finalizer', claim: stale, present: true }), 'StoreConflict');
    await fails(store.write({ kind: 'annotations', claim: { ...fresh, uid: 'other' }, set: {} }), 'StoreConflict');
    await store.remove(orders);
    await fails(store.write({ kind: 'status', claim: fresh, status: statusOf(3) }), 'StoreConflict');
    await store.put(queueObject());
    await fails(store.write({ kind: 'status', claim: fresh, status: statusOf(3) }), 'StoreConflict');
  });

  test('of many writes at one version exactly one wins', async () => {
    const before = claimOf(await store.put(queueObject()));
    const tries = Array.from({ length: 20 }, (_, n) => store.write({ kind: 'status', claim: before, status: statusOf(n + 1) }));
    const results = await Promise.allSettled(tries);
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(1);
  });

  test('an object without finalizers goes at once, and comes back with another uid', async () => {
    const made = await store.put(queueObject());
    expect(await store.remove(orders)).toBeUndefined();
    expect(await store.get(orders)).toBeUndefined();
    expect((await meta(orders).catch(() => undefined))?.uid).toBeUndefined();
    expect(metadataOf(await store.put(queueObject())).uid).not.toBe(metadataOf(made).uid);
  });

  test('an object with a finalizer is marked, with a new generation; dropping the finalizer removes it', async () => {
    await held();
    const marked = await store.remove(orders);
    expect(metadataOf(marked!)).toMatchObject({ generation: 2, finalizers: ['plinth.dev/claim'] });
    expect(metadataOf(marked!).deletionTimestamp).toMatch(/^\d{4}-/);
    expect(await store.remove(orders)).toEqual(marked);
    expect(await store.write({ kind: 'finalizer', claim: claimOf(marked), present: false })).toBeUndefined();
    expect(await store.get(orders)).toBeUndefined();
  });

  test('a deletion at its version marks the claim as a person would, or removes one that nothing holds; a stale one conflicts', async () => {
    const stale = claimOf(await store.put(queueObject()));
    const claim = await held();
    await fails(store.write({ kind: 'deletion', claim: stale }), 'StoreConflict');
    await fails(store.write({ kind: 'deletion', claim: { ...claim, uid: 'other' } }), 'StoreConflict');
    const marked = await store.write({ kind: 'deletion', claim });
    expect(metadataOf(marked!).deletionTimestamp).toMatch(/^\d{4}-/);
    await store.write({ kind: 'finalizer', claim: claimOf(marked), present: false });
    const free = claimOf(await store.put(queueObject()));
    expect(await store.write({ kind: 'deletion', claim: free })).toBeUndefined();
    expect(await store.get(orders)).toBeUndefined();
    await fails(store.write({ kind: 'deletion', claim: free }), 'StoreConflict');
  });

  test('a finalizer cannot be added to what is being deleted; adding twice is no write', async () => {
    const first = await held();
    expect(claimOf(await store.write({ kind: 'finalizer', claim: first, present: true })).version).toBe(first.version);
    await store.put({ ...queueObject(), metadata: { ...((await store.get(orders))!['metadata'] as JsonObject), finalizers: ['other'] } });
    const marked = claimOf(await store.remove(orders));
    await fails(store.write({ kind: 'finalizer', claim: marked, present: true }), 'StoreConflict');
  });

  test('annotations are set and taken away one by one', async () => {
    const first = claimOf(await store.put(queueObject({}, { annotations: { a: '1' } })));
    const second = await store.write({ kind: 'annotations', claim: first, set: { b: '2' } });
    const third = await store.write({ kind: 'annotations', claim: claimOf(second), set: { a: undefined } });
    expect(metadataOf(third!)).toMatchObject({ annotations: { b: '2' }, generation: 1 });
    expect(metadataOf(third!).annotations).not.toHaveProperty('a');
  });

  test('a Secret is made once, changed at its version only, and deleted', async () => {
    await held();
    const made = await writeSecret({ uri: 'a' }, undefined);
    expect(made).toMatchObject({ kind: 'Secret', type: 'servicebinding.io/queue', data: { uri: 'a' } });
    await fails(writeSecret({ uri: 'b' }, undefined), 'StoreConflict');
    const changed = await writeSecret({ uri: 'b' }, metadataOf(made!).resourceVersion);
    await fails(writeSecret({ uri: 'c' }, metadataOf(made!).resourceVersion), 'StoreConflict');
    expect(await store.get(secretKey)).toEqual(changed);
    expect(await writeSecret(undefined, metadataOf(changed!).resourceVersion)).toBeUndefined();
    expect(await store.get(secretKey)).toBeUndefined();
    expect(await writeSecret(undefined, undefined)).toBeUndefined();
    await fails(writeSecret({ uri: 'd' }, metadataOf(changed!).resourceVersion), 'StoreConflict');
  });

  test('Secrets of a claim go with it, and others stay', async () => {
    const first = await held();
    await writeSecret({ uri: 'a' }, undefined);
    await store.put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'mine', namespace: 'dev' }, type: 'Opaque', data: { k: 'v' } });
    await store.remove(orders);
    expect(await store.get(secretKey)).toBeDefined();
    await store.write({ kind: 'finalizer', claim: claimOf(await store.get(orders)), present: false });
    await collected(async () => expect(await store.get(secretKey)).toBeUndefined());
    expect((await store.list('Secret', 'dev')).map(object => metadataOf(object).name)).toEqual(['mine']);
    await store.put(queueObject());
    const late = writeSecret({ uri: 'a' }, undefined, first);
    if (subject.collectsLater === true) await late;
    else await fails(late, 'StoreConflict');
    await collected(async () => expect(await store.get(secretKey)).toBeUndefined());
  });

  test('a revision may be written again', async () => {
    const write = { kind: 'revision', name: '5d0c12ab', data: { composition: { name: 'queue-sqs' } } } as const;
    const first = await store.write(write);
    expect(await store.write(write)).toEqual(first);
    expect(await store.get({ kind: 'Revision', namespace: '', name: '5d0c12ab' })).toMatchObject({ data: write.data });
  });

  test('lists are by kind and namespace, in order', async () => {
    for (const [namespace, name] of [
      ['dev', 'b'],
      ['dev', 'a'],
      ['qa', 'a'],
    ] as const)
      await store.put(queueObject({}, { namespace, name }));
    await store.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dev' } });
    const names = (objects: JsonObject[]) => objects.map(object => `${metadataOf(object).namespace}/${metadataOf(object).name}`);
    expect(names(await store.list('Queue'))).toEqual(['dev/a', 'dev/b', 'qa/a']);
    expect(names(await store.list('Queue', 'qa'))).toEqual(['qa/a']);
    expect((await store.list('Namespace', '')).map(object => metadataOf(object).name)).toContain('dev');
  });

  test('nobody can change a stored value in place', async () => {
    const input = queueObject({ list: [{ a: 1 }] });
    const made = await store.put(input);
    (input['spec'] as JsonObject)['list'] = [];
    expect(() => {
      ((made['spec'] as JsonObject)['list'] as JsonObject[])[0]!['a'] = 2;
    }).toThrow(TypeError);
    expect((await store.get(orders))!['spec']).toEqual({ list: [{ a: 1 }] });
  });

  test('names that could leave their place are refused', async () => {
    for (const name of ['..', '.', '../x', 'a/b', 'A', '', 'a\0', 'a..b', 'x'.repeat(201)]) await fails(store.put(queueObject({}, { name })), 'InvalidObject');
    for (const namespace of ['..', 'a/b', 'a.b', 'x'.repeat(64)]) await fails(store.put(queueObject({}, { namespace })), 'InvalidObject');
    await fails(store.put({ ...queueObject(), kind: '../etc' }), 'InvalidObject');
    await fails(store.put({ metadata: { name: 'x' } }), 'InvalidObject');
  });

  test('a watch tells of every object once, then of every change, never inside the write, and ends with its signal', async () => {
    await store.put(queueObject());
    const seen: string[] = [];
    const end = new AbortController();
    await store.watch(key => ['Queue', 'Secret'].includes(key.kind) && seen.push(`${key.kind}/${key.name}`), end.signal);
    expect(seen).toEqual(['Queue/orders']);
    const before = await claim();
    const write = store.write({ kind: 'finalizer', claim: before, present: true });
    expect(seen).toHaveLength(1);
    await write;
    await settle();
    expect(seen).toEqual(['Queue/orders', 'Queue/orders']);
    await store.put(queueObject());
    await settle();
    expect(seen).toHaveLength(2);
    await store.remove(orders);
    await store.write({ kind: 'finalizer', claim: await claim(), present: false });
    await settle();
    expect(new Set(seen.slice(2))).toEqual(new Set(['Queue/orders']));
    const all = seen.length;
    end.abort();
    await store.put(queueObject({ b: 1 }));
    await settle();
    expect(seen).toHaveLength(all);
  });

  test('a watch tells when somebody else changes or takes away a Secret of a claim', async () => {
    await held();
    const seen: string[] = [];
    const end = new AbortController();
    await store.watch(key => key.kind === 'Secret' && seen.push(key.name), end.signal);
    await writeSecret({ uri: 'a' }, undefined);
    await settle();
    // A cluster's watch may tell of it before the write is answered; once more looked at does no harm.
    seen.length = 0;
    await store.put({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'orders-queue', namespace: 'dev' },
      type: 'servicebinding.io/queue',
      data: { uri: 'b' },
    });
    await settle();
    expect(seen).toEqual(['orders-queue']);
    await store.remove(secretKey);
    await settle();
    expect(seen).toEqual(['orders-queue', 'orders-queue']);
    end.abort();
  });

  test('what watch tells can be read from the cache at once', async () => {
    await store.put(queueObject({ a: 1 }));
    const seen: (string | undefined)[] = [];
    const end = new AbortController();
    const read = async (key: ObjectKey) => {
      const object = key.kind === 'Queue' ? await store.get(key, 'cache') : undefined;
      if (key.kind === 'Queue') seen.push(object === undefined ? undefined : JSON.stringify(object['spec']));
    };
    await store.watch(key => void read(key), end.signal);
    await settle();
    await store.put(queueObject({ a: 2 }));
    await settle();
    await store.remove(orders);
    await settle();
    expect(seen).toEqual(['{"a":1}', '{"a":2}', undefined]);
    end.abort();
  });

  test('the answer to a write is in the cache before it resolves', async () => {
    await store.put(queueObject());
    const end = new AbortController();
    await store.watch(() => undefined, end.signal);
    const first = claimOf(await store.get(orders));
    const second = claimOf(await store.write({ kind: 'finalizer', claim: first, present: true }));
    expect(metadataOf((await store.get(orders, 'cache'))!).resourceVersion).toBe(second.version);
    const third = await store.write({ kind: 'status', claim: second, status: statusOf(3) });
    expect(await store.get(orders, 'cache')).toEqual(third);
    await settle();
    expect(await store.get(orders, 'cache')).toEqual(third);
    end.abort();
  });

  test('events are kept in order', async () => {
    store.emit(orders, { type: 'Normal', reason: 'Created', message: 'made queue' });
    store.emit(orders, { type: 'Warning', reason: 'Drifted', message: 'changed outside' });
    const events = await subject.events();
    expect(events.map(event => [event.object.name, event.type, event.reason])).toEqual([
      ['orders', 'Normal', 'Created'],
      ['orders', 'Warning', 'Drifted'],
    ]);
  });
}
