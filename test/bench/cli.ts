/** Group `cli`: what people wait for at the prompt, from the bundle. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningServer, startMiniStack } from '../../src/cli/emulator.ts';
import buildBundle, { BUNDLE } from '../e2e/build.ts';
import { ROOT, scratch } from './child.ts';
import { type Figure, median } from './figures.ts';

const SHORT_RUNS = 15;
const LONG_RUNS = 5;
/** What is remembered of state folders shall not be kept among the user's own. */
const STATE_HOME = scratch();

/** Of several runs the best one counts: whatever else the machine does only makes runs slower. */
export async function cliFigures(): Promise<Figure[]> {
  await buildBundle();
  const bare = await runs(SHORT_RUNS, () => node(['-e', '0']));
  const version = await runs(SHORT_RUNS, () => node([BUNDLE, '--version']));
  const render = await runs(SHORT_RUNS, () => node([BUNDLE, 'render', 'compositions/queue/example.yaml', '--class', 'local']));
  const server = await startMiniStack({ logFile: join(scratch(), 'ministack.log'), detached: false });
  try {
    const [first, second] = await ups(server);
    const note = (run: Runs): string =>
      `${run.wall === bare.wall ? '' : `${(run.wall / bare.wall).toFixed(1)} × node -e 0; `}${run.cpu.toFixed(2)} s of CPU time`;
    return [
      { name: 'node -e 0', value: bare.wall, unit: 's', note: `the peer; ${note(bare)}` },
      { name: 'plinth --version', value: version.wall, unit: 's', goal: { most: 0.15 }, note: note(version) },
      { name: 'plinth render of one claim, cold', value: render.wall, unit: 's', goal: { most: 0.3 }, note: note(render) },
      { name: 'plinth up of examples/shop, emulator running', value: first.wall, unit: 's', goal: { most: 3 }, note: note(first) },
      { name: 'the same again, nothing to change', value: second.wall, unit: 's', goal: { most: 1.5 }, note: note(second) },
    ];
  } finally {
    await server.stop();
  }
}

/** Seconds. `wall`: of the best run; `cpu`: of the middle one, NaN where the system does not tell. */
interface Runs {
  readonly wall: number;
  readonly cpu: number;
}

async function runs(count: number, run: () => Promise<Runs>): Promise<Runs> {
  const all: Runs[] = [];
  for (let done = 0; done < count; done++) all.push(await run());
  return bestOf(all);
}

function bestOf(all: readonly Runs[]): Runs {
  return { wall: Math.min(...all.map(run => run.wall)), cpu: median(all.map(run => run.cpu)) };
}

/** First and second run, each pair on an empty emulator. */
async function ups(server: RunningServer): Promise<[Runs, Runs]> {
  const pairs: (readonly [Runs, Runs])[] = [];
  for (let count = 0; count < LONG_RUNS; count++) {
    await fetch(`${server.endpoint}/_ministack/reset`, { method: 'POST' });
    const up = [BUNDLE, 'up', 'examples/shop', '--class', 'local', '--endpoint', server.endpoint, '--state', join(scratch(), '.plinth')];
    pairs.push([await node(up), await node(up)]);
  }
  return [bestOf(pairs.map(([first]) => first)), bestOf(pairs.map(([, second]) => second))];
}

/** CPU seconds of all children that ended; Linux counts them in hundredths. */
function childrenCpu(): number {
  if (process.platform !== 'linux') return Number.NaN;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Seconds until the process has ended; it must end well. */
async function node(args: readonly string[]): Promise<Runs> {
  const cpu = childrenCpu();
  const start = performance.now();
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PLINTH_STATE_HOME: STATE_HOME } });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`plinth ${args.slice(1).join(' ')} ended with ${code}: ${complaint}`);
  return { wall: (performance.now() - start) / 1000, cpu: childrenCpu() - cpu };
}
