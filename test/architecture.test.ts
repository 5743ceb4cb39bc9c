import { join } from 'node:path';
import { expect, test } from 'vitest';
import { breaches, readImports } from './architecture.ts';

const root = join(import.meta.dirname, '..');

test('the import rules of src/README.md hold', () => {
  expect(breaches(readImports(root, ['src', 'providers']))).toEqual([]);
});

test('a breach of each kind is found (fixture)', () => {
  expect(breaches(readImports(join(root, 'test/fixtures/architecture'), ['src', 'providers']))).toEqual([
    'cycle: src/core/circle.ts → src/core/round.ts → src/core/circle.ts',
    'providers/acme/thing.ts must not import providers/other/index.ts',
    'providers/acme/thing.ts must not import src/core/types.ts',
    'src/core/clock.ts must not import node:fs',
    'src/core/clock.ts must not import src/engine/clock.ts',
    'src/engine/peek.ts must not import @kubernetes/client-node: only src/kube/config.ts and kubeconfig.ts may',
    'src/engine/peek.ts must not import providers/acme/thing.ts',
  ]);
});
