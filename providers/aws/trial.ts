/** For tests of AWS types: a context that counts calls, and the engine's loop in small (look, compare, update until nothing differs). */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Change, type Context, isError, type Json, type JsonObject, type Observation, type ResourceType } from '../../src/sdk.ts';
import { type AwsClient, connect } from './client.ts';
import type { AwsSettings } from './settings.ts';

export interface Trial {
  readonly client: AwsClient;
  /** Calls since the last `counted`. */
  calls: number;
  /** Leaves that were wanted once, by name: like the engine, only these are taken away when they no longer are. */
  readonly wanted: Map<string, Set<string>>;
  readonly context: (depth?: 'quick' | 'full') => Context<AwsClient>;
  readonly counted: () => number;
}

/** A connection to an emulator, with an account of its own unless one is given: a 12-digit access key is the account. */
export function trial(endpoint: string, accessKeyId = String(Math.floor(Math.random() * 9e11) + 1e11), more: Partial<AwsSettings> = {}): Trial {
  const client = connect({ region: 'us-east-1', endpoint, credentials: { from: 'Static', accessKeyId, secretAccessKey: 'test' }, ...more });
  const self: Trial = {
    client,
    calls: 0,
    wanted: new Map(),
    context: (depth = 'full') => ({
      client,
      depth,
      signal: AbortSignal.timeout(60_000),
      log: () => {},
      budget: async () => {
        self.calls++;
      },
      fence: () => {},
    }),
    counted: () => {
      const { calls } = self;
      self.calls = 0;
      return calls;
    },
  };
  return self;
}

/** Absent, or what is there with its spec normalised. */
export async function look(type: ResourceType, t: Trial, name: string, depth: 'quick' | 'full' = 'full'): Promise<Observation> {
  try {
    const seen = await type.observe(t.context(depth), name);
    return seen.kind === 'absent' || type.normalise === undefined ? seen : { ...seen, spec: type.normalise(seen.spec as JsonObject, seen as never) };
  } catch (error) {
    if (isError(error, 'NotFound')) return { kind: 'absent' };
    throw error;
  }
}

const isMap = (value: Json | undefined): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value);
const step = (path: string, key: string): string =>
  /^[A-Za-z_][\w-]*$/.test(key) ? (path === '' ? key : `${path}.${key}`) : `${path}[${JSON.stringify(key)}]`;
const stable = (value: Json | undefined): string =>
  JSON.stringify(value, (_, item: Json) => (isMap(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item)) ?? '';

/** Every leaf that differs; what is there and not wanted counts too. */
export function changesOf(desired: Json | undefined, observed: Json | undefined, path = ''): Change[] {
  if (isMap(desired) || isMap(observed)) {
    const [a, b] = [isMap(desired) ? desired : {}, isMap(observed) ? observed : {}];
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap(key => changesOf(a[key], b[key], step(path, key)));
  }
  return stable(desired) === stable(observed) ? [] : [{ path, desired, observed, cause: 'changed' }];
}

/** What an update would have to change. */
export function remaining(type: ResourceType, spec: JsonObject, seen: Observation): Change[] {
  if (seen.kind === 'absent') return [{ path: '', desired: spec, observed: undefined, cause: 'changed' }];
  const never = Object.entries(type.spec.properties as Record<string, JsonObject>).filter(([, field]) =>
    /create-only|delete-only/.test(String(field['plinth'])),
  );
  const left = [...seen.unread, ...never.map(([field]) => field)];
  const desired = type.normalise?.(spec, seen as never) ?? spec;
  const of = (value: JsonObject) => Object.fromEntries(Object.entries(value).filter(([field]) => !left.includes(field)));
  return changesOf(of(desired), of(seen.spec as JsonObject));
}

/** Looks, creates or updates until nothing differs; returns how many updates that took. */
export async function settle(type: ResourceType, t: Trial, name: string, spec: JsonObject, turns = 12): Promise<number> {
  const wanted = t.wanted.get(name) ?? new Set();
  t.wanted.set(name, wanted);
  for (let updates = 0; updates < turns; ) {
    const seen = await look(type, t, name);
    const changes = remaining(type, spec, seen).filter(change => change.desired !== undefined || wanted.has(change.path));
    for (const change of changesOf(type.normalise?.(spec, seen.kind === 'absent' ? undefined : seen) ?? spec, undefined)) wanted.add(change.path);
    if (changes.length === 0) return updates;
    try {
      if (seen.kind === 'absent') await type.create(t.context(), name, type.normalise?.(spec) ?? spec);
      else await type.update(t.context(), name, { spec, seen, changes });
      if (seen.kind !== 'absent') updates++;
    } catch (error) {
      if (!isError(error, 'Busy') && !isError(error, 'AlreadyExists')) throw error;
      updates++;
      await sleep(100);
    }
  }
  const left = remaining(type, spec, await look(type, t, name));
  throw new Error(`does not settle: ${JSON.stringify(left)}`);
}

/** Answers requests of one service instead of the network; what it throws looks like an error of the SDK. `asked` lists the commands. */
export async function answer(
  t: Trial,
  service: 'sqs' | 'sns' | 's3' | 'dynamodb' | 'sts',
  respond: (command: string, input: JsonObject) => unknown,
): Promise<string[]> {
  const asked: string[] = [];
  const send = async (command: { readonly constructor: { readonly name: string }; readonly input: JsonObject }) => {
    const name = command.constructor.name.replace(/Command$/, '');
    asked.push(name);
    return respond(name, command.input) ?? {};
  };
  const sdk = await import(`@aws-sdk/client-${service}`);
  t.client.loaded.set(service, Promise.resolve({ sdk, client: { send, destroy: () => {} } } as never));
  return asked;
}

/** An error as the SDK throws it. */
export function failure(name: string, httpStatusCode = 400, message = ''): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode, requestId: '11111111-2222-3333-4444-555555555555' } });
}
