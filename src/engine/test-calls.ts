/** For tests of what speaks to providers: an engine around one resource type, without claims. */
import type { Provider, ResourceType } from '../core/types.ts';
import { newBudgets } from './budget.ts';
import { type Connection, newConnections } from './clients.ts';
import type { Clock } from './clock.ts';
import { DEFAULT_OPTIONS, type Engine } from './engine.ts';
import { memoryStore } from './store-memory.ts';

/** One call at a time, on a store in memory. */
export function callingEngine(clock: Clock): Engine {
  return {
    store: memoryStore(clock),
    clock,
    instance: { id: 'i', key: 'k' },
    providers: new Map(),
    connections: newConnections(clock),
    budgets: newBudgets(clock),
    options: { ...DEFAULT_OPTIONS, concurrency: 1 },
    log: () => undefined,
    signal: new AbortController().signal,
    memory: new Map(),
    compiled: new Map(),
    track: () => undefined,
  };
}

/** Config `c` of scope `s` reaches the type as `t/thing`. */
export function connectionsTo(type: Partial<ResourceType>): Map<string, Connection> {
  const provider = { name: 't', rate: { callsPerSecond: 1_000, burst: 1_000 }, classify: (error: unknown) => error } as unknown as Provider;
  const types = new Map([['t/thing', { type: 't/thing', ...type } as ResourceType]]);
  return new Map([['c', { config: 'c', provider, client: undefined, scope: 's', settings: {}, types, unsupported: {} } as unknown as Connection]]);
}
