/** A clock for unit tests that moves only when told. */
import type { Clock } from './clock.ts';

export interface TestClock extends Clock {
  /** Lets `ms` pass: runs what is due, in order, and after each lets everything that waits go on. */
  pass(ms: number): Promise<void>;
  /** Timers that are set. */
  pending(): number;
}

/** Starts at 0. */
export function testClock(): TestClock {
  const state = { ms: 0, timers: new Set<{ dueMs: number; run: () => void }>() };
  return {
    now: () => new Date(Date.UTC(2026, 0, 1) + state.ms).toISOString(),
    ms: () => state.ms,
    after: (ms, run) => {
      const timer = { dueMs: state.ms + Math.max(0, ms), run };
      state.timers.add(timer);
      return () => state.timers.delete(timer);
    },
    pass: ms => pass(state, state.ms + ms),
    pending: () => state.timers.size,
  };
}

async function pass(state: { ms: number; readonly timers: Set<{ dueMs: number; run: () => void }> }, untilMs: number): Promise<void> {
  await breath();
  for (;;) {
    const due = [...state.timers].filter(timer => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
    if (due === undefined) break;
    state.timers.delete(due);
    state.ms = Math.max(state.ms, due.dueMs);
    due.run();
    await breath();
  }
  state.ms = untilMs;
}

/** Everything that only waits for promises goes on. */
export function breath(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
