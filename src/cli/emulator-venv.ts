import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProcessAlive, processStartTime } from './emulator-process.ts';

/** A Python program to be installed into a virtual environment of its own. */
export interface VenvSpec {
  /** Folder name without the digest of the pins: program and version, as `ministack-1.5.33`. */
  readonly name: string;
  /** Requirement lines to install, and further pins that only hold back versions of what those pull in. */
  readonly requirements: readonly string[];
  readonly constraints?: readonly string[];
  /** Interpreters to try, in this order: commands or paths. */
  readonly pythons: readonly string[];
  /** Oldest Python that will do, as [major, minor]. */
  readonly minimum: readonly [number, number];
  /** What to do when no such Python is there: the end of the error message. */
  readonly cure: string;
}

const MARKER = 'plinth-complete';
const INSTALL_MS = 15 * 60_000;
const TICK_MS = 5_000;

/** The folder for what Plinth downloads and may fetch again: $PLINTH_CACHE, else $XDG_CACHE_HOME/plinth, else ~/.cache/plinth. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['PLINTH_CACHE']) return env['PLINTH_CACHE'];
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'plinth');
}

/** Folder of the finished virtual environment of `spec`; undefined while it is not installed. Starts nothing. */
export function findVenv(spec: VenvSpec): string | undefined {
  const folder = venvFolder(spec);
  // existsSync follows links: a Python that was removed or upgraded away leaves a dangling one, and the environment is made anew.
  return existsSync(join(folder, MARKER)) && existsSync(join(folder, 'bin', 'python')) ? folder : undefined;
}

/**
 * Makes sure that `spec` is installed and returns its folder. The environment is built in a folder of its own and becomes visible by one rename of
 * a link, so a killed install leaves nothing half-made; a lock only keeps two processes from doing the same work twice.
 * Reports a line every few seconds; gives up after 15 minutes. Throws Error with the cure when Python is missing, with pip's last lines when it fails.
 */
export async function installVenv(spec: VenvSpec, report: (line: string) => void): Promise<string> {
  const folder = venvFolder(spec);
  if (findVenv(spec)) return folder;
  const python = findPython(spec.pythons, spec.minimum);
  if (!python) throw new Error(`${spec.name} needs Python ${spec.minimum.join('.')} or newer, and none was found on PATH: ${spec.cure}`);
  await oneAtATime(
    folder,
    () => findVenv(spec) !== undefined,
    report,
    () => build(spec, folder, python, report),
  );
  return folder;
}

/**
 * Runs `work`, which makes `target` in the cache folder, unless it is done; while another process does the same work, waits for that one instead
 * (a line every few seconds, 15 minutes at most). A lock whose holder died is taken over. Throws what `work` throws.
 */
export async function oneAtATime(target: string, isDone: () => boolean, report: (line: string) => void, work: () => Promise<void>): Promise<void> {
  const lock = `${target}.lock`;
  mkdirSync(dirname(target), { recursive: true });
  await takeLock(lock, isDone, report);
  try {
    if (!isDone()) await work();
  } finally {
    if (lockOwner(lock)?.pid === process.pid) rmSync(lock, { recursive: true, force: true });
  }
}

/** First of `candidates` that really runs and is new enough (a pyenv shim exists for versions that do not); undefined when none. */
export function findPython(candidates: readonly string[], minimum: readonly [number, number]): string | undefined {
  return candidates.find(candidate => {
    const probe = spawnSync(candidate, ['--version'], { encoding: 'utf8', timeout: 10_000 });
    const found = probe.status === 0 ? /^Python (\d+)\.(\d+)/.exec(probe.stdout) : null;
    if (!found) return false;
    const [major, minor] = [Number(found[1]), Number(found[2])];
    return major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
  });
}

/** Where the environment of `spec` is, or will be. */
export function venvFolder(spec: VenvSpec): string {
  // With the pins in the name, a changed pin never rewrites an environment that is in use.
  const pins = JSON.stringify([spec.requirements, spec.constraints ?? []]);
  return join(cacheFolder(), `${spec.name}-${createHash('sha256').update(pins).digest('hex').slice(0, 8)}`);
}

