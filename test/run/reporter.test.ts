/** What is written of a real run of vitest, over files of every outcome. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Results } from './results.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function run(): Results {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-reporter-'));
  const file = join(folder, 'report.json');
  const config = join(ROOT, 'test', 'fixtures', 'reporter', 'vitest.config.ts');
  const env = { PATH: process.env['PATH'], PLINTH_TEST_REPORT: file };
  spawnSync(join(ROOT, 'node_modules', '.bin', 'vitest'), ['run', '--config', config], { cwd: ROOT, env, stdio: 'ignore' });
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  rmSync(folder, { recursive: true, force: true });
  return results;
}

test('every file with its tests, what failed and why, hooks and files that cannot be loaded too', () => {
  const { files, errors, firstAt } = run();
  expect(errors).toEqual([]);
  expect(firstAt).toBeGreaterThan(Date.now() - 120_000);
  const [broken, hook, mixed] = [...files].sort((a, b) => (a.file < b.file ? -1 : 1));
  expect(mixed).toMatchObject({
    file: 'test/fixtures/reporter/mixed.case.ts',
    project: 'parts',
    passed: 1,
    failed: 1,
    skipped: 1,
    failures: [{ test: 'group > fails', message: 'the first line' }],
  });
  expect(broken).toMatchObject({ passed: 0, failed: 1, failures: [{ test: '(the file itself)', message: 'cannot be loaded' }] });
  expect(hook).toMatchObject({ passed: 0, failed: 1, failures: [{ test: '(the file itself)', message: 'no server' }] });
  expect(hook!.seconds, 'hooks count').toBeGreaterThanOrEqual(0.3);
});
