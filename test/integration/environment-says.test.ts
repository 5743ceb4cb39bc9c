/** What an Environment says of the claims in its namespace, and how its own time ends. The namespace itself: environment.test.ts. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, world } from '../../providers/fake/world.ts';
import { EXPIRES } from '../../src/core/environment.ts';
import { parseClaim, parseDefinition } from '../../src/core/parse.ts';
import { emptyStatus } from '../../src/core/parse-status.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { metadataOf } from '../../src/engine/objects.ts';
import { dependents } from '../../src/engine/tracker.ts';
import { condition, object, pass, putAll, settle, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'environment-says';
const BOX: ClaimKey = { kind: 'Box', namespace: 'dev', name: 'one' };
const HOME: ClaimKey = { kind: 'Environment', namespace: '', name: 'dev' };
const HOUR_MS = 3_600_000;
let engine: TestEngine;

const definition = object('ClaimDefinition', 'boxes.plinth.dev', {
  kind: 'Box',
  plural: 'boxes',
  schema: { type: 'object', properties: {} },
  connection: { type: 'box', keys: {} },
  outputs: { type: 'object', properties: { said: { type: 'string' } } },
});
const environments = object('ClaimDefinition', 'environments.plinth.dev', {
  kind: 'Environment',
  plural: 'environments',
  schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  scope: 'Cluster',
  outputs: { type: 'object', properties: { namespace: { type: 'string' } } },
});
const SAID = '${environment.name}/${environment.asleep ? "asleep" : "awake"}/${environment.config[?"LEVEL"].orValue("none")}/${parameters.size}';
const box = (name: string): JsonObject =>
  object('Composition', name, {
    claim: 'Box',
    parameters: { type: 'object', properties: { size: { type: 'integer', default: 1 } } },
    resources: [{ id: 'box', main: true, type: 'fake/queue', spec: {} }],
    outputs: { said: SAID },
  });
const home = object('Composition', 'home', {
  claim: 'Environment',
  resources: [{ id: 'space', main: true, type: 'fake/queue', spec: {} }],
  outputs: { namespace: '${claim.name}' },
});
const config = object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } });
const classOf = (more: JsonObject = {}): JsonObject =>
  object('EnvironmentClass', 'small', {
    default: true,
    implementations: [{ claim: 'Box', composition: 'a', configs: { fake: 'fake' } }],
    environment: { composition: 'home', configs: { fake: 'fake' } },
    allow: { compositions: ['b'], parameters: ['size'] },
    policies: { graceSeconds: 0, swap: 'Automatic' },
    ...more,
  });
const environment = (spec: JsonObject = {}): JsonObject => object('Environment', 'dev', spec);
const said = async (): Promise<string> => String((await settle(engine, BOX)).status!.outputs['said']);
const boxStatus = async (): Promise<ClaimStatus> => (await settle(engine, BOX)).status!;

beforeEach(async () => {
  engine = testEngine({ providers: [fake] });
  await putAll(engine, [definition, environments, box('a'), box('b'), home, config, classOf(), object('Box', 'one', {}, 'dev')]);
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

const edit = (spec: JsonObject): Promise<JsonObject> => engine.store.put(environment(spec));
const announced = async (): Promise<string | undefined> => metadataOf((await engine.store.get(HOME))!).annotations?.[EXPIRES];
const reasons = (): string[] => engine.store.events().map(event => event.reason);

test('without an Environment nobody sleeps and nothing is configured', async () => {
  expect(await said()).toBe('/awake/none/1');
});

test('what it says is read by expressions, and a change of it wakes the claims of its namespace', async () => {
  await edit({ config: { LEVEL: 'debug' } });
  await settle(engine, HOME);
  expect(await said()).toBe('dev/awake/debug/1');
  expect(dependents(engine.tracker, HOME)).toContainEqual(BOX);
  await edit({ asleep: true });
  expect(await said()).toBe('dev/asleep/none/1');
});

test('it overrides the class where the class allows it', async () => {
  await edit({ overrides: [{ claim: 'Box', composition: 'b', parameters: { size: 5 } }] });
  await settle(engine, HOME);
  const status = await boxStatus();
  expect(status.composition).toBe('b');
  expect(status.outputs['said']).toBe('dev/awake/none/5');
  await edit({});
  expect((await boxStatus()).composition).toBe('a');
});

test('what the class does not allow is refused on the claim, which goes on being served', async () => {
  await edit({});
  await settle(engine, HOME);
  await said();
  await edit({ overrides: [{ claim: 'Box', composition: 'c' }] });
  const status = await boxStatus();
  expect(condition(status, 'Ready')).toMatchObject({ status: 'True' });
  expect(condition(status, 'Synced')).toMatchObject({ status: 'False', reason: 'NotAllowed' });
  expect(condition(status, 'Synced')!.message).toContain('does not let the Environment `dev` choose the composition `c`');
});

test('until it has told whether the namespace is its own, a new claim waits, and one that was served stays as it is', async () => {
  await edit({ overrides: [{ claim: 'Box', composition: 'b' }] });
  const fresh = await boxStatus();
  expect(condition(fresh, 'Ready')).toMatchObject({ status: 'False', reason: 'WaitingForEnvironment' });
  expect(fresh.resources).toEqual([]);
  await settle(engine, HOME);
  expect((await boxStatus()).composition).toBe('b');
  // As after a restore that drops the status.
  const lost = parseClaim((await engine.store.get(HOME))!, parseDefinition(environments));
  await engine.store.write({ kind: 'status', claim: lost, status: emptyStatus() });
  const served = await boxStatus();
  expect(served.composition).toBe('b');
  expect(condition(served, 'Ready')).toMatchObject({ status: 'True' });
});

test('in a namespace that was there before it says nothing, however long it cannot tell', async () => {
  await engine.store.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dev' } });
  expect(await said()).toBe('/awake/none/1');
  await edit({ class: 'gone', asleep: true, config: { LEVEL: 'debug' }, overrides: [{ claim: 'Box', composition: 'b' }] });
  const { status } = await settle(engine, HOME);
  expect(condition(status, 'Ready')).toMatchObject({ status: 'False', reason: 'NoClass' });
  const served = await boxStatus();
  expect(served).toMatchObject({ composition: 'a', outputs: { said: '/awake/none/1' } });
  expect(condition(served, 'Synced')).toMatchObject({ status: 'True' });
  await engine.store.put(object('Box', 'two', {}, 'dev'));
  const fresh = (await settle(engine, { ...BOX, name: 'two' })).status;
  expect(condition(fresh, 'Ready')).toMatchObject({ status: 'True' });
});

test('its time is announced an hour before, and when it is over it is deleted as by a person', async () => {
  await engine.store.put(classOf({ environment: { composition: 'home', configs: { fake: 'fake' }, ttl: '2d' } }));
  await edit({});
  await settle(engine, HOME);
  expect(reasons()).not.toContain('Expiring');
  engine.clock.skip(47.5 * HOUR_MS);
  await pass(engine, HOME);
  expect(await announced()).toBeDefined();
  expect(reasons().filter(reason => reason === 'Expiring')).toHaveLength(1);
  engine.clock.skip(0.9 * HOUR_MS);
  await pass(engine, HOME);
  expect(await engine.store.get(HOME)).toBeDefined();
  engine.clock.skip(0.2 * HOUR_MS);
  await settle(engine, HOME);
  expect(await engine.store.get(HOME)).toBeUndefined();
  expect(world(WORLD).accounts.get('main')?.size ?? 0).toBe(0);
  expect(engine.logged.join('\n')).toContain('deleted because its time is over');
});

test('one that is kept longer after it was announced lives on', async () => {
  await edit({ ttl: '1h' });
  engine.clock.skip(0.95 * HOUR_MS);
  await pass(engine, HOME);
  expect(await announced()).toBeDefined();
  await edit({ ttl: '1h', keepUntil: new Date(Date.parse(engine.clock.now()) + 24 * HOUR_MS).toISOString() });
  await pass(engine, HOME);
  expect(await announced()).toBeUndefined();
  engine.clock.skip(20 * HOUR_MS);
  await pass(engine, HOME);
  expect(await engine.store.get(HOME)).toBeDefined();
});
