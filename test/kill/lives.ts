/** Every point at which a run can be killed, laid out over as few lives as will do. Pure. */
import type { Phase } from './claims.ts';
import type { Lived, Plan, Point } from './life.ts';

export const PHASES: readonly Phase[] = ['create', 'update', 'delete'];

/** How many more indexes than the run without a kill had: what runs at once varies a little, and a run that ends before its index shows it. */
const MARGIN = 2;

/** All points of a phase that makes so many mutating calls and state writes. */
export function pointsOf({ calls, writes }: Pick<Lived, 'calls' | 'writes'>): Point[] {
  const seams = [
    ['call', calls],
    ['write', writes],
  ] as const;
  return seams.flatMap(([seam, most]) =>
    Array.from({ length: most + MARGIN }, (_, index) => index + 1).flatMap(index => (['before', 'after'] as const).map(when => ({ seam, when, index }))),
  );
}

/** One life kills once in each of its phases; it ends with the last phase that has a point left, and leaves out the update when that has none. */
export function livesFor(points: Readonly<Record<Phase, readonly Point[]>>): Plan['points'][] {
  const count = Math.max(...PHASES.map(phase => points[phase].length));
  return Array.from({ length: count }, (_, life) => {
    const last = PHASES.findLastIndex(phase => life < points[phase].length);
    const phases = PHASES.slice(0, last + 1).filter(phase => phase !== 'update' || life < points.update.length);
    return Object.fromEntries(phases.map(phase => [phase, points[phase][life] ?? 'none'] as const));
  });
}

/** `after the answer of call 12`. */
export function placeOf(point: Point | 'none'): string {
  return point === 'none' ? 'not killed' : `killed ${point.when} ${point.seam === 'call' ? 'the answer of ' : ''}${point.seam} ${point.index}`;
}

/** Every n-th index of each phase, before and after it. */
export function thinned(points: Readonly<Record<Phase, readonly Point[]>>, stride: number): Record<Phase, Point[]> {
  return Object.fromEntries(PHASES.map(phase => [phase, points[phase].filter(point => point.index % stride === 0)])) as Record<Phase, Point[]>;
}

/** Of a run without a kill: how much of it every run reaches. The last tenth may be past the end of one that got along with a little less. */
const SURE_SHARE = 0.9;

/** How many of the thinned points are hit for certain; fewer kills than that mean that runs ended before the index they were to be killed at. */
export function sureKills(points: Readonly<Record<Phase, readonly Point[]>>, stride: number): number {
  const lists = PHASES.flatMap(phase => (['call', 'write'] as const).map(seam => points[phase].filter(point => point.seam === seam)));
  const sure = lists.map(list => {
    const most = Math.max(0, ...list.map(({ index }) => index)) - MARGIN;
    return list.filter(({ index }) => index % stride === 0 && index <= most * SURE_SHARE).length;
  });
  return sure.reduce((sum, count) => sum + count, 0);
}

/** `40 kills (create 20, update 10, delete 10)`. */
export function killsOf(lived: readonly Lived[]): string {
  const killed = lived.filter(phase => phase.killed);
  return `${killed.length} kills (${PHASES.map(phase => `${phase} ${killed.filter(one => one.phase === phase).length}`).join(', ')})`;
}

/** What is wrong, phase by phase, as a text that is empty when all is well. */
export function wrongsOf(lived: readonly Lived[]): string {
  const bad = lived.filter(phase => phase.wrongs.length > 0);
  return bad.map(({ phase, point, wrongs }) => `${phase} ${placeOf(point)}:\n  ${wrongs.join('\n  ')}`).join('\n');
}
