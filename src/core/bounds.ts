/** What keeps a status small enough for its object: long texts are cut, in one place. Pure. */
import type { ClaimStatus, DriftRow, InventoryEntry, Json } from './types.ts';

/** DESIGN 4.9: bytes of a status. */
export const STATUS_BYTES = 128 * 1024;
/** Always the same, since rows are compared with those on record. */
const DRIFT_BYTES = 160;
const SUMMARY_LINES = 10;
/** Bytes of a message of a condition, of an entry, and of a line of a plan. */
interface Limits {
  readonly condition: number;
  readonly entry: number;
  readonly line: number;
}
/** The first with which the whole fits counts, else the last. */
const LIMITS: readonly Limits[] = [
  { condition: 4_096, entry: 1_024, line: 500 },
  { condition: 1_024, entry: 256, line: 200 },
  { condition: 512, entry: 64, line: 100 },
  { condition: 256, entry: 0, line: 50 },
];

/** The status with its texts cut so that they do not take it over the bound. Idempotent: what was read back is cut the same. */
export function boundedStatus(status: ClaimStatus): ClaimStatus {
  const fitting = LIMITS.find(limits => new TextEncoder().encode(JSON.stringify(within(status, limits))).length <= STATUS_BYTES);
  return within(status, fitting ?? LIMITS.at(-1)!);
}

function within(status: ClaimStatus, limits: Limits): ClaimStatus {
  const { conditions, resources, drift, pendingPlan } = status;
  return {
    ...status,
    conditions: conditions.map(condition => ({ ...condition, message: cut(condition.message, limits.condition) })),
    resources: resources.map(entry => withMessage(entry, limits.entry)),
    drift: drift.map(boundedRow),
    ...(pendingPlan === undefined ? {} : { pendingPlan: { ...pendingPlan, summary: boundedLines(pendingPlan.summary, limits.line) } }),
  };
}

/** A value as a drift row shows it: one that is too long becomes the beginning of its text. */
export function boundedValue<T extends Json | undefined>(value: T): T | string {
  if (value === undefined) return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const short = cut(text, DRIFT_BYTES);
  return short === text ? value : short;
}

function boundedRow({ desired, observed, ...row }: DriftRow): DriftRow {
  return {
    ...row,
    ...(desired === undefined ? {} : { desired: boundedValue(desired) }),
    ...(observed === undefined ? {} : { observed: boundedValue(observed) }),
  };
}

function boundedLines(lines: readonly string[], most: number): string[] {
  const short = lines.slice(0, SUMMARY_LINES).map(line => cut(line, most));
  return lines.length <= SUMMARY_LINES ? short : [...short.slice(0, -1), `and ${lines.length - SUMMARY_LINES + 1} more`];
}

function withMessage<T extends InventoryEntry>(entry: T, most: number): T {
  const message = cut(entry.message, most);
  return message === entry.message ? entry : { ...entry, message };
}

/** The beginning of a text that takes at most so many bytes as JSON, the sign of the cut included; whole characters only. */
export function cut(text: string, most: number): string {
  if (text.length * 6 <= most || sizeOf(text) <= most) return text;
  let size = sizeOf('…');
  let kept = '';
  for (const character of text) {
    size += sizeOf(character);
    if (size > most) break;
    kept += character;
  }
  return most < sizeOf('…') ? '' : `${kept}…`;
}

const sizeOf = (text: string): number => new TextEncoder().encode(JSON.stringify(text)).length - 2;
