/** Installs the dependencies by the lockfile, when what is installed is not what it says. Runs before anything is installed: Node's own modules only. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

/** True when every package of the lockfile is there in its version; what is for other platforms does not count. */
export function isInstalled() {
  try {
    const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
    const found = JSON.parse(readFileSync(join(ROOT, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || found[path]?.version === version || (optional === true && found[path] === undefined),
    );
  } catch {
    return false;
  }
}

/** Runs `npm ci` if need be; ends the process when it fails. */
export function installIfNeeded() {
  if (isInstalled()) return;
  console.error('installing dependencies (npm ci) …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Runs one command in the repository with this terminal; ends the process with its code when it fails. */
export function run(command, args, env = {}) {
  const isWindows = process.platform === 'win32';
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', shell: isWindows, env: { ...process.env, ...env } });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

/** Path of a program that a dependency brings. */
export const tool = name => join(ROOT, 'node_modules', '.bin', name);
