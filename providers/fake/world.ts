/** What exists in the fake cloud. It lives outside every connection: tests look at it, edit it and share it between "processes". */
import type { JsonObject, StringMap } from '../../src/sdk.ts';
import type { Behaviour } from './behaviour.ts';

/** One thing of one account. `spec` is what the service stores; others edit it. */
export interface Thing {
  readonly type: string;
  readonly name: string;
  spec: JsonObject;
  /** What was written and cannot be read back. */
  hidden: StringMap;
  /** Its secret output. */
  token: string;
  readonly behaviour: Behaviour;
  readonly createdMs: number;
  changedMs: number;
  /** Undefined: nobody asked to delete it. */
  deletingMs: number | undefined;
  looks: number;
  /** Messages, objects, rows: what a purge removes. */
  items: number;
}
export type Verb = 'connect' | 'scope' | 'list' | 'observe' | 'create' | 'update' | 'delete';
/** One call. `operation`: what a service would call it, e.g. `PutRules`. */
export interface WorldCall {
  readonly index: number;
  readonly account: string;
  readonly verb: Verb;
  readonly operation: string;
  readonly type: string;
  readonly name: string;
  readonly writes: boolean;
}
/** Where the world's time comes from. */
export interface WorldClock {
  now(): string;
  after(ms: number, run: () => void): () => void;
}
export interface World {
  readonly name: string;
  clock: WorldClock;
  /** By account, then by `<type> <name>`. */
  readonly accounts: Map<string, Map<string, Thing>>;
  /** Every call, in order. */
  readonly calls: WorldCall[];
  /** Failures used up, by the place they were declared. */
  readonly used: Map<string, number>;
  /** Accounts whose credentials are refused. */
  readonly lockedOut: Set<string>;
  /** Awaited before a call is worked on; what it throws is the call's failure. */
  before: ((call: WorldCall) => unknown) | undefined;
  /** Awaited when the work is done and the answer not yet given; what it throws is the call's failure. */
  after: ((call: WorldCall) => unknown) | undefined;
}

const realClock: WorldClock = {
  now: () => new Date().toISOString(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
const worlds = new Map<string, World>();

/** The world of that name; made when it is first named. */
export function world(name: string): World {
  const known = worlds.get(name);
  if (known !== undefined) return known;
  const fresh: World = {
    name,
    clock: realClock,
    accounts: new Map(),
    calls: [],
    used: new Map(),
    lockedOut: new Set(),
    before: undefined,
    after: undefined,
  };
  worlds.set(name, fresh);
  return fresh;
}

/** Ends a world: the next mention of the name makes an empty one. */
export function endWorld(name: string): void {
  worlds.delete(name);
}

/** Everything in an account, by `<type> <name>`. */
export function thingsOf(place: World, account: string): Map<string, Thing> {
  const known = place.accounts.get(account) ?? new Map<string, Thing>();
  place.accounts.set(account, known);
  return known;
}

/** One thing, or undefined. */
export function findThing(place: World, account: string, type: string, name: string): Thing | undefined {
  return thingsOf(place, account).get(`${type} ${name}`);
}

/** Removes a thing at once, as somebody outside would. */
export function removeThing(place: World, account: string, type: string, name: string): void {
  thingsOf(place, account).delete(`${type} ${name}`);
}

/** The account is empty again, as after a restart of something that keeps nothing. */
export function forget(place: World, account: string): void {
  thingsOf(place, account).clear();
}

/** Milliseconds of the world's clock. */
export function nowMs(place: World): number {
  return Date.parse(place.clock.now());
}
