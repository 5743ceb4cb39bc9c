/** A work queue by key: no key is worked by two at once, failures back off, and many adds make one run. */
import type { Clock } from './clock.ts';

export interface QueueOptions {
  readonly clock: Clock;
  /** Works one key. A rejection is a failure: the key comes back after its backoff. */
  readonly work: (key: string) => Promise<void>;
  /** Told of each rejection of `work`. */
  readonly onError?: (key: string, error: unknown) => void;
  /** Keys worked at once. */
  readonly concurrency: number;
  /** In [0, 1): where jitter comes from. */
  readonly random: () => number;
  /** First and longest backoff, ms; 1 s and 5 min by default. */
  readonly baseMs?: number;
  readonly maxMs?: number;
}

export interface Queue {
  readonly options: QueueOptions;
  /** Due, in the order they are worked, and since when, by the clock's milliseconds. */
  readonly ready: Map<string, number>;
  readonly running: Set<string>;
  /** Added while being worked: worked once more afterwards. */
  readonly again: Set<string>;
  readonly delayed: Map<string, { readonly dueMs: number; readonly cancel: () => void }>;
  readonly failures: Map<string, number>;
  readonly waiters: (() => void)[];
  closed: boolean;
}

/** An empty queue. */
export function openQueue(options: QueueOptions): Queue {
  return { options, ready: new Map(), running: new Set(), again: new Set(), delayed: new Map(), failures: new Map(), waiters: [], closed: false };
}

/** Adds a key, due in `afterMs` (now by default). Of several adds of one key the soonest counts. Ignored once the queue is closed. */
export function add(queue: Queue, key: string, afterMs = 0): void {
  if (queue.closed) return;
  if (afterMs > 0) addLater(queue, key, afterMs);
  else addNow(queue, key);
}

function addNow(queue: Queue, key: string): void {
  cancelDelayed(queue, key);
  if (queue.running.has(key)) queue.again.add(key);
  else if (!queue.ready.has(key)) queue.ready.set(key, queue.options.clock.ms());
  // Not at once: whoever adds goes on first, and what it adds twice is one run.
  queueMicrotask(() => pump(queue));
}

function addLater(queue: Queue, key: string, afterMs: number): void {
  if (queue.ready.has(key) || queue.again.has(key)) return;
  const dueMs = queue.options.clock.ms() + afterMs;
  const known = queue.delayed.get(key);
  if (known !== undefined && known.dueMs <= dueMs) return;
  known?.cancel();
  queue.delayed.set(key, { dueMs, cancel: queue.options.clock.after(afterMs, () => add(queue, key)) });
}

function cancelDelayed(queue: Queue, key: string): void {
  queue.delayed.get(key)?.cancel();
  queue.delayed.delete(key);
}

/**
 * Counts a failure of the key and adds it after its backoff, at least `leastMs`: a random part (full jitter) of 1 s, doubled per failure
 * in a row up to 5 min. Returns the wait, ms.
 */
export function backOff(queue: Queue, key: string, leastMs = 0): number {
  const { random, baseMs = 1_000, maxMs = 300_000 } = queue.options;
  const failures = queue.failures.get(key) ?? 0;
  queue.failures.set(key, failures + 1);
  const waitMs = Math.max(leastMs, 1, random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)));
  add(queue, key, waitMs);
  return waitMs;
}

/** Forgets the failures of a key: its next backoff is the first again. */
export function succeed(queue: Queue, key: string): void {
  queue.failures.delete(key);
}

function pump(queue: Queue): void {
  for (const key of queue.ready.keys()) {
    if (queue.running.size >= queue.options.concurrency) return;
    queue.ready.delete(key);
    queue.running.add(key);
    void run(queue, key);
  }
  if (isIdle(queue)) for (const wake of queue.waiters.splice(0)) wake();
}

async function run(queue: Queue, key: string): Promise<void> {
  try {
    await queue.options.work(key);
  } catch (error) {
    queue.options.onError?.(key, error);
    backOff(queue, key);
  } finally {
    queue.running.delete(key);
    if (queue.again.delete(key)) add(queue, key);
    pump(queue);
  }
}

function isIdle(queue: Queue): boolean {
  return queue.running.size === 0 && queue.ready.size === 0;
}

/** Resolves as soon as nothing is being worked and nothing is due; what is delayed does not count. */
export function idle(queue: Queue): Promise<void> {
  return isIdle(queue) ? Promise.resolve() : new Promise(resolve => queue.waiters.push(resolve));
}

/** Takes no more keys, drops what is not begun, and resolves when nothing is being worked. */
export function closeQueue(queue: Queue): Promise<void> {
  queue.closed = true;
  queue.ready.clear();
  queue.again.clear();
  for (const key of [...queue.delayed.keys()]) cancelDelayed(queue, key);
  return idle(queue);
}
