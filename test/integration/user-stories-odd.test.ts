/** Stories of what happens seldom: things made anew under our name, looks that fail at the wrong moment, statuses nobody should have written. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { world } from '../../providers/fake/world.ts';
import { EngineError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { pass, statusOf } from '../support.ts';
import {
  approve,
  ask,
  classWith,
  closeStory,
  expectFine,
  line,
  look,
  names,
  openStory,
  put,
  ready,
  remove,
  removeOutside,
  rest,
  STORIES,
  type Story,
  says,
  stranger,
  synced,
  thing,
  write,
} from './user-story.ts';

let story: Story;
beforeEach(async () => {
  story = await openStory();
});
afterEach(async () => {
  await closeStory(story);
  expect(story.breaches).toEqual([]);
});

const isFine = (things: readonly string[]): Promise<void> => expectFine(story, things);

/** Somebody writes into the first entry of the status. */
async function writeEntry(change: (entry: JsonObject) => JsonObject): Promise<void> {
  const { engine, key } = story;
  const { metadata, status } = (await engine.store.get(key)) as { metadata: { uid: string; resourceVersion: string }; status: { resources: JsonObject[] } };
  const [first, ...more] = status.resources;
  const written = { ...status, resources: [change(first!), ...more] };
  await engine.store.write({ kind: 'status', claim: { ...key, uid: metadata.uid, version: metadata.resourceVersion } as never, status: written as never });
}

describe('made anew by somebody, with our marks and another value in what cannot change', () => {
  const remake = (): void => {
    story.engine.clock.skip(60_000);
    thing('dev_one')!.spec = { ...thing('dev_one')!.spec, fifo: true };
  };

  test('it is replaced once, where nobody is asked', async () => {
    await put(story, classWith('line', { swap: 'Automatic' }));
    story.isAutomatic = true;
    await ask(story);
    remake();
    await isFine(['dev_one_1']);
  });

  test('one approval is enough', async () => {
    await ask(story);
    remake();
    expect(synced(await rest(story))).toBe('SwapPending');
    await approve(story);
    await isFine(['dev_one_1']);
  });
});

describe('a status that somebody wrote into', () => {
  test('an entry with more predecessors than there can be: it is planned at once, and comes right', async () => {
    await ask(story);
    await writeEntry(entry => ({ ...entry, phase: 'Intended', incarnation: 2 ** 40 }));
    await look(story, 2);
    await isFine(['dev_one']);
    expect((await statusOf(story.engine, story.key))!.resources).toHaveLength(1);
  });

  test('a type of no provider, whatever its name: it says so', async () => {
    await ask(story);
    await writeEntry(entry => ({ ...entry, type: 'constructor' }));
    expect(synced(await look(story))).toBe('SwapPending');
  });

  test('a digest of what is no path: the inventory is found again by marks', async () => {
    await ask(story);
    await writeEntry(entry => ({ ...entry, settled: { 'no path': 'abc' } }));
    await isFine(['dev_one']);
  });
});

describe('ObserveOnly, on a claim whose queue was never made', () => {
  test('because a stranger has the name: his is not shown unless the class lists it', async () => {
    stranger('dev_one');
    expect(synced(await ask(story))).toBe('Conflict');
    const status = await ask(story, { lifecycle: { management: 'ObserveOnly' } });
    expect([ready(status), synced(status), status.outputs]).toEqual(['False', 'NotAdoptable', {}]);
    removeOutside('dev_one');
    await write(story);
    await isFine(['dev_one']);
  });

  test('as far as anybody knows, and no longer declared: it stays on record, and goes later', async () => {
    await ask(story);
    const place = world(STORIES);
    place.after = call => {
      if (call.verb !== 'create') return;
      story.blind = true;
      throw Object.assign(new Error('no answer'), { name: 'FakeError', code: 'Unreachable' });
    };
    await write(story, { rest: true });
    await look(story);
    place.after = undefined;
    story.blind = false;
    expect(synced(await ask(story, { lifecycle: { management: 'ObserveOnly' } }))).toBe('ObserveOnly');
    expect(names()).toEqual(['dev_one', 'dev_one_rest']);
    await write(story);
    await isFine(['dev_one']);
  });
});

