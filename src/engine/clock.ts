/** Time, injected: the engine never asks the machine itself, so that a simulation can run a day in a second. */
import type { Timestamp } from '../core/types.ts';

export interface Clock {
  /** Wall time, for what is written down. It may jump. */
  now(): Timestamp;
  /** Monotonic milliseconds since some fixed moment, for deadlines and budgets. */
  ms(): number;
  /** Runs once after `ms` milliseconds (at the earliest in a later task); the answer cancels it, harmless when it ran already. */
  after(ms: number, run: () => void): () => void;
}

/** What setTimeout can hold; a longer wait ends early, which callers must bear with any timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => new Date().toISOString(),
  ms: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
