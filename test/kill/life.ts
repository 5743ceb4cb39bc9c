/** One life of the claims in an account of its own: created, updated, deleted by child processes, killed where the test says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { JsonObject } from '../../src/core/types.ts';
import { account } from '../parts/emulators.ts';
import type { Call } from '../parts/proxy/call.ts';
import { clients } from '../parts/proxy/test-clients.ts';
import { type AwsProxy, startProxy } from '../parts/proxy.ts';
import { adminOf } from './admin.ts';
import { fill, losses, wrongs } from './check.ts';
import { DECLARED, type Phase } from './claims.ts';
import { classOfCall, isWork } from './classes.ts';
import { type Clients, type Cloud, readCloud, TRIES } from './cloud.ts';
import { makeForeign } from './foreign.ts';
import type { Job, Said } from './job.ts';

/**
 * `call`: a mutating call, before it reaches the emulator or after the work and before the answer. `write`: of a file of the state.
 * `index`: from 1, among all of the seam, or among those of one class.
 */
export interface Point {
  readonly seam: 'call' | 'write';
  readonly when: 'before' | 'after';
  readonly index: number;
  /** A class: see classes.ts. */
  readonly of?: string;
}
export interface Plan {
  readonly endpoint: string;
  /** The bundled child. */
  readonly script: string;
  /** By phase: where the child is killed; none: it is not. Phases after the last one named are left out. */
  readonly points: Readonly<Partial<Record<Phase, Point | 'none'>>>;
  /** The state folder is emptied after the kill. */
  readonly emptied: boolean;
  /** With `emptied`: the run that finds everything again is killed as well, here. */
  readonly again?: Point;
}
/** What a phase came to. */
export interface Lived {
  readonly phase: Phase;
  readonly point: Point | 'none';
  /** The child was killed; false when the run was over before the index. */
  readonly killed: boolean;
  readonly killedAgain: boolean;
  /** Empty when all is well. */
  readonly wrongs: readonly string[];
  /** Of the run that came to rest: the classes of its mutating calls and of its writes, in their order. */
  readonly calls: readonly string[];
  readonly writes: readonly string[];
  readonly ms: number;
}
interface Life {
  readonly plan: Plan;
  readonly folder: string;
  readonly state: string;
  readonly proxy: AwsProxy;
  readonly client: Clients;
  readonly admin: readonly JsonObject[];
  readonly foreign: Cloud;
}
interface Ended {
  readonly code: number | null;
  readonly said: Said | undefined;
  readonly text: string;
}

/** The end of all patience, later than the child's own. */
const CHILD_MS = 300_000;

