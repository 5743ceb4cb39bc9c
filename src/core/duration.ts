/** Lengths of time as people write them. Pure. */

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000 };
/** The form of a lifetime: days, hours, minutes in that order, e.g. `7d` or `1d12h`. */
export const DURATION = '^([1-9][0-9]{0,3}d)?([1-9][0-9]{0,4}h)?([1-9][0-9]{0,5}m)?$';

/** ms of a text in the form of DURATION; 0 for an empty one. */
export function durationMs(text: string): number {
  return [...text.matchAll(/(\d+)([dhm])/g)].reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0);
}
