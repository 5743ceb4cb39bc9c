/** Real child processes for tests of what a process does to the state folder. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';

/** A script for a process of its own, with the file store in it; returns its path. */
export async function bundled(folder: string, body: string): Promise<string> {
  const outfile = join(folder, `script-${Date.now()}.mjs`);
  const contents = `import { openFiles } from './store-files.ts'; import { realClock } from './clock.ts';\n${body}`;
  await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
  });
  return outfile;
}

/** What a child said until it ended. */
export async function output(child: ChildProcess): Promise<string> {
  let said = '';
  child.stdout!.on('data', chunk => {
    said += String(chunk);
  });
  await new Promise(resolve => child.once('close', resolve));
  return said.trim();
}
