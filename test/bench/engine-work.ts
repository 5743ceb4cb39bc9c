/** Child: the engine alone, on a store in memory and provider fake without latency. */
import { fake } from '../../providers/fake/index.ts';
import { world } from '../../providers/fake/world.ts';
import { providers } from '../../providers/index.ts';
import { compile } from '../../src/core/composition.ts';
import { parseComposition, parseDefinition } from '../../src/core/parse.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { allTypes } from '../../src/engine/catalogue.ts';
import { realClock } from '../../src/engine/clock.ts';
import { memoryStore } from '../../src/engine/store-memory.ts';
import embedded from '../../src/generated/embedded.json' with { type: 'json' };
import { answer, type Cost, costOf, inputOf } from './child.ts';
import { median } from './figures.ts';
import { renderAndPlan } from './plan-work.ts';
import { benchEngine, counted, fakeObjects, keysOf, passOver, queueClaims, startWork } from './world.ts';

export interface EngineInput {
  readonly claims: number;
  readonly rounds: number;
}
export interface EngineOutput {
  readonly create: Cost;
  /** Each of all claims. */
  readonly passes: readonly Cost[];
  readonly writes: number;
  /** The first time in the process, and the middle of many; the slowest shipped composition. */
  readonly compileFirstMs: number;
  readonly compileMs: number;
  readonly planMs: number;
}

function compileTimes(): { compileFirstMs: number; compileMs: number } {
  const objects = embedded as unknown as JsonObject[];
  const definitions = objects.filter(object => object['kind'] === 'ClaimDefinition').map(parseDefinition);
  const sources = objects.filter(object => object['kind'] === 'Composition').map(parseComposition);
  const types = allTypes(new Map(providers.map(provider => [provider.name, provider])));
  const timesOf = (source: (typeof sources)[number]): number[] =>
    Array.from({ length: 30 }, () => {
      const start = performance.now();
      compile(source, definitions, types);
      return performance.now() - start;
    });
  const times = sources.map(timesOf);
  return { compileFirstMs: times[0]![0]!, compileMs: Math.max(...times.map(median)) };
}

async function main(): Promise<EngineOutput> {
  const { claims: count, rounds } = inputOf<EngineInput>();
  const compiling = compileTimes();
  const { store, writes } = counted(memoryStore(realClock));
  const bench = benchEngine(store, { id: 'bench-000001', key: 'key of the bench' }, [fake]);
  const claims = queueClaims(count);
  for (const object of [...fakeObjects(), ...claims]) await store.put(object);
  const create = await costOf(async () => {
    const work = await startWork(bench);
    await work.ready(count);
    await work.stop();
  });
  const before = writes();
  const passes: Cost[] = [];
  for (let round = 0; round < rounds; round++) {
    world('bench').calls.length = 0;
    passes.push(await costOf(() => passOver(bench, keysOf(claims))));
  }
  const planMs = await renderAndPlan(bench, keysOf(claims)[0]!);
  return { create, passes, writes: writes() - before, ...compiling, planMs };
}

answer(await main());
