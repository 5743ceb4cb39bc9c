/** Where the claims live that a command looks at: a state folder, or a cluster. Commands that only look need no more than this. */
import type { EngineError } from '../core/errors.ts';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import type { Engine } from '../engine/engine.ts';
import type { EditableStore, StoredEvent } from '../engine/objects.ts';
import type { Context, Globals } from './host.ts';
import type { Interrupt } from './interrupt.ts';
import type { Standing } from './standing.ts';

export interface Home {
  readonly context: Context;
  readonly store: EditableStore;
  /** Of claims that are named without one. */
  readonly namespace: string;
  /** What lists show; undefined: every namespace. */
  readonly scope: string | undefined;
  /** What cannot be read. */
  problems(): readonly EngineError[];
  /** Of one object, oldest first. */
  events(of: ObjectKey): Promise<readonly StoredEvent[]>;
  /** Where people find the connection Secret. */
  connection(namespace: string, binding: string): readonly string[];
  /** Names of ProviderConfigs through which something may have been made, beside those that inventories name. */
  configs(): readonly string[];
  /** An engine that can look at real things. */
  engine(): Promise<Engine>;
  /** Waits until the engine has done what was asked of a claim, or cannot. `verb`: the annotation that asks, undefined for a deletion. */
  settle(claim: JsonObject, verb: string | undefined, limits: Limits): Promise<Settled>;
  close(): Promise<void>;
}

/** How a wait ended. */
export type Ending = 'settled' | 'timeout' | 'interrupted';

export interface Limits {
  readonly timeoutMs: number;
  readonly interrupt: Interrupt;
}
export interface Settled {
  readonly ending: Ending;
  /** Undefined: it is gone. */
  readonly object: JsonObject | undefined;
  readonly standing: Standing;
}

/** True when the command line names a cluster. */
export function isCluster({ kubeconfig, context }: Globals): boolean {
  return kubeconfig !== undefined || context !== undefined;
}
