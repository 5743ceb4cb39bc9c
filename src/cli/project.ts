/** A state folder in use: the store, who it is, and an engine on it. */
import { basename, dirname, join, resolve } from 'node:path';
import type { EngineError } from '../core/errors.ts';
import { newBudgets } from '../engine/budget.ts';
import { closeAll, newConnections } from '../engine/clients.ts';
import { realClock } from '../engine/clock.ts';
import { DEFAULT_OPTIONS, type Engine, type Log } from '../engine/engine.ts';
import type { EditableStore } from '../engine/objects.ts';
import { type FilesStore, openFiles } from '../engine/store-files.ts';
import { newTracker, type Tracker, track } from '../engine/tracker.ts';
import { type EmulatorNote, readNote } from './endpoint.ts';
import { type Context, LOG_LEVELS, type LogLevel } from './host.ts';
import { type Remembered, recall } from './remember.ts';

export interface Project {
  readonly context: Context;
  /** Absolute. */
  readonly folder: string;
  readonly files: FilesStore;
  readonly store: EditableStore;
  /** Where claims without a namespace live. */
  readonly namespace: string;
  /** As of the last write of it. */
  remembered: Remembered | undefined;
  /** The folder was made by this run. */
  readonly isFresh: boolean;
  readonly engine: Engine;
  readonly tracker: Tracker;
  /** Ends every call. */
  readonly abort: AbortController;
  /** The uid of the next object that is put, when it is known from marks; used once. */
  readonly uids: { next: string | undefined };
}

/** The folder above the state folder, as a name that Kubernetes and clouds take. */
export function projectName(folder: string): string {
  const name = basename(dirname(resolve(folder)))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '');
  return name === '' ? 'default' : name;
}

/** Opens the state folder of the command line. `write`: takes the lock; `create`: makes the folder if need be. Errors: those of openFiles. */
export async function openProject(context: Context, mode: { readonly write: boolean; readonly create: boolean }): Promise<Project> {
  const { globals, host } = context;
  const folder = resolve(globals.state);
  const remembered = recall(folder);
  const uids: Project['uids'] = { next: undefined };
  const takeUid = (): string => {
    const uid = uids.next ?? crypto.randomUUID();
    uids.next = undefined;
    return uid;
  };
  const known = remembered === undefined ? { project: projectName(folder) } : { project: remembered.project, id: remembered.instance };
  const before = Date.now();
  const files = await openFiles(folder, { clock: realClock, lock: mode.write, create: mode.create, uid: takeUid, ...known });
  const isFresh = mode.create && Date.parse(files.instance.createdAt) >= before;
  const abort = new AbortController();
  const tracker = newTracker();
  const engine = await newEngine(context, files.store, files.instance, tracker, abort.signal, await host.providers());
  return {
    context,
    folder,
    files,
    store: files.store,
    namespace: globals.namespace ?? files.instance.project,
    remembered,
    isFresh,
    engine,
    tracker,
    abort,
    uids,
  };
}

/** An engine on any store, e.g. on a copy to plan with. */
export async function newEngine(
  { globals }: Context,
  store: Engine['store'],
  instance: Engine['instance'],
  tracker: Tracker,
  signal: AbortSignal,
  providers: Engine['providers'],
): Promise<Engine> {
  return {
    store,
    clock: realClock,
    instance: { id: instance.id, key: instance.key },
    providers,
    connections: newConnections(realClock),
    budgets: newBudgets(realClock),
    options: { ...DEFAULT_OPTIONS, ...(globals.pollMs === undefined ? {} : { pollMs: globals.pollMs }) },
    log: logTo(globals.logLevel ?? 'error'),
    signal,
    memory: new Map(),
    compiled: new Map(),
    track: (claim, dependsOn) => track(tracker, claim, dependsOn),
  };
}

/** Lines `level message field=value` on stderr, from this level on. */
export function logTo(least: LogLevel): Log {
  return (level, message, fields = {}) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return;
    const more = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
    process.stderr.write(`${level} ${message}${more.join('')}\n`);
  };
}

/** Ends connections and gives the lock back. */
export async function closeProject(project: Project): Promise<void> {
  await closeAll(project.engine.connections);
  await project.files.close();
}

/** The emulator that was started for this folder, from the folder's own note or from what is remembered of it. */
export function emulatorNote(project: Pick<Project, 'folder' | 'remembered'>): EmulatorNote | undefined {
  return readNote(project.folder) ?? project.remembered?.emulator;
}

/** Files that cannot be read: a run that goes on without their objects would make things twice. */
export function stateProblems(project: Project): readonly EngineError[] {
  return project.files.problems();
}

/** Where the `.env` file and the binding folder of a claim's Secret are. */
export function bindingPaths(state: string, namespace: string, binding: string): { readonly env: string; readonly folder: string } {
  return { env: join(state, 'env', namespace, `${binding}.env`), folder: join(state, 'bindings', namespace, binding) };
}
