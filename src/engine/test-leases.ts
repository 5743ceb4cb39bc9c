/** Leases in memory, with the faults of an API server, and clocks of processes that stand still or run at another speed. For unit tests. */
import { EngineError } from '../core/errors.ts';
import type { Clock } from './clock.ts';
import type { LeasePort, LeaseRecord } from './lease.ts';

export interface TestLeases {
  readonly port: LeasePort;
  readonly records: Map<string, LeaseRecord>;
  /** Every call fails while this is set. */
  isDown: boolean;
  /** A write is applied and its answer lost while this is set. */
  losesAnswers: boolean;
  /** Awaited before each write is applied. */
  before: (record: LeaseRecord) => Promise<void>;
  writes: number;
}

/** An empty set of Leases. */
export function testLeases(): TestLeases {
  const leases: TestLeases = {
    records: new Map(),
    isDown: false,
    losesAnswers: false,
    before: async () => undefined,
    writes: 0,
    port: {
      get: async name => reachable(leases).records.get(name),
      list: async label => [...reachable(leases).records.values()].filter(record => Object.hasOwn(record.labels, label)),
      put: async record => put(leases, record),
      remove: async record => {
        if (reachable(leases).records.get(record.name)?.version !== record.version) throw conflict(record);
        leases.records.delete(record.name);
      },
    },
  };
  return leases;
}

async function put(leases: TestLeases, record: LeaseRecord): Promise<LeaseRecord> {
  reachable(leases);
  await leases.before(record);
  const found = reachable(leases).records.get(record.name);
  if (found !== undefined && found.version !== record.version) throw conflict(record);
  const stored = { ...record, version: String(++leases.writes) };
  leases.records.set(record.name, stored);
  if (leases.losesAnswers) throw new EngineError('StoreUnavailable', 'the answer was lost');
  return stored;
}

function reachable(leases: TestLeases): TestLeases {
  if (leases.isDown) throw new EngineError('StoreUnavailable', 'no API server');
  return leases;
}

function conflict(record: LeaseRecord): EngineError {
  return new EngineError('StoreConflict', `Lease/${record.name}`);
}

/** One process's clock over a common one: it may stand still, as after SIGSTOP, and run at another speed or from another wall time. */
export interface ProcessClock extends Clock {
  /** Nothing of the process runs; time goes on. */
  freeze(): void;
  /** Everything that came due meanwhile runs now. */
  thaw(): void;
}

/** `speed`: of the monotonic clock against the common one; `wallMs`: how far the wall clock is off. */
export function processClock(common: Clock, { speed = 1, wallMs = 0 }: { readonly speed?: number; readonly wallMs?: number } = {}): ProcessClock {
  let isFrozen = false;
  const due: (() => void)[] = [];
  return {
    now: () => new Date(Date.parse(common.now()) + wallMs).toISOString(),
    ms: () => common.ms() * speed,
    after: (ms, run) => {
      let isOver = false;
      const cancel = common.after(ms / speed, () => {
        const act = (): void => {
          if (!isOver) run();
        };
        if (isFrozen) due.push(act);
        else act();
      });
      return () => {
        isOver = true;
        cancel();
      };
    },
    freeze: () => {
      isFrozen = true;
    },
    thaw: () => {
      isFrozen = false;
      for (const act of due.splice(0)) act();
    },
  };
}
