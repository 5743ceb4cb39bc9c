/** `npm test` as a whole, over a few files that are unlucky when told to be: real runs of vitest. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** `names`: what fails, most of it once. */
function run(names: string): { readonly code: number | null; readonly lines: string[]; readonly report: Record<string, unknown> } {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-flaky-'));
  folders.push(folder);
  const json = join(folder, 'report.json');
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], FLAKY_FOLDER: folder, FLAKY_NAMES: names, PLINTH_TEST_RESULTS: folder };
  const script = join(ROOT, 'test', 'fixtures', 'flaky', 'run.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script, '--json', json], { cwd: ROOT, env, encoding: 'utf8' });
  expect(stdout, stderr).toContain('slowest');
  return { code: status, lines: stdout.trim().split('\n'), report: JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown> };
}

test('all green: the closing line, and nothing flaky', () => {
  const { code, lines, report } = run('');
  expect(code).toBe(0);
  expect(lines.at(-1)).toBe('7 passed, 0 failed, 0 skipped');
  expect(report).toMatchObject({ depth: 'gate', flaky: [] });
});

test('unlucky once on real parts: run again alone, green, and told', () => {
  const { code, lines, report } = run('parts,quiet');
  expect(lines.at(-1)).toBe('7 passed, 0 failed, 0 skipped');
  expect(code).toBe(0);
  expect(lines).toContain('FLAKY: test/fixtures/flaky/parts.case.ts › has luck (parts was unlucky)');
  expect(lines).toContain('FLAKY: test/fixtures/flaky/quiet.case.ts › has luck (quiet was unlucky)');
  const kept = JSON.parse(readFileSync(join(folders.at(-1)!, 'flaky.json'), 'utf8')) as unknown;
  expect(kept).toEqual(report['flaky']);
});

test('broken on real parts: red also when it ran alone; what was unlucky beside it is told', () => {
  const { code, lines } = run('parts,broken');
  expect(code).toBe(1);
  expect(lines.at(-1)).toBe('6 passed, 1 failed, 0 skipped');
  expect(lines.join('\n')).toContain('FAILED: test/fixtures/flaky/parts-broken.case.ts › works unless it is broken');
  expect(lines).toContain('FLAKY: test/fixtures/flaky/parts.case.ts › has luck (parts was unlucky)');
});

test('a schedule of the simulation is never run again', () => {
  const { code, lines } = run('simulation');
  expect(code).toBe(1);
  expect(lines.at(-1)).toBe('6 passed, 1 failed, 0 skipped');
});
