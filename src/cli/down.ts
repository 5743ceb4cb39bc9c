/** `plinth down`: deletes claims with what they made, then the emulator and the state. */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EngineError, isError } from '../core/errors.ts';
import { API_VERSION } from '../core/kinds.ts';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { keyOf, keyText } from '../engine/objects.ts';
import { allClaims, putAdmin } from './apply.ts';
import { stopEmulator } from './endpoint.ts';
import type { Context, ExitCode } from './host.ts';
import { type Interrupt, listenForInterrupt } from './interrupt.ts';
import { keptError, keptIn } from './kept.ts';
import { findLocal, localConfigs } from './local.ts';
import { findClaim, namesOf, parseClaimName } from './names.ts';
import { note, say, tell } from './output.ts';
import { closeProject, emulatorNote, openProject, type Project, stateProblems } from './project.ts';
import { missingClaims, recoverClaims } from './recover.ts';
import { recall, unremember } from './remember.ts';
import { keptBy, requestRemoval } from './removal.ts';
import { endRun, type Run, startRun, waitForAll } from './run.ts';
import { statusOf, troubleOf } from './standing.ts';
import { refuseCluster, refuseState, rememberClaims, tellInterrupted } from './up.ts';

export interface DownOptions {
  readonly keepData: boolean;
  /** Stop the emulator although it holds what was kept. */
  readonly discardKept?: boolean;
  readonly timeoutMs: number;
}

/** Runs the command for one claim (`Kind/name`) or all. Errors: those of the state folder and of the emulator. */
export async function runDown(context: Context, claim: string | undefined, options: DownOptions): Promise<ExitCode> {
  if (options.keepData && options.discardKept)
    throw new EngineError('BadUse', '--keep-data and --discard-kept contradict each other', { hint: 'say one of them' });
  refuseCluster(context, 'down', 'use `kubectl delete` or `helm uninstall`; the controller of the cluster does the rest');
  if (claim !== undefined) parseClaimName(claim);
  const folder = resolve(context.globals.state);
  const isThere = existsSync(folder) && readdirSync(folder).length > 0;
  if (!isThere && recall(folder) === undefined && claim === undefined) {
    await tell(context.out, { removed: [], kept: [] }, () => [`nothing to take down: there is no state folder at ${folder}`]);
    return 0;
  }
  const interrupt = listenForInterrupt();
  const project = await openProject(context, { write: true, create: recall(folder) !== undefined });
  let isOver = false;
  try {
    if (refuseState({ context, problems: () => stateProblems(project) })) return 1;
    const code = await work(project, claim, options, interrupt);
    if (code !== 0 || claim !== undefined || !(await isEmpty(project, options))) return code;
    const discarded = await heldByOwn(project, options);
    isOver = true;
    return (await stopOwn(project, discarded)) ? code : 1;
  } finally {
    await closeProject(project);
    if (isOver) removeState(folder);
    interrupt.dispose();
  }
}

const kept = new WeakMap<Project, string[]>();

async function isEmpty(project: Project, options: DownOptions): Promise<boolean> {
  const isKept = (kept.get(project) ?? []).length > 0 && !(options.discardKept && emulatorNote(project) !== undefined);
  return !options.keepData && !isKept && (await allClaims(project.store)).length === 0;
}

