/** The child as one file, which starts fast. */
import { join } from 'node:path';
import { build } from 'esbuild';

const HERE = import.meta.dirname;

/** Builds the runner with the counting file layer in place of the plain one; returns the path of the script. */
export async function bundleRunner(folder: string, name: 'runner' | 'cluster-runner' = 'runner'): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(HERE, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    minify: true,
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [
      {
        name: 'counted disk',
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/files-disk\.ts$/ }, ({ importer }) => (importer.startsWith(HERE) ? undefined : { path: join(HERE, 'counted-disk.ts') })),
      },
    ],
  });
  return outfile;
}
