/** What a command is handed: what only the composition root knows, and what the user said to every command alike. */
import type { JsonObject, Provider } from '../core/types.ts';
import type { Output } from './output.ts';

/** From main.ts. Each part is loaded when it is asked for: a command that does not need it starts without it. */
export interface Host {
  readonly version: string;
  /** The definitions, compositions, classes and configs that are shipped. */
  embedded(): Promise<readonly JsonObject[]>;
  providers(): Promise<ReadonlyMap<string, Provider>>;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'off';
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'off'];

/** The global options. */
export interface Globals {
  /** As written; resolve before use. */
  readonly state: string;
  /** Of the local class, instead of an emulator of our own. */
  readonly endpoint: string | undefined;
  readonly namespace: string | undefined;
  readonly pollMs: number | undefined;
  readonly workers: number | undefined;
  /** Undefined: what fits the command. */
  readonly logLevel: LogLevel | undefined;
  /** Of a cluster; with one of these two a command works on it, else on the state folder. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Claims of every namespace, where a command would look at one. */
  readonly allNamespaces: boolean;
  /** Where the engine itself lives in a cluster. */
  readonly engineNamespace: string | undefined;
}

export interface Context {
  readonly host: Host;
  readonly globals: Globals;
  readonly out: Output;
}

/** 0 done · 1 failed · 2 bad use · 3 drift or changes found · 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 130;
