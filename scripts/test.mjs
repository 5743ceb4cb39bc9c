/**
 * `npm test`: every test there is. Installs, gets the real parts (emulators), builds the bundle, runs all projects of vitest, and says at the
 * end how many passed, failed and were skipped, and which part is missing. Arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installIfNeeded, ROOT, tool } from './install.mjs';

/** Vitest's totals; a file that could not even be loaded counts as one failure. */
function totals(file) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const broken = report.testResults.filter(result => result.status === 'failed' && result.assertionResults.length === 0).length;
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken, skipped: report.numPendingTests + report.numTodoTests };
}

function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-test-'));
  const file = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const { status } = spawnSync(tool('vitest'), ['run', ...reporters, ...args], { cwd: ROOT, stdio: 'inherit' });
  try {
    return { status: status ?? 1, ...totals(file) };
  } catch (error) {
    console.error(`vitest left no report: ${error.message}`);
    return { status: 1, passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

installIfNeeded();
const { build, isBuilt } = await import('./build.mjs');
if (!isBuilt()) await build();
spawnSync(process.execPath, ['--import', 'tsx', join('test', 'parts', 'install.ts')], { cwd: ROOT, stdio: 'inherit' });
const { tsImport } = await import('tsx/esm/api');
const { inspectPart, PARTS } = await tsImport('../test/parts/emulators.ts', import.meta.url);
const missing = PARTS.map(inspectPart).filter(part => !part.available);
const { status, passed, failed, skipped } = runVitest(process.argv.slice(2));
for (const { name, reason, cure } of missing) console.log(`SKIPPED PART ${name}: ${reason}. ${cure}`);
const parts = missing.length === 0 ? '' : `; parts missing: ${missing.map(part => part.name).join(', ')}`;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped${parts}`);
const isMissingInCi = process.env.CI === 'true' && missing.some(part => !part.off);
process.exit(status !== 0 || failed > 0 || isMissingInCi ? 1 : 0);
