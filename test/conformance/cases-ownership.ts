/** Whose is it: what is foreign, unmarked, robbed of its marks, or behind another account is never touched. */
import { expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/types.ts';
import { TRIAL } from '../around.ts';
import { condition, told } from '../support.ts';
import { age, type Bench, baseOf, claimStatus, configure, declare, make, meddle, onBench, rest, restFully, unmake, writesOf } from './bench.ts';
import { removeOutside } from './cases-life.ts';
import type { Subject } from './subject.ts';
import { bring, look, type Marks, STRANGER } from './verbs.ts';

export function ownershipCases(subject: Subject): void {
  const { mark, holds } = subject.type;
  test('a config that reaches another account touches nothing, there or here', () => onBench(subject, scopeChanges));
  // What carries no mark is named by something that is ours.
  if (mark.as === 'key') return;
  test('a thing of that name with the same attributes and no marks is a conflict', () => onBench(subject, bench => conflicts(bench, 'none')));
  test('a thing of that name with the marks of somebody else is a conflict', () => onBench(subject, bench => conflicts(bench, STRANGER)));
  test('a claim that goes leaves a foreign thing of its name alone', () => onBench(subject, bench => goesWithout(bench, STRANGER)));
  test(
    holds === 'nothing' ? 'what an earlier claim of the name left is taken back' : 'what an earlier claim of the name left, and holds something, is a conflict',
    () => onBench(subject, meetsPredecessor),
  );
  test('a thing robbed of its marks is not touched, nor deleted', () => onBench(subject, isRobbed));
}

/** Which name the claim's thing gets. */
async function learnName(bench: Bench): Promise<string> {
  const { name } = await make(bench);
  await unmake(bench);
  expect(await bench.ground.list()).toEqual([]);
  // What half() asks: older than the claim's entry.
  age(bench);
  return name;
}

async function conflicts(bench: Bench, marks: Marks): Promise<void> {
  const name = await learnName(bench);
  const before = await bring(bench.hand, name, baseOf(bench), marks);
  bench.clock.skip(60_000);
  await declare(bench, baseOf(bench));
  expect(await writesOf(bench, () => rest(bench))).toEqual([]);
  const status = await claimStatus(bench);
  expect([condition(status, 'Ready')?.reason, condition(status, 'Stalled')?.status], told(status)).toEqual(['Conflict', 'True']);
  expect(await look(bench.hand, name)).toEqual(before);
  expect(await writesOf(bench, () => unmake(bench)), 'deletion').toEqual([]);
  expect(await look(bench.hand, name)).toEqual(before);
  expect(await bench.test.store.get(TRIAL)).toBeUndefined();
}

async function goesWithout(bench: Bench, marks: Marks): Promise<void> {
  const { name } = await make(bench);
  age(bench);
  await removeOutside(bench, name);
  const before = await bring(bench.hand, name, baseOf(bench), marks);
  expect(await writesOf(bench, () => restFully(bench))).toEqual([]);
  const status = await claimStatus(bench);
  expect(condition(status, 'Ready')?.reason, told(status)).toBe('MarksGone');
  expect(await writesOf(bench, () => unmake(bench)), 'deletion').toEqual([]);
  expect(await look(bench.hand, name)).toEqual(before);
  expect(await bench.test.store.get(TRIAL)).toBeUndefined();
}

async function meetsPredecessor(bench: Bench): Promise<void> {
  const { name } = await make(bench, baseOf(bench), { deletion: 'Retain' });
  await unmake(bench);
  age(bench);
  await declare(bench, baseOf(bench));
  const holds = bench.subject.type.holds !== 'nothing';
  const writes = await writesOf(bench, () => rest(bench));
  const status = await claimStatus(bench);
  expect(condition(status, 'Ready')?.reason, told(status)).toBe(holds ? 'Conflict' : 'Available');
  if (holds) expect(writes).toEqual([]);
  const back = bench.test.store.events().filter(event => event.reason === 'TakenBack');
  expect(back.map(event => event.message)).toEqual(
    holds ? [] : [`left by an earlier claim of this name and taken back: it (${bench.subject.type.type} ${name})`],
  );
  expect(await bench.ground.list()).toEqual([name]);
}

async function isRobbed(bench: Bench): Promise<void> {
  const { mark } = bench.subject.type;
  if (mark.as === 'key') return;
  const { name } = await make(bench);
  for (const path of marksIn(await look(bench.hand, name), mark.as, mark.at)) await meddle(bench, name, path, mark.as === 'map' ? undefined : 'ours now');
  expect(await writesOf(bench, () => restFully(bench))).toEqual([]);
  const status = await claimStatus(bench);
  expect(condition(status, 'Ready')?.reason, told(status)).toBe('MarksGone');
  expect(await writesOf(bench, () => unmake(bench)), 'deletion').toEqual([]);
  expect(await bench.ground.list()).toEqual([name]);
  expect(await bench.test.store.get(TRIAL), 'the claim waits for a person').toBeDefined();
}

function marksIn(seen: Awaited<ReturnType<typeof look>>, as: 'map' | 'text', field: string): string[] {
  if (as === 'text' || seen.kind === 'absent') return [field];
  const tags = (seen.spec as Record<string, JsonObject>)[field] ?? {};
  return Object.keys(tags).map(key => `${field}[${JSON.stringify(key)}]`);
}

async function scopeChanges(bench: Bench): Promise<void> {
  const { name } = await make(bench);
  age(bench);
  await configure(bench, bench.ground.elsewhere);
  expect(await writesOf(bench, () => rest(bench))).toEqual([]);
  const status = await claimStatus(bench);
  expect(condition(status, 'Synced')?.reason, told(status)).toBe('ScopeChanged');
  expect([await bench.ground.list(), await bench.ground.list('elsewhere')]).toEqual([[name], []]);
  expect(await writesOf(bench, () => unmake(bench)), 'deletion').toEqual([]);
  expect(await bench.ground.list()).toEqual([name]);
  await configure(bench, bench.ground.settings);
  await rest(bench);
  expect([await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual([[], undefined]);
}
