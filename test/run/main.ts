/** `npm test` and `npm run test:full`: see test/README.md. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspectPart, PARTS } from '../parts/emulators.ts';
import type { Asked } from './arguments.ts';
import { readBudget } from './budget.ts';
import { type Flaky, filesToRepeat, flakyLines, joined, merged, overBudget, type Results, slowness, timeLines, totals } from './results.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const VITEST = join(ROOT, 'node_modules', '.bin', 'vitest');
/** Where the flaky tests of the last run that had any are kept. */
const RESULTS = process.env['PLINTH_TEST_RESULTS'] ?? join(ROOT, 'test-results');
const REAL = ['--project', 'parts', '--project', 'simulation', '--project', 'quiet'];

/** What the command ends with. */
interface Outcome {
  readonly results: Results;
  readonly flaky: readonly Flaky[];
  readonly setupSeconds: number;
  readonly seconds: number;
}

/** Runs the tests, says what they came to, and returns the exit code. The parts are installed and the bundle is built before. */
export function runTests(asked: Asked): number {
  const started = Date.now();
  const isWhole = asked.rest.length === 0;
  const runs = isWhole && asked.config === undefined ? [check(asked)] : [];
  const first = vitest(asked, isWhole ? REAL : asked.rest);
  const setupSeconds = ((first.results.firstAt ?? Date.now()) - first.startedAt) / 1_000;
  const repeat = isWhole ? filesToRepeat(joined([...runs, first.results])) : [];
  if (repeat.length > 0) console.log(`Once more, alone: ${repeat.join(', ')}`);
  const alone = ['--project', 'parts', '--project', 'quiet', '--maxWorkers=1', ...repeat];
  const { results, flaky } = repeat.length === 0 ? { ...first, flaky: [] } : merged(first.results, vitest(asked, alone).results);
  const outcome = { results: joined([...runs, results]), flaky, setupSeconds, seconds: (Date.now() - started) / 1_000 };
  keep(asked, outcome);
  return tell(asked, outcome);
}

/** Types, lint, generated files and unit tests; a step that is no test and fails counts as one. */
function check({ depth }: Asked): Results {
  return withReport(file => {
    const env = { ...process.env, PLINTH_TEST_REPORT: file, PLINTH_TEST_DEPTH: depth };
    return spawnSync(process.execPath, [join('scripts', 'check.mjs')], { cwd: ROOT, stdio: 'inherit', env }).status ?? 1;
  }, 'npm run check failed');
}

function vitest({ depth, config }: Asked, args: readonly string[]): { readonly results: Results; readonly startedAt: number } {
  const startedAt = Date.now();
  const results = withReport(file => {
    const env = { ...process.env, PLINTH_TEST_REPORT: file, PLINTH_TEST_DEPTH: depth };
    const reporters = ['--reporter=default', '--reporter=./test/run/reporter.ts'];
    const other = config === undefined ? [] : ['--config', config];
    return spawnSync(VITEST, ['run', ...other, ...reporters, ...args], { cwd: ROOT, stdio: 'inherit', env }).status ?? 1;
  }, 'vitest failed');
  return { results, startedAt };
}

/** The results that a command writes. One that fails without a failed test, or writes none, has an error. */
function withReport(run: (file: string) => number, failure: string): Results {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-test-'));
  const file = join(folder, 'report.json');
  const status = run(file);
  const results = reportIn(file);
  rmSync(folder, { recursive: true, force: true });
  return status !== 0 && totals(results).failed === 0 ? { ...results, errors: [failure] } : results;
}

function reportIn(file: string): Results {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Results;
  } catch {
    return { files: [], errors: ['no report was written'], firstAt: undefined };
  }
}

function keep({ json, depth }: Asked, outcome: Outcome): void {
  const text = JSON.stringify({ depth, ...outcome }, null, 2);
  if (json !== undefined) writeFileSync(json, `${text}\n`);
  if (outcome.flaky.length === 0) return;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, 'flaky.json'), `${JSON.stringify(outcome.flaky, null, 2)}\n`);
}

/** The closing lines. */
function tell({ depth }: Asked, { results, flaky, setupSeconds, seconds }: Outcome): number {
  const missing = PARTS.map(inspectPart).filter(part => !part.available);
  const budget = readBudget();
  const over = overBudget(results, budget, depth);
  const { passed, failed, skipped } = totals(results);
  const lines = [
    ...timeLines(results),
    `Set-up of the real parts ${setupSeconds.toFixed(1)} s, the whole run ${seconds.toFixed(0)} s, ${slowness(results, budget, depth).toFixed(1)} x its budget`,
    ...over.map(({ file, seconds: took }) => `OVER BUDGET: ${file} took ${took} s (test/budget.json)`),
    ...results.files.flatMap(({ file, failures }) => failures.map(({ test, message }) => `FAILED: ${file} › ${test} (${message})`)),
    ...results.errors.map(error => `FAILED: ${error}`),
    ...flakyLines(flaky),
    ...missing.map(({ name, reason, cure }) => `SKIPPED PART ${name}: ${reason}. ${cure}`),
    `${passed} passed, ${failed} failed, ${skipped} skipped`,
  ];
  console.log(lines.join('\n'));
  const isMissingInCi = process.env['CI'] === 'true' && missing.some(part => !part.off);
  const isOver = depth === 'full' && over.length > 0;
  return failed > 0 || isMissingInCi || isOver ? 1 : 0;
}
