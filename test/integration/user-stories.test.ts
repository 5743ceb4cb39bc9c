/**
 * Sequences of ordinary actions, each told as a story: what somebody does, what others do meanwhile, and how it must end. Beside what a story
 * expects itself, `watch` in user-story.ts looks at every call: a stranger's thing is never touched, and nothing in use goes that nobody agreed to.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { condition } from '../support.ts';
import {
  annotation,
  annotationsOf,
  approve,
  ask,
  classWith,
  closeStory,
  configTo,
  expectFine,
  line,
  look,
  loseStatus,
  names,
  openStory,
  put,
  ready,
  remove,
  removeOutside,
  rest,
  restart,
  type Story,
  says,
  stranger,
  stripMarks,
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

/** Deleted, and nothing is left but what is named. */
async function goes(left: readonly string[] = []): Promise<void> {
  expect(await remove(story), await says(story)).toBeUndefined();
  expect(names()).toEqual(left);
}

describe('a name that belongs to a stranger', () => {
  test('an immutable change that runs into it is rolled back: the claim works as before and goes cleanly', async () => {
    await ask(story);
    stranger('dev_one_1.fifo');
    await ask(story, { fifo: true });
    await approve(story);
    expect(condition(await rest(story), 'Stalled')).toMatchObject({ status: 'True', reason: 'Conflict' });
    await write(story, { fifo: false });
    await isFine(['dev_one', 'dev_one_1.fifo']);
    await goes(['dev_one_1.fifo']);
  });

  test('one more queue that runs into it is rolled back without asking anybody', async () => {
    await ask(story);
    stranger('dev_one_rest');
    expect(synced(await ask(story, { rest: true }))).toBe('Conflict');
    await write(story);
    await isFine(['dev_one', 'dev_one_rest']);
    await goes(['dev_one_rest']);
  });

  test('so is one more thing that holds nothing: it was never ours, and does not retire', async () => {
    await put(story, line({ extra: true }));
    stranger('dev_one_extra', { team: 'other' }, 'fake/thing', { size: 1 });
    expect(synced(await ask(story))).toBe('Conflict');
    await put(story, line());
    await isFine(['dev_one', 'dev_one_extra']);
    await goes(['dev_one_extra']);
  });

  test('what cannot be adopted because it is of another make is rolled back', async () => {
    await ask(story);
    stranger('legacy', {}, 'fake/queue', { fifo: true });
    expect(synced(await ask(story, { rest: true, lifecycle: { adopt: { rest: 'legacy' }, deletion: 'Delete' } }))).toBe('Conflict');
    await write(story);
    await isFine(['dev_one', 'legacy']);
    await goes(['legacy']);
  });

  test('what was to be adopted and never was survives the claim, however much that may delete', async () => {
    await ask(story, { lifecycle: { adopt: { main: 'legacy' }, deletion: 'Delete' } });
    stranger('legacy', {}, 'fake/queue', { fifo: true });
    await rest(story);
    await goes(['legacy']);
  });

  test('seen, removed and made anew by its owner, it is still his', async () => {
    stranger('dev_one');
    expect(synced(await ask(story))).toBe('Conflict');
    removeOutside('dev_one');
    story.engine.clock.skip(5_000);
    stranger('dev_one');
    expect(synced(await rest(story))).toBe('Conflict');
    await goes(['dev_one']);
  });

  test('taken after our call was refused, it is a stranger’s: nothing of ours can be half made', async () => {
    story.full = true;
    await ask(story);
    stranger('dev_one');
    story.full = false;
    expect(synced(await rest(story))).toBe('Conflict');
    await goes(['dev_one']);
  });

  test('taken while ours still waited for something else, it is a stranger’s', async () => {
    await put(story, line({ needs: 'rest' }));
    story.full = true;
    await look(story, 0);
    await write(story, { rest: true });
    await look(story, 2);
    stranger('dev_one');
    story.full = false;
    expect(synced(await rest(story))).toBe('Conflict');
    await goes(['dev_one']);
  });

  test('freed by its owner, the name is ours', async () => {
    stranger('dev_one');
    await ask(story);
    removeOutside('dev_one');
    await isFine(['dev_one']);
    await goes();
  });

  test('the hint is followed: the claim adopts what has the name', async () => {
    stranger('legacy_one');
    await put(story, classWith('line', {}, { naming: 'legacy_one' }));
    expect(synced(await ask(story))).toBe('Conflict');
    await write(story, { lifecycle: { adopt: { main: 'legacy_one' } } });
    await isFine(['legacy_one']);
    await goes(['legacy_one']);
  });

  test('another naming of the class gets out of it, and the stranger is forgotten', async () => {
    stranger('dev_one');
    await ask(story);
    await put(story, classWith('line', {}, { naming: 'q_${claim.name}' }));
    await isFine(['dev_one', 'q_one']);
    await goes(['dev_one']);
  });

  test('adopt written on a claim that works is said to do nothing', async () => {
    await ask(story);
    stranger('legacy');
    const status = await ask(story, { lifecycle: { adopt: { main: 'legacy' } } });
    expect([ready(status), synced(status)]).toEqual(['True', 'NotAdoptable']);
    await write(story);
    await isFine(['dev_one', 'legacy']);
    await goes(['legacy']);
  });

  test('remade by a stranger right after we deleted ours, it holds nobody up', async () => {
    await put(story, line({ more: { behaviour: { deletingMs: 60_000 } } }));
    await ask(story);
    await story.engine.store.remove(story.key);
    await look(story, 2);
    expect(thing('dev_one')!.deletingMs).toBeDefined();
    stranger('dev_one');
    expect((await rest(story)) as unknown).toBeUndefined();
    expect(names()).toEqual(['dev_one']);
  });
});

