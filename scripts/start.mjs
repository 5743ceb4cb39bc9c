/**
 * `npm start`: from a fresh clone to a running example. Installs and builds only when needed, then runs `plinth up examples/shop --class local`.
 * `npm start -- status` runs another command; `npm start -- --watch` adds options to `up`; `npm start -- --help` is plinth's own help.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { installIfNeeded, ROOT } from './install.mjs';

const EXAMPLE = ['up', join('examples', 'shop'), '--class', 'local'];
const OWN = new Set(['--help', '-h', '--version', '-V']);

/** What plinth is called with, given what was written after `npm start --`. */
function argumentsFor(given) {
  if (given.length === 0) return EXAMPLE;
  const [first = ''] = given;
  return first.startsWith('-') && !OWN.has(first) ? [...EXAMPLE, ...given] : given;
}

installIfNeeded();
const { build, isBuilt } = await import('./build.mjs');
if (!isBuilt()) {
  console.error('building the bundle …');
  await build();
}
const plinth = spawn(process.execPath, [join(ROOT, 'dist', 'plinth.mjs'), ...argumentsFor(process.argv.slice(2))], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { PLINTH_COMMAND: 'npx plinth', ...process.env },
});
// Ctrl-C goes to the whole group: plinth ends in order, and we wait for it.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => name !== 'SIGINT' && plinth.kill(name));
plinth.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)));
