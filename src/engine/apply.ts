/** Doing what a plan says: the only caller of create, update and delete. Outcomes are collected, not thrown. */
import { EngineError, isError } from '../core/errors.ts';
import { at, put } from '../core/paths.ts';
import { fill } from '../core/render.ts';
import type { Action, Change, ClaimKey, Context, DesiredResource, JsonObject, Outcome, ResourceType, StringMap, Update } from '../core/types.ts';
import { type Connection, contextFor, withDeadline } from './clients.ts';
import type { Engine } from './engine.ts';
import { failure } from './failure.ts';
import { leaseLost } from './lease.ts';
import { logOutcome, type Told } from './log-outcome.ts';

export type Acting = Extract<Action, { kind: 'create' | 'update' | 'delete' | 'forget' }>;

/** True for actions that this module carries out; the others are told, not done. */
export function isActing(action: Action): action is Acting {
  return action.kind === 'create' || action.kind === 'update' || action.kind === 'delete' || action.kind === 'forget';
}

/** True for actions that change something outside: they need the fence. */
export function isMutating(action: Action): boolean {
  return isActing(action) && action.kind !== 'forget';
}

/** Less is no time for a call: it waits for a fresh lease instead. */
const LEAST_CALL_MS = 1_000;

/** How long a call of this claim may take, ms, so that it is over before the lease is. LeaseLost when it must not begin. */
export function callBudget({ clock, options, holdsUntil }: Engine, claim: ClaimKey): number {
  if (holdsUntil === undefined) return options.callTimeoutMs;
  const restMs = holdsUntil(claim.namespace) - clock.ms();
  if (restMs < LEAST_CALL_MS) throw leaseLost(`${claim.kind}/${claim.name}`);
  return Math.min(options.callTimeoutMs, restMs);
}

/**
 * Runs all actions, `concurrency` at a time, each with a deadline; one failure does not stop its siblings. `secretsOf`: by resource id.
 * LeaseLost, once nothing runs any more, when one could not begin: what was done is not to be reported.
 */
export async function applyAll(
  engine: Engine,
  claim: Told,
  connections: ReadonlyMap<string, Connection>,
  actions: readonly Acting[],
  secretsOf: (id: string) => StringMap,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const rest = [...actions];
  const worker = async (): Promise<void> => {
    for (let action = rest.shift(); action !== undefined; action = rest.shift()) {
      const outcome = await applyOne(engine, claim, connections, action, secretsOf);
      logOutcome(engine, claim, outcome);
      outcomes.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(engine.options.concurrency, actions.length) }, worker));
  const lost = outcomes.find(outcome => outcome.result === 'failed' && outcome.error.code === 'LeaseLost');
  if (lost?.result === 'failed') throw lost.error;
  return outcomes;
}

async function applyOne(
  engine: Engine,
  claim: ClaimKey,
  connections: ReadonlyMap<string, Connection>,
  action: Acting,
  secretsOf: (id: string) => StringMap,
): Promise<Outcome> {
  if (action.kind === 'forget') return { action, at: engine.clock.now(), result: 'done' };
  const connection = connections.get(action.entry.config);
  const type = connection?.types.get(action.entry.type);
  if (connection === undefined || type === undefined)
    return {
      action,
      at: engine.clock.now(),
      result: 'failed',
      error: new EngineError('NoProviderConfig', `ProviderConfig ${action.entry.config} is not there`),
    };
  let boundMs = engine.options.callTimeoutMs;
  try {
    boundMs = callBudget(engine, claim);
    await withDeadline(engine.clock, boundMs, engine.signal, signal => {
      const context = contextFor(connection, { signal, depth: 'full', log: engine.log, budgets: engine.budgets, fence: () => fence(engine, claim) });
      return call(type, context, action, secretsOf);
    });
    return { action, at: engine.clock.now(), result: 'done' };
  } catch (thrown) {
    const isCut = boundMs < engine.options.callTimeoutMs && isError(thrown, 'Timeout');
    const error = isCut ? leaseLost(`${claim.kind}/${claim.name}`) : failure(engine, connection, thrown);
    if (action.kind === 'delete' && isError(error, 'NotFound')) return { action, at: engine.clock.now(), result: 'done' };
    return { action, at: engine.clock.now(), result: 'failed', error };
  }
}

/** A verb may be several requests: none leaves after a process that stood still wakes up without its lease. */
function fence({ clock, holdsUntil }: Engine, claim: ClaimKey): void {
  if (holdsUntil !== undefined && clock.ms() >= holdsUntil(claim.namespace)) throw leaseLost(`${claim.kind}/${claim.name}`);
}

async function call(type: ResourceType, context: Context, action: Exclude<Acting, { kind: 'forget' }>, secretsOf: (id: string) => StringMap): Promise<void> {
  const { name } = action.entry;
  switch (action.kind) {
    case 'create':
      return await type.create(context, name, filled(action.desired, secretsOf));
    case 'update':
      return await type.update(context, name, updateOf(action, filled(action.desired, secretsOf)));
    case 'delete':
      return await type.delete(context, name, action.seen, action.entry.onDelete);
  }
}

function filled(desired: DesiredResource, secretsOf: (id: string) => StringMap): JsonObject {
  return desired.secrets.length === 0 ? desired.value : fill(desired, secretsOf);
}

/** Changes of secret fields get their value here, and nowhere earlier. A retained mark is a change beside the spec: it goes in as well. */
function updateOf(action: Extract<Acting, { kind: 'update' }>, spec: JsonObject): Update {
  const changes = action.changes.map((change): Change => (change.secret ? { ...change, desired: at(spec, change.path) } : change));
  const whole = changes.reduce(
    (all, change) => (change.desired === undefined || at(all, change.path) !== undefined ? all : put(all, change.path, change.desired)),
    spec,
  );
  return { spec: whole, seen: action.seen, changes };
}