async function work(project: Project, text: string | undefined, options: DownOptions, interrupt: Interrupt): Promise<ExitCode> {
  const { out } = project.context;
  await prepare(project);
  const claims = text === undefined ? await allClaims(project.store) : [await findClaim(project, text)];
  const staying = keptBy(claims, options.keepData);
  kept.set(project, staying);
  const keys = await requestRemoval(project, claims, options.keepData);
  const run = await startRun(project, namesOf(keys, project.namespace));
  const ending = await waitForAll(run, keys, { timeoutMs: options.timeoutMs, signal: interrupt.signal });
  await endRun(run);
  await rememberClaims(project);
  if (ending === 'interrupted') return tellInterrupted();
  const left = keys.filter(key => run.seen.get(keyText(key))?.standing !== 'gone');
  const removed = keys.filter(key => !left.includes(key));
  const plain = (list: readonly ObjectKey[]): string[] => list.map(key => `${key.kind}/${key.name}`);
  await tell(out, { removed: plain(removed), kept: staying, left: plain(left) }, () => [
    removed.length === 0 ? 'no claims to remove' : `removed ${[...namesOf(removed, project.namespace).values()].join(', ')}`,
  ]);
  if (staying.length > 0) say(out, `kept, marked as retained: ${staying.join(', ')}`);
  for (const key of left) tellLeft(run, keyText(key));
  return left.length === 0 ? 0 : 1;
}

function tellLeft(run: Run, text: string): void {
  const seen = run.seen.get(text);
  const trouble = seen?.object === undefined ? undefined : troubleOf(statusOf(seen.object).conditions);
  note(`${run.names.get(text) ?? text} is not gone: ${trouble?.message ?? 'not in time; run again to go on'}`);
}

/** The emulator must answer, and what the folder lost must be found, before anything can be said to be gone. */
async function prepare(project: Project): Promise<void> {
  const missing = await missingClaims(project);
  if (missing.size === 0 && (await allClaims(project.store)).length === 0) return;
  const local = await findLocal(project);
  if (missing.size === 0) return;
  const configs = project.remembered?.configs ?? {};
  const remembered = Object.entries(configs).map(([name, spec]): JsonObject => ({ apiVersion: API_VERSION, kind: 'ProviderConfig', metadata: { name }, spec }));
  await putAdmin(project.store, { known: await absent(project, remembered), admin: [], others: [] }, local.endpoint);
  const shipped = await project.context.host.embedded();
  await putAdmin(project.store, { known: await absent(project, shipped), admin: [], others: [] }, local.endpoint);
  await findLocal(project);
  const used = new Set(Object.keys(configs));
  await recoverClaims(project, missing, new Map(), local.isNew ? localConfigs(used, shipped) : new Set());
}

/** Those of the objects that the store does not have: a run that was killed may have put some. */
async function absent({ store }: Project, objects: readonly JsonObject[]): Promise<JsonObject[]> {
  const found = await Promise.all(objects.map(object => store.get(keyOf(object))));
  return objects.filter((_, index) => found[index] === undefined);
}

/** What would end with the emulator of the project. KeptData unless it may be discarded. */
async function heldByOwn(project: Project, { discardKept }: DownOptions): Promise<string[]> {
  const emulator = emulatorNote(project);
  if (emulator === undefined) return [];
  try {
    const held = await keptIn(project, emulator);
    if (held.length > 0 && !discardKept) throw keptError(emulator, held);
    return held;
  } catch (error) {
    if (!discardKept || !isError(error, 'KeptData')) throw error;
    return [];
  }
}

async function stopOwn(project: Project, discarded: readonly string[]): Promise<boolean> {
  const emulator = emulatorNote(project);
  if (emulator === undefined) return true;
  const isStopped = await stopEmulator(project.folder, emulator);
  note(isStopped ? `stopped the emulator at ${emulator.endpoint}` : `process ${emulator.pid} (the emulator) could not be stopped`);
  if (isStopped && discarded.length > 0) note(`discarded with the emulator: ${discarded.join(', ')}`);
  return isStopped;
}

const OURS = [
  'claims',
  'objects',
  'revisions',
  'secrets',
  'env',
  'bindings',
  'instance.json',
  'events.jsonl',
  'emulator.json',
  'emulator.log',
  '.gitignore',
  'lock',
];

/** Removes what is ours of the state folder, and the folder if that was all. */
function removeState(folder: string): void {
  for (const name of OURS) rmSync(join(folder, name), { recursive: true, force: true });
  unremember(folder);
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
