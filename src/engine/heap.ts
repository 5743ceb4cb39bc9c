/** How much memory the process lets garbage take. */
import { setFlagsFromString } from 'node:v8';

/** Old objects may grow by this much before they are collected; left to itself V8 lets them double and more. */
const GROWTH_PERCENT = 30;

/** Holds the heap near what is in use, for a few percent of computing time. Call it first of all. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
