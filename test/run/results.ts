/** What a run of the tests came to, file by file, and what is said of it. Pure. */

import type { Depth } from '../depth.ts';

/** One test that failed; `message` is the first line of its error. */
export interface Failure {
  readonly test: string;
  readonly message: string;
}
/** One test file of one project. */
export interface FileResult {
  /** Relative to the repository. */
  readonly file: string;
  readonly project: string;
  /** From the moment a worker takes the file until it is done with it, imports and hooks included. */
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
}
/** One run of vitest. */
export interface Results {
  readonly files: readonly FileResult[];
  /** Errors outside any test; with one of them the run failed. */
  readonly errors: readonly string[];
  /** Milliseconds of the wall clock at which the first worker took a file; undefined when none did. */
  readonly firstAt: number | undefined;
}
/** A test that failed among others and passed when its file ran alone. */
export interface Flaky extends Failure {
  readonly file: string;
}
/** Seconds per file on two idle cores. */
export interface Budget {
  /** Of a file that is not listed. */
  readonly default: number;
  readonly gate: Readonly<Record<string, number>>;
  /** At full depth, where that differs. */
  readonly full: Readonly<Record<string, number>>;
}

/** What real parts do depends on how busy the machine is; the other projects do the same on each machine. */
const RUN_AGAIN = new Set(['parts', 'quiet']);
/** More files than these that fail are no bad luck: none of them is run again. */
const MOST_FLAKY = 3;
/** How much more than its budget a file may take. */
const MOST_OVER = 2;
const SLOWEST = 20;

/** Files to run once more, alone: none when something failed that a second run cannot excuse, or too much. */
export function filesToRepeat({ files, errors }: Results): string[] {
  const bad = files.filter(isBad);
  const isHopeless = errors.length > 0 || bad.length > MOST_FLAKY || bad.some(({ project }) => !RUN_AGAIN.has(project));
  return isHopeless ? [] : bad.map(({ file }) => file);
}

/** The first run with the repeated files in place of theirs, and what was flaky: failed then and passed now. */
export function merged(first: Results, again: Results): { readonly results: Results; readonly flaky: readonly Flaky[] } {
  const files = first.files.map(one => again.files.find(two => two.file === one.file && two.project === one.project) ?? one);
  const isFineNow = ({ file }: FileResult): boolean => again.files.some(two => two.file === file && !isBad(two)) && again.errors.length === 0;
  const flaky = first.files.filter(one => isBad(one) && isFineNow(one)).flatMap(({ file, failures }) => failures.map(failure => ({ file, ...failure })));
  return { results: { ...first, files, errors: [...first.errors, ...again.errors] }, flaky };
}

const isBad = ({ failed }: FileResult): boolean => failed > 0;

/** Several runs as one. */
export function joined(runs: readonly Results[]): Results {
  const firsts = runs.flatMap(({ firstAt }) => firstAt ?? []);
  return {
    files: runs.flatMap(({ files }) => files),
    errors: runs.flatMap(({ errors }) => errors),
    firstAt: firsts.length === 0 ? undefined : Math.min(...firsts),
  };
}

/** Numbers of tests; an error outside a test counts as one that failed. */
export function totals({ files, errors }: Results): { readonly passed: number; readonly failed: number; readonly skipped: number } {
  const sum = (field: 'passed' | 'failed' | 'skipped'): number => files.reduce((all, file) => all + file[field], 0);
  return { passed: sum('passed'), failed: sum('failed') + errors.length, skipped: sum('skipped') };
}

/** Seconds a file may take at a depth. */
export function budgetOf(budget: Budget, depth: Depth, file: string): number {
  return (depth === 'full' ? budget.full[file] : undefined) ?? budget.gate[file] ?? budget.default;
}

/**
 * How many times slower than their budgets the listed files are, at least 1: a busy machine is no fault of one file. The median, so that one file that
 * hangs does not excuse itself.
 */
export function slowness({ files }: Results, budget: Budget, depth: Depth): number {
  const listed = files.filter(({ file }) => file in budget.gate || (depth === 'full' && file in budget.full));
  const planned = listed.map(({ file }) => budgetOf(budget, depth, file));
  const ratios = listed.map(({ seconds }, index) => seconds / planned[index]!).sort((a, b) => a - b);
  return Math.max(1, ratios[Math.floor(ratios.length / 2)] ?? 1);
}

/** Files that took more than twice their budget, by more than the whole run is slow, the worst first. */
export function overBudget(results: Results, budget: Budget, depth: Depth): FileResult[] {
  const factor = MOST_OVER * slowness(results, budget, depth);
  const ratio = ({ file, seconds }: FileResult): number => seconds / budgetOf(budget, depth, file);
  return results.files.filter(file => ratio(file) > factor).sort((a, b) => ratio(b) - ratio(a));
}

/** The slowest files and the sum of each folder, as lines. */
export function timeLines({ files }: Results): string[] {
  const slowest = [...files].sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
  const folders = new Map<string, number>();
  for (const { file, seconds } of files) folders.set(folderOf(file), (folders.get(folderOf(file)) ?? 0) + seconds);
  const sums = [...folders].sort(([, a], [, b]) => b - a);
  const line = (seconds: number, what: string): string => `${seconds.toFixed(1).padStart(8)} s  ${what}`;
  return [
    `The ${slowest.length} slowest of ${files.length} test files:`,
    ...slowest.map(({ file, seconds }) => line(seconds, file)),
    'Seconds per folder:',
    ...sums.map(([folder, seconds]) => line(seconds, folder)),
  ];
}

const folderOf = (file: string): string => file.split('/').slice(0, -1).join('/');

/** What nobody is to overlook. */
export function flakyLines(flaky: readonly Flaky[]): string[] {
  if (flaky.length === 0) return [];
  const files = new Set(flaky.map(({ file }) => file)).size;
  const bar = '!'.repeat(100);
  const head = `${files} test ${files === 1 ? 'file' : 'files'} failed among others and passed alone. Each is a fault to mend at its cause:`;
  return [bar, head, ...flaky.map(({ file, test, message }) => `FLAKY: ${file} › ${test} (${message})`), bar];
}
