/** The verbs by themselves: absence, creation, reading back, deletion, looks and abort. */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { EngineError } from '../../src/core/errors.ts';
import { checkValue, withDefaults } from '../../src/core/schema.ts';
import type { Schema } from '../../src/core/schema-types.ts';
import type { JsonObject, Naming } from '../../src/core/types.ts';
import { eachOf } from '../at-once.ts';
import { SEED, SPECS } from '../depth.ts';
import { specsOf } from './arbitrary.ts';
import type { Ground, Subject } from './subject.ts';
import { bring, canonicalOf, codeOf, differences, type Hand, handFor, look, STRANGER, takeAway } from './verbs.ts';

export function verbCases(subject: Subject): void {
  const base = subject.base ?? (subject.type.examples[0] as JsonObject);
  test('what is absent is observed as absent, quick and full', () =>
    onGround(subject, async (hand, ground) => {
      const name = nameFor(subject, hand, ground.fit(base)!, 'nothing');
      expect(await look(hand, name, 'quick')).toEqual({ kind: 'absent' });
      expect(await look(hand, name, 'full')).toEqual({ kind: 'absent' });
    }));
  test('created twice is one thing', () => onGround(subject, (hand, ground) => twice(subject, hand, ground, base)));
  test('every example reads back equal', { timeout: 600_000 }, () => onGround(subject, (hand, ground) => examples(subject, hand, ground)));
  test(`${specsFor(subject)} generated specs read back equal`, { timeout: 600_000 }, () =>
    onGround(subject, (hand, ground) => generated(subject, hand, ground)),
  );
  test('deleting what is absent is done, or NotFound', () => onGround(subject, (hand, ground) => deleteAgain(subject, hand, ground, base)));
  test('quick and full looks agree', () => onGround(subject, (hand, ground) => agree(subject, hand, ground)));
  test('a call that is aborted ends at once', () => onGround(subject, (hand, ground) => aborts(subject, hand, ground, base)));
  test('a call whose fence is closed does not leave', () => onGround(subject, (hand, ground) => closedOff(subject, hand, ground, base)));
  test('half made, by a call cut off after its work, is finished', () => onGround(subject, (hand, ground) => cutOff(subject, hand, ground)));
}

/** An account and a hand on it, and nothing else. */
async function onGround(subject: Subject, run: (hand: Hand, ground: Ground) => Promise<void>): Promise<void> {
  const ground = await subject.open();
  const hand = await handFor(subject, ground.settings);
  try {
    await run(hand, ground);
  } finally {
    await hand.close();
    await ground.close();
  }
}

/** Where names are global, no run may meet what another one left. */
const unique = Math.random().toString(36).slice(2, 8);

/** A name within the rules of the type; the key where that is the name. */
export function nameFor({ type }: Pick<Subject, 'type'>, hand: Hand, spec: JsonObject, text: string): string {
  const naming = type.naming as Naming<JsonObject>;
  const whole = canonicalOf(hand, spec, STRANGER);
  if (naming.by === 'template')
    return `conformance-${text}-${unique}`.replace(new RegExp(`[^${naming.characters}]`, 'g'), 'x') + (naming.suffix?.(whole) ?? '');
  const key = naming.key(whole);
  if (key === undefined) throw new Error(`the spec has no key: ${JSON.stringify(spec)}`);
  return key;
}

async function twice(subject: Subject, hand: Hand, ground: Ground, base: JsonObject): Promise<void> {
  const spec = ground.fit(base)!;
  const name = nameFor(subject, hand, spec, 'twice');
  const before = await bring(hand, name, spec);
  try {
    await hand.type.create(hand.context(), name, canonicalOf(hand, spec, STRANGER));
  } catch (error) {
    expect(codeOf(hand, error)).toBe('AlreadyExists');
  }
  expect(await ground.list()).toEqual([name]);
  const after = await look(hand, name);
  expect(after.kind === 'present' && after.spec).toEqual(before.spec);
}

async function examples(subject: Subject, hand: Hand, ground: Ground): Promise<void> {
  for (const [index, example] of subject.type.examples.entries()) {
    const spec = ground.fit(example as JsonObject);
    if (spec === undefined) continue;
    await roundTrip(subject, hand, ground, spec, `example-${index}`);
  }
}

async function roundTrip(subject: Subject, hand: Hand, _ground: Ground, spec: JsonObject, text: string): Promise<void> {
  const name = nameFor(subject, hand, spec, text);
  const seen = await bring(hand, name, spec);
  expect(differences(hand, spec, STRANGER, seen)).toEqual([]);
  // Normal form leaves out what says nothing; a default stands for it.
  const whole = withDefaults(subject.type.spec as Schema, { ...spec, ...(seen.spec as JsonObject) });
  const problems = checkValue(subject.type.spec as Schema, whole, '');
  expect(problems, 'what is observed has the shape of the spec').toEqual([]);
  expect(checkValue(subject.type.state as Schema, seen.state as JsonObject, ''), 'state fits its schema').toEqual([]);
  await takeAway(hand, name);
}

/** How many generated specs the depth asks for, and the subject lets. */
function specsFor({ runs = SPECS }: Subject): number {
  return Math.min(runs, SPECS);
}