test('drift that is not put back under ObserveOnly is not said to be applied', async () => {
  await ask(story, { lifecycle: { management: 'ObserveOnly' } });
  await ask(story);
  await ask(story, { lifecycle: { management: 'ObserveOnly' } });
  thing('dev_one')!.spec = { ...thing('dev_one')!.spec, visibilityTimeoutSeconds: 77 };
  story.engine.clock.skip(60_000);
  const status = await rest(story);
  expect([ready(status), synced(status)]).toEqual(['True', 'ObserveOnly']);
  expect(status.drift).toEqual([expect.objectContaining({ path: 'visibilityTimeoutSeconds', observed: 77 })]);
});

test('a stranger who takes the name of a successor right after that was recorded keeps his thing', async () => {
  await ask(story);
  await ask(story, { fifo: true });
  await approve(story);
  await look(story);
  if (thing('dev_one_1.fifo') === undefined) stranger('dev_one_1.fifo');
  await look(story, 3);
  await ask(story);
  await approve(story);
  await rest(story);
});

test('a stranger who takes the name of what could not be looked at yet keeps his thing', async () => {
  await ask(story);
  story.blind = true;
  await write(story, { rest: true });
  await look(story, 2);
  stranger('dev_one_rest');
  story.blind = false;
  expect(synced(await rest(story))).toBe('Conflict');
  await write(story);
  await isFine(['dev_one', 'dev_one_rest']);
});

describe('a newer revision', () => {
  const replacing = (): JsonObject => line({ extra: true, more: { fifo: true } });

  test('is not begun while what it would replace cannot be seen, and asks once it can', async () => {
    const { revision } = await ask(story);
    await put(story, replacing());
    story.blind = true;
    await look(story);
    const blind = await look(story);
    expect([ready(blind), synced(blind), blind.revision]).toEqual(['True', 'Unreachable', revision]);
    story.blind = false;
    const seen = await rest(story);
    expect([ready(seen), synced(seen), seen.revision]).toEqual(['True', 'SwapPending', revision]);
    expect(names()).toEqual(['dev_one']);
    await approve(story);
    await isFine(['dev_one_1.fifo', 'dev_one_extra']);
  });

  test('that cannot be seen does not let go what it wants again', async () => {
    await put(story, classWith('line', { graceSeconds: 3_600 }));
    await ask(story, { rest: true });
    const without = line();
    const [, ...others] = (without['spec'] as { resources: JsonObject[] }).resources;
    await put(story, { ...without, spec: { ...(without['spec'] as JsonObject), resources: others } });
    await rest(story);
    await approve(story);
    await look(story, 3);
    expect((await statusOf(story.engine, story.key))!.resources).toContainEqual(expect.objectContaining({ id: 'rest', phase: 'Retiring' }));
    story.engine.clock.skip(4_000_000);
    await put(story, line());
    story.blind = true;
    await look(story, 3);
    story.blind = false;
    await isFine(['dev_one', 'dev_one_rest']);
  });

  test('that waits for approval does not take back what was approved before, and is in its grace', async () => {
    await put(story, classWith('line', { graceSeconds: 3_600 }));
    await ask(story, { rest: true });
    await ask(story);
    await approve(story);
    await look(story, 3);
    await put(story, replacing());
    await look(story, 3);
    const status = (await statusOf(story.engine, story.key))!;
    expect(status.resources).toContainEqual(expect.objectContaining({ id: 'rest', phase: 'Retiring' }));
    expect(status.pendingPlan?.summary).toEqual([expect.stringContaining('dev_one_1.fifo')]);
    await put(story, line());
    await look(story, 3);
    story.engine.clock.skip(4_000_000);
    await isFine(['dev_one']);
  });
});

test('drift to a value that holds a secret of the claim is one piece of news, not one at each look', async () => {
  const { spec } = line() as { spec: JsonObject & { resources: JsonObject[] } };
  const memo = { id: 'memo', type: 'fake/note', spec: { body: 'x' } };
  const composition = { ...line(), spec: { ...spec, resources: [...spec.resources, memo] } };
  await put(story, composition, classWith('line', { drift: 'Report' }));
  await ask(story);
  thing('dev_one_memo')!.spec = { ...thing('dev_one_memo')!.spec, body: `see ${thing('dev_one_memo')!.token}` };
  const [row] = (await look(story, 2)).drift;
  expect(row).toMatchObject({ resource: 'memo', path: 'body', observed: 'see •••' });
  expect((await look(story, 3)).drift).toEqual([row]);
});

