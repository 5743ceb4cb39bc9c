/** The events of a claim: one for each piece of news, and none without words. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { thing } from '../../providers/fake/thing.ts';
import { endWorld, world } from '../../providers/fake/world.ts';
import { around, TRIAL, trial } from '../around.ts';
import { condition, putAll, settle, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'events';
let engine: TestEngine;

beforeEach(async () => {
  engine = testEngine({ providers: [fake], options: { fullEvery: 1 } });
  await putAll(engine, around({ type: thing, provider: 'fake', settings: { world: WORLD } }));
  await engine.store.put(trial({ size: 1 }));
  await settle(engine, TRIAL);
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

const told = (): string[] => engine.store.events().map(({ type, reason, message }) => `${type} ${reason} ${message}`);

test('that a claim is available says what serves it, in one line that stays the same', async () => {
  expect(told()).toEqual(['Normal Available trial: dev-alice_subject']);
  const status = (await settle(engine, TRIAL)).status!;
  expect(condition(status, 'Ready')?.message).toBe('');
  expect(told()).toHaveLength(1);
});

test('what makes a claim both unready and stalled is told once', async () => {
  const account = world(WORLD).accounts.get('main')!;
  const [key, made] = [...account][0]!;
  account.set(key, { ...made, spec: { ...made.spec, tags: { owner: 'somebody' } } });
  engine.clock.skip(600_000);
  const status = (await settle(engine, TRIAL)).status!;
  expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason: 'MarksGone' });
  expect(condition(status, 'Stalled')).toMatchObject({ status: 'True', reason: 'MarksGone' });
  expect(told().filter(line => line.includes('MarksGone'))).toHaveLength(1);
});