/** 16 at once: each makes, reads back and deletes. */
async function generated(subject: Subject, hand: Hand, ground: Ground): Promise<void> {
  const wanted = specsFor(subject);
  const specs = fc
    .sample(specsOf(subject.type, subject.generate), { numRuns: wanted * 3, seed: SEED })
    .flatMap((spec): JsonObject[] => [ground.fit(spec) ?? []].flat())
    .slice(0, wanted);
  expect(specs.length, 'enough of the generated specs fit').toBe(wanted);
  const failures: string[] = [];
  await eachOf(unlike(subject, hand, specs).entries(), 16, async ([index, spec]) => {
    if (failures.length >= 3) return;
    await roundTrip(subject, hand, ground, spec, `generated-${index}`).catch((error: Error) => failures.push(`${JSON.stringify(spec)}: ${error.message}`));
  });
  expect(failures, `again with PLINTH_TEST_SEED=${SEED}`).toEqual([]);
}

/** Two specs with one natural key are one thing. */
function unlike(subject: Subject, hand: Hand, specs: readonly JsonObject[]): JsonObject[] {
  if (subject.type.naming.by !== 'key') return [...specs];
  return [...new Map(specs.map(spec => [nameFor(subject, hand, spec, ''), spec])).values()];
}

async function deleteAgain(subject: Subject, hand: Hand, ground: Ground, base: JsonObject): Promise<void> {
  const spec = ground.fit(base)!;
  const name = nameFor(subject, hand, spec, 'gone');
  const seen = await bring(hand, name, spec);
  await takeAway(hand, name);
  expect(await ground.list()).toEqual([]);
  try {
    await hand.type.delete(hand.context(), name, seen, {});
  } catch (error) {
    expect(codeOf(hand, error)).toBe('NotFound');
  }
}

async function agree(subject: Subject, hand: Hand, ground: Ground): Promise<void> {
  const spec = ground.fit(subject.rich ?? (subject.type.examples.at(-1) as JsonObject))!;
  const name = nameFor(subject, hand, spec, 'agree');
  await bring(hand, name, spec);
  const [quick, full] = [await look(hand, name, 'quick'), await look(hand, name, 'full')];
  if (quick.kind === 'absent' || full.kind === 'absent') throw new Error('it is gone');
  expect(full.unread, 'a full look leaves nothing out').toEqual([]);
  const read = Object.fromEntries(Object.entries(full.spec as JsonObject).filter(([field]) => !quick.unread.includes(field)));
  expect(quick.spec).toEqual(read);
  expect([quick.state, quick.readiness, quick.secrets]).toEqual([full.state, full.readiness, full.secrets]);
}

/** Calls that write, after the first `calls` of all. */
function writesSince({ faults }: Ground, calls: number): readonly object[] {
  return faults
    .calls()
    .slice(calls)
    .filter(call => call.writes);
}

async function aborts(subject: Subject, hand: Hand, ground: Ground, base: JsonObject): Promise<void> {
  const spec = ground.fit(base)!;
  const name = nameFor(subject, hand, spec, 'abort');
  await look(hand, name);
  const calls = ground.faults.calls().length;
  await expect(hand.type.create(hand.context('full', AbortSignal.abort()), name, canonicalOf(hand, spec, STRANGER))).rejects.toThrow();
  expect(writesSince(ground, calls)).toEqual([]);
  const free = ground.faults.inject('hang', { writes: true });
  const ending = new AbortController();
  const hanging = hand.type.create(hand.context('full', ending.signal), name, canonicalOf(hand, spec, STRANGER)).catch((error: unknown) => error);
  await vi.waitUntil(() => ground.faults.hung() > 0, { timeout: 60_000, interval: 5 });
  const abortedMs = performance.now();
  ending.abort();
  const error = await hanging;
  await free();
  expect(['Aborted', 'Timeout']).toContain(codeOf(hand, error));
  // What would end it else takes 20 s.
  expect(performance.now() - abortedMs).toBeLessThan(15_000);
}

async function closedOff(subject: Subject, hand: Hand, ground: Ground, base: JsonObject): Promise<void> {
  const spec = ground.fit(base)!;
  const name = nameFor(subject, hand, spec, 'closed');
  const seen = await bring(hand, name, spec);
  const calls = ground.faults.calls().length;
  const closed = {
    ...hand.context(),
    fence: () => {
      throw new EngineError('LeaseLost', 'the lease is not held');
    },
  };
  const verbs = [hand.type.observe(closed, name), hand.type.create(closed, name, canonicalOf(hand, spec, STRANGER)), hand.type.delete(closed, name, seen, {})];
  for (const error of await Promise.all(verbs.map(verb => verb.catch((thrown: unknown) => thrown)))) expect(codeOf(hand, error)).toBe('LeaseLost');
  expect(writesSince(ground, calls)).toEqual([]);
  expect(differences(hand, spec, STRANGER, await bring(hand, name, spec))).toEqual([]);
}

async function cutOff(subject: Subject, hand: Hand, ground: Ground): Promise<void> {
  const spec = ground.fit(subject.rich ?? (subject.type.examples.at(-1) as JsonObject))!;
  const name = nameFor(subject, hand, spec, 'cut');
  const free = ground.faults.inject('failed-after', { writes: true, times: 1 });
  await hand.type.create(hand.context(), name, canonicalOf(hand, spec, STRANGER)).catch((error: unknown) => {
    expect(['ServiceError', 'Timeout', 'Unreachable']).toContain(codeOf(hand, error));
  });
  await free();
  const seen = await bring(hand, name, spec);
  expect(differences(hand, spec, STRANGER, seen)).toEqual([]);
  expect(await ground.list()).toEqual([name]);
}
