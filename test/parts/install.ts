import Table from 'cli-table3';
import { cacheFolder } from '../../src/cli/emulator-venv.ts';
import { ensureInstalled, inspectPart, PARTS, type PartName } from './emulators.ts';

/** `npx tsx test/parts/install.ts`: installs every part of the tests with progress, and prints what is there, what is missing and the cure. */
async function main(): Promise<void> {
  const rows = [];
  for (const name of PARTS) rows.push(await row(name));
  const table = new Table({ head: ['part', 'state', 'cure'], style: { head: [], border: [] } });
  table.push(...rows.map(({ name, state, cure }) => [name, state, cure]));
  console.log(`${table.toString()}\nInstalled in ${cacheFolder()}`);
  if (rows.some(({ state }) => state.startsWith('failed'))) process.exitCode = 1;
}

async function row(name: PartName): Promise<{ name: string; state: string; cure: string }> {
  const before = inspectPart(name);
  if (before.off) return { name, state: before.reason, cure: before.cure };
  const started = Date.now();
  try {
    await ensureInstalled(name, line => console.log(`[${name}] ${line}`));
    return { name, state: `ready (${((Date.now() - started) / 1000).toFixed(1)} s)`, cure: '' };
  } catch (error) {
    return { name, state: `failed: ${error instanceof Error ? error.message : String(error)}`, cure: inspectPart(name).cure };
  }
}

await main();
