/** Through the engine: creation, rest, change, replacement, deletion. */
import { expect, test } from 'vitest';
import { put } from '../../src/core/paths.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { TRIAL } from '../around.ts';
import { annotate, condition, owned, told } from '../support.ts';
import { age, type Bench, baseOf, claimStatus, declare, entryOf, make, meddle, onBench, rest, restart, richOf, unmake, writesOf } from './bench.ts';
import type { Subject } from './subject.ts';
import { look } from './verbs.ts';

/** What the service makes of a spec, of a change and of a deletion: whether it is what was asked for, at once and for good. */
export function lifeTypeCases(subject: Subject): void {
  test('everything at once: created and ready', () => onBench(subject, isMadeRich));
  test('no change means no call that writes, and no write of the state', () => onBench(subject, isQuiet));
  test('an update sends only the field that changed', () => onBench(subject, sendsOnlyChange));
  test('a field left out again is taken away', () => onBench(subject, takesAway));
  test('deleted: nothing is left, and again nothing', () => onBench(subject, isDeleted));
}

/** What the engine says and decides on the way. */
export function lifeCases(subject: Subject): void {
  const { immutable, type, mutable } = subject;
  test('created, ready, and named in the status', () => onBench(subject, isMade));
  test('deleted before it was made: nothing is made', () => onBench(subject, neverMade));
  test('deleted when it is gone already', () => onBench(subject, goneAlready));
  test('kept by Retain, and marked as such', () => onBench(subject, isRetained));
  if (immutable === 'none') return;
  const changed = (spec: JsonObject): JsonObject => put(spec, immutable.path, immutable.value);
  test('an immutable change is refused before any call where the class refuses swaps', () =>
    onBench(subject, bench => refusesSwap(bench, changed, 'SwapRefused'), { swap: 'Refuse' }));
  if (type.holds !== 'nothing') {
    test('an immutable change of what holds something waits for approval, then replaces', () => onBench(subject, bench => approves(bench, changed)));
  }
  test('an immutable change replaces by a new thing where the class lets it', () => onBench(subject, bench => replaces(bench, changed), { swap: 'Automatic' }));
  expect(mutable.length).toBeGreaterThan(0);
}

async function isMade(bench: Bench): Promise<void> {
  const entry = await make(bench);
  const status = await claimStatus(bench);
  expect(told(status)).toContain('Ready=True/Available');
  expect(condition(status, 'Synced')?.status, told(status)).toBe('True');
  expect([entry.phase, entry.ready, entry.origin]).toEqual(['Present', true, 'Created']);
  expect(await bench.ground.list()).toEqual([entry.name]);
}

async function isMadeRich(bench: Bench): Promise<void> {
  const entry = await make(bench, richOf(bench));
  const status = await claimStatus(bench);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
  expect(await bench.ground.list()).toEqual([entry.name]);
}

async function isQuiet(bench: Bench): Promise<void> {
  await make(bench, richOf(bench));
  age(bench);
  await rest(bench);
  const before = JSON.stringify(bench.test.store.dump());
  const passes = async (): Promise<void> => {
    for (let count = 0; count < 12; count += 1) {
      bench.clock.skip(60_000);
      await rest(bench);
    }
    restart(bench);
    await rest(bench);
  };
  expect(await writesOf(bench, passes)).toEqual([]);
  expect(JSON.stringify(bench.test.store.dump())).toBe(before);
}

/** What others changed in another field stays theirs under Report: the update did not carry it. */
async function sendsOnlyChange(bench: Bench): Promise<void> {
  const [first, second] = bench.subject.mutable;
  const { name } = await make(bench, baseOf(bench), { drift: 'Report' });
  if (second !== undefined) await meddle(bench, name, second.path, second.other);
  await declare(bench, put(baseOf(bench), first.path, first.value), { drift: 'Report' });
  await rest(bench);
  const seen = await look(bench.hand, name);
  if (seen.kind === 'absent') throw new Error('it is gone');
  const value = (path: string): unknown => path.split('.').reduce<unknown>((all, key) => (all as JsonObject | undefined)?.[key], seen.spec);
  expect(value(first.path)).toEqual(first.value);
  if (second !== undefined) expect(value(second.path), 'what others changed').toEqual(second.other);
  expect(condition(await claimStatus(bench), 'Ready')?.status).toBe('True');
}

