/** What a run came to: what is run again, what is flaky, what is over its budget. */
import { expect, test } from 'vitest';
import { DEPTH } from '../depth.ts';
import { askedFor } from './arguments.ts';
import { type Budget, type FileResult, filesToRepeat, flakyLines, joined, merged, overBudget, type Results, slowness, timeLines, totals } from './results.ts';

function file(name: string, more: Partial<FileResult> = {}): FileResult {
  return { file: name, project: 'parts', seconds: 10, passed: 3, failed: 0, skipped: 0, failures: [], ...more };
}
const failing = (name: string, more: Partial<FileResult> = {}): FileResult =>
  file(name, { passed: 2, failed: 1, failures: [{ test: 'works', message: 'too late' }], ...more });
const results = (...files: FileResult[]): Results => ({ files, errors: [], firstAt: 1 });

test('files of real parts that fail are run again', () => {
  expect(filesToRepeat(results(file('a'), failing('b'), failing('c', { project: 'quiet' })))).toEqual(['b', 'c']);
});

test('nothing is run again when a unit test or a schedule fails, when more than three files fail, or for an error outside a test', () => {
  expect(filesToRepeat(results(failing('a'), failing('b', { project: 'unit' })))).toEqual([]);
  expect(filesToRepeat(results(failing('a'), failing('b', { project: 'simulation' })))).toEqual([]);
  expect(filesToRepeat(results(failing('a'), failing('b'), failing('c')))).toEqual(['a', 'b', 'c']);
  expect(filesToRepeat(results(failing('a'), failing('b'), failing('c'), failing('d')))).toEqual([]);
  expect(filesToRepeat({ ...results(failing('a')), errors: ['unhandled'] })).toEqual([]);
});

test('what passes alone is flaky, and is told so that nobody overlooks it; what fails again has failed', () => {
  const first = results(failing('a'), failing('b'), file('c'));
  const again = results(file('a'), failing('b'));
  const { results: both, flaky } = merged(first, again);
  expect(totals(both)).toEqual({ passed: 3 + 2 + 3, failed: 1, skipped: 0 });
  expect(flaky).toEqual([{ file: 'a', test: 'works', message: 'too late' }]);
  expect(flakyLines(flaky).join('\n')).toContain('FLAKY: a › works (too late)');
  expect(flakyLines([])).toEqual([]);
});

test('an error of the second run excuses nothing', () => {
  const { results: both, flaky } = merged(results(failing('a')), { ...results(file('a')), errors: ['no server'] });
  expect(flaky).toEqual([]);
  expect(totals(both).failed).toBe(1);
});

test('a file that is not run again, though it should have been, still counts as failed', () => {
  expect(totals(merged(results(failing('a')), results()).results).failed).toBe(1);
});

test('errors outside tests count', () => {
  expect(totals(joined([results(file('a')), { files: [], errors: ['check failed'], firstAt: undefined }]))).toEqual({ passed: 3, failed: 1, skipped: 0 });
});

const budget: Budget = { default: 5, gate: { a: 10, b: 10, c: 10 }, full: { a: 100 } };

test('over budget is more than twice of it', () => {
  expect(overBudget(results(file('a', { seconds: 8 }), file('b', { seconds: 20.1 }), file('c', { seconds: 9 })), budget, 'gate').map(one => one.file)).toEqual([
    'b',
  ]);
  expect(overBudget(results(file('a', { seconds: 8 }), file('b', { seconds: 20 })), budget, 'gate')).toEqual([]);
  expect(overBudget(results(file('new', { seconds: 10.1 })), budget, 'gate').map(one => one.file)).toEqual(['new']);
  expect(overBudget(results(file('a', { seconds: 199 })), budget, 'full')).toEqual([]);
});

test('not when the whole run is slow by the same factor; one file that hangs does not excuse itself', () => {
  const slow = results(file('a', { seconds: 30 }), file('b', { seconds: 30 }), file('c', { seconds: 30 }));
  expect(slowness(slow, budget, 'gate')).toBe(3);
  expect(overBudget(slow, budget, 'gate')).toEqual([]);
  const hanging = results(file('a', { seconds: 300 }), file('b'), file('c'));
  expect(overBudget(hanging, budget, 'gate').map(one => one.file)).toEqual(['a']);
});

test('the slowest files and the sum of each folder', () => {
  const lines = timeLines(results(file('test/x/a', { seconds: 1 }), file('test/x/b', { seconds: 3 }), file('src/c', { seconds: 2 })));
  expect(lines.map(line => line.trim())).toEqual([
    'The 3 slowest of 3 test files:',
    '3.0 s  test/x/b',
    '2.0 s  src/c',
    '1.0 s  test/x/a',
    'Seconds per folder:',
    '4.0 s  test/x',
    '2.0 s  src',
  ]);
});

test('arguments: depth and report are ours, the rest is vitest’s', () => {
  expect(askedFor(['--full', '--json', 'out.json'])).toEqual({ depth: 'full', json: 'out.json', rest: [] });
  expect(askedFor(['test/kill', '-t', 'x'])).toEqual({ depth: DEPTH, json: undefined, rest: ['test/kill', '-t', 'x'] });
  expect(() => askedFor(['--json'])).toThrow('--json needs the name of a file');
});
