import { Type } from '@sinclair/typebox';
import { beforeEach, describe, expect, test } from 'vitest';
import { EngineError, type ErrorCode, isError } from '../core/errors.ts';
import type { JsonObject, Owner, Provider, ProviderConfig } from '../core/types.ts';
import { newBudgets, usage } from './budget.ts';
import { closeAll, connect, contextFor, newConnections, watchThings, withDeadline } from './clients.ts';
import { breath, type TestClock, testClock } from './test-clock.ts';

interface Client {
  readonly n: number;
  readonly settings: JsonObject;
}
let clock: TestClock;
let made: Client[];
let closed: Client[];
let behaviour: { connect?: () => Promise<void>; scope?: () => Promise<string> };

beforeEach(() => {
  clock = testClock();
  [made, closed, behaviour] = [[], [], {}];
});

const provider: Provider = {
  name: 'counting',
  description: '',
  settings: Type.Object({}),
  types: [],
  unsearchable: [],
  rate: { callsPerSecond: 1, burst: 1 },
  forgetful: () => false,
  connect: async settings => {
    await behaviour.connect?.();
    made.push({ n: made.length, settings });
    return made.at(-1)!;
  },
  scope: async client => (behaviour.scope === undefined ? `counting:${(client as Client).n}` : await behaviour.scope()),
  close: async client => {
    closed.push(client as Client);
  },
  classify: error => (isError(error) ? error : new EngineError('Unreachable', String((error as Error).message), { cause: error })),
  owned: async function* () {},
};
const config = (settings: JsonObject, name = 'c'): ProviderConfig => ({
  name,
  provider: 'counting',
  settings,
  lifetime: 'Cluster',
  allowedNamespaces: undefined,
});
const code = async (promise: Promise<unknown>): Promise<ErrorCode | undefined> =>
  await promise.then(
    () => undefined,
    thrown => (isError(thrown) ? thrown.code : undefined),
  );

