/** Measured code runs as people run it: bundled like the product, in a process of its own. */
import { fork, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import type { JsonObject } from '../../src/core/types.ts';

export const ROOT = join(import.meta.dirname, '..', '..');

/** A child that takes longer hangs. */
const MOST_MS = 300_000;

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder for this run, removed when the process ends. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'));
  folders.push(folder);
  return folder;
}

/** Bundles `test/bench/<name>.ts` with the options of scripts/build.mjs and returns the path of the script. */
export async function bundled(name: string): Promise<string> {
  const outdir = scratch();
  await build({
    absWorkingDir: ROOT,
    entryPoints: [`test/bench/${name}.ts`],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    mainFields: ['module', 'main'],
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    banner: { js: "import { createRequire as plinthRequire } from 'node:module';const require = plinthRequire(import.meta.url);" },
  });
  return join(outdir, `${basename(name)}.mjs`);
}

/** Runs the script with `input` as its argument and `options` of Node, and returns what it prints last, parsed. Rejects when it fails. */
export async function runChild<T>(script: string, input: JsonObject, options: readonly string[] = []): Promise<T> {
  // For a profile: BENCH_NODE_FLAGS=--cpu-prof.
  const flags = [...options, ...(process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [])];
  const child = spawn(process.execPath, [...flags, script, JSON.stringify(input)], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], timeout: MOST_MS });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${basename(script)} ended with ${code}`);
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as T;
}

/** A child that works turn by turn, when it is told to. */
export interface Turns<T> {
  turn(): Promise<Cost>;
  /** Ends it and returns its answer. */
  end(): Promise<T>;
}

/** Starts a child whose main is `takeTurns`. Two of them can be measured in turn, so that whatever else the machine does touches both. */
export function startTurns<T>(script: string, input: JsonObject): Turns<T> {
  const execArgv = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
  const child = fork(script, [JSON.stringify(input)], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit', 'ipc'], timeout: MOST_MS, execArgv });
  const ask = <A>(message: 'turn' | 'end'): Promise<A> =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`${basename(script)} ended with ${code}`));
      child.once('exit', onExit);
      child.once('message', answered => {
        child.off('exit', onExit);
        resolve(answered as A);
      });
      child.send(message);
    });
  return { turn: () => ask<Cost>('turn'), end: () => ask<T>('end') };
}

/** In a child: works a turn each time it is told to, and ends with an answer. */
export function takeTurns(turn: (index: number) => Promise<unknown>, end: () => Promise<object>): void {
  let index = 0;
  process.on('message', async message => {
    if (message === 'turn') process.send?.(await costOf(() => turn(index++)));
    else process.send?.(await end(), () => process.exit(0));
  });
}

/** In a child: the input it was started with. */
export function inputOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** In a child: answers and ends. */
export function answer(output: object): never {
  process.stdout.write(`${JSON.stringify(output)}\n`);
  process.exit(0);
}

/** What something took. `cpuMs`: of this process, over all its threads; `systemMs`: the part spent in the system, on files and sockets. */
export interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly systemMs: number;
}

/** Runs and measures. */
export async function costOf(run: () => unknown): Promise<Cost> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - start, cpuMs: (user + system) / 1000, systemMs: system / 1000 };
}
