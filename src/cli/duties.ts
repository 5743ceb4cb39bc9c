/** What is done once per cluster, by whoever holds it: claim kinds, what is in use, old revisions. */
import type { Provider } from '../core/types.ts';
import type { Clock } from '../engine/clock.ts';
import { type Definitions, startDefinitions, stopDefinitions } from '../engine/definitions.ts';
import type { Log } from '../engine/engine.ts';
import { pruneRevisions } from '../engine/kube-revisions.ts';
import type { Cluster } from './cluster.ts';

export interface DutyOptions {
  readonly cluster: Pick<Cluster, 'api' | 'store'>;
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly providers: ReadonlyMap<string, Provider>;
}

export interface Duties {
  readonly options: DutyOptions;
  definitions: Definitions | undefined;
  /** Are they ours now? */
  isOn: boolean;
  /** Turns wait for one another. */
  turn: Promise<void>;
  cancel: () => void;
}

/** Revisions that nobody uses any more go after a while; nothing waits for that. */
const PRUNE_MS = 3_600_000;
/** After a failure to begin, e.g. while the API server is away. */
const AGAIN_MS = 5_000;

/** Not ours yet. */
export function newDuties(options: DutyOptions): Duties {
  return { options, definitions: undefined, isOn: false, turn: Promise.resolve(), cancel: () => undefined };
}

/** Takes them up or lays them down. */
export function turnDuties(duties: Duties, isOn: boolean): void {
  duties.isOn = isOn;
  duties.turn = duties.turn.then(() => (duties.isOn ? takeUp(duties) : layDown(duties)));
}

/** Lays them down for good. */
export async function stopDuties(duties: Duties): Promise<void> {
  turnDuties(duties, false);
  await duties.turn;
}

async function takeUp(duties: Duties): Promise<void> {
  if (duties.definitions !== undefined) return;
  const { cluster, clock, log, ...rest } = duties.options;
  try {
    duties.definitions = await startDefinitions({ ...cluster, clock, log, ...rest });
    prune(duties);
  } catch (error) {
    log('warn', `claim kinds cannot be kept yet: ${error instanceof Error ? error.message : String(error)}`);
    duties.cancel = clock.after(AGAIN_MS, () => turnDuties(duties, duties.isOn));
  }
}

async function layDown(duties: Duties): Promise<void> {
  duties.cancel();
  const { definitions } = duties;
  duties.definitions = undefined;
  if (definitions !== undefined) await stopDefinitions(definitions);
}

function prune(duties: Duties): void {
  const { clock, cluster, log } = duties.options;
  duties.cancel = clock.after(PRUNE_MS, () => {
    pruneRevisions(cluster.store, Date.parse(clock.now())).catch((error: unknown) => log('warn', `old revisions stay: ${String(error)}`));
    prune(duties);
  });
}
