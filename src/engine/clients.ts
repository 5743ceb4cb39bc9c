/** Connections to what providers talk to: one per whole configuration, shared, and closed when nobody uses it for a while. */
import { hash } from '../core/digest.ts';
import { EngineError, isError } from '../core/errors.ts';
import { redact, secretsIn } from '../core/redact.ts';
import type { ClaimKey, Context, JsonObject, Owner, Provider, ProviderConfig, ResourceType, TypeName } from '../core/types.ts';
import { type Budgets, takeFor } from './budget.ts';
import type { Clock } from './clock.ts';
import { withDeadline } from './deadline.ts';

export { withDeadline } from './deadline.ts';

export interface Connection {
  /** Name of the ProviderConfig. */
  readonly config: string;
  readonly provider: Provider;
  readonly client: unknown;
  /** What it really talks to, as the provider says. */
  readonly scope: string;
  readonly settings: JsonObject;
  readonly types: ReadonlyMap<TypeName, ResourceType>;
  /** By type: top-level fields that what is connected cannot do. */
  readonly unsupported: Readonly<Record<TypeName, readonly string[]>>;
}

interface Slot {
  readonly provider: Provider;
  readonly opened: Promise<Omit<Connection, 'config'>>;
  usedMs: number;
  cancel: () => void;
  /** Ends the watch of its things. */
  readonly ending: AbortController;
}

export interface Connections {
  readonly clock: Clock;
  /** By provider and hash of the settings, credentials and endpoint included. */
  readonly slots: Map<string, Slot>;
  readonly closing: AbortController;
  readonly limits: Limits;
  /** Set by watchThings. */
  watching: Watching | undefined;
}
interface Watching {
  /** Id of the instance whose marks count. */
  readonly instance: string;
  readonly onChange: (claim: ClaimKey) => void;
}
interface Limits {
  /** Bound of connecting and of asking for the scope, each. */
  readonly deadlineMs: number;
  /** Unused for so long: closed. */
  readonly idleMs: number;
  /** A failure is the answer for so long. */
  readonly failureMs: number;
}
const LIMITS: Limits = { deadlineMs: 15_000, idleMs: 600_000, failureMs: 1_000 };

/** No connections yet. */
export function newConnections(clock: Clock, limits: Partial<Limits> = {}): Connections {
  return { clock, slots: new Map(), closing: new AbortController(), limits: { ...LIMITS, ...limits }, watching: undefined };
}

/** From now on `onChange` is told of claims whose things changed outside, by the providers that can tell. */
export function watchThings(connections: Connections, instance: string, onChange: (claim: ClaimKey) => void): void {
  connections.watching = { instance, onChange };
  for (const slot of connections.slots.values()) void watchSlot(connections, slot);
}

async function watchSlot({ watching }: Connections, { provider, opened, ending }: Slot): Promise<void> {
  if (watching === undefined || provider.watch === undefined) return;
  const connection = await opened.catch(() => undefined);
  if (connection === undefined || ending.signal.aborted) return;
  const tell = ({ kind, namespace, name }: Owner): void => watching.onChange({ kind, namespace, name });
  provider.watch(connection.client, watching.instance, tell, ending.signal);
}

/**
 * The connection for a config whose settings are resolved; made once, however many ask at the same time. Rejects with what the provider
 * makes of the failure (it names the config), Timeout, or Aborted after closeAll; a failure stays the answer for a second.
 */
export async function connect(connections: Connections, config: ProviderConfig, provider: Provider): Promise<Connection> {
  if (connections.closing.signal.aborted) throw new EngineError('Aborted', 'given up because the run ended');
  const key = `${provider.name}/${hash(config.settings, 64)}`;
  const slot = connections.slots.get(key) ?? openSlot(connections, key, config.settings, provider);
  slot.usedMs = connections.clock.ms();
  try {
    return { ...(await slot.opened), config: config.name };
  } catch (error) {
    throw isError(error) ? namedBy(config.name, error) : error;
  }
}

function openSlot(connections: Connections, key: string, settings: JsonObject, provider: Provider): Slot {
  const { clock, limits, slots } = connections;
  const slot: Slot = { provider, opened: open(connections, settings, provider), usedMs: clock.ms(), cancel: () => undefined, ending: new AbortController() };
  slots.set(key, slot);
  const drop = (): void => void (slots.get(key) === slot && slots.delete(key));
  const onOpened = () => closeWhenIdle(connections, key, slot);
  const onFailed = (): void => {
    slot.cancel = clock.after(limits.failureMs, drop);
  };
  slot.opened.then(onOpened, onFailed);
  void watchSlot(connections, slot);
  return slot;
}

