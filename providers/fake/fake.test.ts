import { describe, expect, it } from 'vitest';
import { type Context, EngineError, type JsonObject, type Observation, type Present, type ResourceType } from '../../src/sdk.ts';
import { fake } from './index.ts';
import { queue } from './queue.ts';
import { store } from './store.ts';
import { thing } from './thing.ts';
import { endWorld, findThing, forget, type World, world } from './world.ts';

/** A world whose time stands still until it is told otherwise. */
function still(name: string): { readonly place: World; readonly pass: (ms: number) => void } {
  endWorld(name);
  const place = world(name);
  let now = Date.parse('2026-01-01T00:00:00.000Z');
  const timers: { readonly at: number; readonly run: () => void }[] = [];
  const after = (ms: number, run: () => void) => {
    timers.push({ at: now + ms, run });
    return () => {};
  };
  place.clock = { now: () => new Date(now).toISOString(), after };
  const pass = (ms: number): void => {
    now += ms;
    for (const timer of timers.splice(0))
      if (timer.at <= now) timer.run();
      else timers.push(timer);
  };
  return { place, pass };
}

async function contextFor(settings: JsonObject, signal = new AbortController().signal): Promise<Context> {
  return { client: await fake.connect(settings), signal, depth: 'full', log: () => {}, budget: async () => {}, fence: () => {} };
}
const make = (ctx: Context, type: ResourceType, behaviour: JsonObject, more: JsonObject = {}) => type.create(ctx, 'one', { tags: {}, ...more, behaviour });
const look = (ctx: Context, type: ResourceType): Promise<Observation> => type.observe(ctx, 'one');
const seen = async (ctx: Context, type: ResourceType): Promise<Present> => (await look(ctx, type)) as Present;

