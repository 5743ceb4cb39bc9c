/** Time of a simulation: it moves only when the driver says so, from one timer to the next. */
import type { Clock } from '../../src/engine/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}
export interface SimulatedClock extends Clock {
  /** Moves to the next timer and runs it; false when there is none. */
  step(): boolean;
}

const START = Date.UTC(2026, 0, 1);

export function simulatedClock(): SimulatedClock {
  const timers = new Set<Timer>();
  const state = { ms: 0, order: 0 };
  return {
    now: () => new Date(START + state.ms).toISOString(),
    ms: () => state.ms,
    after: (ms, run) => {
      state.order += 1;
      const timer = { dueMs: state.ms + Math.max(0, ms), order: state.order, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    step: () => {
      let next: Timer | undefined;
      for (const timer of timers) if (next === undefined || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) next = timer;
      if (next === undefined) return false;
      timers.delete(next);
      state.ms = Math.max(state.ms, next.dueMs);
      next.run();
      return true;
    },
  };
}

/** The clock as one process has it: its timers die with it. */
export function clockOf(clock: Clock, process: { readonly alive: boolean }): Clock {
  return {
    now: clock.now,
    ms: clock.ms,
    after: (ms, run) => clock.after(ms, () => (process.alive ? run() : undefined)),
  };
}

/** Everything that only waits for promises goes on. No timer of the machine is involved. */
export function breath(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
