import { freePort } from '../../src/cli/emulator.ts';
import {
  type Emulator,
  type EmulatorName,
  ENDPOINT_VARIABLE,
  ensureInstalled,
  inspectPart,
  isEmulator,
  PARTS,
  parts,
  STARTER_VARIABLE,
  startPart,
} from './emulators.ts';
import { offerControlPlanes } from './kube/pool.ts';
import { offerControlPlane } from './kube/shared.ts';
import { endDeadRuns, endRun, runFolder } from './runs.ts';
import { type Offer, offer } from './starter.ts';

/** Holds the id of the process that set the run up. */
const OWNER_VARIABLE = 'PLINTH_TEST_OWNER';

/**
 * For `globalSetup` of vitest: one emulator of each kind, one Kubernetes control plane for all, and control planes to lend, for the whole run, each on free
 * ports and started when the first test asks for it: MiniStack takes 0.5 s, LocalStack 3 to 8 s, a control plane 5 s. What a killed earlier run left is
 * ended first.
 * Returns the teardown.
 */
export default async function setup(): Promise<() => Promise<void>> {
  // Two projects of vitest have this set-up, and share what the first one offers.
  if (process.env[OWNER_VARIABLE] === String(process.pid)) return async () => {};
  process.env[OWNER_VARIABLE] = String(process.pid);
  const report = (line: string) => console.log(`[parts] ${line}`);
  await endDeadRuns(report);
  if (process.env['CI'] === 'true') await installAll(report);
  const available = parts().flatMap(part => (part.available ? [part.name] : []));
  const ends = [await offerControlPlane(report), await offerControlPlanes(report)];
  const offers: Offer<Emulator>[] = [];
  for (const name of available.filter(isEmulator)) {
    if (process.env[ENDPOINT_VARIABLE[name]]) continue;
    const offered = await offer(() => start(name, report));
    process.env[STARTER_VARIABLE[name]] = offered.url;
    offers.push(offered);
  }
  return async () => {
    await Promise.all(offers.map(offered => offered.end()));
    await Promise.all(ends.map(end => end()));
    await endRun(runFolder());
  };
}

async function start(name: EmulatorName, report: (line: string) => void): Promise<Emulator> {
  const { endpoint } = await startPart(name, report, await freePort());
  return { name, endpoint };
}

async function installAll(report: (line: string) => void): Promise<void> {
  for (const name of PARTS) {
    const isRunning = isEmulator(name) && process.env[ENDPOINT_VARIABLE[name]];
    if (!inspectPart(name).off && !isRunning) await ensureInstalled(name, report);
  }
}
