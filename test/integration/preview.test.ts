/** The plan that is shown is the plan that is applied: what takes the place of what goes is in it, and it has the hash that an approval is bound to. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fake } from '../../providers/fake/index.ts';
import { endWorld, world } from '../../providers/fake/world.ts';
import { parseDefinition } from '../../src/core/parse.ts';
import type { ClaimKey, JsonObject, Plan } from '../../src/core/types.ts';
import { preview } from '../../src/engine/preview.ts';
import { editSpec, object, putAll, settle, type TestEngine, testEngine } from '../support.ts';

const WORLD = 'preview';
const KEY: ClaimKey = { kind: 'Mail', namespace: 'dev', name: 'one' };
let engine: TestEngine;

const definition = object('ClaimDefinition', 'mails.plinth.dev', {
  kind: 'Mail',
  plural: 'mails',
  schema: { type: 'object', properties: { fifo: { type: 'boolean', default: false } } },
  connection: { type: 'mail', keys: { uri: {} } },
  outputs: { type: 'object' },
});
const composition = (name: string, more: JsonObject = {}): JsonObject =>
  object('Composition', name, {
    claim: 'Mail',
    resources: [
      { id: 'dead', type: 'fake/queue', spec: { fifo: '${claim.spec.fifo}' } },
      {
        id: 'box',
        main: true,
        type: 'fake/queue',
        spec: { fifo: '${claim.spec.fifo}', deadLetter: { address: '${dead.state.address}', maxReceives: 3 }, ...more },
      },
    ],
    connection: { uri: '${box.state.address}' },
  });
const classWith = (name: string, swap: string): JsonObject =>
  object('EnvironmentClass', 'dev', {
    default: true,
    implementations: [{ claim: 'Mail', composition: name, configs: { fake: 'fake' } }],
    policies: { graceSeconds: 0, swap },
  });

beforeEach(async () => {
  engine = testEngine({ providers: [fake] });
  const config = object('ProviderConfig', 'fake', { provider: 'fake', settings: { world: WORLD } });
  await putAll(engine, [definition, composition('two'), config, classWith('two', 'Automatic'), object('Mail', 'one', {}, 'dev')]);
  await settle(engine, KEY);
});
afterEach(async () => {
  await engine.stop();
  endWorld(WORLD);
});

const shown = async (): Promise<Plan> => (await preview(engine.engine, (await engine.store.get(KEY))!, parseDefinition(definition))).plan!;
const words = ({ actions }: Plan): string[] =>
  actions.map(
    action => `${action.kind === 'keep' && action.desired === undefined ? 'retire' : action.kind} ${'name' in action.entry ? action.entry.name : ''}`,
  );
const things = (): string[] => [...(world(WORLD).accounts.get('main')?.keys() ?? [])].sort();

test('what is replaced and what replaces it, level by level, and nothing is done', async () => {
  await editSpec(engine, KEY, spec => ({ ...spec, fifo: true }));
  const before = [things(), world(WORLD).calls.filter(call => call.writes).length];
  const plan = await shown();
  expect(words(plan).sort()).toEqual(['create dev_one_dead_1.fifo', 'retire dev_one', 'retire dev_one_dead', 'wait dev_one_1.fifo']);
  expect([things(), world(WORLD).calls.filter(call => call.writes).length]).toEqual(before);
  await settle(engine, KEY);
  expect(things()).toEqual(['fake/queue dev_one_1.fifo', 'fake/queue dev_one_dead_1.fifo']);
});

test('what is held names its successor, and has the hash that the claim says', async () => {
  await engine.store.put(classWith('two', 'Approve'));
  await settle(engine, KEY);
  await editSpec(engine, KEY, spec => ({ ...spec, fifo: true }));
  const plan = await shown();
  const errors = plan.actions.flatMap(action => (action.kind === 'blocked' ? [action.error.message] : []));
  expect(errors).toContain('box: fake/queue dev_one would be replaced by dev_one_1.fifo: fifo cannot change (it holds a backlog)');
  expect((await settle(engine, KEY)).status!.pendingPlan?.hash).toBe(plan.hash);
});

test('a held change of the class has the hash that the claim says', async () => {
  await putAll(engine, [composition('other', { fifo: true }), classWith('other', 'Approve')]);
  const plan = await shown();
  expect(plan.held.map(entry => entry.id)).toEqual(['box']);
  expect((await settle(engine, KEY)).status!.pendingPlan?.hash).toBe(plan.hash);
});
