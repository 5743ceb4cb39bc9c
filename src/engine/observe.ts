/** Looking at real things: the one place that calls `observe`. This is drift detection. */
import { digest } from '../core/digest.ts';
import { EngineError, isError } from '../core/errors.ts';
import { identityKey } from '../core/match.ts';
import { isBare } from '../core/ownership.ts';
import type { Observation, Observed, OwnedEntry, ResourceType, StringMap } from '../core/types.ts';
import { type Connection, contextFor, withDeadline } from './clients.ts';
import type { Engine } from './engine.ts';
import { failure } from './failure.ts';

/** What a pass knows of the world; grows and is refreshed turn by turn. */
export interface Sight {
  /** By identityKey. */
  readonly observed: Map<string, Observed>;
  /** Secret outputs, kept beside; never given to the core. */
  readonly secrets: Map<string, StringMap>;
}

/** Observes the entries at once and notes what was seen. Entries whose config reaches another scope are not looked at. */
export async function observeAll(
  engine: Engine,
  connections: ReadonlyMap<string, Connection>,
  entries: readonly OwnedEntry[],
  depth: 'quick' | 'full',
  sight: Sight,
): Promise<void> {
  await Promise.all(
    entries.map(async entry => {
      const connection = connections.get(entry.config);
      if (connection === undefined || connection.scope !== entry.scope) return;
      const { observed, secrets } = await observeOne(engine, connection, entry, depth);
      sight.observed.set(identityKey(entry), observed);
      // What was read before a failed look is still secret, and the redactor must know it.
      if (observed.kind !== 'unknown' || !sight.secrets.has(identityKey(entry))) sight.secrets.set(identityKey(entry), secrets);
    }),
  );
}

async function observeOne(
  engine: Engine,
  connection: Connection,
  entry: OwnedEntry,
  depth: 'quick' | 'full',
): Promise<{ observed: Observed; secrets: StringMap }> {
  const type = connection.types.get(entry.type);
  if (type === undefined) return unknown(new EngineError('Unsupported', `${connection.provider.name} has no resource type ${entry.type}`));
  try {
    const look = (): Promise<Observation> =>
      withDeadline(engine.clock, engine.options.callTimeoutMs, engine.signal, signal =>
        type.observe(contextFor(connection, { signal, depth, log: engine.log, budgets: engine.budgets }), entry.name),
      );
    const first = await look();
    const seen = isStrange(type, entry, first) ? await look() : first;
    if (seen.kind === 'absent') return { observed: seen, secrets: {} };
    const { secrets, ...rest } = seen;
    const digests = Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, digest(engine.instance.key, value)]));
    return { observed: { ...rest, secrets: digests }, secrets };
  } catch (thrown) {
    const error = failure(engine, connection, thrown);
    return isError(error, 'NotFound') ? { observed: { kind: 'absent' }, secrets: {} } : unknown(error);
  }
}

/**
 * There, but without a mark. A thing and its tags are mostly read by two calls, and of one that goes or comes in between some services answer no
 * tags rather than not found: a second look tells that from a thing that was robbed of its marks, or never was ours.
 */
function isStrange(type: ResourceType, entry: OwnedEntry, seen: Observation): boolean {
  return entry.origin !== 'Observed' && seen.kind === 'present' && isBare(type, seen);
}

const unknown = (error: EngineError): { observed: Observed; secrets: StringMap } => ({ observed: { kind: 'unknown', error }, secrets: {} });
