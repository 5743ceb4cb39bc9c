import { expect, test } from 'vitest';
import { EngineError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import { type Acting, applyAll } from './apply.ts';
import type { Told } from './log-outcome.ts';
import { callingEngine, connectionsTo } from './test-calls.ts';
import { testClock } from './test-clock.ts';

const claim = { kind: 'Queue', namespace: 'dev', name: 'orders' };
const entry = { kind: 'owned', id: 'main', name: 'dev_orders', config: 'c', type: 't/thing', onDelete: {}, incarnation: 0 };
const desired = { id: 'main', value: {}, secrets: [] };
const change = { path: 'size', desired: 'hunter2hunter2', observed: 1, cause: 'drift' };

async function told(actions: readonly object[], verb: () => Promise<void>, of: Told = claim): Promise<unknown[]> {
  const lines: [string, string, JsonObject | undefined][] = [];
  const engine = { ...callingEngine(testClock()), log: (...line: (typeof lines)[number]) => void lines.push(line) };
  const connections = connectionsTo({ create: verb, update: verb, delete: verb });
  await applyAll(engine as never, of, connections, actions as unknown as Acting[], () => ({}));
  return lines;
}

test('what was done to a real thing is one line each, with whose it is and no values', async () => {
  const actions = [
    { kind: 'create', entry, desired, because: 'new' },
    { kind: 'update', entry, desired, seen: {}, changes: [change] },
    { kind: 'delete', entry, seen: {} },
    { kind: 'forget', entry, because: 'gone' },
  ];
  const whose = { claim, resource: 'main', type: 't/thing', name: 'dev_orders', config: 'c' };
  expect(await told(actions, async () => undefined)).toEqual([
    ['info', 'created: t/thing dev_orders', { ...whose, verb: 'create', because: 'new' }],
    ['info', 'updated: t/thing dev_orders', { ...whose, verb: 'update', causes: ['drift'], paths: ['size'], changes: 1 }],
    ['info', 'deletion asked for: t/thing dev_orders', { ...whose, verb: 'delete' }],
    ['info', 'gone: t/thing dev_orders', { ...whose, verb: 'forget', because: 'gone' }],
  ]);
});

test('what failed is told with its code, not with the words of the provider; once the claim says so, at debug', async () => {
  const fail = async (): Promise<void> => {
    throw new EngineError('AccessDenied', 'hunter2hunter2 may not');
  };
  const action = { kind: 'create', entry, desired, because: 'new' };
  expect(await told([action], fail)).toMatchObject([['info', 'create failed: t/thing dev_orders: AccessDenied', { error: 'AccessDenied' }]]);
  const known = { ...claim, status: { conditions: [{ reason: 'AccessDenied' }] } };
  expect(await told([action], fail, known)).toMatchObject([['debug', 'create failed: t/thing dev_orders: AccessDenied', { claim }]]);
  expect(JSON.stringify(await told([action], fail))).not.toContain('hunter2');
});
