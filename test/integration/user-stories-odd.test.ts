/** Stories of what happens seldom: things made anew under our name, looks that fail at the wrong moment, statuses nobody should have written. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/types.ts';
import { statusOf } from '../support.ts';
import { approve, ask, classWith, closeStory, look, names, openStory, put, ready, rest, type Story, says, synced, thing } from './user-story.ts';

let story: Story;
beforeEach(async () => {
  story = await openStory();
});
afterEach(async () => {
  await closeStory(story);
  expect(story.breaches).toEqual([]);
});

/** Ready and as asked, nothing left over. */
async function isFine(things: readonly string[]): Promise<void> {
  const status = await rest(story);
  expect([ready(status), synced(status)], await says(story)).toEqual(['True', 'True']);
  expect(names()).toEqual(things);
}

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
});