async function open(connections: Connections, settings: JsonObject, provider: Provider): Promise<Omit<Connection, 'config'>> {
  const { clock, limits, closing } = connections;
  let client: unknown;
  const connecting = Promise.resolve().then(() => provider.connect(settings));
  try {
    client = await withDeadline(clock, limits.deadlineMs, closing.signal, () => connecting);
  } catch (error) {
    // It may still come, and nobody would close it.
    connecting.then(late => closeQuietly(provider, late)).catch(() => undefined);
    throw withoutSecrets(classified(provider, error), settings);
  }
  try {
    const scope = await withDeadline(clock, limits.deadlineMs, closing.signal, () => provider.scope(client));
    const types = new Map(provider.types.map(type => [type.type, type]));
    return { provider, client, scope, settings, types, unsupported: provider.unsupported?.(client) ?? {} };
  } catch (error) {
    await closeQuietly(provider, client);
    throw withoutSecrets(classified(provider, error), settings);
  }
}

/** The error without the credentials of the settings: for what fails outside a pass, whose redactor would know them. */
export function withoutSecrets(error: EngineError, settings: JsonObject): EngineError {
  return saying(error, redact(error.message, secretsIn(settings)));
}

/** The error with the name of the ProviderConfig it is about in front: which of them is to be mended. Once, however often asked. */
export function namedBy(config: string, error: EngineError): EngineError {
  return error.code === 'Aborted' || error.message.includes(`ProviderConfig ${config}`) ? error : saying(error, `ProviderConfig ${config}: ${error.message}`);
}

function saying(error: EngineError, message: string): EngineError {
  if (message === error.message) return error;
  const { code, retry, hint, path, offset, cause } = error;
  return new EngineError(code, message, { retry, hint, path, offset, cause });
}

/** What the provider makes of a failure; an EngineError passes as it is. */
export function classified(provider: Provider, error: unknown): EngineError {
  if (isError(error)) return error;
  try {
    return provider.classify(error);
  } catch (cause) {
    return new EngineError('ProviderFailure', `provider ${provider.name} failed and cannot say why`, { cause });
  }
}

async function closeQuietly(provider: Provider, client: unknown): Promise<void> {
  try {
    await provider.close(client);
  } catch {
    // Nothing depends on it any more.
  }
}

function closeWhenIdle(connections: Connections, key: string, slot: Slot): void {
  const { clock, limits, slots } = connections;
  const restMs = slot.usedMs + limits.idleMs - clock.ms();
  if (restMs > 0) {
    slot.cancel = clock.after(restMs, () => closeWhenIdle(connections, key, slot));
    return;
  }
  slots.delete(key);
  void closeSlot(slot);
}

async function closeSlot(slot: Slot): Promise<void> {
  slot.cancel();
  slot.ending.abort();
  const opened = await slot.opened.catch(() => undefined);
  if (opened !== undefined) await closeQuietly(slot.provider, opened.client);
}

/** Gives up what is still connecting and closes the rest; later `connect` calls reject. Resolves within the deadline of connecting. */
export async function closeAll(connections: Connections): Promise<void> {
  const { clock, limits, slots, closing } = connections;
  closing.abort();
  const all = Promise.all([...slots.values()].map(closeSlot));
  slots.clear();
  await withDeadline(clock, limits.deadlineMs, new AbortController().signal, () => all).catch(() => undefined);
}

/** What a verb of a resource type is handed for one call. `log` gets what the provider logs, at level debug. */
export function contextFor(
  connection: Connection,
  call: {
    readonly signal: AbortSignal;
    readonly depth: 'quick' | 'full';
    readonly log: (level: 'debug', message: string, fields?: JsonObject) => void;
    readonly budgets: Budgets;
    /** None: whoever looks needs no leave. */
    readonly fence?: () => void;
  },
): Context {
  const { provider, config, client } = connection;
  const { signal, depth, budgets, fence = () => undefined } = call;
  return {
    client,
    signal,
    depth,
    log: (message, fields) => call.log('debug', message, { config, provider: provider.name, ...fields }),
    budget: async (service, operation = '') => {
      await takeFor(budgets, { config, service, operation }, provider.rate, signal);
      fence();
      budgets.onCall?.(config, service, operation);
    },
    fence,
  };
}
