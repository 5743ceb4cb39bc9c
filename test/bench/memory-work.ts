/** Child: claims on the file store and provider fake; what they weigh. */
import { fake } from '../../providers/fake/index.ts';
import { world } from '../../providers/fake/world.ts';
import { realClock } from '../../src/engine/clock.ts';
import { openFiles } from '../../src/engine/store-files.ts';
import { answer, inputOf } from './child.ts';
import { benchEngine, fakeObjects, keysOf, passOver, queueClaims, startWork } from './world.ts';

export interface MemoryInput {
  readonly folder: string;
  readonly claims: number;
}
/** MB. `heap`: live objects after a collection, where the process was started with --expose-gc. */
export interface MemoryOutput {
  readonly rss: number;
  readonly rssPeak: number;
  readonly heap: number;
}

const mega = (bytes: number): number => bytes / 2 ** 20;

async function main(): Promise<MemoryOutput> {
  const { folder, claims: count } = inputOf<MemoryInput>();
  const files = await openFiles(folder, { clock: realClock, lock: true, create: true, project: 'bench' });
  const { store } = files;
  // The fake cloud writes down every call for tests to look at; a real one lives elsewhere.
  world('bench').calls.push = () => 0;
  const bench = benchEngine(store, files.instance, [fake]);
  for (const object of fakeObjects()) await store.put(object);
  const keys = keysOf(queueClaims(count));
  for (let start = 0; start < count; start += 1_000)
    await Promise.all(
      queueClaims(count)
        .slice(start, start + 1_000)
        .map(claim => store.put(claim)),
    );
  const work = await startWork(bench);
  await work.ready(count);
  await work.stop();
  await passOver(bench, keys);
  const rss = mega(process.memoryUsage.rss());
  globalThis.gc?.();
  return { rss, rssPeak: process.resourceUsage().maxRSS / 1024, heap: mega(process.memoryUsage().heapUsed) };
}

answer(await main());