describe('what the claim says of its end counts, however late', () => {
  test('Retain right before the deletion', async () => {
    await ask(story);
    await write(story, { lifecycle: { deletion: 'Retain' } });
    await goes(['dev_one']);
    expect(thing('dev_one')!.spec['tags']).toMatchObject({ 'plinth.dev/retained': 'true' });
  });

  test('Retain while its class is gone', async () => {
    await ask(story);
    await story.engine.store.remove({ kind: 'EnvironmentClass', namespace: '', name: 'dev' });
    await ask(story, { lifecycle: { deletion: 'Retain' } });
    await goes(['dev_one']);
  });

  test('Retain while its composition is broken', async () => {
    await ask(story);
    await put(story, line({ more: { nonsense: 1 } }));
    await ask(story, { lifecycle: { deletion: 'Retain' } });
    await goes(['dev_one']);
  });

  test('Retain together with an edit that takes a queue out', async () => {
    await ask(story, { rest: true });
    await ask(story, { lifecycle: { deletion: 'Retain' } });
    await approve(story);
    await isFine(['dev_one', 'dev_one_rest']);
    await goes(['dev_one', 'dev_one_rest']);
  });

  test('Retain taken back', async () => {
    await ask(story, { lifecycle: { deletion: 'Retain' } });
    await ask(story);
    await goes();
  });

  test('Delete, right before the deletion, where the class says Retain', async () => {
    await put(story, classWith('line', { deletion: 'Retain' }));
    await ask(story);
    await write(story, { lifecycle: { deletion: 'Delete' } });
    await goes();
  });
});

