/** The process dies: before and after each call that writes, and around each write of the state. */
import { expect, test } from 'vitest';
import { put } from '../../src/core/paths.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { TRIAL } from '../around.ts';
import { condition, told } from '../support.ts';
import { type Bench, claimStatus, declare, entryOf, onBench, rest, restart, richOf } from './bench.ts';
import type { Subject } from './subject.ts';

export function crashCases(subject: Subject): void {
  for (const when of ['before', 'after'] as const) {
    test(`a crash ${when} each call that writes recovers`, { timeout: 900_000 }, () => crashEverywhere(subject, when));
  }
  test('a crash between create and update recovers', () => onBench(subject, crashesBetween));
  test('a crash around each write of the state recovers', { timeout: 900_000 }, () => crashEveryWrite(subject));
}

/** Makes it with everything, changes a field, deletes it; dies at the n-th moment, goes on in a new process. */
async function crashEverywhere(subject: Subject, when: 'before' | 'after'): Promise<void> {
  let survived = false;
  for (let moment = 0; !survived; moment += 1) {
    await onBench(subject, async bench => {
      survived = !(await lives(bench, run => crashAtCall(bench, when, moment, run)));
    });
    if (moment > 60) throw new Error('it never stops writing');
  }
}

async function crashEveryWrite(subject: Subject): Promise<void> {
  let survived = false;
  for (let moment = 0; !survived; moment += 1) {
    await onBench(subject, async bench => {
      survived = !(await lives(bench, run => crashAtWrite(bench, moment, run)));
    });
    if (moment > 80) throw new Error('it never stops writing');
  }
}

/** True when the process died on the way. `fragile` runs a step that may die. */
async function lives(bench: Bench, fragile: (run: () => Promise<unknown>) => Promise<boolean>): Promise<boolean> {
  const [field] = bench.subject.mutable;
  let died = false;
  const step = async (change: () => Promise<unknown>): Promise<void> => {
    await change();
    if (died) return void (await rest(bench));
    died = await fragile(() => rest(bench));
    if (!died) return;
    restart(bench);
    await rest(bench);
  };
  await step(() => declare(bench, richOf(bench)));
  await isWhole(bench, richOf(bench));
  const next = put(richOf(bench), field.path, field.value);
  await step(() => declare(bench, next));
  await isWhole(bench, next);
  await step(() => bench.test.store.remove(TRIAL));
  expect([await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual([[], undefined]);
  return died;
}

async function isWhole(bench: Bench, spec: JsonObject): Promise<void> {
  const status = await claimStatus(bench);
  expect(condition(status, 'Ready')?.status, `${told(status)} for ${JSON.stringify(spec)}`).toBe('True');
  expect(condition(status, 'Synced')?.status, told(status)).toBe('True');
  const { name } = await entryOf(bench);
  expect(await bench.ground.list()).toEqual([name]);
}

/** Counts calls over the whole life of the bench. */
const callsSoFar = new WeakMap<Bench, number>();

async function crashAtCall(bench: Bench, at: 'before' | 'after', moment: number, run: () => Promise<unknown>): Promise<boolean> {
  const dead = deferred();
  const remove = bench.ground.faults.onWrite(when => {
    if (when !== at) return undefined;
    const count = callsSoFar.get(bench) ?? 0;
    callsSoFar.set(bench, count + 1);
    if (count !== moment) return undefined;
    bench.test.crash();
    dead.resolve(true);
    return new Promise<void>(() => {});
  });
  const died = await Promise.race([run().then(() => false), dead.promise]);
  remove();
  return died;
}

/** Set while a step of the bench may die at a write. */
const mortal = new WeakMap<Bench, { moment: number; count: number; readonly dead: ReturnType<typeof deferred> }>();

/** Dies right before (even moments) or right after (odd ones) a write of the state. */
async function crashAtWrite(bench: Bench, moment: number, run: () => Promise<unknown>): Promise<boolean> {
  const known = mortal.get(bench) ?? { moment, count: 0, dead: deferred() };
  if (!mortal.has(bench)) watchWrites(bench, known);
  mortal.set(bench, known);
  return await Promise.race([run().then(() => false), known.dead.promise]);
}

function watchWrites({ test: process }: Bench, state: { readonly moment: number; count: number; readonly dead: ReturnType<typeof deferred> }): void {
  const { store } = process.engine;
  const { write } = store;
  const watched: typeof write = async given => {
    const isLast = state.count === Math.floor(state.moment / 2);
    state.count += 1;
    if (!isLast) return await write(given);
    if (state.moment % 2 === 1) await write(given);
    process.crash();
    state.dead.resolve(true);
    return await new Promise<never>(() => {});
  };
  Object.assign(store, { write: watched });
}

function deferred(): { readonly promise: Promise<boolean>; readonly resolve: (value: boolean) => void } {
  let resolve: (value: boolean) => void = () => {};
  const promise = new Promise<boolean>(done => {
    resolve = done;
  });
  return { promise, resolve };
}

/** What the making call does not take is made up for by updates; until then the thing is marked as ours. */
async function crashesBetween(bench: Bench): Promise<void> {
  let writes = 0;
  const dead = deferred();
  const remove = bench.ground.faults.onWrite(when => {
    if (when === 'after') return undefined;
    writes += 1;
    if (writes < 2) return undefined;
    bench.test.crash();
    dead.resolve(true);
    return new Promise<void>(() => {});
  });
  await declare(bench, richOf(bench));
  const died = await Promise.race([rest(bench).then(() => false), dead.promise]);
  remove();
  if (died) {
    const { name } = await entryOf(bench);
    expect(await bench.ground.list()).toEqual([name]);
    restart(bench);
    await rest(bench);
  }
  await isWhole(bench, richOf(bench));
}
