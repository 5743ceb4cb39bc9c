/** One figure of the bench: a value beside what is asked of it. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Absent: a figure that is only told. */
  readonly goal?: { readonly most: number } | { readonly least: number };
  /** What it was compared with, or how it came about. */
  readonly note?: string;
}

/** A figure without a goal is never missed. */
export function isMet({ value, goal }: Figure): boolean {
  if (goal === undefined) return true;
  return 'most' in goal ? value <= goal.most : value >= goal.least;
}

/** The figures as lines of a table in Markdown. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(figure => [figure.name, `${shown(figure.value)} ${figure.unit}`.trim(), goalText(figure), verdict(figure), figure.note ?? '']);
  const all = [['figure', 'value', 'goal', 'met', 'note'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map(row => row[column]!.length)));
  const lines = all.map(row => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
  return [lines[0], `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`, ...lines.slice(1)].join('\n');
}

function goalText({ goal }: Figure): string {
  if (goal === undefined) return '';
  return 'most' in goal ? `≤ ${goal.most}` : `≥ ${goal.least}`;
}

function verdict(figure: Figure): string {
  if (figure.goal === undefined) return '';
  return isMet(figure) ? 'yes' : 'NO';
}

/** Three significant digits; whole numbers from 100 on. */
function shown(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString();
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
