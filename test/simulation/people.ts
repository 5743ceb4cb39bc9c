/** What people do meanwhile: owners of claims, admins, and whoever else has access to the account. */
import { findThing, removeThing, type Thing, thingsOf, world } from '../../providers/fake/world.ts';
import type { ClaimStatus, Json, JsonObject } from '../../src/core/types.ts';
import type { MemoryStore } from '../../src/engine/store-memory.ts';
import { claimObject, composition, environmentClass, GOOD, type Kind, NAMESPACE, providerConfig, SHAPES, WORLD } from './admin.ts';
import { below, chance, pick, type Random, weighted } from './random.ts';

export interface Scene {
  readonly random: Random;
  readonly store: MemoryStore;
  /** Things put there by others: identity to what they looked like. They must never change. */
  readonly foreign: Map<string, string>;
  /** Names of things that a person removed or edited: what is missing then is no leak. */
  readonly trace: string[];
}
const NAMES = ['a', 'b'];
const ACCOUNT = 'main';

function specFor(random: Random, kind: Kind): JsonObject {
  if (kind === 'Shelf') return { versioned: chance(random, 0.5), ...(chance(random, 0.2) ? { region: pick(random, ['here', 'there']) } : {}) };
  if (kind === 'Topic')
    return {
      size: below(random, 4),
      sort: chance(random, 0.25) ? 'special' : 'plain',
      notes: pick(random, [[], ['x'], ['x', 'y'], ['y', 'x']]),
      ...(chance(random, 0.4) ? { label: 'l' } : {}),
    };
  return {
    fifo: chance(random, 0.15),
    weight: below(random, 3),
    topics: pick(random, [[], ['a'], ['a', 'b'], ['b', 'a']]),
    ...(chance(random, 0.5) ? { visibility: below(random, 5) } : {}),
    ...(chance(random, 0.5) ? { deadLetter: { maxReceives: 3 } } : {}),
  };
}

const ACTIONS: readonly (readonly [number, (scene: Scene) => Promise<string>])[] = [
  [10, putClaim],
  [4, removeClaim],
  [3, approve],
  [3, editOutside],
  [2, removeOutside],
  [2, putForeign],
  [2, editComposition],
  [1, editClass],
  [1, moveConfig],
  [1, emptyStatus],
];

/** One random deed; the answer is a line for the trace. */
export async function act(scene: Scene): Promise<void> {
  scene.trace.push(`person: ${await weighted(scene.random, ACTIONS)(scene)}`);
}

async function putClaim({ random, store }: Scene): Promise<string> {
  const kind = weighted(random, [
    [3, 'Line'],
    [3, 'Topic'],
    [2, 'Shelf'],
  ] as const);
  const name = pick(random, NAMES);
  const spec = specFor(random, kind);
  await store.put(claimObject(kind, name, spec));
  return `put ${kind}/${name} ${JSON.stringify(spec)}`;
}

function someClaim({ random, store }: Scene): JsonObject | undefined {
  const claims = store.dump().filter(object => ['Line', 'Topic', 'Shelf'].includes(object['kind'] as string));
  return claims.length === 0 ? undefined : pick(random, claims);
}
const keyOf = (claim: JsonObject) => ({ kind: claim['kind'] as string, namespace: NAMESPACE, name: (claim['metadata'] as JsonObject)['name'] as string });

async function removeClaim(scene: Scene): Promise<string> {
  const claim = someClaim(scene);
  if (claim === undefined) return 'nothing to remove';
  await scene.store.remove(keyOf(claim));
  return `remove ${keyOf(claim).kind}/${keyOf(claim).name}`;
}

async function approve(scene: Scene): Promise<string> {
  const held = scene.store.dump().filter(object => (object['status'] as unknown as ClaimStatus | undefined)?.pendingPlan !== undefined);
  if (held.length === 0) return 'nothing to approve';
  const claim = pick(scene.random, held);
  const hash = (claim['status'] as unknown as ClaimStatus).pendingPlan!.hash;
  const { status: _, ...rest } = claim;
  const metadata = claim['metadata'] as JsonObject;
  await scene.store.put({
    ...rest,
    metadata: { ...metadata, annotations: { ...(metadata['annotations'] as JsonObject | undefined), 'plinth.dev/approve': hash } },
  });
  return `approve ${keyOf(claim).kind}/${keyOf(claim).name}`;
}

