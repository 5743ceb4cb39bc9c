/** What `up` says at the end: what stands, what changed, what was mended, and what to do next. */
import { EngineError } from '../core/errors.ts';
import { isOwned } from '../core/match.ts';
import type { ClaimStatus, DriftRow, JsonObject, ObjectKey } from '../core/types.ts';
import { keyOf, keyText, metadataOf } from '../engine/objects.ts';
import { allClaims } from './apply.ts';
import type { Ending } from './home.ts';
import type { ExitCode } from './host.ts';
import { approveCommand, command, namesOf, namespaceOfBareNames } from './names.ts';
import { columns, complain, note, type Output, say, shown, tell } from './output.ts';
import { bindingPaths, type Project } from './project.ts';
import type { Run } from './run.ts';
import { leavingLine, type Standing, standingOf, statusOf, troubleOf } from './standing.ts';
import { viewOf } from './view.ts';

/** Versions of the claims before the run, by keyText. */
export type Snapshot = ReadonlyMap<string, JsonObject>;

export interface Summary {
  readonly run: Run;
  readonly keys: readonly ObjectKey[];
  readonly removed: readonly ObjectKey[];
  /** In the state and not declared any more. */
  readonly undeclared: readonly JsonObject[];
  readonly before: Snapshot;
  readonly ending: Ending;
}
interface Row {
  readonly key: ObjectKey;
  readonly name: string;
  readonly object: JsonObject | undefined;
  readonly standing: Standing;
}

/** The claims as they are now. */
export async function snapshot(project: Project): Promise<Snapshot> {
  return new Map((await allClaims(project.store)).map(claim => [keyText(keyOf(claim)), claim]));
}

function rowsOf({ run, keys }: Summary): Row[] {
  return keys.map(key => {
    const seen = run.seen.get(keyText(key));
    return { key, name: run.names.get(keyText(key)) ?? key.name, object: seen?.object, standing: seen?.standing ?? standingOf(undefined, undefined) };
  });
}

/** 0 when all is ready; 3 when a change waits for approval or reported drift stands; else 1. */
export function exitOf(summary: Summary): ExitCode {
  const rows = rowsOf(summary);
  const gone = summary.removed.every(key => summary.run.seen.get(keyText(key))?.standing === 'gone');
  if (summary.ending === 'timeout' || !gone || rows.some(row => row.standing !== 'ready' && row.standing !== 'held')) return 1;
  return rows.some(row => row.standing === 'held' || openDrift(row.object).length > 0) ? 3 : 0;
}

const openDrift = (object: JsonObject | undefined): DriftRow[] =>
  object === undefined ? [] : statusOf(object).drift.filter(row => row.correctedAt === undefined);

/** Prints it all. */
export async function tellSummary(summary: Summary): Promise<void> {
  const { out, globals } = summary.run.project.context;
  const rows = rowsOf(summary);
  await tell(out, dataOf(summary, rows), () => [
    ...columns(
      [['CLAIM', 'IMPLEMENTATION', 'REAL NAME', 'READY', '.ENV FILE', 'BINDING FOLDER'], ...rows.map(row => cells(row, globals.state))],
      out.colours.dim,
    ),
  ]);
  if (out.format !== 'table') return;
  tellTroubles(rows, out, namespaceOfBareNames(summary.run.project));
  tellDrift(summary, rows);
  tellChanges(summary, rows, out);
  tellLeaving(rows, out);
  tellRest(summary, out);
}

function dataOf(summary: Summary, rows: readonly Row[]): unknown {
  return {
    ending: summary.ending,
    changed: rows.filter(row => isChanged(summary, row)).map(row => row.name),
    claims: rows.flatMap(row => (row.object === undefined ? [] : [viewOf(row.object)])),
    removed: summary.removed.map(key => `${key.kind}/${key.name}`),
    undeclared: summary.undeclared.map(nameOf),
  };
}

const nameOf = (object: JsonObject): string => `${String(object['kind'])}/${metadataOf(object).name}`;

function cells({ key, name, object, standing }: Row, state: string): string[] {
  if (object === undefined) return [name, '', '', 'no', '', ''];
  const status = statusOf(object);
  const paths = status.binding === undefined ? undefined : bindingPaths(state, key.namespace, status.binding.name);
  return [name, status.composition, mainName(status), isUsable(object, standing) ? 'yes' : 'no', paths?.env ?? '', paths?.folder ?? ''];
}