async function takesAway(bench: Bench): Promise<void> {
  const { part } = bench.subject;
  if (part === 'none') return;
  const rich = richOf(bench);
  const { name } = await make(bench, rich);
  const field = part.split(/[.[]/)[0]!;
  const { [field]: _, ...without } = rich;
  await declare(bench, without);
  await rest(bench);
  age(bench);
  const { status } = await rest(bench);
  expect(condition(status, 'Synced')?.status, told(status)).toBe('True');
  const seen = await look(bench.hand, name);
  expect(seen.kind === 'present' && (seen.spec as JsonObject)[field]).toSatisfy(
    (value: unknown) => value === undefined || JSON.stringify(value) !== JSON.stringify(rich[field]),
  );
}

async function isDeleted(bench: Bench): Promise<void> {
  await make(bench, richOf(bench));
  const { last } = await unmake(bench);
  expect([last.kind, await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual(['done', [], undefined]);
  expect(await rest(bench)).toMatchObject({ passes: 1, last: { kind: 'done' } });
}

async function neverMade(bench: Bench): Promise<void> {
  await declare(bench, baseOf(bench));
  await bench.test.store.remove(TRIAL);
  expect(await writesOf(bench, () => rest(bench))).toEqual([]);
  expect(await bench.test.store.get(TRIAL)).toBeUndefined();
}

async function goneAlready(bench: Bench): Promise<void> {
  const { name } = await make(bench);
  age(bench);
  await removeOutside(bench, name);
  await unmake(bench);
  expect([await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual([[], undefined]);
}

/** Somebody else removes it. */
export async function removeOutside(bench: Bench, name: string): Promise<void> {
  if (bench.ground.remove !== undefined) return await bench.ground.remove(name);
  const { takeAway } = await import('./verbs.ts');
  await takeAway(bench.hand, name);
}

async function isRetained(bench: Bench): Promise<void> {
  const { name } = await make(bench, baseOf(bench), { deletion: 'Retain' });
  await unmake(bench);
  expect([await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual([[name], undefined]);
  const { mark } = bench.subject.type;
  if (mark.as !== 'map') return;
  const seen = await look(bench.hand, name);
  expect(seen.kind === 'present' && (seen.spec as Record<string, JsonObject>)[mark.at]).toMatchObject({ 'plinth.dev/retained': 'true' });
}

async function refusesSwap(bench: Bench, changed: (spec: JsonObject) => JsonObject, code: string): Promise<void> {
  const entry = await make(bench);
  age(bench);
  await declare(bench, changed(baseOf(bench)));
  expect(await writesOf(bench, () => rest(bench))).toEqual([]);
  const status = await claimStatus(bench);
  expect(condition(status, 'Synced')?.reason, told(status)).toBe(code);
  expect(condition(status, 'Ready')?.status, 'it still works').toBe('True');
  expect(await bench.ground.list()).toEqual([entry.name]);
}

async function approves(bench: Bench, changed: (spec: JsonObject) => JsonObject): Promise<void> {
  await refusesSwap(bench, changed, 'SwapPending');
  const before = await entryOf(bench);
  const hash = (await claimStatus(bench))?.pendingPlan?.hash;
  expect(hash, told(await claimStatus(bench))).toBeDefined();
  await annotate(bench.test, TRIAL, { 'plinth.dev/approve': hash });
  await isReplaced(bench, before.name);
}

async function replaces(bench: Bench, changed: (spec: JsonObject) => JsonObject): Promise<void> {
  const before = await make(bench);
  age(bench);
  await declare(bench, changed(baseOf(bench)));
  await isReplaced(bench, before.name);
}

async function isReplaced(bench: Bench, old: string): Promise<void> {
  await rest(bench);
  bench.clock.skip(120_000);
  const { status } = await rest(bench);
  const after = await entryOf(bench);
  expect(after.name, told(status)).not.toBe(old);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
  expect(owned(status).filter(entry => entry.id === 'it')).toHaveLength(1);
  expect(await bench.ground.list()).toEqual([after.name]);
}
