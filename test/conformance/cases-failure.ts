/** What a failing provider leads to: the right class of error, the same text each time, no secrets, and recovery. */
import { expect, test } from 'vitest';
import type { ErrorCode } from '../../src/core/errors.ts';
import { put } from '../../src/core/paths.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { TRIAL } from '../around.ts';
import { condition, pass, told } from '../support.ts';
import { type Bench, baseOf, calm, claimStatus, declare, entryOf, hurry, make, onBench, rest, unmake } from './bench.ts';
import type { Fault, Subject } from './subject.ts';

const EXPECTED: Readonly<Record<Fault, readonly ErrorCode[]>> = {
  credentials: ['InvalidCredentials', 'AccessDenied'],
  throttled: ['Throttled'],
  hang: ['Timeout'],
  'failed-after': ['ServiceError'],
  'not-found': ['DependencyMissing', 'NotFound'],
};
const TEXTS: Readonly<Record<Fault, string>> = {
  credentials: 'refused credentials',
  throttled: 'throttling',
  hang: 'no answer in time',
  'failed-after': 'a server error after the work was done',
  'not-found': 'another thing that is not found',
};

/** What the service itself answers; every other failure here is injected, and the same in front of any service. */
export function failureTypeCases(subject: Subject): void {
  test('a spec that names something that does not exist waits, and says so', () => onBench(subject, dangles));
}

/** What the engine makes of a failure. */
export function failureCases(subject: Subject): void {
  for (const fault of ['credentials', 'throttled', 'hang', 'failed-after'] as const) {
    test(`${TEXTS[fault]} while it is made: named, the same text each time, then recovers`, () => onBench(subject, bench => failsToCreate(bench, fault)));
    test(`${TEXTS[fault]} while it is changed: recovers`, () => onBench(subject, bench => failsToUpdate(bench, fault)));
    test(`${TEXTS[fault]} while it is deleted: recovers`, () => onBench(subject, bench => failsToDelete(bench, fault)));
  }
  for (const fault of ['credentials', 'throttled', 'hang'] as const) {
    test(`${TEXTS[fault]} while it is looked at: unknown, nothing is made or deleted`, () => onBench(subject, bench => failsToLook(bench, fault)));
  }
  test('not-found of another thing inside create is not taken for its own absence', () => onBench(subject, missesAnother));
}

/** Two failed passes tell the same story. */
async function tells(bench: Bench, fault: Fault): Promise<void> {
  const texts: string[] = [];
  for (let count = 0; count < 2; count += 1) {
    await pass(bench.test, TRIAL);
    bench.clock.skip(5_000);
    const status = await claimStatus(bench);
    const synced = condition(status, 'Synced');
    expect(EXPECTED[fault], told(status)).toContain(synced?.reason);
    texts.push(synced?.message ?? '');
  }
  expect(texts[1]).toBe(texts[0]);
  expect(texts[0]).not.toMatch(/\d{4}-\d\d-\d\d|[0-9a-f]{8}-[0-9a-f]{4}-|\n/);
  keepsSecret(bench);
}

/** No secret in the state, the events or the log. */
function keepsSecret(bench: Bench): void {
  const { test: process, ground } = bench;
  const configs = process.store.dump().filter(object => object['kind'] !== 'ProviderConfig');
  const connection = configs.filter(object => object['kind'] !== 'Secret');
  expect(JSON.stringify([connection, process.store.events(), process.logged])).not.toContain(ground.secret);
}

async function failsToCreate(bench: Bench, fault: Fault): Promise<void> {
  if (fault === 'hang') hurry(bench);
  const free = bench.ground.faults.inject(fault, { writes: true });
  await declare(bench, baseOf(bench));
  if (fault === 'failed-after') await pass(bench.test, TRIAL);
  else await tells(bench, fault);
  keepsSecret(bench);
  await free();
  calm(bench);
  const { status } = await rest(bench);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
  expect(await bench.ground.list()).toEqual([(await entryOf(bench)).name]);
}

