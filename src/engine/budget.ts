/** How many calls a ProviderConfig may make per service: token buckets that slow down when the service says so. */
import { setMaxListeners } from 'node:events';
import { EngineError } from '../core/errors.ts';
import type { Rate, Rates } from '../core/types.ts';
import type { Clock } from './clock.ts';

interface Bucket {
  readonly config: string;
  readonly service: string;
  /** Empty: the whole service. */
  readonly operation: string;
  rate: Rate;
  /** As of `atMs`; below 0 never. */
  tokens: number;
  atMs: number;
  calls: number;
  throttled: number;
  /** Share of the rate as of `slowedMs`; grows back from there. */
  share: number;
  slowedMs: number;
  readonly waiting: Set<Waiter>;
  timer: (() => void) | undefined;
}
interface Waiter {
  readonly go: () => void;
}

export interface Budgets {
  readonly clock: Clock;
  /** Told of every call that is made: the config, the service, and the operation where the provider names it. */
  readonly onCall: ((config: string, service: string, operation: string) => void) | undefined;
  readonly buckets: Map<string, Bucket>;
}

/** Calls made so far of one config and service, for status and bench. `callsPerSecond`: what is allowed at the moment. */
export interface Usage {
  readonly config: string;
  readonly service: string;
  readonly calls: number;
  readonly throttled: number;
  readonly waiting: number;
  readonly callsPerSecond: number;
}

const LEAST_SHARE = 1 / 32;
/** One burst of throttled answers is one signal. */
const SIGNAL_MS = 1_000;
/** From nothing back to the full rate. */
const RECOVERY_MS = 60_000;

/** No calls yet. */
export function newBudgets(clock: Clock, onCall?: Budgets['onCall']): Budgets {
  return { clock, onCall, buckets: new Map() };
}

/** Which budget: of a whole service without an operation. */
export interface Account {
  readonly config: string;
  readonly service: string;
  readonly operation?: string;
}

/** Waits for the next free call of this operation: within its own budget where it has one, then within that of its service. Rejects like take. */
export async function takeFor(budgets: Budgets, account: Required<Account>, rates: Rates, signal: AbortSignal): Promise<void> {
  const { config, service, operation } = account;
  const own = rates.operations?.[service]?.[operation];
  // What is rare waits first, so that nothing of the service is used up meanwhile.
  if (own !== undefined) await take(budgets, account, own, signal);
  await take(budgets, { config, service }, rates, signal);
}

/** Waits for the next free call, first come first served. Rejects with Aborted when the signal is aborted before; nothing is used up then. */
export function take(budgets: Budgets, account: Account, rate: Rate, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(aborted());
  const bucket = bucketOf(budgets, account, rate);
  refill(budgets.clock, bucket);
  if (bucket.waiting.size === 0 && isFree(bucket)) return Promise.resolve(use(bucket));
  return new Promise((resolve, reject) => {
    const waiter: Waiter = {
      go: () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      },
    };
    const onAbort = (): void => {
      bucket.waiting.delete(waiter);
      if (bucket.waiting.size === 0) stopTimer(bucket);
      reject(aborted());
    };
    setMaxListeners(0, signal);
    signal.addEventListener('abort', onAbort, { once: true });
    bucket.waiting.add(waiter);
    serve(budgets, bucket);
  });
}

function aborted(): EngineError {
  return new EngineError('Aborted', 'given up while waiting for the call budget');
}

function bucketOf(budgets: Budgets, { config, service, operation = '' }: Account, rate: Rate): Bucket {
  const key = `${config}\n${service}\n${operation}`;
  const atMs = budgets.clock.ms();
  const fresh = () => ({
    config,
    service,
    operation,
    rate,
    tokens: Math.max(1, rate.burst),
    atMs,
    calls: 0,
    throttled: 0,
    share: 1,
    slowedMs: atMs,
    waiting: new Set<Waiter>(),
  });
  const bucket: Bucket = budgets.buckets.get(key) ?? { ...fresh(), timer: undefined };
  bucket.rate = rate;
  budgets.buckets.set(key, bucket);
  return bucket;
}

function serve(budgets: Budgets, bucket: Bucket): void {
  refill(budgets.clock, bucket);
  for (const waiter of bucket.waiting) {
    if (!isFree(bucket)) break;
    use(bucket);
    bucket.waiting.delete(waiter);
    waiter.go();
  }
  if (bucket.waiting.size === 0 || bucket.timer !== undefined) return;
  const waitMs = Math.ceil(((1 - bucket.tokens) * 1000) / currentRate(budgets.clock, bucket));
  bucket.timer = budgets.clock.after(waitMs, () => {
    bucket.timer = undefined;
    serve(budgets, bucket);
  });
}

/** A hair below one counts: sums of fractions must not cost a call another round. */
const isFree = (bucket: Bucket): boolean => bucket.tokens >= 1 - 1e-9;

function use(bucket: Bucket): void {
  bucket.tokens = Math.max(0, bucket.tokens - 1);
  bucket.calls += 1;
}

function stopTimer(bucket: Bucket): void {
  bucket.timer?.();
  bucket.timer = undefined;
}

function refill(clock: Clock, bucket: Bucket): void {
  const now = clock.ms();
  bucket.tokens = Math.min(Math.max(1, bucket.rate.burst), bucket.tokens + ((now - bucket.atMs) / 1000) * currentRate(clock, bucket));
  bucket.atMs = now;
}

function currentRate(clock: Clock, bucket: Bucket): number {
  return bucket.rate.callsPerSecond * currentShare(clock, bucket);
}

function currentShare(clock: Clock, bucket: Bucket): number {
  return Math.min(1, bucket.share + (clock.ms() - bucket.slowedMs) / RECOVERY_MS);
}

/**
 * The service throttled a call: the rate is halved (once per second at most, down to 1/32) and grows back evenly, a whole rate per
 * minute. Without `service`: every service of the config that was called.
 */
export function slowDown(budgets: Budgets, config: string, service?: string): void {
  for (const bucket of budgets.buckets.values()) {
    if (bucket.config !== config || (service !== undefined && bucket.service !== service)) continue;
    bucket.throttled += 1;
    const now = budgets.clock.ms();
    if (bucket.share < 1 && now - bucket.slowedMs < SIGNAL_MS) continue;
    refill(budgets.clock, bucket);
    bucket.share = Math.max(LEAST_SHARE, currentShare(budgets.clock, bucket) / 2);
    bucket.slowedMs = now;
    // What was saved up would be spent at once, in the face of a service that asks for less.
    bucket.tokens = 0;
  }
}

/** One row per config and service, sorted; what waits for the budget of an operation waits for its service. */
export function usage(budgets: Budgets): Usage[] {
  const buckets = [...budgets.buckets.values()];
  const waiting = ({ config, service }: Bucket): number =>
    buckets.reduce((sum, other) => (other.config === config && other.service === service ? sum + other.waiting.size : sum), 0);
  const rows = [...budgets.buckets.entries()].filter(([, { operation }]) => operation === '').sort(([a], [b]) => (a < b ? -1 : 1));
  return rows.map(([, bucket]) => ({
    config: bucket.config,
    service: bucket.service,
    calls: bucket.calls,
    throttled: bucket.throttled,
    waiting: waiting(bucket),
    callsPerSecond: currentRate(budgets.clock, bucket),
  }));
}
