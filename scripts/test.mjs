/**
 * `npm test`, the gate, and `npm run test:full`. Installs, gets the real parts, builds the bundle, runs `npm run check` and all tests on real parts, and
 * says at the end where the time went, what was flaky and how many passed. `--json FILE` keeps it. Other arguments go to vitest, which then runs alone.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installIfNeeded, ROOT } from './install.mjs';

installIfNeeded();
const { build, isBuilt } = await import('./build.mjs');
if (!isBuilt()) await build();
spawnSync(process.execPath, ['--import', 'tsx', join('test', 'parts', 'install.ts')], { cwd: ROOT, stdio: 'inherit' });
const { tsImport } = await import('tsx/esm/api');
try {
  const { askedFor } = await tsImport('../test/run/arguments.ts', import.meta.url);
  const { runTests } = await tsImport('../test/run/main.ts', import.meta.url);
  process.exitCode = runTests(askedFor(process.argv.slice(2)));
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