async function failsToUpdate(bench: Bench, fault: Fault): Promise<void> {
  const [field] = bench.subject.mutable;
  const { name } = await make(bench);
  if (fault === 'hang') hurry(bench);
  const free = bench.ground.faults.inject(fault, { writes: true });
  await declare(bench, put(baseOf(bench), field.path, field.value));
  await pass(bench.test, TRIAL);
  const told1 = await claimStatus(bench);
  // Work done is work done, even when the answer was an error.
  if (fault !== 'failed-after') expect(EXPECTED[fault], told(told1)).toContain(condition(told1, 'Synced')?.reason);
  expect(condition(told1, 'Ready')?.status, 'it still works').toBe('True');
  keepsSecret(bench);
  await free();
  calm(bench);
  const { status } = await rest(bench);
  expect(condition(status, 'Synced')?.status, told(status)).toBe('True');
  expect(await bench.ground.list()).toEqual([name]);
}

async function failsToDelete(bench: Bench, fault: Fault): Promise<void> {
  await make(bench);
  if (fault === 'hang') hurry(bench);
  const free = bench.ground.faults.inject(fault, { writes: true });
  await bench.test.store.remove(TRIAL);
  await pass(bench.test, TRIAL);
  if (fault !== 'failed-after') {
    const status = await claimStatus(bench);
    expect(EXPECTED[fault], told(status)).toContain(condition(status, 'Synced')?.reason);
    expect(await bench.ground.list()).toHaveLength(1);
  }
  keepsSecret(bench);
  await free();
  calm(bench);
  await rest(bench);
  expect([await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual([[], undefined]);
}

async function failsToLook(bench: Bench, fault: Fault): Promise<void> {
  const { name } = await make(bench);
  if (fault === 'hang') hurry(bench);
  const free = bench.ground.faults.inject(fault, { writes: false });
  const writes = bench.ground.faults.calls().filter(call => call.writes).length;
  await pass(bench.test, TRIAL);
  await pass(bench.test, TRIAL);
  const status = await claimStatus(bench);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
  expect(bench.ground.faults.calls().filter(call => call.writes)).toHaveLength(writes);
  keepsSecret(bench);
  await bench.test.store.remove(TRIAL);
  await pass(bench.test, TRIAL);
  expect(await bench.test.store.get(TRIAL), 'the claim waits').toBeDefined();
  await free();
  expect(await bench.ground.list()).toEqual([name]);
  calm(bench);
  await unmake(bench);
  expect(await bench.ground.list()).toEqual([]);
}

async function missesAnother(bench: Bench): Promise<void> {
  const free = bench.ground.faults.inject('not-found', { writes: true, times: 1 });
  await declare(bench, baseOf(bench));
  await pass(bench.test, TRIAL);
  await free();
  const { status } = await rest(bench);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
  expect(await bench.ground.list()).toEqual([(await entryOf(bench)).name]);
}

async function dangles(bench: Bench): Promise<void> {
  const { dangling } = bench.subject;
  if (dangling === 'none') return;
  if ('accepted' in dangling) return await isAccepted(bench, dangling.accepted);
  await declare(bench, { ...baseOf(bench), ...dangling.refused });
  const { status } = await rest(bench);
  expect(condition(status, 'Ready')?.status).toBe('False');
  expect(['DependencyMissing', 'InvalidRequest'], told(status)).toContain(condition(status, 'Synced')?.reason);
  expect(await bench.ground.list()).toEqual([]);
  await unmake(bench);
  expect(await bench.test.store.get(TRIAL)).toBeUndefined();
}

/** What is connected does not look: that is true as long as the claim becomes ready. */
async function isAccepted(bench: Bench, spec: JsonObject): Promise<void> {
  await declare(bench, { ...baseOf(bench), ...spec });
  const { status } = await rest(bench);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
}
