/** Every point at which a run can be killed, or one of each class, laid out over as few lives as will do. Pure. */
import type { Phase } from './claims.ts';
import type { Lived, Plan, Point } from './life.ts';

export const PHASES: readonly Phase[] = ['create', 'update', 'delete'];
/** `sure`: how likely a run gets to it, from 0 to 1. */
export interface ChosenPoint extends Point {
  readonly sure: number;
}
export type Points = Readonly<Record<Phase, readonly ChosenPoint[]>>;
/** What a run without a kill did: the classes of its calls and writes. */
export type Done = Pick<Lived, 'calls' | 'writes'>;

/** How many more indexes than the run without a kill had: what runs at once varies a little, and a run that ends before its index shows it. */
const MARGIN = 2;
const WHENS = ['before', 'after'] as const;
/** Of a run without a kill: how much of it every run reaches. The last tenth may be past the end of one that got along with a little less. */
const SURE_SHARE = 0.9;
/** Every run makes calls of the same classes; in which steps it writes what it knows of a claim is a matter of chance. */
const SURE = { call: 1, write: 0.5 } as const;

/** By phase, what to choose from each run without a kill. */
export function pointsIn(runs: readonly (Done & { readonly phase: Phase })[], choose: (done: Done) => ChosenPoint[]): Points {
  const of = (phase: Phase): ChosenPoint[] => runs.filter(run => run.phase === phase).flatMap(choose);
  return { create: of('create'), update: of('update'), delete: of('delete') };
}

/** Every n-th index of each seam, before and after it. */
export function pointsByIndex(stride: number): (done: Done) => ChosenPoint[] {
  return ({ calls, writes }) => [...indexes('call', calls.length, stride), ...indexes('write', writes.length, stride)];
}

function indexes(seam: Point['seam'], most: number, stride: number): ChosenPoint[] {
  const count = Math.floor((most + MARGIN) / stride);
  const sure = (index: number): number => (index <= most * SURE_SHARE ? 1 : 0);
  return Array.from({ length: count }, (_, n) => (n + 1) * stride).flatMap(index => WHENS.map(when => ({ seam, when, index, sure: sure(index) })));
}

/**
 * One of each class, that in the middle: something is done by then and something is not. By turns before and after it; `first` is what comes first, so
 * that of two engines with the same classes one dies before each call and the other after it.
 */
export function pointsByClass(first: Point['when']): (done: Done) => ChosenPoint[] {
  const whens = first === 'before' ? WHENS : WHENS.toReversed();
  const byTurns = (seam: Point['seam'], done: readonly string[]): ChosenPoint[] =>
    middles(done).map((middle, n) => ({ seam, when: whens[n % 2]!, ...middle, sure: SURE[seam] }));
  return ({ calls, writes }) => [...byTurns('call', calls), ...byTurns('write', writes)];
}

function middles(done: readonly string[]): Required<Pick<Point, 'index' | 'of'>>[] {
  return [...new Set(done)].sort().map(of => ({ index: Math.ceil(done.filter(one => one === of).length / 2), of }));
}

/** Every n-th of the points of a phase, beginning with the first. */
export function everyNth(points: Points, n: number): Points {
  const some = (phase: Phase): ChosenPoint[] => points[phase].filter((_, index) => index % n === 0);
  return { create: some('create'), update: some('update'), delete: some('delete') };
}

/** One life kills once in each of its phases; it ends with the last phase that has a point left, and leaves out the update when that has none. */
export function livesFor(points: Points): Plan['points'][] {
  const count = Math.max(...PHASES.map(phase => points[phase].length));
  return Array.from({ length: count }, (_, life) => {
    const last = PHASES.findLastIndex(phase => life < points[phase].length);
    const phases = PHASES.slice(0, last + 1).filter(phase => phase !== 'update' || life < points.update.length);
    return Object.fromEntries(phases.map(phase => [phase, points[phase][life] ?? 'none'] as const));
  });
}

/** `killed after the answer of call 12`, `killed before write 2 (write claims Intended)`. */
export function placeOf(point: Point | 'none'): string {
  if (point === 'none') return 'not killed';
  const { seam, when, index, of } = point;
  return `killed ${when} ${seam === 'call' ? 'the answer of ' : ''}${seam} ${index}${of === undefined ? '' : ` (${of})`}`;
}

/** How many points are hit for certain; fewer kills than that mean that runs ended before the index they were to be killed at. */
export function sureKills(points: Points): number {
  const sum = (some: readonly ChosenPoint[]): number => Math.floor(some.reduce((all, { sure }) => all + sure, 0));
  return PHASES.reduce((all, phase) => all + sum(points[phase]), 0);
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