async function build(spec: VenvSpec, folder: string, python: string, report: (line: string) => void): Promise<void> {
  removeLeftovers(folder);
  const target = `${folder}.build-${process.pid}-${processStartTime(process.pid) ?? Date.now()}`.replaceAll(/[ :]/g, '_');
  rmSync(target, { recursive: true, force: true });
  report(`installing ${spec.name} into ${folder}`);
  await runStep(`making a virtual environment for ${spec.name}`, python, ['-m', 'venv', target], report);
  writeFileSync(join(target, 'requirements.txt'), `${spec.requirements.join('\n')}\n`);
  writeFileSync(join(target, 'constraints.txt'), `${(spec.constraints ?? []).join('\n')}\n`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '-r', join(target, 'requirements.txt'), '-c', join(target, 'constraints.txt')];
  await runStep(`installing ${spec.name} with pip`, join(target, 'bin', 'python'), pip, report);
  writeFileSync(join(target, MARKER), `${spec.name}\n`);
  const link = `${target}.link`;
  rmSync(link, { force: true });
  symlinkSync(basename(target), link);
  renameSync(link, folder);
  removeLeftovers(folder);
}

/** Removes build folders of processes that ended, except the one in use. */
function removeLeftovers(folder: string): void {
  const inUse = existsSync(folder) ? realpathSync(folder) : undefined;
  const prefix = `${basename(folder)}.build-`;
  for (const name of readdirSync(cacheFolder()).filter(entry => entry.startsWith(prefix))) {
    const path = join(cacheFolder(), name);
    const pid = Number(name.slice(prefix.length).split('-')[0]);
    if (existsSync(path) && realpathSync(path) === inUse) continue;
    if (pid !== process.pid && isProcessAlive(pid)) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

async function takeLock(lock: string, isDone: () => boolean, report: (line: string) => void): Promise<void> {
  const started = Date.now();
  for (let said = 0; !isDone(); await sleep(200)) {
    if (makeLock(lock)) return;
    const owner = lockOwner(lock);
    if (isStale(lock, owner)) {
      rmSync(lock, { recursive: true, force: true });
      continue;
    }
    const waited = Date.now() - started;
    if (waited > INSTALL_MS) throw new Error(`another process (${owner?.pid ?? 'unknown'}) has held ${lock} for 15 minutes: end it, or remove that folder`);
    if (waited - said > TICK_MS) {
      said = waited;
      report(`waiting for process ${owner?.pid ?? 'unknown'}, which is installing the same (${Math.round(waited / 1000)} s)`);
    }
  }
}

function makeLock(lock: string): boolean {
  try {
    mkdirSync(lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  writeFileSync(join(lock, 'owner.json'), JSON.stringify({ pid: process.pid, startTime: processStartTime(process.pid) }));
  return true;
}

function lockOwner(lock: string): { pid: number; startTime?: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(lock, 'owner.json'), 'utf8')) as { pid: number; startTime?: string };
  } catch {
    return undefined;
  }
}

/** A lock whose owner died, or that stayed without an owner file for 10 s (its maker died between the two steps). */
function isStale(lock: string, owner: { pid: number; startTime?: string } | undefined): boolean {
  if (owner) return !isProcessAlive(owner.pid, owner.startTime);
  try {
    return Date.now() - statSync(lock).mtimeMs > 10_000;
  } catch {
    return false;
  }
}

/** Runs one command to its end, with a line every few seconds. Throws Error with the last lines of its output. */
export async function runStep(title: string, command: string, args: readonly string[], report: (line: string) => void, cwd?: string): Promise<void> {
  const started = Date.now();
  const child = spawn(command, args, { env: toolEnv(), stdio: ['ignore', 'pipe', 'pipe'], ...(cwd ? { cwd } : {}) });
  const tick = setInterval(() => report(`${title}: ${Math.round((Date.now() - started) / 1000)} s`), TICK_MS);
  const limit = setTimeout(() => child.kill('SIGKILL'), INSTALL_MS);
  try {
    const { code, tail } = await endOf(child);
    if (code !== 0) throw new Error(`${title} failed (${command} ended with ${code}): ${tail.trim() || 'no output'}`);
  } finally {
    clearInterval(tick);
    clearTimeout(limit);
  }
}

function endOf(child: ChildProcess): Promise<{ code: number | string; tail: string }> {
  let tail = '';
  const keep = (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-2_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? signal ?? 'unknown', tail }));
  });
}

/** The user's environment (pip settings and proxies count) without what would make pip install elsewhere. */
function toolEnv(): NodeJS.ProcessEnv {
  const env = { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  for (const name of ['PYTHONHOME', 'PYTHONPATH', 'PIP_USER', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_REQUIRE_VIRTUALENV', 'VIRTUAL_ENV']) {
    delete (env as NodeJS.ProcessEnv)[name];
  }
  return env;
}
