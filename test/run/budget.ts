/** The seconds that each test file may take: test/budget.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Budget } from './results.ts';

/** Reads it. */
export function readBudget(): Budget {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'budget.json'), 'utf8')) as Budget;
}
