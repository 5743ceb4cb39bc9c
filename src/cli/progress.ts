/** What a run shows while it goes on: one live line per claim on a terminal, plain lines elsewhere. */
import type { Colours, Output } from './output.ts';
import { note } from './output.ts';
import type { Standing } from './standing.ts';

export interface Line {
  readonly name: string;
  readonly standing: Standing;
  readonly text: string;
}
export interface Progress {
  readonly out: Output;
  readonly lines: Map<string, Line>;
  /** Lines that stand on the terminal now. */
  drawn: number;
}

const MARKS: Readonly<Record<Standing, string>> = { ready: '✓', held: '‖', failed: '✗', referring: '…', working: '…', gone: '−' };

export function newProgress(out: Output): Progress {
  return { out, lines: new Map(), drawn: 0 };
}

/** Notes where a claim stands; shows it when that is news. */
export function showLine(progress: Progress, key: string, line: Line): void {
  const before = progress.lines.get(key);
  if (before !== undefined && before.standing === line.standing && before.text === line.text) return;
  progress.lines.set(key, line);
  if (progress.out.live) redraw(progress);
  else note(textOf(line, progress.out.noteColours));
}

function textOf({ name, standing, text }: Line, colours: Colours): string {
  const paint = { ready: colours.green, held: colours.yellow, failed: colours.red, referring: colours.dim, working: colours.cyan, gone: colours.dim }[standing];
  return `${paint(MARKS[standing])} ${name}  ${text}`;
}

function redraw(progress: Progress): void {
  // A terminal that does not know its size says 0.
  const [columns, rows] = [process.stderr.columns || 80, process.stderr.rows || 24];
  const all = [...progress.lines.values()];
  const open = all.filter(line => line.standing !== 'ready' && line.standing !== 'gone');
  const shown = all.length < rows - 2 ? all : open.slice(0, rows - 4);
  const more = all.length > shown.length ? [`  ${all.length - open.length} of ${all.length} done`] : [];
  const lines = [...shown.map(line => cut(line, columns, progress.out.noteColours)), ...more];
  const up = progress.drawn > 0 ? `\u001b[${progress.drawn}A` : '';
  process.stderr.write(`${up}\u001b[J${lines.map(line => `${line}\n`).join('')}`);
  progress.drawn = lines.length;
}

function cut(line: Line, columns: number, colours: Colours): string {
  const room = Math.max(10, columns - line.name.length - 6);
  return textOf(line.text.length > room ? { ...line, text: `${line.text.slice(0, room - 1)}…` } : line, colours);
}

/** What is said from now on stands below the live lines. */
export function endProgress(progress: Progress): void {
  progress.drawn = 0;
}
