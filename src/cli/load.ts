/** From PATHs to objects that are known to be right, or to all that is wrong with them. Nothing is applied here. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ERRORS } from '../core/errors.ts';
import { ADMIN_KINDS } from '../core/kinds.ts';
import type { Json, JsonObject } from '../core/types.ts';
import { type Checked, checkObjects } from './check.ts';
import { closeCluster, openCluster } from './cluster.ts';
import { isCluster } from './home.ts';
import type { Context } from './host.ts';
import { type Input, readInputs } from './inputs.ts';
import { note, type Output, tell } from './output.ts';
import { decode, type InputProblem, type ParsedObject, parseText } from './yaml.ts';

export interface Loaded extends Checked {
  /** Shipped, and from earlier runs; without those that the input overrides. */
  readonly known: readonly JsonObject[];
  /** Where the input came from, as written. */
  readonly paths: readonly string[];
}

/** Reads and checks everything. Errors: those of readInputs; all else is in `problems`. */
export async function load(context: Context, paths: readonly string[]): Promise<Loaded> {
  const inputs = await readInputs(paths);
  const files = inputs.map(parseInput);
  const parsed = files.flatMap(file => file.objects);
  const [known, providers] = await Promise.all([knownObjects(context), context.host.providers()]);
  const checked = checkObjects(parsed, { objects: known, providers });
  const own = files.flatMap(file => file.problems);
  const problems = [...own, ...checked.problems, ...(own.length > 0 ? [] : emptyPaths(inputs, files, checked))];
  const given = new Set(checked.admin.map(nameOf));
  return { ...checked, problems: sorted(problems, inputs), known: known.filter(object => !given.has(nameOf(object))), paths };
}

interface File {
  readonly input: Input;
  readonly objects: readonly ParsedObject[];
  readonly problems: readonly InputProblem[];
}

function parseInput(input: Input): File {
  const text = decode(input.file, input.bytes, input.size);
  return typeof text === 'string' ? { input, ...parseText(input.file, text) } : { input, objects: [], problems: [text] };
}

/** A PATH that brings nothing is a mistake: most likely another one was meant. */
function emptyPaths(inputs: readonly Input[], files: readonly File[], { ignored, admin, claims, others }: Checked): InputProblem[] {
  const code = 'EmptyInput' as const;
  const empty = [...new Set(inputs.map(input => input.path))].filter(path => files.every(file => file.input.path !== path || file.objects.length === 0));
  const hint = ERRORS[code].hint;
  const found: InputProblem[] = empty.map(path => ({
    file: inputs.find(input => input.path === path)!.file,
    line: 1,
    column: 1,
    code,
    message: 'there is no object in it',
    hint,
  }));
  if (found.length > 0 || admin.length + claims.length + others.length > 0 || ignored.length === 0) return found;
  return [{ file: inputs[0]!.file, line: 1, column: 1, code, message: `there is no claim in it, only ${ignored.slice(0, 5).join(', ')}`, hint }];
}

const nameOf = (object: JsonObject): string => `${String(object['kind'])}/${String((object['metadata'] as JsonObject | undefined)?.['name'])}`;

function sorted(problems: readonly InputProblem[], inputs: readonly Input[]): InputProblem[] {
  const order = new Map(inputs.map(({ file }, index) => [file, index]));
  return [...problems].sort((a, b) => order.get(a.file)! - order.get(b.file)! || a.line - b.line || a.column - b.column);
}

/** What is shipped, and admin objects that earlier runs put into the state folder under other names; in a cluster, what is there. */
async function knownObjects(context: Context): Promise<JsonObject[]> {
  const { host, globals } = context;
  if (isCluster(globals)) return await inCluster(context);
  const shipped = await host.embedded();
  const names = new Set(shipped.map(nameOf));
  return [
    ...shipped,
    ...Object.keys(ADMIN_KINDS)
      .flatMap(kind => kept(resolve(globals.state), kind))
      .filter(object => !names.has(nameOf(object))),
  ];
}

/** As a person would write them: defaults and what the cluster adds stay out of the way of `plan`. */
async function inCluster(context: Context): Promise<JsonObject[]> {
  const cluster = await openCluster(context);
  try {
    const found = await Promise.all(Object.keys(ADMIN_KINDS).map(kind => cluster.store.list(kind)));
    return found.flat().map(({ metadata, status: _, ...rest }) => ({ ...rest, metadata: { name: (metadata as { name: Json }).name } }));
  } finally {
    await closeCluster(cluster);
  }
}

/** Read past the store: a command that only reads the input must not mind who works on the folder. */
function kept(folder: string, kind: string): JsonObject[] {
  const place = join(folder, 'objects', kind);
  try {
    return readdirSync(place)
      .filter(name => name.endsWith('.json'))
      .map(name => {
        const { metadata, status: _, ...rest } = JSON.parse(readFileSync(join(place, name), 'utf8')) as JsonObject;
        return { ...rest, metadata: { name: (metadata as { name: Json }).name } };
      });
  } catch {
    return [];
  }
}

/** Lines that a person reads at once; --output json has all. */
const SHOWN = 50;

/** Says what is wrong, one line each: `file:line:column: what; what to do`. */
export async function refuse(out: Output, problems: readonly InputProblem[]): Promise<void> {
  await tell(out, { valid: false, problems }, () => []);
  if (out.format !== 'table') return;
  const { red, bold } = out.noteColours;
  for (const { file, line, column, message, hint, code } of problems.slice(0, SHOWN)) {
    note(`${bold(`${file}:${line}:${column}`)}: ${message}${hint === '' ? '' : `; ${hint}`} (${code})`);
  }
  if (problems.length > SHOWN) note(`… and ${problems.length - SHOWN} more`);
  note(red(`${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}; nothing was applied`));
}

/** Tells what was left out, and what is right and may not be what was meant. */
export function tellAside({ out }: Pick<Context, 'out'>, { ignored, warnings }: Pick<Loaded, 'ignored' | 'warnings'>): void {
  const { yellow, bold } = out.noteColours;
  for (const { file, line, column, message } of warnings.slice(0, SHOWN)) note(`${bold(`${file}:${line}:${column}`)}: ${yellow('warning:')} ${message}`);
  if (warnings.length > SHOWN) note(`… and ${warnings.length - SHOWN} more warnings`);
  if (ignored.length === 0) return;
  const more = ignored.length > 5 ? ` and ${ignored.length - 5} more` : '';
  note(`not Plinth's, left alone: ${ignored.slice(0, 5).join(', ')}${more}`);
}