describe('behaviour', () => {
  it('is not ready for some looks, or for some time', async () => {
    const { pass } = still('ready');
    const ctx = await contextFor({ world: 'ready' });
    await make(ctx, thing, { readyAfterLooks: 1, readyAfterMs: 50 });
    expect((await seen(ctx, thing)).readiness.ready).toBe(false);
    expect((await seen(ctx, thing)).readiness.ready).toBe(false);
    pass(50);
    expect((await seen(ctx, thing)).readiness.ready).toBe(true);
  });

  it('goes through CREATING, UPDATING and DELETING, and takes one change at a time', async () => {
    const { pass } = still('states');
    const ctx = await contextFor({ world: 'states' });
    await make(ctx, thing, { creatingMs: 10, updatingMs: 10, deletingMs: 10 }, { size: 1 });
    const change = async () => {
      const before = await seen(ctx, thing);
      await thing.update(ctx, 'one', { spec: { size: 2 }, seen: before, changes: [{ path: 'size', desired: 2, observed: 1, cause: 'changed' }] });
    };
    await expect(change()).rejects.toMatchObject({ code: 'Busy' });
    pass(10);
    await change();
    expect((await seen(ctx, thing)).state).toMatchObject({ status: 'UPDATING' });
    await expect(change()).rejects.toMatchObject({ code: 'Busy' });
    pass(10);
    await thing.delete(ctx, 'one', await seen(ctx, thing), {});
    expect((await seen(ctx, thing)).readiness).toMatchObject({ reason: 'Deleting' });
    pass(10);
    await expect(look(ctx, thing)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('fails as often as it is told, before or after the work', async () => {
    still('failures');
    const ctx = await contextFor({ world: 'failures' });
    const behaviour = {
      failures: [
        { verb: 'create', code: 'Throttled', times: 2 },
        { verb: 'create', code: 'ServiceError', times: 1, afterWork: true },
      ],
    };
    for (const code of ['Throttled', 'Throttled', 'ServiceError', 'AlreadyExists']) await expect(make(ctx, thing, behaviour)).rejects.toMatchObject({ code });
    expect(await look(ctx, thing)).toMatchObject({ kind: 'present' });
  });

  it('drifts once, shows a secret, keeps what was written secretly', async () => {
    const { place } = still('drift');
    const ctx = await contextFor({ world: 'drift' });
    await make(ctx, thing, { drift: { field: 'size', value: 9, afterLooks: 2 } }, { size: 1, password: 'hidden' });
    expect((await seen(ctx, thing)).spec).toMatchObject({ size: 1, zone: 'zone-a' });
    expect((await seen(ctx, thing)).spec).toMatchObject({ size: 9 });
    expect(JSON.stringify(await look(ctx, thing))).not.toContain('hidden');
    expect(findThing(place, 'main', 'fake/thing', 'one')).toMatchObject({ hidden: { password: 'hidden' }, token: 'token-of-one' });
  });

  it('takes its time, and gives up when aborted', async () => {
    still('latency');
    const ending = new AbortController();
    const ctx = await contextFor({ world: 'latency' }, ending.signal);
    const making = make(ctx, thing, { latencyMs: 1_000 });
    ending.abort();
    await expect(making).rejects.toSatisfy(error => fake.classify(error).code === 'Aborted');
    await expect(look(await contextFor({ world: 'latency' }), thing)).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('deletion', () => {
  it('is refused by protection, and by what a store holds unless it is purged, some at a time', async () => {
    const { place } = still('purge');
    const ctx = await contextFor({ world: 'purge' });
    await make(ctx, thing, {}, { protect: true });
    await expect(thing.delete(ctx, 'one', await seen(ctx, thing), {})).rejects.toMatchObject({ code: 'Protected' });
    await make(ctx, store, {});
    findThing(place, 'main', 'fake/store', 'one')!.items = 150;
    await expect(store.delete(ctx, 'one', await seen(ctx, store), {})).rejects.toMatchObject({ code: 'NotEmpty' });
    await expect(store.delete(ctx, 'one', await seen(ctx, store), { purge: true })).rejects.toMatchObject({ code: 'Purging' });
    await store.delete(ctx, 'one', await seen(ctx, store), { purge: true });
    await expect(look(ctx, store)).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('world', () => {
  it('is shared by its name, kept apart by account, and forgets when told', async () => {
    const { place } = still('shared');
    const [one, two, other] = await Promise.all([{}, {}, { account: 'other' }].map(more => contextFor({ world: 'shared', ...more })));
    await make(one!, queue, {});
    expect(await look(two!, queue)).toMatchObject({ kind: 'present' });
    await expect(look(other!, queue)).rejects.toMatchObject({ code: 'NotFound' });
    forget(place, 'main');
    await expect(look(two!, queue)).rejects.toMatchObject({ code: 'NotFound' });
    expect(await fake.scope(other!.client)).toBe('fake:shared:other');
  });

  it('counts calls and lets hooks fail them', async () => {
    const { place } = still('hooks');
    const ctx = await contextFor({ world: 'hooks' });
    place.before = call => {
      if (call.writes) throw new EngineError('Timeout', 'never arrived');
    };
    await expect(make(ctx, thing, {})).rejects.toMatchObject({ code: 'Timeout' });
    expect(place.calls).toMatchObject([{ index: 0, operation: 'Create', writes: true, account: 'main' }]);
    place.lockedOut.add('main');
    await expect(look(ctx, thing)).rejects.toMatchObject({ code: 'InvalidCredentials' });
  });

  it('finds what bears the marks of an installation', async () => {
    still('owned');
    const ctx = await contextFor({ world: 'owned' });
    const marks = { instance: 'i', kind: 'Queue', namespace: 'n', name: 'q', id: 'main', uid: 'u' };
    const tags = Object.fromEntries(Object.entries(marks).map(([key, value]) => [`plinth.dev/${key}`, value]));
    await queue.create(ctx, 'ours', { tags });
    await queue.create(ctx, 'theirs', { tags: { ...tags, 'plinth.dev/instance': 'j' } });
    await queue.create(ctx, 'nobodys', { tags: {} });
    const found = [];
    for await (const item of fake.owned(ctx, 'i')) found.push(item);
    expect(found).toEqual([{ type: 'fake/queue', name: 'ours', owner: marks }]);
  });
});
