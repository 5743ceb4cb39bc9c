/** Runs the engine on a project until what is asked for stands, with progress. */

import { isError } from '../core/errors.ts';
import type { Schedule } from '../core/report.ts';
import type { ClaimKey, JsonObject, ObjectKey } from '../core/types.ts';
import { watchThings } from '../engine/clients.ts';
import { type Controller, settled, startController, stopController, wake } from '../engine/controller.ts';
import { keyOf, keyText, metadataOf } from '../engine/objects.ts';
import { reconcile } from '../engine/reconcile.ts';
import { allClaims } from './apply.ts';
import type { Ending } from './home.ts';
import { note } from './output.ts';
import { endProgress, newProgress, type Progress, showLine } from './progress.ts';
import type { Project } from './project.ts';
import { type Standing, standingOf, statusOf, troubleOf } from './standing.ts';

/** What was last seen of a claim. */
export interface Seen {
  readonly key: ClaimKey;
  readonly object: JsonObject | undefined;
  readonly standing: Standing;
}
export interface Run {
  readonly project: Project;
  readonly controller: Controller;
  readonly progress: Progress;
  /** By keyText: every claim that was looked at in this run. */
  readonly seen: Map<string, Seen>;
  /** Called at each change of `seen`. */
  readonly listeners: Set<() => void>;
  /** How each claim of interest is named in lines; others are worked silently. */
  readonly names: ReadonlyMap<string, string>;
  /** By keyText: the version of each claim before the run. */
  readonly before: ReadonlyMap<string, string>;
}

const STOP_MS = 5_000;
const WORKERS = 8;
const ONE_LOOK_MS = 60_000;

/** Starts to work every claim of the project. `names`: those shown, by keyText. */
export async function startRun(project: Project, names: ReadonlyMap<string, string>): Promise<Run> {
  const { context, engine, tracker } = project;
  const kinds = new Set<string>();
  for (const definition of await project.store.list('ClaimDefinition')) kinds.add(String((definition['spec'] as JsonObject)['kind']));
  const before = new Map((await allClaims(project.store)).map(claim => [keyText(keyOf(claim)), metadataOf(claim).resourceVersion]));
  const base = { project, progress: newProgress(context.out), seen: new Map<string, Seen>(), listeners: new Set<() => void>(), names, before };
  const controller = await startController({
    store: project.store,
    clock: engine.clock,
    random: Math.random,
    tracker,
    isClaim: kind => kinds.has(kind),
    reconcileOne: async key => look(base, key, await reconcile(engine, key)),
    onError: (key, error) => showFailure(base, key, error),
    concurrency: context.globals.workers ?? WORKERS,
    stopMs: STOP_MS,
  });
  watchThings(engine.connections, engine.instance.id, key => wake(controller, key));
  controller.running.signal.addEventListener('abort', () => project.abort.abort());
  return { ...base, controller };
}

async function look(run: Omit<Run, 'controller'>, key: ClaimKey, schedule: Schedule): Promise<Schedule> {
  const object = await run.project.store.get(key);
  const standing = standingOf(object, schedule);
  run.seen.set(keyText(key), { key, object, standing });
  const name = run.names.get(keyText(key));
  if (name !== undefined && !isOldNews(run, key, object, standing)) showLine(run.progress, keyText(key), { name, standing, text: textOf(object, standing) });
  for (const listener of run.listeners) listener();
  return schedule;
}

/** Ready before and ready now, without a change: worth a live line, but none in a log. */
function isOldNews({ progress, before }: Omit<Run, 'controller'>, key: ClaimKey, object: JsonObject | undefined, standing: Standing): boolean {
  if (progress.out.live || standing !== 'ready' || object === undefined || progress.lines.has(keyText(key))) return false;
  return before.get(keyText(key)) === metadataOf(object).resourceVersion;
}

/** A reconcile that could not even be told of in the claim's status. */
function showFailure(run: Omit<Run, 'controller'>, key: ClaimKey, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  run.project.engine.log('warn', `${key.kind}/${key.name}: ${text}`);
  const name = run.names.get(keyText(key));
  if (name !== undefined && !isError(error, 'StoreConflict'))
    showLine(run.progress, keyText(key), { name, standing: 'working', text: `trying again: ${text}` });
}

/** What a line says of a claim. */
export function textOf(object: JsonObject | undefined, standing: Standing): string {
  if (object === undefined) return 'deleted';
  const { conditions, pendingPlan } = statusOf(object);
  if (standing === 'ready') return 'ready';
  if (standing === 'held' && pendingPlan !== undefined) return `a change waits for approval: ${pendingPlan.summary.join('; ')}`;
  const trouble = troubleOf(conditions);
  return trouble === undefined ? 'working' : trouble.message || trouble.reason;
}

/** Waits until each of the claims stands still: ready, held, failed or gone; or waiting for another that does. `timeoutMs` 0: one look at each. */
export async function waitForAll(run: Run, keys: readonly ObjectKey[], limits: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<Ending> {
  const { clock } = run.project.engine;
  const until = clock.ms() + limits.timeoutMs;
  for (;;) {
    if (limits.signal.aborted) return 'interrupted';
    if (isStill(run, keys)) {
      await settled(run.controller);
      if (isStill(run, keys)) return 'settled';
    }
    const rest = until - clock.ms();
    // A timeout of 0 is one look at each: how long that takes is bounded by its calls.
    const isOnce = limits.timeoutMs === 0 && keys.some(key => !run.seen.has(keyText(key)));
    if (rest <= 0 && !isOnce) return 'timeout';
    await nextChange(run, isOnce ? ONE_LOOK_MS : rest, limits.signal);
  }
}

/** Waiting for a reference is rest only when nobody works on what is waited for. */
function isStill(run: Run, keys: readonly ObjectKey[]): boolean {
  return keys.every(key => {
    const seen = run.seen.get(keyText(key));
    return seen !== undefined && seen.standing !== 'working';
  });
}

function nextChange(run: Run, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      run.listeners.delete(end);
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = run.project.engine.clock.after(ms, end);
    run.listeners.add(end);
    signal.addEventListener('abort', end, { once: true });
  });
}

/** Ends the work in an orderly way; says so when something had to be cut off. */
export async function endRun(run: Run): Promise<void> {
  endProgress(run.progress);
  if (!(await stopController(run.controller))) note('some calls did not end in time; the next run looks at what they did');
}
