/** One case of the kit: an account, an engine with one claim for the type, and a hand that acts beside it. */
import { randomBytes } from 'node:crypto';
import { settleSecondsOf } from '../../src/core/diff.ts';
import type { ClaimStatus, Json, JsonObject, OwnedEntry, Path } from '../../src/core/types.ts';
import type { MemoryStore } from '../../src/engine/store-memory.ts';
import { around, TRIAL, trial } from '../around.ts';
import { INSTANCE, owned, putAll, type Rest, type SkippingClock, settle, skippingClock, statusOf, type TestEngine, testEngine } from '../support.ts';
import type { Ground, Seen, Subject } from './subject.ts';
import { editOutside, type Hand, handFor, patient } from './verbs.ts';

export interface Bench {
  readonly subject: Subject;
  readonly ground: Ground;
  readonly hand: Hand;
  readonly clock: SkippingClock;
  /** Replaced when a process is started after a crash. */
  test: TestEngine;
  readonly instance: typeof INSTANCE;
}

/** Long: what is slow on a busy machine is no failure. */
const CALL_MS = 60_000;
/** How often it is asked whether a call was left without an answer. */
const ASK_MS = 20;

/** Runs a case on a ground of its own and cleans up after it. */
export async function onBench(subject: Subject, run: (bench: Bench) => Promise<void>, policies: JsonObject = {}): Promise<void> {
  const ground = await subject.open();
  const hand = await handFor(subject, ground.settings);
  const clock = skippingClock();
  ground.keepTime?.(clock);
  // Where names are global, no case may meet what another one left.
  const given = { subject, clock, instance: { ...INSTANCE, id: `test-${randomBytes(4).toString('hex')}` } };
  const bench: Bench = { ...given, ground, hand, test: start(given) };
  try {
    await configure(bench, ground.settings, policies);
    await run(bench);
  } finally {
    await bench.test.stop();
    await hand.close();
    await ground.close();
  }
}

function start(bench: Omit<Bench, 'test' | 'ground' | 'hand'>, store?: MemoryStore): TestEngine {
  const { subject, clock, instance } = bench;
  const providers = [subject.provider, ...(subject.others ?? [])].map(patient);
  // A failure to connect is no answer for the passes that follow: they come without a wait.
  const limits = { deadlineMs: CALL_MS, failureMs: 0 };
  return testEngine({ providers, clock, instance, options: { callTimeoutMs: CALL_MS }, limits, ...(store === undefined ? {} : { store }) });
}

/** Puts the admin objects; again with other settings, and the config reaches another place. */
export async function configure(bench: Bench, settings: JsonObject, policies: JsonObject = {}): Promise<void> {
  const { type, provider } = bench.subject;
  await putAll(bench.test, around({ type, provider: provider.name, settings, policies }));
}

/** A new process over the state that the old one left. */
export function restart(bench: Bench): void {
  void bench.test.stop();
  bench.test = start(bench, bench.test.store);
}

/** The deadline of a verb is over as soon as a call of it was left without an answer; one that is merely slow keeps its time. */
export function hurry({ test, clock, ground }: Bench): void {
  const after: SkippingClock['after'] = (ms, run) => {
    if (ms !== CALL_MS) return clock.after(ms, run);
    const before = ground.faults.hung();
    const asking = setInterval(() => {
      if (ground.faults.hung() > before) end(run);
    }, ASK_MS);
    const cancelTimer = clock.after(ms, () => end(run));
    const end = (then?: () => void): void => {
      clearInterval(asking);
      cancelTimer();
      then?.();
    };
    return () => end();
  };
  Object.assign(test.engine, { clock: { ...clock, after } });
}

/** Calls get their time again. */
export function calm({ test, clock }: Bench): void {
  Object.assign(test.engine, { clock });
}

/** What base is on this ground. */
export function baseOf({ subject, ground }: Bench): JsonObject {
  return fitted(ground, subject.base ?? (subject.type.examples[0] as JsonObject));
}

/** What rich is on this ground. */
export function richOf({ subject, ground }: Bench): JsonObject {
  return fitted(ground, subject.rich ?? (subject.type.examples.at(-1) as JsonObject));
}

function fitted(ground: Ground, spec: JsonObject): JsonObject {
  const found = ground.fit(spec);
  if (found === undefined) throw new Error(`the ground refuses a spec of the kit: ${JSON.stringify(spec)}`);
  return found;
}

/** The claim wants this spec. */
export async function declare(bench: Bench, spec: JsonObject, lifecycle?: JsonObject): Promise<void> {
  await bench.test.store.put(trial(spec, lifecycle));
}

/** Runs to rest and says what is true. */
export async function rest(bench: Bench): Promise<Rest> {
  return await settle(bench.test, TRIAL, bench.ground.realMs === undefined ? {} : { realMs: bench.ground.realMs });
}

/** Declares and runs to rest; the entry of the thing. */
export async function make(bench: Bench, spec: JsonObject = baseOf(bench), lifecycle?: JsonObject): Promise<OwnedEntry> {
  await declare(bench, spec, lifecycle);
  await rest(bench);
  return await entryOf(bench);
}

/** The newest entry of the thing. */
export async function entryOf({ test }: Bench): Promise<OwnedEntry> {
  const entries = owned(await statusOf(test, TRIAL)).filter(entry => entry.id === 'it');
  const [entry] = [...entries].sort((a, b) => b.incarnation - a.incarnation);
  if (entry === undefined) throw new Error(`the claim has no entry: ${JSON.stringify(await statusOf(test, TRIAL))}`);
  return entry;
}

export async function claimStatus({ test }: Bench): Promise<ClaimStatus | undefined> {
  return await statusOf(test, TRIAL);
}

/** Lets the settle time of the type and of each of its fields pass, so that what follows is no echo of our own change. */
export function age({ clock, subject: { type } }: Bench): void {
  const longest = Math.max(type.settleSeconds, ...Object.keys(type.spec.properties).map(field => settleSecondsOf(type, field)));
  clock.skip((longest + 5) * 1000);
}

/** Somebody else changes one field, long after our last change. */
export async function meddle(bench: Bench, name: string, path: Path, value: Json | undefined): Promise<void> {
  age(bench);
  await editOutside(bench.hand, bench.ground, name, path, value);
}

/** Runs to rest, on until a full look was due: what takes a call of its own is not read each time. */
export async function restFully(bench: Bench): Promise<Rest> {
  const { fullEvery } = bench.test.engine.options;
  let found = await rest(bench);
  for (let count = 0; count < fullEvery; count += 1) {
    bench.clock.skip(60_000);
    found = await rest(bench);
  }
  return found;
}

/** The writing calls that `run` makes. */
export async function writesOf({ ground }: Bench, run: () => Promise<unknown>): Promise<readonly Seen[]> {
  const before = ground.faults.calls().length;
  await run();
  return ground.faults
    .calls()
    .slice(before)
    .filter(call => call.writes);
}

/** Deletes the claim and runs to rest. */
export async function unmake(bench: Bench): Promise<Rest> {
  await bench.test.store.remove(TRIAL);
  return await rest(bench);
}
