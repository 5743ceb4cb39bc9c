/** The fake cloud as ground of the kit: a world of its own for every case. */

import { fails } from '../../providers/fake/client.ts';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, findThing, nowMs, removeThing, type Thing, thingsOf, type World, type WorldCall, world } from '../../providers/fake/world.ts';
import { put } from '../../src/core/paths.ts';
import type { Json, JsonObject, Path, ResourceType } from '../../src/core/types.ts';
import { applied } from '../../src/sdk.ts';
import type { Fault, Ground, Seen, WriteHook } from './subject.ts';

let count = 0;
const SECRET = 'the-password-of-the-world';

/** An empty world. `fit`: as in Ground. `furnish`: things that are there before anything else. */
export async function fakeGround(
  type: ResourceType,
  fit: (spec: JsonObject) => JsonObject | undefined = spec => spec,
  furnish: readonly string[] = [],
): Promise<Ground> {
  count += 1;
  const name = `conformance-${process.pid}-${count}`;
  const place = world(name);
  for (const thing of furnish) addThing(place, 'here', 'fake/thing', thing);
  const hooks = hook(place);
  return {
    settings: { world: name, account: 'here', password: SECRET },
    elsewhere: { world: name, account: 'elsewhere', password: SECRET },
    secret: SECRET,
    faults: { calls: () => place.calls.map(seen), inject: hooks.inject, hung: hooks.hung, onWrite: hooks.onWrite },
    list: async where => namesOf(place, where ?? 'here', type.type).filter(item => !furnish.includes(item)),
    edit: async (thing, path, value) => edit(place, type.type, thing, path, value),
    remove: async thing => removeThing(place, 'here', type.type, thing),
    fit,
    keepTime: clock => {
      place.clock = clock;
    },
    close: async () => endWorld(name),
  };
}

const seen = ({ operation, writes }: WorldCall): Seen => ({ name: operation, writes });

function namesOf(place: World, account: string, type: string): string[] {
  return [...thingsOf(place, account).values()].filter(thing => thing.type === type).map(thing => thing.name);
}

function addThing(place: World, account: string, type: string, name: string): void {
  const now = nowMs(place);
  const blank = { spec: { tags: {} }, hidden: {}, token: '', behaviour: {}, createdMs: now, changedMs: now, deletingMs: undefined, looks: 0, items: 0 };
  thingsOf(place, account).set(`${type} ${name}`, { ...blank, type, name } satisfies Thing);
}

function edit(place: World, type: string, name: string, path: Path, value: Json | undefined): void {
  const thing = findThing(place, 'here', type, name);
  if (thing === undefined) throw new Error(`${type} ${name} is not there to be edited`);
  const changes = [{ path, desired: value, observed: undefined, cause: 'changed' as const }];
  thing.spec = value === undefined ? (applied({ seen: { spec: thing.spec }, changes }) as JsonObject) : put(thing.spec, path, value);
}

const CODES = { credentials: 'InvalidCredentials', throttled: 'Throttled', 'failed-after': 'ServiceError', 'not-found': 'DependencyMissing' } as const;

interface Injected {
  readonly fault: Fault;
  readonly writes: boolean;
  left: number;
}

/** Faults and hooks of the kit, on the two hooks of the world. */
function hook(place: World): Pick<Ground['faults'], 'inject' | 'hung' | 'onWrite'> {
  const faults: Injected[] = [];
  let hung = 0;
  const hooks: WriteHook[] = [];
  const act = (call: WorldCall, when: 'before' | 'after'): Promise<void> | undefined => {
    const mine = faults.find(item => item.left > 0 && item.writes === call.writes && (item.fault === 'failed-after') === (when === 'after'));
    if (mine === undefined || (mine.fault === 'not-found' && call.verb !== 'create')) return undefined;
    mine.left -= 1;
    if (mine.fault === 'hang') {
      hung += 1;
      return new Promise<void>(() => {});
    }
    // As the real services: the text holds an id that is another one each time.
    throw fails(CODES[mine.fault], `fake: ${mine.fault}`);
  };
  const run = async (call: WorldCall, when: 'before' | 'after'): Promise<void> => {
    if (call.writes) for (const each of [...hooks]) await each(when, seen(call));
    await act(call, when);
  };
  place.before = call => run(call, 'before');
  place.after = call => run(call, 'after');
  return {
    inject: (fault, { writes, times = Number.POSITIVE_INFINITY }) => add(faults, { fault, writes, left: times }),
    hung: () => hung,
    onWrite: each => add(hooks, each),
  };
}

function add<T>(list: T[], item: T): () => void {
  list.push(item);
  return () => {
    const index = list.indexOf(item);
    if (index >= 0) list.splice(index, 1);
  };
}

export { fake };
