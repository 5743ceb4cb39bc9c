/** `test` for files that need a control plane: skipped, hooks and all, where there is none. */
import { test } from 'vitest';
import { part } from './emulators.ts';

export const withKubernetes = test.skipIf(!part('kubernetes').available);
