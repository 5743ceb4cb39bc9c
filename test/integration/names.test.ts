/** Names on the whole engine: no collision, stable, and nothing touched needlessly. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { types } from '../../providers/aws/index.ts';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, world } from '../../providers/fake/world.ts';
import { nameOf } from '../../src/core/naming.ts';
import type { ClaimKey, JsonObject, Naming } from '../../src/core/types.ts';
import { condition, object, owned, putAll, settle, statusOf, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'names';
let engine: TestEngine;
const definition = object('ClaimDefinition', 'lines.plinth.dev', {
  kind: 'Line',
  plural: 'lines',
  schema: { type: 'object', properties: { notes: { type: 'array', default: [], items: { type: 'string' } } } },
  connection: { type: 'line', keys: { uri: {} } },
  outputs: { type: 'object', properties: {} },
});
const composition = (side: string, extra: JsonObject = {}): JsonObject =>
  object('Composition', 'line', {
    claim: 'Line',
    resources: [
      { id: 'queue', main: true, type: 'fake/queue', spec: {} },
      { id: side, type: 'fake/thing', spec: {}, ...extra },
      { id: 'note', forEach: '${claim.spec.notes}', key: '${each}', type: 'fake/note', spec: { body: '${each}' } },
    ],
    connection: { uri: '${queue.state.address}' },
    outputs: {},
  });
const admin = [
  definition,
  composition('side'),
  object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } }),
  object('EnvironmentClass', 'std', {
    default: true,
    implementations: [{ claim: 'Line', composition: 'line', configs: { fake: 'fake' } }],
    policies: { graceSeconds: 0 },
  }),
];
const line = ({ namespace, name }: ClaimKey, notes: string[] = []): JsonObject => object('Line', name, { notes }, namespace);
const key = (namespace: string, name: string): ClaimKey => ({ kind: 'Line', namespace, name });
const names = (): string[] => [...world(WORLD).accounts.get('main')!.keys()].sort();
const writes = (): number => world(WORLD).calls.filter(call => call.writes).length;

beforeEach(async () => {
  engine = testEngine({ providers: [fake] });
  await putAll(engine, admin);
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

test('a-b/c and a/b-c, and 63-character namespaces, have things of their own', async () => {
  const long = 'n'.repeat(62);
  const claims = [
    key('a-b', 'c'),
    key('a', 'b-c'),
    key(`${long}1`, 'orders'),
    key(`${long}2`, 'orders'),
    key(`${long}1`, `orders-${'x'.repeat(50)}1`),
    key(`${long}1`, `orders-${'x'.repeat(50)}2`),
  ];
  await putAll(
    engine,
    claims.map(claim => line(claim, ['one'])),
  );
  for (const claim of claims) expect(condition((await settle(engine, claim)).status, 'Ready')).toMatchObject({ status: 'True' });
  expect(names()).toHaveLength(claims.length * 3);
});

test('a list in another order touches nothing', async () => {
  const claim = key('dev', 'orders');
  await putAll(engine, [line(claim, ['a', 'b', 'c'])]);
  await settle(engine, claim);
  const [before, count] = [names(), writes()];
  await putAll(engine, [line(claim, ['c', 'a', 'b'])]);
  expect(condition((await settle(engine, claim)).status, 'Synced')).toMatchObject({ status: 'True' });
  expect([names(), writes()]).toEqual([before, count]);
});

test('an id renamed with `formerly` keeps the thing and its name; only the mark of the id is written anew', async () => {
  const claim = key('dev', 'orders');
  await putAll(engine, [line(claim)]);
  await settle(engine, claim);
  const before = names();
  await putAll(engine, [composition('aside', { formerly: ['side'] })]);
  const { status } = await settle(engine, claim);
  expect(names()).toEqual(before);
  expect(owned(status).map(entry => entry.id)).toContain('aside');
  expect(
    world(WORLD)
      .calls.filter(call => call.writes)
      .map(call => call.verb),
  ).toEqual(['create', 'create', 'update']);
});

test('a name is pinned: another naming of the class renames nothing', async () => {
  const claim = key('dev', 'orders');
  await putAll(engine, [line(claim)]);
  await settle(engine, claim);
  const [before, count] = [names(), writes()];
  const std = admin.at(-1)!;
  await putAll(engine, [{ ...std, spec: { ...(std['spec'] as JsonObject), naming: 'team-${claim.name}' } }]);
  await settle(engine, claim);
  expect([names(), writes()]).toEqual([before, count]);
  expect(condition(await statusOf(engine, claim), 'Ready')).toMatchObject({ status: 'True' });
});

test.each(
  types.filter(type => type.naming.by === 'template').map(type => [type.type, type.naming as Extract<Naming<JsonObject>, { by: 'template' }>] as const),
)('%s: names fit the limits of the service, apart for a-b/c and a/b-c', (_, rules) => {
  const name = (namespace: string, claim: string, id: string, spec: JsonObject = {}): string =>
    nameOf({ base: '', namespace, claim, id, main: id === 'main', incarnation: 0, instance: 'laptop-1' }, rules, spec);
  const long = 'n'.repeat(63);
  const all = [
    name('a-b', 'c', 'main'),
    name('a', 'b-c', 'main'),
    name(long, 'orders', 'main'),
    name(long, 'orders', 'deadLetter'),
    ...(rules.suffix === undefined ? [] : [name(long, 'orders', 'deadLetter', { fifo: true })]),
    name(long, 'o'.repeat(63), 'subscription[order-events]'),
  ];
  expect(new Set(all).size).toBe(all.length);
  for (const one of all) expect(one.length).toBeLessThanOrEqual(rules.maxLength);
  for (const one of all) expect(one.replace(/\.fifo$/, '')).toMatch(new RegExp(`^[${rules.characters}]+$`));
});
