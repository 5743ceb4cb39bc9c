import { expect, test } from 'vitest';
import type { JsonObject } from '../core/types.ts';
import { unsettledKinds } from './readiness.ts';

const definition = (kind: string, generation: number, condition?: JsonObject): JsonObject => ({
  kind: 'ClaimDefinition',
  metadata: { name: kind, generation },
  spec: { kind },
  ...(condition === undefined ? {} : { status: { conditions: [{ type: 'Ready', ...condition }] } }),
});

test('a kind is settled once it is served, or refused; not before, nor when it was edited since', () => {
  const served = definition('Queue', 2, { status: 'True', reason: 'Ready', observedGeneration: 2 });
  const refused = definition('Topic', 1, { status: 'False', reason: 'InvalidObject', observedGeneration: 1 });
  const coming = definition('Bucket', 1, { status: 'False', reason: 'NoDefinition', observedGeneration: 1 });
  const edited = definition('Table', 3, { status: 'True', reason: 'Ready', observedGeneration: 2 });
  expect(unsettledKinds([served, refused, coming, edited, definition('Stream', 1)])).toEqual(['Bucket', 'Stream', 'Table']);
  expect(unsettledKinds([])).toEqual([]);
});