describe('an approved change that is taken back', () => {
  test('before the successor works: what was to go stays, and nobody is asked', async () => {
    await ask(story);
    await ask(story, { fifo: true });
    await approve(story);
    story.full = true;
    await look(story, 3);
    story.full = false;
    await write(story);
    await isFine(['dev_one']);
    await goes();
  });

  test('while the old one still waits for the grace: it is taken up again once that is approved', async () => {
    await put(story, classWith('line', { graceSeconds: 600 }));
    await ask(story);
    await ask(story, { fifo: true });
    await approve(story);
    await look(story, 3);
    expect(names()).toEqual(['dev_one', 'dev_one_1.fifo']);
    await write(story);
    const held = await look(story, 3);
    expect([ready(held), synced(held)]).toEqual(['True', 'SwapPending']);
    story.engine.clock.skip(1_000_000);
    await look(story, 3);
    expect(names()).toEqual(['dev_one', 'dev_one_1.fifo']);
    await approve(story);
    await look(story, 3);
    story.engine.clock.skip(1_000_000);
    await isFine(['dev_one']);
    await goes();
  });

  test('a class that is put back while the store retires keeps the store', async () => {
    await put(story, classWith('shelf', { graceSeconds: 600 }));
    await ask(story);
    const [store] = names();
    await put(story, classWith('line', { graceSeconds: 600 }));
    await rest(story);
    await approve(story);
    await look(story, 3);
    await put(story, classWith('shelf', { graceSeconds: 600 }));
    const held = await look(story, 3);
    expect([ready(held), synced(held)]).toEqual(['True', 'SwapPending']);
    story.engine.clock.skip(1_000_000);
    await look(story, 3);
    expect(names()).toContain(store);
    await approve(story);
    await look(story, 3);
    story.engine.clock.skip(1_000_000);
    await isFine([store!]);
    await goes();
  });

  test('a class that is put back before anything was switched needs no approval', async () => {
    await put(story, classWith('shelf'));
    await ask(story);
    const [store] = names();
    await put(story, classWith('line'));
    await rest(story);
    await approve(story);
    story.full = true;
    await look(story, 3);
    story.full = false;
    await put(story, classWith('shelf'));
    await isFine([store!]);
    await goes();
  });

  test('asked for again in another make while it retires, it is made anew beside the old one', async () => {
    await put(story, classWith('line', { graceSeconds: 600 }));
    await ask(story, { rest: true });
    await ask(story);
    await approve(story);
    await look(story, 3);
    await put(story, line({ restFifo: true }));
    await ask(story, { rest: true });
    story.engine.clock.skip(1_000_000);
    await isFine(['dev_one', 'dev_one_rest_1.fifo']);
    await goes();
  });

  test('a queue that is asked for again while it retires is the same queue', async () => {
    await put(story, classWith('line', { graceSeconds: 600 }));
    await ask(story, { rest: true });
    await ask(story);
    await approve(story);
    await look(story, 3);
    await ask(story, { rest: true });
    story.engine.clock.skip(1_000_000);
    await isFine(['dev_one', 'dev_one_rest']);
  });

  test('an account that is put back before anything was switched', async () => {
    await ask(story);
    await put(story, configTo('second'));
    await rest(story);
    await approve(story);
    story.full = true;
    await look(story, 3);
    story.full = false;
    await put(story, configTo('main'));
    await rest(story);
    expect(names()).toEqual(['dev_one']);
    expect(ready(await rest(story))).toBe('True');
  });
});

describe('an approval', () => {
  test('is taken off once it is obeyed, and what it was for is not approved a second time', async () => {
    await ask(story, { rest: true });
    await ask(story);
    await approve(story);
    await look(story, 1);
    expect(await annotationsOf(story)).toEqual({});
    await rest(story);
    await ask(story, { rest: true });
    expect(synced(await ask(story))).toBe('SwapPending');
  });

  test('does not outlive its plan: taken back and asked for again, it is asked again', async () => {
    await ask(story);
    await ask(story, { fifo: true });
    await approve(story);
    story.full = true;
    await look(story, 2);
    await ask(story);
    story.full = false;
    story.agreed.clear();
    expect(synced(await ask(story, { fifo: true }))).toBe('SwapPending');
    expect(names()).toEqual(['dev_one']);
  });

  test('for a queue that is replaced does not let it go for good', async () => {
    await ask(story, { rest: true });
    await ask(story, { rest: true, fifo: true });
    await approve(story);
    story.full = true;
    await look(story, 2);
    story.agreed.clear();
    await ask(story, { rest: false, fifo: false });
    story.full = false;
    expect(synced(await rest(story))).toBe('SwapPending');
    expect(names()).toEqual(['dev_one', 'dev_one_rest']);
  });

  test('given for a plan that is not wanted any more is taken off', async () => {
    await ask(story, { rest: true });
    const held = await ask(story);
    await write(story, { rest: true });
    await annotation(story, 'approve', held.pendingPlan!.hash);
    await rest(story);
    expect(await annotationsOf(story)).toEqual({});
    expect(synced(await ask(story))).toBe('SwapPending');
  });

  test('does not go on when the class is changed in the middle of it', async () => {
    await ask(story);
    await ask(story, { fifo: true });
    await approve(story);
    story.full = true;
    await look(story, 2);
    story.agreed.clear();
    await put(story, classWith('shelf'));
    story.full = false;
    expect(synced(await rest(story))).toBe('SwapPending');
    expect(names()).toContain('dev_one');
  });

  test('of a plan for one account is none for another', async () => {
    await ask(story);
    await put(story, classWith('shelf'));
    const held = await rest(story);
    await put(story, configTo('second'));
    await annotation(story, 'approve', held.pendingPlan!.hash);
    await rest(story);
    expect(names('second')).toEqual([]);
    expect(names()).toEqual(['dev_one']);
  });

  test('of a plan for the class before is none while another class waits', async () => {
    await ask(story);
    const held = await ask(story, { fifo: true });
    await put(story, classWith('shelf'));
    await annotation(story, 'approve', held.pendingPlan!.hash);
    expect(synced(await rest(story))).toBe('SwapPending');
    expect(names()).toEqual(['dev_one']);
  });

  test('is kept while nothing can be read, and obeyed after that', async () => {
    await ask(story);
    await ask(story, { fifo: true });
    await approve(story);
    story.blind = true;
    await look(story, 6);
    expect(await annotationsOf(story)).toHaveProperty('plinth.dev/approve');
    story.blind = false;
    await isFine(['dev_one_1.fifo']);
    expect(await annotationsOf(story)).toEqual({});
  });
});

