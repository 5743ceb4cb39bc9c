/** test/budget.json. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBudget } from './budget.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test('it names files that are there, each with more seconds than a file has that is not listed', () => {
  const { default: seconds, gate, full } = readBudget();
  const files = [...Object.keys(gate), ...Object.keys(full)];
  expect(files.filter(file => !existsSync(join(ROOT, file)))).toEqual([]);
  expect([...Object.entries(gate), ...Object.entries(full)].filter(([, budget]) => budget <= seconds)).toEqual([]);
});
