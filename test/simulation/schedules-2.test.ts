/** The engine under seeded scheduling, half 2: see schedule.ts for what may happen and check.ts for what must hold. */
import { test } from 'vitest';
import { isReproducible, runMany } from './many.ts';

const HOUR_MS = 3_600_000;

test('the same seed gives the same schedule', () => isReproducible(8), HOUR_MS);
test('whatever happens, at rest everything is as it must be', () => runMany(2, 2), HOUR_MS);