describe('ObserveOnly', () => {
  const only = { lifecycle: { management: 'ObserveOnly' } };

  test('on a claim that made its queue: nothing is changed, made or deleted, and the claim says what it does not do', async () => {
    await ask(story, { rest: true });
    expect(synced(await ask(story, { rest: true, visibility: 5, ...only }))).toBe('ObserveOnly');
    expect(thing('dev_one')!.spec).toMatchObject({ visibilityTimeoutSeconds: 30 });
    expect(synced(await ask(story, { fifo: true, ...only }))).toBe('ObserveOnly');
    await goes(['dev_one', 'dev_one_rest']);
    expect(thing('dev_one')!.spec['tags']).not.toHaveProperty('plinth.dev/retained');
  });

  test('written right before the deletion', async () => {
    await ask(story);
    await write(story, only);
    await goes(['dev_one']);
  });

  test('keeps what was about to go', async () => {
    await put(story, classWith('line', { graceSeconds: 600 }));
    await ask(story, { rest: true });
    await ask(story);
    await approve(story);
    await look(story, 3);
    await write(story, only);
    story.engine.clock.skip(1_000_000);
    expect(synced(await rest(story))).toBe('ObserveOnly');
    await write(story);
    await isFine(['dev_one']);
  });

  test('asks nobody for a class that would replace everything, and does not do it', async () => {
    await put(story, classWith('line', { swap: 'Automatic' }));
    await ask(story);
    await write(story, only);
    await put(story, classWith('shelf', { swap: 'Automatic' }));
    const status = await rest(story);
    expect([ready(status), synced(status)]).toEqual(['True', 'ObserveOnly']);
    expect(names()).toEqual(['dev_one']);
  });

  test('taken off: the claim goes on where it was', async () => {
    await ask(story);
    await ask(story, { visibility: 7, ...only });
    await ask(story, { visibility: 7 });
    await isFine(['dev_one']);
    expect(thing('dev_one')!.spec).toMatchObject({ visibilityTimeoutSeconds: 7 });
    await goes();
  });

  test('shows nothing of a stranger’s thing that the class does not list', async () => {
    stranger('dev_one');
    expect(ready(await ask(story, only))).toBe('False');
    expect(synced(await rest(story))).toBe('NotAdoptable');
    await goes(['dev_one']);
  });

  test('taken off where a stranger’s thing was observed: it is a conflict, not ours', async () => {
    stranger('dev_one');
    await put(story, classWith('line', {}, { allow: { adopt: [{ type: 'fake/queue', name: 'dev_*' }] } }));
    expect(ready(await ask(story, only))).toBe('True');
    expect(synced(await ask(story))).toBe('Conflict');
    await goes(['dev_one']);
  });

  test('taken off together with an adoption that the class allows', async () => {
    stranger('legacy');
    await ask(story, { lifecycle: { management: 'ObserveOnly', adopt: { main: 'legacy' } } });
    await write(story, { lifecycle: { adopt: { main: 'legacy' } } });
    await isFine(['legacy']);
    await goes(['legacy']);
  });
});

