import { expect, test } from 'vitest';
import { EngineError } from '../core/errors.ts';
import type { Claim } from '../core/types.ts';
import type { Engine } from '../engine/engine.ts';
import type { Write } from '../engine/store.ts';
import { newMetrics } from './metrics.ts';
import { tellFailure, told } from './telling.ts';

const key = { kind: 'Queue', namespace: 'dev', name: 'orders' };

test('a claim that has gone is one line, once its finalizer is dropped and not before', async () => {
  const lines: unknown[] = [];
  let fails = true;
  const write = async (): Promise<undefined> => {
    if (fails) throw new EngineError('StoreConflict', 'changed');
  };
  const engine = { store: { write, emit: () => undefined }, log: (...line: unknown[]) => void lines.push(line) } as unknown as Engine;
  const { store } = told(newMetrics(), engine, key);
  const finalizer = (present: boolean): Write => ({ kind: 'finalizer', claim: key as Claim, present });
  await expect(store.write(finalizer(false))).rejects.toThrow('changed');
  fails = false;
  await store.write(finalizer(true));
  expect(lines).toEqual([]);
  await store.write(finalizer(false));
  expect(lines).toEqual([['info', 'gone: nothing is left to do for the claim', { verb: 'gone' }]]);
});

test('what is not there yet is no warning, what fails is', () => {
  const levels: string[] = [];
  for (const code of ['NotFound', 'AccessDenied', 'StoreUnavailable'] as const)
    tellFailure(level => void levels.push(level), new EngineError(code, 'list queues'));
  tellFailure(level => void levels.push(level), new TypeError('mistake'));
  expect(levels).toEqual(['info', 'warn', 'warn', 'warn']);
});
