/** How commands speak: results on stdout, everything about the work itself on stderr, colours only on a terminal. */
import colours from 'picocolors';
import { EngineError, isError } from '../core/errors.ts';
import type { Json } from '../core/types.ts';

export type Format = 'table' | 'json' | 'yaml';
export const FORMATS: readonly Format[] = ['table', 'json', 'yaml'];
export type Colours = ReturnType<typeof colours.createColors>;

export interface Output {
  readonly format: Format;
  /** For stdout. */
  readonly colours: Colours;
  /** For stderr. */
  readonly noteColours: Colours;
  /** Stderr is a terminal on which lines may be written again. */
  readonly live: boolean;
}

/** Colours and live lines as the environment allows: NO_COLOR, TERM=dumb and CI are honoured. */
export function newOutput(format: Format, env: NodeJS.ProcessEnv = process.env): Output {
  const plain = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const isCi = (env['CI'] ?? '') !== '' && env['CI'] !== 'false';
  return {
    format,
    colours: colours.createColors(!plain && process.stdout.isTTY === true),
    noteColours: colours.createColors(!plain && process.stderr.isTTY === true),
    live: process.stderr.isTTY === true && !isCi && env['TERM'] !== 'dumb',
  };
}

/** One line of the result for people; nothing with --output json or yaml. */
export function say(out: Output, line = ''): void {
  if (out.format === 'table') process.stdout.write(`${line}\n`);
}

/** One line about the work, whatever the format. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The result: as data when data is asked for, else as `human` writes it. */
export async function tell(out: Output, data: unknown, human: () => readonly string[]): Promise<void> {
  if (out.format === 'table') {
    for (const line of human()) process.stdout.write(`${line}\n`);
  } else if (out.format === 'json') {
    process.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
  } else {
    process.stdout.write(await yamlText(data as Json));
  }
}

/** The value as a YAML document. */
export async function yamlText(value: Json): Promise<string> {
  const { toYaml } = await import('./yaml-text.ts');
  return toYaml(value);
}

/** Rows as columns, two blanks between them; the first row is the head. */
export function columns(rows: readonly (readonly string[])[], head?: (text: string) => string): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => width(row[column] ?? '')))) ?? [];
  return rows.map((row, index) => {
    const line = row
      .map((cell, column) => cell + ' '.repeat(column === row.length - 1 ? 0 : widths[column]! - width(cell)))
      .join('  ')
      .trimEnd();
    return index === 0 && head !== undefined ? head(line) : line;
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes take no room
const COLOUR = /\u001b\[[0-9;]*m/g;
const width = (text: string): number => [...text.replace(COLOUR, '')].length;

/** What went wrong, on stderr: message, then what to do next. */
export function complain(out: Output, error: unknown): void {
  const { red, dim } = out.noteColours;
  const text = error instanceof Error ? error.message : String(error);
  note(`${red('error:')} ${isError(error) ? `${text} ${dim(`(${error.code})`)}` : text}`);
  if (error instanceof EngineError && error.hint !== '') note(`  ${error.hint}`);
}

/** A value in a line: JSON, cut when long; `nothing` where there is none. */
export function shown(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' && /^[\w@%+=:,./-]+$/.test(value) ? value : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
