/** The process dies: before and after each call that writes, and around each write of the state. */
import { expect, test } from 'vitest';
import { put } from '../../src/core/paths.ts';
import type { JsonObject } from '../../src/core/types.ts';
import type { Write } from '../../src/engine/store.ts';
import { TRIAL } from '../around.ts';
import { atDepth } from '../depth.ts';
import { condition, told } from '../support.ts';
import { type Bench, claimStatus, declare, entryOf, onBench, rest, restart, richOf } from './bench.ts';
import type { Subject } from './subject.ts';

export function crashCases(subject: Subject): void {
  for (const when of ['before', 'after'] as const) {
    test(`a crash ${when} each call that writes recovers`, { timeout: 900_000 }, () => crashEverywhere(subject, callsOf(when), 60));
  }
  test('a crash between create and update recovers', () => onBench(subject, crashesBetween));
  test('a crash around each write of the state recovers', { timeout: 900_000 }, () => crashEverywhere(subject, writesOfState, 80));
}

type Step = 'made' | 'changed' | 'deleted';
/** Asked at each moment at which the process may die; it dies there unless the answer is undefined. */
type Fate = (what: string) => Promise<never> | undefined;
/** Asks from now on; returns what ends that. */
type Watch = (bench: Bench, fate: Fate) => () => void;

/** Once in each class of moments, one death after the other in one life; or at every moment, each in a life of its own. */
const DEATHS = atDepth({ gate: Number.POSITIVE_INFINITY, full: 1 });

/** Where lives have died. */
interface Graves {
  readonly tried: Set<string>;
  readonly watch: Watch;
  /** More deaths than these: it would never end. */
  readonly most: number;
}

async function crashEverywhere(subject: Subject, watch: Watch, most: number): Promise<void> {
  const graves: Graves = { tried: new Set(), watch, most };
  for (let survived = false; !survived; ) {
    await onBench(subject, async bench => {
      survived = await lives(bench, graves);
    });
  }
  expect(graves.tried.size, 'there was something to die at').toBeGreaterThan(0);
}

/** Makes it with everything, changes a field, deletes it; dies where no life died yet, goes on in a new process. True: nothing is left to die at. */
async function lives(bench: Bench, { tried, watch, most }: Graves): Promise<boolean> {
  const [field] = bench.subject.mutable;
  let [deaths, turn] = [0, -1];
  const isNew = (step: Step, what: string): boolean => {
    turn += 1;
    if (deaths === DEATHS) return false;
    const { size } = tried;
    return tried.add(atDepth({ gate: `${step}: ${what}`, full: `${turn}` })).size > size;
  };
  const step = async (name: Step, change: () => Promise<unknown>): Promise<void> => {
    await change();
    while (await dies(bench, watch, what => isNew(name, what))) {
      if (tried.size > most) throw new Error('it never stops writing');
      deaths += 1;
      restart(bench);
    }
  };
  await step('made', () => declare(bench, richOf(bench)));
  await isWhole(bench, richOf(bench));
  const next = put(richOf(bench), field.path, field.value);
  await step('changed', () => declare(bench, next));
  await isWhole(bench, next);
  await step('deleted', () => bench.test.store.remove(TRIAL));
  expect([await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual([[], undefined]);
  return deaths < DEATHS;
}

/** Runs to rest, or to the first moment of which `ends` says so: true. */
async function dies(bench: Bench, watch: Watch, ends: (what: string) => boolean): Promise<boolean> {
  const dead = deferred();
  const remove = watch(bench, what => {
    if (!ends(what)) return undefined;
    bench.test.crash();
    dead.resolve(true);
    return new Promise<never>(() => {});
  });
  const died = await Promise.race([rest(bench).then(() => false), dead.promise]);
  remove();
  return died;
}

async function isWhole(bench: Bench, spec: JsonObject): Promise<void> {
  const status = await claimStatus(bench);
  expect(condition(status, 'Ready')?.status, `${told(status)} for ${JSON.stringify(spec)}`).toBe('True');
  expect(condition(status, 'Synced')?.status, told(status)).toBe('True');
  const { name } = await entryOf(bench);
  expect(await bench.ground.list()).toEqual([name]);
}

/** The moments before calls that write are worked on, or before their answers come. */
function callsOf(at: 'before' | 'after'): Watch {
  return (bench, fate) => bench.ground.faults.onWrite((when, { name }) => (when === at ? fate(name) : undefined));
}

/** The moments right before and right after the writes of the state. */
const writesOfState: Watch = (bench, fate) => {
  const { store } = bench.test.engine;
  const { write } = store;
  const watched: typeof write = async given => {
    await fate(`before ${nameOf(given)}`);
    const answer = await write(given);
    await fate(`after ${nameOf(given)}`);
    return answer;
  };
  Object.assign(store, { write: watched });
  return () => void Object.assign(store, { write });
};

/** What a write of the state tells: its kind, and of a status how far each thing is. */
function nameOf(write: Write): string {
  if (write.kind !== 'status') return write.kind;
  const entries = (write.status.resources ?? []).map(({ id, phase, ready }) => `${id} ${phase} ${ready}`);
  return `status of ${[...entries, ...write.status.conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`)].join(', ')}`;
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
