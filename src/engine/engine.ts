/** What every part of the engine is handed: the ports, the providers and what is remembered between passes. */
import type { EngineError } from '../core/errors.ts';
import type { CompiledComposition, JsonObject, ObjectKey, Provider, Timestamp } from '../core/types.ts';
import type { Budgets } from './budget.ts';
import type { Connections } from './clients.ts';
import type { Clock } from './clock.ts';
import type { Store } from './store.ts';

export interface Options {
  /** Between looks at a claim that is fine, ms. */
  readonly pollMs: number;
  /** Bound of one verb, ms. */
  readonly callTimeoutMs: number;
  /** Verbs at once per claim. */
  readonly concurrency: number;
  /** Marks and other costly fields are read every n-th pass. */
  readonly fullEvery: number;
}
export const DEFAULT_OPTIONS: Options = { pollMs: 60_000, callTimeoutMs: 30_000, concurrency: 8, fullEvery: 10 };

/** What is remembered of a claim between passes; losing it costs a full look. */
export interface Memory {
  readonly passes: number;
  readonly failedReads: number;
  /** See PlanInput. */
  readonly quietSince: Timestamp;
  readonly lastTries: ReadonlyMap<string, Timestamp>;
}
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: JsonObject) => void;

export interface Engine {
  readonly store: Store;
  readonly clock: Clock;
  /** `key`: for HMACs; never leaves the engine. */
  readonly instance: { readonly id: string; readonly key: string };
  readonly providers: ReadonlyMap<string, Provider>;
  readonly connections: Connections;
  readonly budgets: Budgets;
  readonly options: Options;
  readonly log: Log;
  /** Aborts every call when the run ends. */
  readonly signal: AbortSignal;
  /**
   * Until when, in ms of `clock`, this process alone may act on claims of the namespace. Absent where there is no other: on a laptop.
   */
  readonly holdsUntil?: (namespace: string) => number;
  /** By keyText. */
  readonly memory: Map<string, Memory>;
  /** Compiled compositions and what was wrong with them, by content. */
  readonly compiled: Map<string, CompiledComposition | EngineError>;
  /** Told after each pass: what the claim depends on, so that a change of it wakes the claim. */
  readonly track: (claim: ObjectKey, dependsOn: readonly ObjectKey[]) => void;
}