describe('while a change that was taken back waits for approval', () => {
  test('what serves until then is looked at: the claim is not ready once it cannot be used', async () => {
    await put(story, classWith('line', { graceSeconds: 3_600 }));
    await ask(story);
    await ask(story, { fifo: true });
    await approve(story);
    await look(story, 4);
    await ask(story);
    expect([ready(await rest(story)), synced(await rest(story))]).toEqual(['True', 'SwapPending']);
    thing('dev_one_1.fifo')!.deletingMs = Date.now() + 100_000_000;
    expect(ready(await rest(story))).toBe('False');
    thing('dev_one_1.fifo')!.deletingMs = undefined;
    expect(ready(await rest(story))).toBe('True');
  });
});

describe('a composition of an odd make', () => {
  const composed = (...resources: JsonObject[]): JsonObject => ({ ...line(), spec: { ...(line()['spec'] as JsonObject), resources } });
  const main = (more: JsonObject = {}): JsonObject => ({ id: 'main', main: true, type: 'fake/queue', spec: {}, ...more });

  test('what retires is not let go while it waits for another whether it is declared again', async () => {
    const rest_ = { id: 'rest', type: 'fake/queue', includeWhen: '${claim.spec.rest && main.state.address != ""}', spec: {} };
    await put(story, composed(main(), rest_), classWith('line', { graceSeconds: 3_600 }));
    await ask(story, { rest: true });
    await ask(story);
    await approve(story);
    await look(story, 4);
    story.full = true;
    removeOutside('dev_one');
    await write(story, { rest: true });
    await look(story, 5);
    story.engine.clock.skip(4_000_000);
    await look(story, 3);
    expect(names()).toEqual(['dev_one_rest']);
    story.full = false;
    await isFine(['dev_one', 'dev_one_rest']);
  });

  test('two revisions that order their resources the other way round: the claim goes all the same', async () => {
    const part = (more: JsonObject): JsonObject => ({ id: 'part', type: 'fake/queue', spec: { fifo: '${claim.spec.fifo}' }, ...more });
    await put(story, composed(main(), part({ dependsOn: ['main'] })), classWith('line', { graceSeconds: 3_600, swap: 'Automatic' }));
    story.isAutomatic = true;
    await ask(story);
    await write(story, { fifo: true });
    await look(story, 3);
    await put(story, composed(part({}), main({ dependsOn: ['part'] })));
    await look(story, 3);
    expect(names()).toEqual(['dev_one', 'dev_one_part', 'dev_one_part_1.fifo']);
    expect(await remove(story), await says(story)).toBeUndefined();
    expect(names()).toEqual([]);
  });

  test('a successor that would get the name of another resource of the claim: it is a conflict, and both are kept', async () => {
    const other = { id: 'other', type: 'fake/queue', name: 'box-1', spec: { fifo: true } };
    await put(story, composed(other, main({ name: 'box', spec: { fifo: '${claim.spec.fifo}' } })), classWith('line', { swap: 'Automatic' }));
    story.isAutomatic = true;
    await ask(story);
    expect(synced(await ask(story, { fifo: true }))).toBe('Conflict');
    expect(names()).toEqual(['box', 'box-1.fifo']);
    await write(story);
    await isFine(['box', 'box-1.fifo']);
  });
});

test('what was made at last, and could not be reported, is waited for when the claim goes: it may show late', async () => {
  const { engine, key } = story;
  const place = world(STORIES);
  await put(story, line({ more: { behaviour: { visibleAfterMs: 3_000 } } }));
  place.before = call => {
    if (call.verb === 'create') throw Object.assign(new Error('busy'), { code: 'Throttled' });
  };
  await write(story);
  await look(story, 2);
  engine.clock.skip(60_000);
  place.before = undefined;
  const { store } = engine.engine;
  const { write: put1 } = store;
  const failing: typeof put1 = async given => {
    const isReport = given.kind === 'status' && given.status.resources.some(entry => entry.phase === 'Created');
    if (isReport) throw new EngineError('StoreUnavailable', 'not now');
    return await put1(given);
  };
  Object.assign(store, { write: failing });
  await pass(engine, key).catch(() => undefined);
  Object.assign(store, { write: put1 });
  expect(place.calls.some(call => call.verb === 'create')).toBe(true);
  expect(await remove(story), await says(story)).toBeUndefined();
  engine.clock.skip(10_000);
  expect(names()).toEqual([]);
});