describe('connections', () => {
  test('tell of things that changed, those opened before and after somebody asked, until they are closed', async () => {
    const connections = newConnections(clock);
    const watched: { readonly onChange: (owner: Owner) => void; readonly signal: AbortSignal; readonly instance: string }[] = [];
    const telling: Provider = { ...provider, watch: (_, instance, onChange, signal) => void watched.push({ onChange, signal, instance }) };
    await connect(connections, config({ a: 1 }), telling);
    const told: unknown[] = [];
    watchThings(connections, 'i', claim => told.push(claim));
    await connect(connections, config({ a: 2 }), telling);
    await connect(connections, config({ a: 3 }), provider);
    await breath();
    expect(watched.map(({ instance }) => instance)).toEqual(['i', 'i']);
    watched[1]!.onChange({ instance: 'i', kind: 'Queue', namespace: 'dev', name: 'orders', uid: 'u', id: 'queue' });
    expect(told).toEqual([{ kind: 'Queue', namespace: 'dev', name: 'orders' }]);
    await closeAll(connections);
    expect(watched.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  test('are shared by everything with the same settings, and by nothing else', async () => {
    const connections = newConnections(clock);
    const settings = { endpoint: 'http://a', credentials: { secret: '1' } };
    const [a, b, c] = await Promise.all([
      connect(connections, config(settings), provider),
      connect(connections, config({ credentials: { secret: '1' }, endpoint: 'http://a' }, 'alias'), provider),
      connect(connections, config({ ...settings, credentials: { secret: '2' } }), provider),
    ]);
    expect(made).toHaveLength(2);
    expect(a!.client).toBe(b!.client);
    expect([a!.config, b!.config, a!.scope]).toEqual(['c', 'alias', 'counting:0']);
    expect(c!.client).not.toBe(a!.client);
  });

  test('that fail are classified, answered from memory for a second, then tried again', async () => {
    let tries = 0;
    behaviour.connect = async () => {
      tries += 1;
      throw new Error('no route');
    };
    const connections = newConnections(clock);
    const failed = () => code(connect(connections, config({}), provider));
    expect(await Promise.all([failed(), failed()])).toEqual(['Unreachable', 'Unreachable']);
    await clock.pass(900);
    expect(await failed()).toBe('Unreachable');
    expect(tries).toBe(1);
    await clock.pass(200);
    behaviour = {};
    expect(await failed()).toBeUndefined();
  });

  test('that fail say which config it was, each its own, and no secret', async () => {
    behaviour.scope = async () => {
      throw new EngineError('InvalidCredentials', 'STS GetCallerIdentity: InvalidClientTokenId of hunter2hunter2', { path: 'credentials' });
    };
    const connections = newConnections(clock);
    const settings = { credentials: { secretAccessKey: 'hunter2hunter2' } };
    const said = (name: string) => connect(connections, config(settings, name), provider).then(undefined, (thrown: unknown) => thrown);
    const told = { code: 'InvalidCredentials', path: 'credentials', message: 'ProviderConfig aws: STS GetCallerIdentity: InvalidClientTokenId of •••' };
    expect(await said('aws')).toMatchObject(told);
    expect(await said('aws')).toMatchObject(told);
    expect(await said('other')).toMatchObject({ message: 'ProviderConfig other: STS GetCallerIdentity: InvalidClientTokenId of •••' });
  });

  test('whose scope cannot be had are closed; the scope is asked for once', async () => {
    let asked = 0;
    behaviour.scope = async () => {
      asked += 1;
      throw new Error('denied');
    };
    const connections = newConnections(clock);
    expect(await code(connect(connections, config({}), provider))).toBe('Unreachable');
    expect(closed).toHaveLength(1);
    await clock.pass(2_000);
    behaviour.scope = async () => `scope ${++asked}`;
    for (let n = 0; n < 3; n++) expect((await connect(connections, config({}), provider)).scope).toBe('scope 2');
  });

  test('that hang time out, and what comes after all is closed', async () => {
    let release = (): void => undefined;
    behaviour.connect = () => new Promise(resolve => (release = resolve));
    const connections = newConnections(clock, { deadlineMs: 5_000 });
    const failed = code(connect(connections, config({}), provider));
    await clock.pass(5_000);
    expect(await failed).toBe('Timeout');
    release();
    await breath();
    expect(closed).toHaveLength(1);
  });

  test('are closed when nobody used them for a while, and made anew', async () => {
    const connections = newConnections(clock, { idleMs: 10_000 });
    await connect(connections, config({}), provider);
    await clock.pass(8_000);
    await connect(connections, config({}), provider);
    await clock.pass(8_000);
    expect(closed).toHaveLength(0);
    await clock.pass(2_000);
    expect(closed).toHaveLength(1);
    expect((await connect(connections, config({}), provider)).scope).toBe('counting:1');
  });

  test('end together: open ones are closed, those on the way given up, new ones refused, no timer is left', async () => {
    const connections = newConnections(clock);
    await connect(connections, config({}), provider);
    behaviour.scope = () => new Promise(() => undefined);
    const hanging = code(connect(connections, config({ x: 1 }), provider));
    await breath();
    await closeAll(connections);
    expect(await hanging).toBe('Aborted');
    expect(closed).toHaveLength(2);
    expect(await code(connect(connections, config({}), provider))).toBe('Aborted');
    await breath();
    await clock.pass(1_000);
    expect(clock.pending()).toBe(0);
  });

  test('give verbs a context with budget and log', async () => {
    const connection = await connect(newConnections(clock), config({}), provider);
    const budgets = newBudgets(clock);
    const lines: unknown[] = [];
    const context = contextFor(connection, { signal: new AbortController().signal, depth: 'full', log: (...line) => lines.push(line), budgets });
    await context.budget('sqs');
    context.log('asked', { a: 1 });
    expect(usage(budgets)).toMatchObject([{ config: 'c', service: 'sqs', calls: 1 }]);
    expect(lines).toEqual([['debug', 'asked', { config: 'c', provider: 'counting', a: 1 }]]);
  });
});

describe('a deadline', () => {
  const never = new AbortController().signal;

  test('passes on answers and errors, and leaves no timer', async () => {
    expect(await withDeadline(clock, 1_000, never, async () => 7)).toBe(7);
    await expect(withDeadline(clock, 1_000, never, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(clock.pending()).toBe(0);
  });

  test('ends a call that ignores its signal, and one that heeds it, with Timeout', async () => {
    const deaf = code(withDeadline(clock, 1_000, never, () => new Promise(() => undefined)));
    const heeding = code(
      withDeadline(clock, 1_000, never, signal => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))),
    );
    await clock.pass(1_000);
    expect([await deaf, await heeding]).toEqual(['Timeout', 'Timeout']);
  });

  test('ends with Aborted when the run does, also for many calls under one signal', async () => {
    const parent = new AbortController();
    const warnings: string[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', onWarning);
    const signals: AbortSignal[] = [];
    const calls = Array.from({ length: 50 }, () =>
      code(
        withDeadline(clock, 1_000, parent.signal, signal => {
          signals.push(signal);
          return new Promise(() => undefined);
        }),
      ),
    );
    await breath();
    parent.abort();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['Aborted']));
    expect(signals.every(signal => signal.aborted)).toBe(true);
    expect(await code(withDeadline(clock, 1_000, parent.signal, async () => 1))).toBe('Aborted');
    await breath();
    process.off('warning', onWarning);
    expect([warnings, clock.pending()]).toEqual([[], 0]);
  });
});