function ourThing({ random, foreign }: Scene): Thing | undefined {
  const things = [...thingsOf(world(WORLD), ACCOUNT).entries()].filter(([key]) => !foreign.has(key)).map(([, thing]) => thing);
  return things.length === 0 ? undefined : pick(random, things);
}

async function editOutside(scene: Scene): Promise<string> {
  const thing = ourThing(scene);
  if (thing === undefined) return 'nothing to edit';
  const edits: Json =
    thing.type === 'fake/thing'
      ? { size: 99 }
      : thing.type === 'fake/store'
        ? { versioned: true }
        : thing.type === 'fake/note'
          ? { body: 'scribble' }
          : { delaySeconds: 77 };
  thing.spec = { ...thing.spec, ...(thing.type === 'fake/link' ? {} : edits) };
  return `edit ${thing.type} ${thing.name}`;
}

async function removeOutside(scene: Scene): Promise<string> {
  const thing = ourThing(scene);
  if (thing === undefined || thing.type === 'fake/store') return 'nothing to remove outside';
  removeThing(world(WORLD), ACCOUNT, thing.type, thing.name);
  return `remove outside ${thing.type} ${thing.name}`;
}

async function putForeign({ random, foreign }: Scene): Promise<string> {
  const [type, name] = pick(random, [
    ['fake/queue', 'dev_b'],
    ['fake/thing', 'dev_b'],
    ['fake/queue', 'dev_b_deadLetter'],
    ['fake/thing', 'dev_a_vault'],
  ] as const);
  const place = world(WORLD);
  if (findThing(place, ACCOUNT, type, name) !== undefined) return 'the name is taken';
  const marks = chance(random, 0.5)
    ? {
        'plinth.dev/instance': 'other',
        'plinth.dev/kind': 'Line',
        'plinth.dev/namespace': 'dev',
        'plinth.dev/name': 'b',
        'plinth.dev/id': 'queue',
        'plinth.dev/uid': 'x',
      }
    : { owner: 'somebody' };
  const spec: JsonObject =
    type === 'fake/queue' ? { fifo: false, delaySeconds: 5, tags: marks } : { size: 5, kind: 'plain', members: [], protect: false, tags: marks };
  const thing: Thing = {
    type,
    name,
    spec,
    hidden: {},
    behaviour: {},
    createdMs: 0,
    changedMs: 0,
    deletingMs: undefined,
    looks: 0,
    items: 0,
  } as unknown as Thing;
  thingsOf(place, ACCOUNT).set(`${type} ${name}`, Object.assign(thing, { token: 'foreign-token' }));
  foreign.set(`${type} ${name}`, JSON.stringify(spec));
  return `put foreign ${type} ${name}`;
}

async function editComposition({ random, store }: Scene): Promise<string> {
  const kind = pick(random, ['Line', 'Topic', 'Shelf'] as const);
  const shape = pick(random, SHAPES);
  const pace = pick(random, ['quick', 'slow', 'late'] as const);
  await store.put(composition(kind, { shape, pace }));
  return `composition ${kind} ${shape} ${pace}`;
}

async function editClass({ random, store }: Scene): Promise<string> {
  const policies = {
    ...GOOD,
    swap: pick(random, ['Approve', 'Automatic', 'Refuse'] as const),
    drift: pick(random, ['Correct', 'Report'] as const),
    reclaim: pick(random, ['Conflict', 'Reuse'] as const),
  };
  await store.put(environmentClass(policies, below(random, 3)));
  return `class ${JSON.stringify(policies)}`;
}

async function moveConfig({ random, store }: Scene): Promise<string> {
  const account = chance(random, 0.6) ? ACCOUNT : 'elsewhere';
  await store.put(providerConfig(account));
  return `config ${account}`;
}

/** As after a restore from a backup that leaves status out: the finalizer is there, the inventory is not. */
async function emptyStatus(scene: Scene): Promise<string> {
  const claim = someClaim(scene);
  if (claim === undefined || (claim['metadata'] as JsonObject)['finalizers'] === undefined) return 'no status to empty';
  const stored = await scene.store.get(keyOf(claim));
  await scene.store.write({
    kind: 'status',
    claim: { ...keyOf(claim), uid: (stored!['metadata'] as JsonObject)['uid'], version: (stored!['metadata'] as JsonObject)['resourceVersion'] } as never,
    status: {} as never,
  });
  return `empty status of ${keyOf(claim).kind}/${keyOf(claim).name}`;
}
