/** Driving a type by its verbs alone, without the engine: looks, and the loop of create and update until nothing differs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { diff } from '../../src/core/diff.ts';
import { type EngineError, type ErrorCode, isError } from '../../src/core/errors.ts';
import { canonicalSpec } from '../../src/core/match.ts';
import { at } from '../../src/core/paths.ts';
import { withDefaults } from '../../src/core/schema.ts';
import type { Change, Context, Json, JsonObject, Observation, Owner, Path, Present, Provider, ResourceType } from '../../src/core/types.ts';
import { applied } from '../../src/sdk.ts';
import { INSTANCE } from '../support.ts';
import type { Ground, Subject } from './subject.ts';

/** One connection of a test that acts beside the engine. */
export interface Hand {
  readonly type: ResourceType;
  readonly client: unknown;
  readonly classify: (error: unknown) => EngineError;
  readonly context: (depth?: 'quick' | 'full', signal?: AbortSignal) => Context;
  readonly unsupported: readonly string[];
  close(): Promise<void>;
}

const CALL_MS = 120_000;

/** Connects as somebody else would. */
export async function handFor({ provider, type }: Pick<Subject, 'provider' | 'type'>, settings: JsonObject): Promise<Hand> {
  const client = await patient(provider).connect(settings);
  const context = (depth: 'quick' | 'full' = 'full', signal = AbortSignal.timeout(CALL_MS)): Context => ({
    client,
    signal,
    depth,
    log: () => {},
    budget: async () => {},
    fence: () => {},
  });
  const unsupported = provider.unsupported?.(client)[type.type] ?? [];
  return { type, client, classify: provider.classify, context, unsupported, close: () => provider.close(client) };
}

/** Connects again where nothing answered in time: what is connected may be busy, and that is not what the cases are about. */
export function patient(provider: Provider): Provider {
  const connect = async (settings: JsonObject, again = 10): Promise<unknown> => {
    try {
      return await provider.connect(settings);
    } catch (error) {
      if (again === 0 || codeOf(provider, error) !== 'Timeout') throw error;
      return await connect(settings, again - 1);
    }
  };
  return { ...provider, connect: settings => connect(settings) };
}

/** The code of whatever a verb threw. */
export function codeOf({ classify }: Pick<Hand, 'classify'>, error: unknown): ErrorCode {
  return (isError(error) ? error : classify(error)).code;
}

/** Absent, or what is there in normal form. A server error is asked about again, as the engine does. */
export async function look(hand: Hand, name: string, depth: 'quick' | 'full' = 'full', again = 3): Promise<Observation> {
  const { type, context } = hand;
  try {
    const seen = await type.observe(context(depth), name);
    return seen.kind === 'absent' || type.normalise === undefined ? seen : { ...seen, spec: type.normalise(seen.spec as JsonObject, seen) };
  } catch (error) {
    const code = codeOf(hand, error);
    if (code === 'NotFound') return { kind: 'absent' };
    if (code !== 'ServiceError' || again === 0) throw error;
    await sleep(50);
    return await look(hand, name, depth, again - 1);
  }
}

/** The owner of a thing that the hand makes: nobody the engine knows. */
export const STRANGER: Owner = { instance: 'somebody-else', kind: 'Trial', namespace: 'elsewhere', name: 'other', uid: 'not-ours', id: 'it' };

/** Whose marks a thing gets: the stranger's, somebody's, or none. */
export type Marks = Owner | 'none';

/** As the engine would send it, with these marks. */
export function canonicalOf({ type, unsupported }: Hand, spec: JsonObject, marks: Marks, seen?: Present): JsonObject {
  if (marks !== 'none') return canonicalSpec(type, spec, marks, unsupported, seen);
  const whole = withDefaults(type.spec, spec);
  const normal = type.normalise === undefined ? whole : type.normalise(whole, seen);
  return Object.fromEntries(Object.entries(normal).filter(([field, value]) => value !== undefined && !unsupported.includes(field)));
}

/** What an update would have to send. */
export function differences(hand: Hand, spec: JsonObject, owner: Marks, seen: Present): readonly Change[] {
  const desired = canonicalOf(hand, spec, owner, seen);
  const none = { pending: [], secrets: [], settled: { '': '~' }, sent: {}, quietMs: Number.POSITIVE_INFINITY, pastUnknown: false, ignore: [] };
  return diff({ ...none, type: hand.type, desired, seen: known(hand, seen), key: INSTANCE.key }).changes.filter(change => change.desired !== undefined);
}

/** Fields that what is connected cannot do are not compared. */
function known({ unsupported }: Hand, seen: Present): Present {
  return { ...seen, spec: Object.fromEntries(Object.entries(seen.spec).filter(([field]) => !unsupported.includes(field))) as JsonObject };
}

/** Creates and updates until nothing differs and it is ready. Throws when it does not converge. */
export async function bring(hand: Hand, name: string, spec: JsonObject, owner: Marks = STRANGER): Promise<Present> {
  let left: readonly Change[] = [];
  for (let turn = 0; turn < 200; turn += 1) {
    const seen = await look(hand, name);
    if (seen.kind === 'absent') {
      await tried(hand, () => hand.type.create(hand.context(), name, canonicalOf(hand, spec, owner)));
      continue;
    }
    left = differences(hand, spec, owner, seen);
    if (left.length === 0 && seen.readiness.ready) return seen;
    if (left.length > 0) await tried(hand, () => hand.type.update(hand.context(), name, { spec: canonicalOf(hand, spec, owner, seen), seen, changes: left }));
    if (turn > 2) await sleep(Math.min(500, 20 * turn));
  }
  throw new Error(`${hand.type.type} ${name} does not become what was asked for: ${JSON.stringify(left)} of ${JSON.stringify(spec)}`);
}

/** Waiting is part of life. */
async function tried(hand: Hand, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!['Busy', 'AlreadyExists', 'NotFound', 'Purging', 'ServiceError'].includes(codeOf(hand, error))) throw error;
    await sleep(50);
  }
}

/** Deletes and waits until it is gone. */
export async function takeAway(hand: Hand, name: string, onDelete: JsonObject = { purge: true }): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) {
    const seen = await look(hand, name);
    if (seen.kind === 'absent') return;
    await tried(hand, () => hand.type.delete(hand.context(), name, seen, onDelete));
    if (turn > 0) await sleep(Math.min(500, 20 * turn));
  }
  throw new Error(`${hand.type.type} ${name} does not go away`);
}

/** Sets one field as somebody else would; undefined takes it away. */
export async function editOutside(hand: Hand, ground: Ground, name: string, path: Path, value: Json | undefined): Promise<void> {
  if (ground.edit !== undefined) return await ground.edit(name, path, value);
  const seen = await look(hand, name);
  if (seen.kind === 'absent') throw new Error(`${name} is not there to be edited`);
  const changes: Change[] = [{ path, desired: value, observed: at(seen.spec as JsonObject, path), cause: 'changed' }];
  const spec = applied({ seen, changes }) as JsonObject;
  await hand.type.update(hand.context(), name, { spec, seen, changes });
}
