/** What a claim says when something is missing or wrong around it: the reason, in words that name what and where, with a way out. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, findThing, world } from '../../providers/fake/world.ts';
import type { ClaimKey, ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { annotate, condition, editSpec, object, putAll, settle, statusOf, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'conditions';
const KEY: ClaimKey = { kind: 'Thing', namespace: 'dev', name: 'one' };
let engine: TestEngine;

const definition = object('ClaimDefinition', 'things.plinth.dev', {
  kind: 'Thing',
  plural: 'things',
  schema: {
    type: 'object',
    properties: {
      size: { type: 'integer' },
      kind: { type: 'string', default: 'plain' },
      needs: { type: 'string' },
      behaviour: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    },
  },
  connection: { type: 'thing', keys: { uri: {} } },
  outputs: { type: 'object', properties: { address: { type: 'string' } } },
});
const composition = (name = 'thing', spec: JsonObject = {}, type = 'fake/thing'): JsonObject =>
  object('Composition', name, {
    claim: 'Thing',
    resources: [
      { id: 'it', main: true, type, spec: { size: '${claim.spec.?size}', kind: '${claim.spec.kind}', behaviour: '${claim.spec.?behaviour}', ...spec } },
    ],
    connection: { uri: '${it.state.address}' },
    outputs: { address: '${it.state.address}' },
  });
const config = (settings: JsonObject = {}, name = 'fake', provider = 'fake'): JsonObject =>
  object('ProviderConfig', name, { provider, settings: { world: WORLD, ...settings } });
const implementation = (extra: JsonObject = {}): JsonObject => ({ claim: 'Thing', composition: 'thing', configs: { fake: 'fake' }, ...extra });
const environmentClass = (name = 'dev', extra: JsonObject = {}): JsonObject =>
  object('EnvironmentClass', name, { default: true, implementations: [implementation()], ...extra });
const claim = (spec: JsonObject = {}, name = 'one'): JsonObject => object('Thing', name, spec, 'dev');
const whole = [definition, composition(), config(), environmentClass()];

beforeEach(() => {
  engine = testEngine({ providers: [fake] });
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

async function outcome(objects: readonly JsonObject[]): Promise<ClaimStatus> {
  await putAll(engine, objects);
  return (await settle(engine, KEY)).status!;
}
const ready = (status: ClaimStatus) => condition(status, 'Ready')!;

test.each<[string, JsonObject[], string, RegExp]>([
  ['no class', [definition, composition(), config(), claim()], 'NoClass', /class/],
  ['two default classes', [...whole, environmentClass('other'), claim()], 'TwoDefaultClasses', /dev.*other/],
  [
    'two implementations of one kind',
    [definition, composition(), config(), environmentClass('dev', { implementations: [implementation(), implementation({ composition: 'b' })] }), claim()],
    'AmbiguousImplementation',
    /thing.*b|b.*thing/,
  ],
  ['no implementation', [definition, composition(), config(), environmentClass('dev', { implementations: [] }), claim()], 'NoImplementation', /Thing/],
  ['no composition', [definition, config(), environmentClass(), claim()], 'NoComposition', /thing/],
  ['no provider config', [definition, composition(), environmentClass(), claim()], 'NoProviderConfig', /fake/],
  ['a provider that does not exist', [definition, composition(), config({}, 'fake', 'fak'), environmentClass(), claim()], 'UnknownProvider', /fak/],
  ['a choice the class does not allow', [...whole, claim({ lifecycle: { composition: 'other' } })], 'NotAllowed', /other/],
  ['an adoption the class does not allow', [...whole, claim({ lifecycle: { adopt: { it: 'legacy' } } })], 'NotAdoptable', /legacy/],
  ['a value the type does not take', [...whole, claim({ size: 5_000 })], 'InvalidSpec', /size/],
])('%s', async (_, objects, reason, names) => {
  const status = await outcome(objects);
  expect(ready(status)).toMatchObject({ status: 'False', reason });
  expect(ready(status).message).toMatch(names);
  expect(ready(status).message).not.toMatch(/\n|undefined|\[object/);
  expect(world(WORLD).calls.filter(call => call.writes)).toEqual([]);
});

test('what another object mends stalls only after two minutes, and is mended without touching the claim', async () => {
  await putAll(engine, [definition, composition(), config(), claim()]);
  await settle(engine, KEY);
  expect(condition(await statusOf(engine, KEY), 'Stalled')).toMatchObject({ status: 'True', reason: 'NoClass' });
  const status = await outcome([environmentClass()]);
  expect(ready(status)).toMatchObject({ status: 'True' });
  expect(condition(status, 'Stalled')).toMatchObject({ status: 'False' });
});

test('refused credentials are told, other claims go on, and nothing is lost when they come back', async () => {
  await outcome([...whole, claim()]);
  world(WORLD).lockedOut.add('main');
  engine.engine.connections.slots.clear();
  const status = (await settle(engine, KEY)).status!;
  expect(condition(status, 'Synced')).toMatchObject({ reason: 'InvalidCredentials' });
  expect(condition(status, 'Synced')?.message).toContain('ProviderConfig fake: ');
  expect(status.resources).toHaveLength(1);
  world(WORLD).lockedOut.clear();
  engine.clock.skip(5_000);
  expect(ready((await settle(engine, KEY)).status!)).toMatchObject({ status: 'True' });
});

test.each(['Throttled', 'Timeout', 'ServiceError', 'Unreachable'])('%s twice: told, backed off, then done', async code => {
  const status = await outcome([...whole, claim({ behaviour: { failures: [{ verb: 'create', code, times: 2 }] } })]);
  expect(ready(status)).toMatchObject({ status: 'True' });
});

test('a broken composition keeps its claims on the last good revision, also after a restart', async () => {
  await outcome([...whole, claim({ size: 1 })]);
  await engine.store.put(composition('thing', { size: '${claim.spec.sise}' }));
  const again = testEngine({ providers: [fake], store: engine.store, clock: engine.clock });
  await editSpec(again, KEY, spec => ({ ...spec, size: 2 }));
  const status = (await settle(again, KEY)).status!;
  expect(condition(status, 'Synced')).toMatchObject({ status: 'False', reason: 'InvalidExpression' });
  expect(ready(status)).toMatchObject({ status: 'True' });
  expect(findThing(world(WORLD), 'main', 'fake/thing', 'dev_one')?.spec['size']).toBe(2);
  await again.stop();
});

test('a foreign thing of our name is a conflict, and is not touched', async () => {
  const place = world(WORLD);
  await outcome([...whole, claim({}, 'other')]);
  await settle(engine, { ...KEY, name: 'other' });
  const theirs = findThing(place, 'main', 'fake/thing', 'dev_other')!;
  const foreign = { ...theirs, name: 'dev_one', spec: { ...theirs.spec, tags: { owner: 'somebody' } } };
  place.accounts.get('main')!.set('fake/thing dev_one', foreign);
  const before = structuredClone(foreign.spec);
  const status = await outcome([claim({ size: 7 })]);
  expect(ready(status)).toMatchObject({ status: 'False', reason: 'Conflict' });
  expect(findThing(place, 'main', 'fake/thing', 'dev_one')!.spec).toEqual(before);
});

test('the service keeps another value than the one sent: NotConverging, not an endless loop', async () => {
  await outcome([...whole, claim({ size: 1 })]);
  const place = world(WORLD);
  const it = findThing(place, 'main', 'fake/thing', 'dev_one')!;
  place.after = call => {
    if (call.verb === 'update') it.spec = { ...it.spec, size: 1 };
  };
  await editSpec(engine, KEY, spec => ({ ...spec, size: 9 }));
  const status = (await settle(engine, KEY)).status!;
  expect(condition(status, 'Synced')).toMatchObject({ status: 'False', reason: 'NotConverging' });
});

test('a claim whose definition is gone is retained, not obeyed', async () => {
  await outcome([...whole, claim()]);
  await engine.store.remove({ kind: 'ClaimDefinition', namespace: '', name: 'things.plinth.dev' });
  await engine.store.remove(KEY);
  const status = (await settle(engine, KEY)).status!;
  expect(condition(status, 'Synced')).toMatchObject({ status: 'False', reason: 'NoDefinition' });
  expect(findThing(world(WORLD), 'main', 'fake/thing', 'dev_one')).toBeDefined();
});

test('an immutable change of what holds nothing makes the new one, switches, and retires the old', async () => {
  await outcome([...whole, claim({ kind: 'plain' })]);
  await editSpec(engine, KEY, spec => ({ ...spec, kind: 'special' }));
  const status = (await settle(engine, KEY)).status!;
  expect(ready(status)).toMatchObject({ status: 'True' });
  expect(status.outputs['address']).toMatch(/dev_one_1$/);
  expect([...world(WORLD).accounts.get('main')!.keys()]).toEqual(['fake/thing dev_one_1']);
});

test('a paused claim says so, keeps its Ready, and is not touched until the annotation goes', async () => {
  await outcome([...whole, claim({ size: 1 })]);
  await annotate(engine, KEY, { 'plinth.dev/paused': 'true' });
  const calls = world(WORLD).calls.length;
  const status = (await settle(engine, KEY)).status!;
  expect(condition(status, 'Synced')).toMatchObject({ status: 'False', reason: 'Paused' });
  expect(ready(status)).toMatchObject({ status: 'True' });
  expect(world(WORLD).calls).toHaveLength(calls);
  await annotate(engine, KEY, { 'plinth.dev/paused': undefined });
  expect(condition((await settle(engine, KEY)).status, 'Synced')).toMatchObject({ status: 'True' });
});

test('no secret value leaves in a message, whoever put it there', async () => {
  await putAll(engine, [definition, composition(), config({ password: 'correct-horse' }), environmentClass(), claim()]);
  world(WORLD).before = call => {
    if (call.verb === 'create') throw Object.assign(new Error('login with correct-horse was refused'), { name: 'FakeError', code: 'InvalidRequest' });
  };
  const status = (await settle(engine, KEY)).status!;
  expect(ready(status)).toMatchObject({ status: 'False', reason: 'InvalidRequest' });
  expect(JSON.stringify([status, engine.store.events()])).not.toContain('correct-horse');
  expect(ready(status).message).toContain('•••');
});
