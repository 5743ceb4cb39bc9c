/** What the conformance kit is told about one resource type, and how it acts outside the engine. */
import type { Arbitrary } from 'fast-check';
import type { Json, JsonObject, Path, Provider, ResourceType } from '../../src/core/types.ts';
import type { Clock } from '../../src/engine/clock.ts';

/** One field of the base spec and two other values for it. */
export interface Field {
  readonly path: Path;
  readonly value: Json;
  readonly other: Json;
}
/** A case that the type cannot have; the kit checks that the schema says the same. */
export type None = 'none';
export interface Subject {
  /** Starts the names of the tests, e.g. `aws/sqs-queue on localstack`. */
  readonly title: string;
  readonly provider: Provider;
  readonly type: ResourceType;
  /** Providers the engine has beside. */
  readonly others?: readonly Provider[];
  /** An empty account of its own, every time. */
  readonly open: () => Promise<Ground>;
  /** The plain spec most cases begin with; the first example when left out. */
  readonly base?: JsonObject;
  /** A spec with as much in it as fits; the last example when left out. */
  readonly rich?: JsonObject;
  /** Fields that can change, different from base; the second is what somebody else edits meanwhile. */
  readonly mutable: readonly [Field, ...Field[]];
  readonly immutable: { readonly path: Path; readonly value: Json } | None;
  /** A field that base leaves unset and that others can set; `outcome`: what the engine does about it. */
  readonly unset: { readonly path: Path; readonly value: Json; readonly outcome: 'taken away' | 'reported' } | None;
  /** A removable field of rich that others can take away. */
  readonly part: Path | None;
  /** Fields that name another thing which does not exist: the service refuses them, or (emulators) accepts them. */
  readonly dangling: { readonly refused: JsonObject } | { readonly accepted: JsonObject } | None;
  /** The title of a subject of the same type whose engine cases do for both at depth gate. */
  readonly engineTriedBy?: string;
  /** Most generated specs that are tried; as many as the depth says when left out. */
  readonly runs?: number;
  /** By top-level field: what generates it instead of its schema. `undefined` values leave it out. */
  readonly generate?: Readonly<Record<string, Arbitrary<Json | undefined>>>;
}
export interface Seen {
  readonly name: string;
  readonly writes: boolean;
}
/**
 * credentials: they are refused · throttled: fewer calls are asked for · hang: no answer comes · failed-after: the work is done, the answer
 * is a server error · not-found: something is said not to exist.
 */
export type Fault = 'credentials' | 'throttled' | 'hang' | 'failed-after' | 'not-found';
export type WriteHook = (when: 'before' | 'after', call: Seen) => Promise<void> | undefined;
export interface Faults {
  /** Calls since the ground was opened. */
  calls(): readonly Seen[];
  /** The next calls of that sort fail so; all of them without `times`. Returns what takes the fault away, and waits for calls that it held up. */
  inject(fault: Fault, which: { readonly writes: boolean; readonly times?: number }): () => void | Promise<void>;
  /** How many calls have been left without an answer so far. */
  hung(): number;
  /** Awaited before a writing call is worked on, and after, before its answer is given. Returns what takes it away. */
  onWrite(hook: WriteHook): () => void;
}
export interface Ground {
  readonly settings: JsonObject;
  /** Another account, empty as well. */
  readonly elsewhere: JsonObject;
  /** A text in the settings that must appear nowhere. */
  readonly secret: string;
  readonly faults: Faults;
  /** Names of all things of the type, by looking at the service itself. */
  list(where?: 'elsewhere'): Promise<readonly string[]>;
  /** Sets a field as somebody else would; undefined takes it away. Through the verbs of the type when left out. */
  edit?(name: string, path: Path, value: Json | undefined): Promise<void>;
  remove?(name: string): Promise<void>;
  /** Makes a spec one that this account takes, e.g. with references to things that are there; undefined: it never fits. */
  fit(spec: JsonObject): JsonObject | undefined;
  /** From now on the ground's time is that of this clock; for grounds whose time can be moved. */
  keepTime?(clock: Pick<Clock, 'now' | 'after'>): void;
  /** Real time to wait between passes. */
  readonly realMs?: number;
  close(): Promise<void>;
}
