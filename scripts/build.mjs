/** `npm run build`: the bundle dist/plinth.mjs with its lazily loaded parts beside it. Plain JavaScript, so that it runs right after `npm ci`. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, 'inputs.json');
const INPUTS = ['src', 'providers', 'compositions', 'scripts/build.mjs', 'scripts/generate.ts', 'package.json', 'package-lock.json'];

/** The content of everything the bundle is made from, as one digest. */
function inputsDigest() {
  const hash = createHash('sha256');
  const add = path => {
    hash.update(`${relative(ROOT, path)}\0`);
    hash.update(readFileSync(path));
  };
  for (const input of INPUTS) {
    const path = join(ROOT, input);
    if (/\.\w+$/.test(input)) add(path);
    else {
      const files = readdirSync(path, { recursive: true, withFileTypes: true });
      const wanted = files.filter(entry => entry.isFile() && !/\.test\.ts$|\.golden\./.test(entry.name)).map(entry => join(entry.parentPath, entry.name));
      for (const file of wanted.sort()) add(file);
    }
  }
  return hash.digest('hex');
}

/** True when dist/ was built from what is there now. */
export function isBuilt() {
  try {
    return existsSync(join(DIST, 'plinth.mjs')) && JSON.parse(readFileSync(STAMP, 'utf8')).digest === inputsDigest();
  } catch {
    return false;
  }
}

/** Builds into a folder of its own and puts it in place by renames, so that a run that is killed leaves the old bundle. */
export async function build() {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { build: bundle } = await import('esbuild');
  const digest = inputsDigest();
  const target = join(ROOT, `dist.${process.pid}`);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  await bundle({
    absWorkingDir: ROOT,
    entryPoints: { plinth: 'src/main.ts' },
    outdir: target,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // ES modules where there are some: what is CommonJS loses its named exports when it is imported lazily.
    mainFields: ['module', 'main'],
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    define: { PLINTH_VERSION: JSON.stringify(version) },
    // Some dependencies are CommonJS and call require for Node's own modules.
    banner: { js: "import { createRequire as plinthRequire } from 'node:module';const require = plinthRequire(import.meta.url);" },
  });
  const entry = join(target, 'plinth.mjs');
  writeFileSync(entry, `#!/usr/bin/env node\n${readFileSync(entry, 'utf8').replace(/^#!.*\n/, '')}`);
  chmodSync(entry, 0o755);
  writeFileSync(join(target, 'inputs.json'), `${JSON.stringify({ digest })}\n`);
  const old = join(ROOT, `dist.old.${process.pid}`);
  if (existsSync(DIST)) renameSync(DIST, old);
  renameSync(target, DIST);
  rmSync(old, { recursive: true, force: true });
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--if-needed') && isBuilt()) process.exit(0);
  const started = Date.now();
  await build();
  console.log(`built dist/plinth.mjs (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}