/** Lives it. Stops after the first phase with something wrong. */
export async function live(plan: Plan): Promise<Lived[]> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-killed-'));
  const proxy = await startProxy(plan.endpoint);
  const key = account();
  const client = clients(plan.endpoint, key, TRIES);
  try {
    const foreign = await makeForeign(client, key);
    const life: Life = { plan, folder, state: join(folder, 'project', '.plinth'), proxy, client, admin: adminOf(key), foreign };
    mkdirSync(join(folder, 'project'));
    const lived: Lived[] = [];
    for (const [phase, point] of Object.entries(plan.points) as [Phase, Point | 'none'][]) {
      lived.push(await livePhase(life, phase, point));
      if (lived.at(-1)!.wrongs.length > 0) break;
    }
    return lived;
  } finally {
    for (const one of Object.values(client)) one.destroy();
    await proxy.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function livePhase(life: Life, phase: Phase, point: Point | 'none'): Promise<Lived> {
  const start = performance.now();
  const job = writeJob(life, phase);
  const killed = point !== 'none' && (await runKilled(life, job, point));
  if (killed && life.plan.emptied) rmSync(life.state, { recursive: true, force: true });
  const killedAgain = killed && life.plan.again !== undefined && (await runKilled(life, job, life.plan.again));
  const before = life.proxy.calls.length;
  const ended = await runToEnd(life, job, {});
  const cloud = await readCloud(life.client);
  const found = [
    ...(ended.code === 0 ? [] : [`the run to rest ended with ${ended.code}: ${ended.text}`]),
    ...wrongs(cloud, life.foreign, phase),
    ...(phase === 'update' ? losses(cloud) : []),
    ...calledForeign(life),
  ];
  if (phase === 'create' && found.length === 0 && life.plan.points.update !== undefined) await fill(life.client, cloud);
  const counted = { calls: life.proxy.calls.slice(before).filter(isWork).map(classOfCall), writes: ended.said?.writes ?? [] };
  return { phase, point, killed, killedAgain, wrongs: found, ...counted, ms: performance.now() - start };
}

function writeJob({ folder, state, proxy, admin }: Life, phase: Phase): string {
  const claims = join(folder, 'claims.yaml');
  if (phase !== 'delete')
    writeFileSync(
      claims,
      DECLARED.of(phase)
        .map(claim => stringify(claim))
        .join('---\n'),
    );
  const job: Job = { command: phase === 'delete' ? 'down' : 'up', state, endpoint: proxy.endpoint, admin, claims };
  const path = join(folder, 'job.json');
  writeFileSync(path, JSON.stringify(job));
  return path;
}

/** True when the child was killed at the point; false when it came to its end before. */
async function runKilled(life: Life, job: string, point: Point): Promise<boolean> {
  if (point.seam === 'write') {
    const { code, said, text } = await runToEnd(life, job, { PLINTH_KILL_WRITE: JSON.stringify(point) });
    if (code !== null && said === undefined) throw new Error(`the child broke: ${text}`);
    return code === null;
  }
  return await runKilledAtCall(life, job, point);
}

async function runKilledAtCall({ plan, folder, proxy }: Life, job: string, { when, index, of }: Point): Promise<boolean> {
  const child = start(plan.script, job, folder, {});
  const ended = ending(child);
  let count = 0;
  let killed = false;
  const isMeant = (call: Call): boolean => isWork(call) && (of === undefined || classOfCall(call) === of);
  const dieAt = async (call: Call): Promise<void> => {
    if (killed || !isMeant(call) || ++count !== index) return;
    killed = true;
    child.kill('SIGKILL');
    await ended;
    if (when === 'before') proxy.addRule({ match: { index: call.index }, do: { kind: 'drop' } });
  };
  const remove = when === 'before' ? proxy.onBefore(dieAt) : proxy.onAfter(dieAt);
  await ended;
  remove();
  await drained(proxy);
  return killed;
}

async function runToEnd({ plan, folder, proxy }: Life, job: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  const ended = await ending(start(plan.script, job, folder, env));
  await drained(proxy);
  return ended;
}

/** What a dead process had sent is still being worked; its successor starts after that. */
async function drained(proxy: AwsProxy): Promise<void> {
  while (proxy.calls.some(call => call.endedAt === undefined)) await sleep(5);
}

function start(script: string, job: string, folder: string, env: Readonly<Record<string, string>>): ChildProcess {
  const home = { PLINTH_STATE_HOME: join(folder, 'home'), AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
  return spawn(process.execPath, [script, job], { env: { PATH: process.env['PATH'], CI: 'true', ...home, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

function ending(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', chunk => {
    stdout += String(chunk);
  });
  child.stderr!.on('data', chunk => {
    stderr += String(chunk);
  });
  const timer = setTimeout(() => child.kill('SIGTERM'), CHILD_MS);
  return new Promise(resolve => {
    child.once('close', code => {
      clearTimeout(timer);
      resolve({ code, said: saidIn(stdout), text: stderr.slice(-3_000) + stdout.slice(-2_000) });
    });
  });
}

function saidIn(stdout: string): Said | undefined {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return line.startsWith('{"exit":') ? (JSON.parse(line) as Said) : undefined;
}

/** Foreign names that a mutating call named, whatever came of it. */
export function calledForeign({ proxy, foreign }: Pick<Life, 'proxy' | 'foreign'>): string[] {
  const names = new Set([...foreign.queues, ...foreign.topics, ...foreign.buckets, ...foreign.tables].map(thing => thing.name));
  const calls = proxy.calls.filter(call => call.mutating && call.target !== undefined && names.has(call.target));
  return calls.map(call => `${call.operation} was called for foreign ${call.target}`);
}
