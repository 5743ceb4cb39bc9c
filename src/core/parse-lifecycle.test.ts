import { expect, test } from 'vitest';
import { claimProblems } from './parse.ts';
import type { ClaimDefinition } from './types.ts';

const definition = {
  kind: 'Queue',
  schema: { type: 'object', properties: { fifo: { type: 'boolean' } } },
} as unknown as ClaimDefinition;
const queue = (spec: object) => ({ apiVersion: 'plinth.dev/v1alpha1', kind: 'Queue', metadata: { name: 'orders', namespace: 'shop' }, spec }) as never;

test('a near miss of `lifecycle` is told, and it counts among the known fields', () => {
  const [near] = claimProblems(queue({ lifecyle: {} }), definition);
  expect(`${near!.message}; ${near!.hint}`).toBe('`spec.lifecyle` is not a known field; did you mean `lifecycle`?');
  const [far] = claimProblems(queue({ zzz: 1 }), definition);
  expect(far!.hint).toBe('known here: `fifo`, `lifecycle`');
});

test('its own mistakes are told once', () => {
  expect(claimProblems(queue({ lifecycle: { deletion: 'Keep', fifo: true } }), definition).map(problem => problem.path)).toEqual([
    'spec.lifecycle.deletion',
    'spec.lifecycle.fifo',
  ]);
  expect(claimProblems(queue({ fifo: true, lifecycle: { deletion: 'Retain' } }), definition)).toEqual([]);
});
