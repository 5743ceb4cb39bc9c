/** Group `cloud`: claims on the file store and an emulator, beside the same calls without an engine. */
import { join } from 'node:path';
import { startMiniStack } from '../../src/cli/emulator.ts';
import { account } from '../parts/emulators.ts';
import { startProxy } from '../parts/proxy.ts';
import { bundled, type Cost, scratch, startTurns } from './child.ts';
import type { ClaimsInput, ClaimsOutput } from './claims-work.ts';
import { type Figure, median } from './figures.ts';
import type { FloorInput, FloorOutput } from './floor.ts';

const RUNS = 3;
const TURNS = 10;
const PER_TURN = 100;
const CLAIMS = TURNS * PER_TURN;
/** One period of the engine's full looks. */
const PASSES = 10;

/** Sums of all turns. */
interface Run {
  readonly engine: Cost;
  readonly floor: Cost;
  readonly claims: ClaimsOutput;
  readonly calls: number;
}

/** Times of engine and floor, then what leaves the engine, counted. */
export async function cloudFigures(): Promise<Figure[]> {
  const [claims, floor] = await Promise.all([bundled('claims-work'), bundled('floor')]);
  const server = await startMiniStack({ logFile: join(scratch(), 'ministack.log'), detached: false });
  try {
    const runs: Run[] = [];
    for (let run = 0; run < RUNS; run++) runs.push(await compare(claims, floor, server.endpoint));
    return [...timeFigures(runs), ...(await countFigures(claims, server.endpoint))];
  } finally {
    await server.stop();
  }
}

function claimsInput(endpoint: string, passes: number): ClaimsInput {
  return { endpoint, account: account(), folder: join(scratch(), 'state'), turns: TURNS, perTurn: PER_TURN, passes };
}

/** Engine and floor in turn, each in an account of its own, so that whatever else the machine does touches both. */
async function compare(claimsScript: string, floorScript: string, endpoint: string): Promise<Run> {
  const input: FloorInput = { endpoint, account: account(), perTurn: PER_TURN };
  const claims = startTurns<ClaimsOutput>(claimsScript, { ...claimsInput(endpoint, 1) });
  const floor = startTurns<FloorOutput>(floorScript, { ...input });
  const costs: { engine: Cost; floor: Cost }[] = [];
  for (let turn = 0; turn < TURNS; turn++) costs.push({ floor: await floor.turn(), engine: await claims.turn() });
  const { calls } = await floor.end();
  return { engine: sumOf(costs.map(cost => cost.engine)), floor: sumOf(costs.map(cost => cost.floor)), claims: await claims.end(), calls };
}

function sumOf(costs: readonly Cost[]): Cost {
  const sum = (pick: (cost: Cost) => number): number => costs.reduce((total, cost) => total + pick(cost), 0);
  return { wallMs: sum(cost => cost.wallMs), cpuMs: sum(cost => cost.cpuMs), systemMs: sum(cost => cost.systemMs) };
}

function timeFigures(runs: readonly Run[]): Figure[] {
  const ratios = runs.map(({ engine, floor }) => engine.wallMs / floor.wallMs);
  const middle = (pick: (run: Run) => number): number => median(runs.map(pick));
  const cpu = (cost: Cost): string => `${(cost.cpuMs / CLAIMS).toFixed(1)} ms, ${(cost.systemMs / CLAIMS).toFixed(1)} of it in the system`;
  const [first] = runs;
  return [
    {
      name: `time until ${CLAIMS} claims are Ready, to floor`,
      value: median(ratios),
      unit: '×',
      goal: { most: 2 },
      note: `each run: ${ratios.map(ratio => ratio.toFixed(2)).join(', ')}`,
    },
    { name: `time until ${CLAIMS} claims are Ready`, value: middle(run => run.engine.wallMs) / 1000, unit: 's', note: `storing the claims is in it` },
    { name: 'floor: the same calls, no engine', value: middle(run => run.floor.wallMs) / 1000, unit: 's', note: `${middle(run => run.calls)} calls` },
    {
      name: 'CPU time per claim',
      value: middle(run => run.engine.cpuMs / CLAIMS),
      unit: 'ms',
      note: `first run: ${cpu(first!.engine)}; floor ${cpu(first!.floor)}`,
    },
    {
      name: `resident memory at ${CLAIMS} claims`,
      value: middle(run => run.claims.rss),
      unit: 'MB',
      goal: { most: 150 },
      note: `at rest; at most ${Math.round(middle(run => run.claims.rssPeak))} MB on the way`,
    },
  ];
}

/** A run of its own through the counting proxy, which sees what really leaves. */
async function countFigures(script: string, endpoint: string): Promise<Figure[]> {
  const proxy = await startProxy(endpoint);
  try {
    const claims = startTurns<ClaimsOutput>(script, { ...claimsInput(proxy.endpoint, PASSES) });
    for (let turn = 0; turn < TURNS; turn++) await claims.turn();
    const creating = proxy.count({ service: 'sqs' });
    const writing = proxy.count({ mutating: true });
    const { passes } = await claims.end();
    const perClaim = passes.map(pass => pass.calls / CLAIMS);
    const sum = (pick: (pass: ClaimsOutput['passes'][number]) => number): number => passes.reduce((total, pass) => total + pick(pass), 0);
    return [
      { name: 'cloud calls per claim to create', value: creating / CLAIMS, unit: '', goal: { most: 8 } },
      { name: 'cloud calls per claim and steady pass', value: median(perClaim), unit: '', goal: { most: 2 }, note: `each pass: ${perClaim.join(', ')}` },
      { name: `mutating cloud calls in ${PASSES} no-change passes`, value: proxy.count({ mutating: true }) - writing, unit: '', goal: { most: 0 } },
      { name: `store writes in ${PASSES} no-change passes`, value: sum(pass => pass.writes), unit: '', goal: { most: 0 } },
      { name: `files touched in ${PASSES} no-change passes`, value: sum(pass => pass.files), unit: '', goal: { most: 0 } },
      { name: `no-change pass of ${CLAIMS} claims`, value: median(passes.map(pass => pass.cost.wallMs)) / 1000, unit: 's', note: 'through the proxy' },
    ];
  } finally {
    await proxy.close();
  }
}
