/** Changes made outside: seen, named, mended or reported. */
import { expect, test } from 'vitest';
import { at, head, put } from '../../src/core/paths.ts';
import type { Json, JsonObject, Path } from '../../src/core/types.ts';
import { TRIAL } from '../around.ts';
import { annotate, condition, told } from '../support.ts';
import { age, type Bench, baseOf, claimStatus, declare, make, meddle, onBench, rest, restart, restFully, richOf, writesOf } from './bench.ts';
import { removeOutside } from './cases-life.ts';
import type { Subject } from './subject.ts';
import { look } from './verbs.ts';

/** What others can do to a field, how the service shows it, and whether the verbs can take it back. */
export function driftTypeCases(subject: Subject): void {
  const { mark } = subject.type;
  test('a field we leave unset and that is changed outside is seen', () => onBench(subject, seesUnset));
  test('half of a thing gone is put back', () => onBench(subject, putsBackHalf));
  if (mark.as !== 'map') return;
  test('entries of others in a shared map are left alone', () => onBench(subject, bench => leavesOthers(bench, mark.at)));
}

/** What the engine does about a change, by the policies of the claim. */
export function driftCases(subject: Subject): void {
  const { holds } = subject.type;
  test('an outside edit is seen, named and mended', () => onBench(subject, mends));
  test('an outside edit is seen before a restart as well as after it', () => onBench(subject, mendsAfterRestart));
  test('an outside edit is only reported under drift: Report', () => onBench(subject, reports));
  test('an outside edit of an ignored path is left alone', () => onBench(subject, ignores));
  test(holds === 'data' ? 'a lost thing is reported, and made again when a person says so' : 'an outside deletion is named, and the thing made again', () =>
    onBench(subject, holds === 'data' ? isLost : isMadeAgain),
  );
}

async function valueAt(bench: Bench, name: string, path: Path): Promise<Json | undefined> {
  const seen = await look(bench.hand, name);
  if (seen.kind === 'absent') throw new Error(`${name} is gone`);
  return at(seen.spec as JsonObject, path);
}

async function mends(bench: Bench): Promise<void> {
  const [field] = bench.subject.mutable;
  const spec = put(baseOf(bench), field.path, field.value);
  const { name } = await make(bench, spec);
  await meddle(bench, name, field.path, field.other);
  const { status } = await restFully(bench);
  expect(await valueAt(bench, name, field.path)).toEqual(field.value);
  const row = status?.drift.find(item => item.resource === 'it');
  expect(row, told(status)).toMatchObject({ path: field.path, desired: field.value, observed: field.other });
  expect(row?.correctedAt).toBeDefined();
  expect(condition(status, 'Ready')?.status).toBe('True');
  expect(condition(status, 'Drifted')?.status).toBe('False');
  expect(bench.test.store.events().filter(event => event.reason === 'Drift')).toHaveLength(1);
}

async function mendsAfterRestart(bench: Bench): Promise<void> {
  const [field] = bench.subject.mutable;
  const spec = put(baseOf(bench), field.path, field.value);
  const { name } = await make(bench, spec);
  bench.test.crash();
  restart(bench);
  await meddle(bench, name, field.path, field.other);
  const { status } = await rest(bench);
  expect(await valueAt(bench, name, field.path)).toEqual(field.value);
  expect(status?.drift).toMatchObject([{ path: field.path, observed: field.other }]);
}

async function reports(bench: Bench): Promise<void> {
  const [field] = bench.subject.mutable;
  const { name } = await make(bench, put(baseOf(bench), field.path, field.value), { drift: 'Report' });
  await meddle(bench, name, field.path, field.other);
  expect(await writesOf(bench, () => restFully(bench))).toEqual([]);
  const status = await claimStatus(bench);
  expect(status?.drift, told(status)).toMatchObject([{ resource: 'it', path: field.path, desired: field.value, observed: field.other }]);
  expect(['Drifted', 'Synced', 'Ready'].map(type => condition(status, type as 'Ready')?.status)).toEqual(['True', 'False', 'True']);
  expect(condition(status, 'Synced')?.reason).toBe('Drifted');
}

async function ignores(bench: Bench): Promise<void> {
  const [field] = bench.subject.mutable;
  const { name } = await make(bench, put(baseOf(bench), field.path, field.value), { ignore: { it: [field.path] } });
  await meddle(bench, name, field.path, field.other);
  expect(await writesOf(bench, () => restFully(bench))).toEqual([]);
  expect((await claimStatus(bench))?.drift).toEqual([]);
}

async function isMadeAgain(bench: Bench): Promise<void> {
  const { name } = await make(bench, richOf(bench));
  age(bench);
  await removeOutside(bench, name);
  const { status } = await rest(bench);
  expect(await bench.ground.list(), told(status)).toEqual([name]);
  expect(status?.drift).toMatchObject([{ resource: 'it', path: '' }]);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
}

async function isLost(bench: Bench): Promise<void> {
  const { name } = await make(bench, richOf(bench));
  age(bench);
  await removeOutside(bench, name);
  expect(await writesOf(bench, () => rest(bench))).toEqual([]);
  const lost = await claimStatus(bench);
  expect([condition(lost, 'Ready')?.reason, condition(lost, 'Stalled')?.status], told(lost)).toEqual(['Lost', 'True']);
  await annotate(bench.test, TRIAL, { 'plinth.dev/recreate': 'yes' });
  const { status } = await rest(bench);
  expect(await bench.ground.list(), told(status)).toEqual([name]);
  expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
}

async function seesUnset(bench: Bench): Promise<void> {
  const { unset } = bench.subject;
  if (unset === 'none') return;
  const { name } = await make(bench);
  const before = await valueAt(bench, name, unset.path);
  await meddle(bench, name, unset.path, unset.value);
  const { status } = await restFully(bench);
  expect(
    status?.drift.map(row => head(row.path)),
    told(status),
  ).toContain(head(unset.path));
  expect(await valueAt(bench, name, unset.path)).toEqual(unset.outcome === 'reported' ? unset.value : before);
  expect(condition(status, 'Drifted')?.status).toBe(unset.outcome === 'reported' ? 'True' : 'False');
}

async function putsBackHalf(bench: Bench): Promise<void> {
  const { part } = bench.subject;
  if (part === 'none') return;
  const { name } = await make(bench, richOf(bench));
  const before = await valueAt(bench, name, part);
  expect(before, 'the part is there').toBeDefined();
  await meddle(bench, name, part, undefined);
  const { status } = await restFully(bench);
  expect(await valueAt(bench, name, part), told(status)).toEqual(before);
  expect(status?.drift.map(row => head(row.path))).toContain(head(part));
}

async function leavesOthers(bench: Bench, field: string): Promise<void> {
  const spec = { ...baseOf(bench), [field]: { mine: 'yes' } };
  const { name } = await make(bench, spec);
  await meddle(bench, name, `${field}.theirs`, 'yes');
  const quiet = async (): Promise<void> => {
    restart(bench);
    await rest(bench);
  };
  expect(await writesOf(bench, quiet)).toEqual([]);
  expect((await claimStatus(bench))?.drift).toEqual([]);
  await declare(bench, { ...spec, [field]: { other: 'yes' } });
  await rest(bench);
  const { 'plinth.dev/uid': _, ...tags } = (await valueAt(bench, name, field)) as JsonObject;
  expect(tags, 'ours is gone, theirs stays').toMatchObject({ theirs: 'yes', other: 'yes' });
  expect(tags['mine']).toBeUndefined();
}
