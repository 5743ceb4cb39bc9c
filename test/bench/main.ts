/**
 * `npm run bench [-- GROUP…] [--json FILE]`: measures what docs/benchmarks.md tells, group by group, prints a table
 * with each figure's goal, and ends with 1 when a goal is missed.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { cliFigures } from './cli.ts';
import { cloudFigures } from './cloud.ts';
import { clusterFigures } from './cluster.ts';
import { engineFigures } from './engine.ts';
import { type Figure, isMet, tableOf } from './figures.ts';
import { memoryFigures } from './memory.ts';
import { replicaFigures } from './replicas.ts';

const GROUPS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  engine: engineFigures,
  cloud: cloudFigures,
  memory: memoryFigures,
  cli: cliFigures,
  cluster: clusterFigures,
  replicas: replicaFigures,
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });
  const unknown = positionals.filter(name => !Object.hasOwn(GROUPS, name));
  if (unknown.length > 0) {
    console.error(`there is no group ${unknown.join(', ')}; there are ${Object.keys(GROUPS).join(', ')}`);
    return 2;
  }
  const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform} ${process.arch}`;
  console.log(machine);
  const results: Record<string, Figure[]> = {};
  for (const name of positionals.length > 0 ? positionals : Object.keys(GROUPS)) {
    const figures = await GROUPS[name]!();
    results[name] = figures;
    console.log(`\n${name}\n\n${tableOf(figures)}`);
  }
  const report = { machine, at: new Date().toISOString(), groups: withVerdicts(results) };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  const missed = Object.values(results)
    .flat()
    .filter(figure => !isMet(figure));
  console.log(missed.length === 0 ? '\nevery goal is met' : `\nmissed: ${missed.map(figure => figure.name).join('; ')}`);
  return missed.length === 0 ? 0 : 1;
}

function withVerdicts(results: Readonly<Record<string, readonly Figure[]>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(results).map(([name, figures]) => [name, figures.map(figure => ({ ...figure, met: isMet(figure) }))]));
}

process.exit(await main());
