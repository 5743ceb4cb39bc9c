/** Where runs are killed. */
import { expect, test } from 'vitest';
import { everyNth, livesFor, pointsByClass, pointsByIndex, pointsIn, sureKills } from './lives.ts';

const done = { calls: ['b', 'a', 'b', 'b', 'a'], writes: ['x', 'y', 'x'] };

test('by class: the middle one of each, before and after by turns', () => {
  expect(pointsByClass('before')(done)).toEqual([
    { seam: 'call', when: 'before', index: 1, of: 'a', sure: 1 },
    { seam: 'call', when: 'after', index: 2, of: 'b', sure: 1 },
    { seam: 'write', when: 'before', index: 1, of: 'x', sure: 0.5 },
    { seam: 'write', when: 'after', index: 1, of: 'y', sure: 0.5 },
  ]);
});

test('two engines with the same classes die before and after each call', () => {
  const both = [...pointsByClass('before')(done), ...pointsByClass('after')(done)];
  const calls = both.filter(({ seam }) => seam === 'call').map(({ of, when }) => `${when} ${of}`);
  expect(calls.sort()).toEqual(['after a', 'after b', 'before a', 'before b']);
});

test('the order of a run does not choose other points', () => {
  const reversed = { calls: done.calls.toReversed(), writes: done.writes.toReversed() };
  expect(pointsByClass('before')(reversed)).toEqual(pointsByClass('before')(done));
});

test('by index: every n-th of each seam, before and after, and a little past the end', () => {
  const points = pointsByIndex(2)(done);
  expect(points.filter(({ seam }) => seam === 'call').map(({ index, when }) => `${index} ${when}`)).toEqual([
    '2 before',
    '2 after',
    '4 before',
    '4 after',
    '6 before',
    '6 after',
  ]);
  expect(pointsByIndex(1)(done).filter(({ seam }) => seam === 'write')).toHaveLength(2 * (3 + 2));
});

test('lives kill once a phase, and leave out an update that has no point left', () => {
  const points = pointsIn(
    [
      { phase: 'create', ...done },
      { phase: 'update', calls: ['c'], writes: [] },
      { phase: 'delete', calls: [], writes: ['z'] },
    ],
    pointsByClass('before'),
  );
  expect(livesFor(points).map(life => Object.keys(life).join(' '))).toEqual(['create update delete', 'create', 'create', 'create']);
  expect(everyNth(points, 3)).toMatchObject({ create: [points.create[0], points.create[3]], update: [points.update[0]], delete: [points.delete[0]] });
});

test('kills that are sure: all calls of a class, half of the writes; by index all but the last tenth', () => {
  const byClass = pointsIn([{ phase: 'create', ...done }], pointsByClass('before'));
  expect(sureKills(byClass)).toBe(2 + 1);
  const long = { calls: Array.from({ length: 100 }, () => 'a'), writes: [] };
  expect(sureKills(pointsIn([{ phase: 'create', ...long }], pointsByIndex(1)))).toBe(2 * 90);
  const short = { calls: Array.from({ length: 28 }, () => 'a'), writes: [] };
  expect(sureKills(pointsIn([{ phase: 'create', ...short }], pointsByIndex(12)))).toBe(2 * 2);
});
