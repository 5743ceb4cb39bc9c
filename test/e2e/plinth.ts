/** A workplace for one story: a folder with claims, a state folder, a state home of its own, and the bundle as a program. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { stopProcess } from '../../src/cli/emulator.ts';
import { account, miniStack } from '../parts/emulators.ts';
import { BUNDLE } from './build.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface Workplace {
  readonly folder: string;
  /** Plus what the story needs. */
  readonly env: Record<string, string>;
}
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, for "it says …". */
  readonly said: string;
}
export interface ClaimStatus {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
  readonly class: string;
  readonly composition: string;
  readonly resources: { id: string; type: string; name: string; scope: string; phase: string; ready: boolean }[];
  readonly drift: { resource: string; path: string; desired: unknown; observed: unknown }[];
}

/** A workplace with an account of its own on the emulator of the test run. */
export type Cloudy = Workplace & { readonly endpoint: string; readonly account: string };

const open: Workplace[] = [];

/** An empty workplace whose folder is called `name` (and so is its namespace). Its emulator and files go after the test. */
export function workplace(name = 'shop'): Workplace {
  const outer = mkdtempSync(join(tmpdir(), 'plinth e2e-'));
  const folder = join(outer, name);
  mkdirSync(folder);
  const place = { folder, env: { PLINTH_STATE_HOME: join(outer, 'home'), PLINTH_TIMEOUT: '180s', NO_COLOR: '1' } };
  open.push(place);
  return place;
}

/** A workplace on the emulator of the test run, with an account of its own: nothing has to be started. */
export async function sharedWorkplace(name = 'shop'): Promise<Cloudy> {
  const place = workplace(name);
  const { endpoint } = await miniStack();
  const own = account();
  write(place, 'config.yaml', localConfig(own));
  place.env['PLINTH_ENDPOINT'] = endpoint;
  return { ...place, endpoint, account: own };
}

/** The config of the local class with an account of its own. */
export function localConfig(accessKeyId: string): string {
  return `apiVersion: plinth.dev/v1alpha1
kind: ProviderConfig
metadata: {name: local}
spec:
  provider: localstack
  settings: {region: us-east-1, credentials: {from: Static, accessKeyId: "${accessKeyId}", secretAccessKey: test}}
`;
}

/** Writes a file of the workplace. */
export function write({ folder }: Workplace, name: string, text: string | Buffer): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** Copies the example shop into the workplace. */
export function copyShop({ folder }: Workplace): void {
  cpSync(join(ROOT, 'examples', 'shop'), join(folder, 'shop'), { recursive: true });
}

/** Starts the bundle in the workplace; `how.input` goes to its standard input. */
export function start(place: Workplace, args: readonly string[], how: { readonly env?: Record<string, string>; readonly uid?: number } = {}): ChildProcess {
  const { uid } = how;
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...place.env, ...how.env };
  return spawn(process.execPath, [BUNDLE, ...args], {
    cwd: place.folder,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** Runs the bundle to its end. */
export async function plinth(
  place: Workplace,
  args: readonly string[],
  how: { readonly env?: Record<string, string>; readonly uid?: number; readonly input?: string } = {},
): Promise<Result> {
  const child = start(place, args, how);
  child.stdin?.end(how.input ?? '');
  return await endOf(child);
}

/** What a started bundle said and ended with. */
export function endOf(child: ChildProcess): Promise<Result> {
  let [stdout, stderr, said] = ['', '', ''];
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    said += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    said += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => resolve({ code: code ?? -1, stdout, stderr, said }));
  });
}

/** Waits until a started bundle has said this on stderr. Rejects when it ends before. */
export function saying(child: ChildProcess, text: string): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(text)) resolve();
    });
    child.once('close', code => reject(new Error(`it ended with ${code} and never said ${text}: ${said}`)));
  });
}

/** The claims as `plinth status --output json` tells them, by `Kind/name`. */
export async function status(place: Workplace): Promise<Record<string, ClaimStatus>> {
  const { stdout } = await plinth(place, ['status', '--output', 'json']);
  const { claims } = JSON.parse(stdout) as { claims: ClaimStatus[] };
  return Object.fromEntries(claims.map(claim => [`${claim.kind}/${claim.name}`, claim]));
}

/** The note of the emulator that `up` started in this workplace. */
export function emulatorOf({ folder }: Workplace): { readonly pid: number; readonly startTime?: string; readonly endpoint: string } {
  return JSON.parse(readFileSync(join(folder, '.plinth', 'emulator.json'), 'utf8')) as { pid: number; endpoint: string };
}

let running = 0;
beforeEach(() => {
  running += 1;
});
afterEach(async () => {
  running -= 1;
  // Those of tests that run at once go after the last of these.
  if (running > 0) return;
  for (const place of open.splice(0)) {
    if (existsSync(join(place.folder, '.plinth', 'emulator.json'))) {
      const { pid, startTime } = emulatorOf(place);
      await stopProcess(pid, startTime);
    }
    rmSync(dirname(place.folder), { recursive: true, force: true });
  }
});
