/** One schedule: a seed decides what people do, what fails, what is delayed, when the engine dies. The same seed gives the same trace. */
import { endWorld, thingsOf, world } from '../../providers/fake/world.ts';
import { identityKey } from '../../src/core/match.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { memoryStore } from '../../src/engine/store-memory.ts';
import { composition, DEFINITIONS, environmentClass, GOOD, KINDS, PASSWORD, providerConfig, WORLD } from './admin.ts';
import { atRest } from './check.ts';
import { failureOf, type Home, kill, type Process, startProcess } from './engine-process.ts';
import { act, type Scene } from './people.ts';
import { below, chance, type Random, seeded } from './random.ts';
import { breath, simulatedClock } from './time.ts';

export interface Outcome {
  readonly trace: readonly string[];
  /** What must never be, in words; empty when all is well. */
  readonly breaches: readonly string[];
}
const DEEDS = 7;
const MAX_STEPS = 6_000;
/** Simulated time that must pass without a word before the world counts as at rest, ms; longer than a look at a claim that is fine takes to come. */
const REST_MS = 80_000;

export async function runSchedule(seed: number): Promise<Outcome> {
  endWorld(WORLD);
  const random = seeded(seed);
  const clock = simulatedClock();
  let uids = 0;
  const nextUid = (): string => {
    uids += 1;
    return `uid-${uids}`;
  };
  const store = memoryStore(clock, { uid: nextUid });
  const trace: string[] = [];
  const breaches: string[] = [];
  const scene: Scene = { random, store, foreign: new Map(), trace };
  const recorded = new Set<string>();
  const onWrite: Home['onWrite'] = call => {
    trace.push(`world: ${call.verb} ${call.type} ${call.name}`);
    breaches.push(...unfenced(recorded, call), ...stranger(scene, call));
  };
  const home: Home = {
    store,
    clock,
    random,
    onWrite,
    onLog: line => void (line.includes(PASSWORD) && breaches.push(`a secret in a log: ${line}`)),
    recorded,
    stale: new Map(),
  };
  for (const object of [
    ...DEFINITIONS,
    providerConfig('main'),
    environmentClass(GOOD, 0),
    ...KINDS.map(kind => composition(kind, { shape: 'base', pace: 'quick' })),
  ])
    await store.put(object);
  let process = startProcess(home);
  let deeds = below(random, DEEDS) + 2;
  for (let step = 0; deeds > 0 && step < MAX_STEPS; step += 1) {
    await breath();
    if (chance(random, 0.06)) {
      await act(scene);
      deeds -= 1;
    } else if (chance(random, 0.01)) {
      trace.push('the engine dies');
      kill(process);
      process = startProcess(home);
    } else move(home, process, random, true, trace);
  }
  await mend(home, trace);
  const quiet = await rest(home, process, trace);
  // What is wrong with a claim is looked at slowly; a new engine looks at everything at once.
  kill(process);
  process = startProcess(home);
  const rested = (await rest(home, process, trace)) && quiet;
  if (!rested) breaches.push('does not come to rest');
  breaches.push(...atRest(scene), ...(await secondRun(home, process, trace)));
  kill(process);
  return { trace, breaches: [...new Set(breaches)] };
}

/** One thing goes on: a parked call, or time. With faults a call may fail instead. False when nothing is left that could. */
function move(home: Home, process: Process, random: Random, faults: boolean, trace: string[]): boolean {
  if (process.parked.length > 0 && !(faults && chance(random, 0.05))) {
    const [next] = process.parked.splice(below(random, process.parked.length), 1);
    if (!faults || !chance(random, 0.05)) {
      next!.go();
      return true;
    }
    const error = failureOf(random, next!.at);
    trace.push(`fails: ${next!.at}: ${(error as { code?: string }).code}`);
    next!.fail(error);
    return true;
  }
  return home.clock.step();
}

/** People stop; the last admin puts things in order. */
async function mend({ store, stale }: Home, trace: string[]): Promise<void> {
  trace.push('—— all is mended, faults stop ——');
  stale.clear();
  for (const kind of KINDS) await store.put(composition(kind, { shape: 'base', pace: 'quick' }));
  await store.put(providerConfig('main'));
}

/** Lets everything go on until nothing is left but the slow looks. */
async function rest(home: Home, process: Process, trace: string[]): Promise<boolean> {
  const random = seeded(1);
  let quietSince = home.clock.ms();
  let seen = JSON.stringify(home.store.dump().length) + trace.length;
  home.stale.clear();
  for (let step = 0; step < MAX_STEPS; step += 1) {
    await breath();
    home.stale.clear();
    if (!move(home, process, random, false, trace)) return true;
    // Time stands still meanwhile.
    if (process.parked.length > 0) continue;
    const now = `${versionsOf(home)} ${trace.length}`;
    if (now !== seen) quietSince = home.clock.ms();
    seen = now;
    if (home.clock.ms() - quietSince > REST_MS) return true;
  }
  return false;
}

const versionsOf = ({ store }: Home): string =>
  store
    .dump()
    .map(object => (object['metadata'] as JsonObject)['resourceVersion'])
    .join(' ');

/** A new engine on a world at rest reads, and writes nothing anywhere. */
async function secondRun(home: Home, process: Process, trace: string[]): Promise<string[]> {
  kill(process);
  const before = versionsOf(home);
  const marks = trace.length;
  const again = startProcess(home);
  await rest(home, again, trace);
  kill(again);
  const writes = trace.slice(marks);
  return [...writes.map(line => `a second run at rest writes: ${line}`), ...(versionsOf(home) === before ? [] : ['a second run at rest writes to the store'])];
}

/** The fence: what is called for was put on record on a claim, under that very name, before. */
function unfenced(recorded: ReadonlySet<string>, { verb, type, name, account }: { verb: string; type: string; name: string; account: string }): string[] {
  return recorded.has(identityKey({ scope: `fake:${WORLD}:${account}`, type, name })) ? [] : [`${verb} of ${type} ${name} in ${account} is on no record`];
}

/** What others put stands in the account `main`. */
function stranger({ foreign }: Scene, { verb, type, name, account }: { verb: string; type: string; name: string; account: string }): string[] {
  if (verb === 'create' || account !== 'main' || !foreign.has(`${type} ${name}`)) return [];
  const thing = thingsOf(world(WORLD), 'main').get(`${type} ${name}`);
  return thing === undefined || thing.token !== 'foreign-token' ? [] : [`${verb} of ${type} ${name}, which is somebody else's`];
}