describe('a status that is lost', () => {
  test('does not make an adopted queue one of ours to delete', async () => {
    stranger('legacy');
    await ask(story, { lifecycle: { adopt: { main: 'legacy' } } });
    await loseStatus(story);
    await isFine(['legacy']);
    await goes(['legacy']);
  });

  test('nor one that was lost for its marks and has them again: it holds what it held', async () => {
    await ask(story, { rest: true });
    const putBack = stripMarks('dev_one_rest');
    await loseStatus(story);
    expect(synced(await rest(story))).toBe('Conflict');
    putBack();
    expect(synced(await ask(story))).toBe('SwapPending');
    await approve(story);
    await isFine(['dev_one']);
  });

  test('while a store retires keeps the store', async () => {
    await put(story, classWith('shelf', { graceSeconds: 600 }));
    await ask(story);
    await put(story, classWith('line', { graceSeconds: 600 }));
    await rest(story);
    await approve(story);
    await look(story, 3);
    story.agreed.clear();
    await loseStatus(story);
    await restart(story);
    story.engine.clock.skip(1_000_000);
    expect(synced(await rest(story))).toBe('SwapPending');
    expect(names()).toHaveLength(2);
  });
});

describe('other turns', () => {
  test('a class that begins to ask is asked for the very next edit', async () => {
    await put(story, classWith('line', { swap: 'Automatic' }));
    await ask(story, { rest: true });
    await put(story, classWith('line'));
    expect(synced(await ask(story))).toBe('SwapPending');
    expect(names()).toEqual(['dev_one', 'dev_one_rest']);
  });

  test('deleted while its account is not reached: stalled, with the way out', async () => {
    await ask(story);
    await put(story, configTo('second'));
    expect(condition(await remove(story), 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'ScopeChanged',
      message: expect.stringContaining('plinth abandon'),
    });
    await annotation(story, 'abandon', 'true');
    expect((await rest(story)) as unknown).toBeUndefined();
  });

  test('made again under another name while the account refuses: it rests, and writes nothing at each try', async () => {
    await ask(story);
    removeOutside('dev_one');
    story.full = true;
    await rest(story);
    await ask(story, { fifo: true });
    const before = JSON.stringify(story.engine.store.dump());
    await look(story, 3);
    expect(JSON.stringify(story.engine.store.dump())).toBe(before);
    story.full = false;
    await isFine(['dev_one.fifo']);
  });

  test('an edit of what the name says before anything could be made', async () => {
    story.full = true;
    await ask(story, { fifo: true });
    story.full = false;
    await write(story, { fifo: false });
    await isFine(['dev_one']);
    await goes();
  });

  test('paused in the middle of a swap, edited back, and let go on', async () => {
    await ask(story);
    await ask(story, { fifo: true });
    await annotation(story, 'paused', 'true');
    await ask(story);
    await annotation(story, 'paused', undefined);
    await isFine(['dev_one']);
    await goes();
  });

  test('renamed without `formerly`, then with it', async () => {
    await ask(story, { rest: true });
    await put(story, line({ rest: 'dead' }));
    expect(synced(await rest(story))).toBe('SwapPending');
    await put(story, line({ rest: 'dead', formerly: ['rest'] }));
    await isFine(['dev_one', 'dev_one_rest']);
    await put(story, line({ formerly: ['dead'] }));
    await isFine(['dev_one', 'dev_one_rest']);
    await goes();
  });

  test('deleted and made again under the same name', async () => {
    await ask(story, { lifecycle: { deletion: 'Retain' } });
    await goes(['dev_one']);
    expect(synced(await ask(story))).toBe('Conflict');
    await put(story, classWith('line', { reclaim: 'Reuse' }));
    await isFine(['dev_one']);
    await goes();
  });
});
