import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';
import { entrypoint } from '../entrypoint.ts';
import { writeNodeImage } from './layers.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** The image of Plinth as the Dockerfile makes it (the bundle as /app, nothing else but Node), made here without a container engine. Returns `target`. */
export function writePlinthImage(target: string, name: string): Promise<string> {
  return writeNodeImage(target, { name, folder: join(ROOT, 'dist'), command: entrypoint() });
}

/** The image of a Node program in one TypeScript file, bundled with what it imports. Returns `target`. */
export async function writeProgramImage(target: string, name: string, source: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-program-'));
  try {
    await bundle({
      entryPoints: [source],
      outfile: join(folder, 'main.mjs'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      mainFields: ['module', 'main'],
      logLevel: 'warning',
      banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
    });
    return await writeNodeImage(target, { name, folder, command: ['node', '/app/main.mjs'] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
