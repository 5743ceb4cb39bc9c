/** What is known of a state folder outside of it, so that a folder that was emptied or deleted does not orphan what was made from it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { JsonObject } from '../core/types.ts';
import type { EmulatorNote } from './endpoint.ts';

export interface Remembered {
  /** The state folder. */
  readonly path: string;
  /** Id in the marks of everything made from it. */
  readonly instance: string;
  readonly project: string;
  /** By name, the spec of each ProviderConfig through which something may have been made. */
  readonly configs: Readonly<Record<string, JsonObject>>;
  /** `Kind/namespace/name` of the claims there were, and their uids. */
  readonly claims: Readonly<Record<string, string>>;
  readonly emulator?: EmulatorNote;
}

/** $PLINTH_STATE_HOME, else $XDG_STATE_HOME/plinth, else ~/.local/state/plinth. */
export function stateHome(env: NodeJS.ProcessEnv = process.env): string {
  if (env['PLINTH_STATE_HOME']) return env['PLINTH_STATE_HOME'];
  return join(env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'plinth');
}

/** The folder without links on the way to it, whether it exists or not. */
export function realFolder(folder: string): string {
  const full = resolve(folder);
  if (existsSync(full)) return realpathSync(full);
  const parent = dirname(full);
  return parent === full ? full : join(realFolder(parent), basename(full));
}

function fileOf(folder: string): string {
  const id = createHash('sha256').update(realFolder(folder)).digest('hex').slice(0, 16);
  return join(stateHome(), 'projects', `${id}.json`);
}

/** What is remembered of a state folder; undefined when nothing is, or it cannot be read. */
export function recall(folder: string): Remembered | undefined {
  try {
    const value = JSON.parse(readFileSync(fileOf(folder), 'utf8')) as Partial<Remembered>;
    const { path, instance, project, configs = {}, claims = {}, emulator } = value;
    if (Array.isArray(configs)) return undefined;
    if (typeof path !== 'string' || typeof instance !== 'string' || typeof project !== 'string') return undefined;
    return { path, instance, project, configs, claims, ...(emulator === undefined ? {} : { emulator }) };
  } catch {
    return undefined;
  }
}

/** Writes it down. False when the state home cannot be written: nothing depends on it until the state folder is lost. */
export function remember(folder: string, what: Omit<Remembered, 'path'>): boolean {
  const file = fileOf(folder);
  const text = `${JSON.stringify({ path: realFolder(folder), ...what }, null, 2)}\n`;
  try {
    if (existsSync(file) && readFileSync(file, 'utf8') === text) return true;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const temporary = `${file}.${process.pid}.tmp`;
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, file);
    return true;
  } catch {
    return false;
  }
}

/** Forgets a state folder: nothing made from it is left. */
export function unremember(folder: string): void {
  rmSync(fileOf(folder), { force: true });
}