/** True also for what works and has a change that waits. */
function isUsable(object: JsonObject | undefined, standing: Standing): boolean {
  if (object === undefined) return false;
  return standing === 'ready' || standing === 'held' || statusOf(object).conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** The real thing that carries the claim's own name: the one whose name has no id. */
function mainName({ resources }: ClaimStatus): string {
  const owned = resources.filter(isOwned).filter(entry => entry.phase !== 'Retiring' && entry.phase !== 'Deleting');
  return [...owned].sort((a, b) => a.name.length - b.name.length)[0]?.name ?? '';
}

function tellTroubles(rows: readonly Row[], out: Output, bare: string | undefined): void {
  for (const { key, name, object, standing } of rows) {
    if (object === undefined || standing === 'ready') continue;
    const { conditions, pendingPlan } = statusOf(object);
    const trouble = troubleOf(conditions);
    const paint = standing === 'held' ? out.colours.yellow : out.colours.red;
    say(out, `${paint(name)}: ${trouble === undefined ? 'not looked at yet' : `${trouble.message || 'waiting'} (${trouble.reason})`}`);
    if (pendingPlan !== undefined) say(out, `  to let it go ahead: ${approveCommand(key, pendingPlan.hash, bare)}`);
  }
}

function tellLeaving(rows: readonly Row[], out: Output): void {
  for (const { name, object } of rows) {
    const leaving = object === undefined ? undefined : leavingLine(object, `by a later \`${command()} up\``);
    if (leaving !== undefined) say(out, `${name}: ${leaving}.`);
  }
}

function tellDrift({ before }: Summary, rows: readonly Row[]): void {
  for (const { key, name, object } of rows) {
    if (object === undefined) continue;
    const old = before.get(keyText(key));
    const known = old === undefined ? [] : statusOf(old).drift;
    for (const row of statusOf(object).drift) {
      const isOld = known.some(
        item => item.resource === row.resource && item.path === row.path && item.detectedAt === row.detectedAt && item.correctedAt === row.correctedAt,
      );
      if (!isOld) note(`drift: ${driftText(name, row)}`);
    }
  }
}

/** `Queue/orders queue.visibilityTimeoutSeconds: 45 found outside, put back to 60`. */
export function driftText(name: string, { resource, path, desired, observed, correctedAt }: DriftRow): string {
  const place = path === '' ? resource : `${resource}.${path}`;
  if (path === '') return `${name} ${place}: removed outside${correctedAt === undefined ? '' : ', made again'}`;
  const found = observed === undefined && desired === undefined ? 'changed outside' : `${shown(observed)} found, ${shown(desired)} declared`;
  return `${name} ${place}: ${found}${correctedAt === undefined ? '; only reported' : '; put back'}`;
}

function isChanged({ before }: Summary, { key, object }: Row): boolean {
  const old = before.get(keyText(key));
  if (object === undefined || old === undefined) return true;
  return JSON.stringify(old['status']) !== JSON.stringify(object['status']);
}

function tellChanges(summary: Summary, rows: readonly Row[], out: Output): void {
  if (summary.ending === 'timeout') {
    complain(out, timedOut(rows));
    return;
  }
  const changed = rows.filter(row => isChanged(summary, row)).length;
  const held = rows.filter(row => row.standing === 'held').length;
  const waits = held === 0 ? '' : `, ${held} with a change that waits for approval`;
  const ready = `${rows.filter(row => isUsable(row.object, row.standing)).length} of ${rows.length} claims ready${waits}`;
  say(out, changed === 0 && summary.removed.length === 0 ? `\nNothing changed: ${ready}, everything only read.` : `\n${ready}.`);
}

function timedOut(rows: readonly Row[]): EngineError {
  const open = rows.filter(row => row.standing !== 'ready' && row.standing !== 'held').length;
  return new EngineError(
    'TimedOut',
    open === 0 ? 'not everything came to rest within --timeout' : `${open} of ${rows.length} claims are not ready within --timeout`,
  );
}

function tellRest({ undeclared, removed, run, keys }: Summary, out: Output): void {
  const gone = removed.filter(key => run.seen.get(keyText(key))?.standing === 'gone');
  const listed = (list: readonly ObjectKey[]): string => [...namesOf(list, run.project.namespace).values()].join(', ');
  if (gone.length > 0) say(out, `Removed: ${listed(gone)}.`);
  if (undeclared.length > 0) say(out, `No longer declared, left as they are: ${listed(undeclared.map(keyOf))}. Remove with --prune.`);
  const first = keys[0];
  const example = first === undefined ? '' : `, ${out.colours.bold(`${command()} trace ${first.kind}/${first.name}`)}`;
  say(out, `Look: ${out.colours.bold(`${command()} status`)}${example}. Stop: ${out.colours.bold(`${command()} down`)}.`);
}
