/** What a child of the kill test is told, and what it says when it got to the end. */
import type { JsonObject } from '../../src/core/types.ts';

export interface Job {
  readonly command: 'up' | 'down';
  readonly state: string;
  readonly endpoint: string;
  /** Definitions, compositions, classes and configs. */
  readonly admin: readonly JsonObject[];
  /** File with the claims. */
  readonly claims: string;
}

/** The last line of stdout. */
export interface Said {
  readonly exit: number;
  /** The classes of its writes, in their order. */
  readonly writes: readonly string[];
}
