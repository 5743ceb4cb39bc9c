/** Child: Queue claims with a dead letter on the file store and an emulator, as `plinth up` works them. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { providers } from '../../providers/index.ts';
import { usage } from '../../src/engine/budget.ts';
import { realClock } from '../../src/engine/clock.ts';
import { openFiles } from '../../src/engine/store-files.ts';
import { type Cost, costOf, inputOf, takeTurns } from './child.ts';
import { type Bench, benchEngine, counted, keysOf, localObjects, passOver, queueClaims, startWork } from './world.ts';

export interface ClaimsInput {
  readonly endpoint: string;
  /** Emulators take it for the account. */
  readonly account: string;
  /** Where the state folder is made. */
  readonly folder: string;
  /** Claims come in as many turns as asked for. */
  readonly turns: number;
  readonly perTurn: number;
  /** No-change passes over all claims afterwards. */
  readonly passes: number;
}
export interface ClaimsOutput {
  /** To create them all. */
  readonly calls: number;
  readonly passes: readonly { readonly cost: Cost; readonly calls: number; readonly writes: number; readonly files: number }[];
  /** Resident memory at rest and at most, MB. */
  readonly rss: number;
  readonly rssPeak: number;
}

/** Between two looks at claims that are fine the engine rests for a minute; V8 tidies up after some seconds. */
const REST_MS = 15_000;

/** Every file below, with what changes when it is written. */
function stamps(folder: string): Set<string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => !entry.isDirectory());
  const paths = entries.map(entry => join(entry.parentPath, entry.name));
  return new Set(paths.map(path => [path, statSync(path).ino, statSync(path).mtimeMs].join(' ')));
}

function callsOf({ engine }: Bench): number {
  return usage(engine.budgets).reduce((sum, row) => sum + row.calls, 0);
}

async function passes(bench: Bench, { folder, turns, perTurn, passes: count }: ClaimsInput, writes: () => number): Promise<ClaimsOutput['passes']> {
  const keys = keysOf(queueClaims(turns * perTurn));
  const done: ClaimsOutput['passes'][number][] = [];
  for (let pass = 0; pass < count; pass++) {
    const [calls, written, before] = [callsOf(bench), writes(), stamps(folder)];
    const cost = await costOf(() => passOver(bench, keys));
    const files = [...stamps(folder)].filter(stamp => !before.has(stamp)).length;
    done.push({ cost, calls: callsOf(bench) - calls, writes: writes() - written, files });
  }
  return done;
}

const input = inputOf<ClaimsInput>();
const files = await openFiles(input.folder, { clock: realClock, lock: true, create: true, project: 'bench' });
const { store, writes } = counted(files.store);
const bench = benchEngine(store, files.instance, providers);
for (const object of localObjects(input.endpoint, input.account)) await store.put(object);
const work = await startWork(bench);

takeTurns(
  async index => {
    await Promise.all(queueClaims(input.perTurn, index * input.perTurn).map(claim => store.put(claim)));
    await work.ready((index + 1) * input.perTurn);
  },
  async (): Promise<ClaimsOutput> => {
    await work.stop();
    const calls = callsOf(bench);
    const done = await passes(bench, input, writes);
    await sleep(REST_MS);
    return { calls, passes: done, rss: process.memoryUsage.rss() / 2 ** 20, rssPeak: process.resourceUsage().maxRSS / 1024 };
  },
);
