/** `npm run check`: everything that needs no emulator, in under a minute: types, lint, format, generated files, unit and architecture tests. */
import { spawn } from 'node:child_process';
import { installIfNeeded, ROOT, tool } from './install.mjs';

const STEPS = [
  ['types', [tool('tsc'), '-p', '.']],
  ['lint and format', [tool('biome'), 'check', '--error-on-warnings', '.']],
  ['generated files', [process.execPath, '--import', 'tsx', 'scripts/generate.ts', '--check']],
  ['unit tests', [tool('vitest'), 'run', '--project', 'unit', '--reporter=dot', '--reporter=./test/run/reporter.ts']],
];

/** Output is kept back and shown as a whole, so that steps that run at once do not mix. */
function step([name, [command, ...args]]) {
  const started = Date.now();
  return new Promise(resolve => {
    const chunks = [];
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => chunks.push(chunk));
    child.on('error', error => chunks.push(Buffer.from(error.message)));
    child.on('close', code => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      const text = Buffer.concat(chunks).toString().trim();
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
      if (code !== 0) console.log(text);
      else if (name === 'unit tests') console.log(text.split('\n').slice(-4).join('\n'));
      resolve(code === 0);
    });
  });
}

installIfNeeded();
const started = Date.now();
const quick = await Promise.all(STEPS.slice(0, 3).map(step));
const results = [...quick, await step(STEPS[3])];
const failed = results.filter(fine => !fine).length;
console.log(`check: ${results.length - failed} of ${results.length} steps passed (${((Date.now() - started) / 1000).toFixed(1)} s)`);
process.exit(failed === 0 ? 0 : 1);
