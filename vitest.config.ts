/**
 * Four projects. unit: no process but our own, part of `npm run check`. parts: real emulators and the real bundle. simulation: many schedules. quiet: the
 * few files of real parts whose times are the requirement, one after the other when all others are done.
 * Whether a test is one of unit or of parts is read from its imports: whoever reaches test/parts/ needs parts.
 */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { reaches, testFiles } from './scripts/reaches.ts';
import { LongestFirst } from './test/run/sequencer.ts';

const ROOT = import.meta.dirname;
const PARTS = `${join(ROOT, 'test', 'parts')}/`;
const NEVER_UNIT = /^test\/(e2e|parts|run\/main)/;
const QUIET = ['test/kill/cluster-lease.test.ts', 'test/integration/operation-rates.test.ts'];

const all = testFiles(ROOT);
const simulation = all.filter(file => file.startsWith('test/simulation/'));
const rest = all.filter(file => !simulation.includes(file));
const real = rest.filter(file => NEVER_UNIT.test(file) || file === 'src/cli/emulator.test.ts' || reaches(join(ROOT, file), PARTS));
const unit = rest.filter(file => !real.includes(file));
const parts = real.filter(file => !QUIET.includes(file));
// Said by the AWS SDK at each start on Node 20, and heard.
const common = { pool: 'forks' as const, env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' } };
const withParts = {
  ...common,
  globalSetup: ['test/parts/global-setup.ts', 'test/e2e/build.ts'],
  // What real servers do takes its time beside others on a small machine. None of these is a requirement.
  testTimeout: 300_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 60_000 } },
};
/** Also on two cores: a test of real parts waits more than it works. */
const WORKERS = 2;
const AFTER_ALL_OTHERS = 1;

export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { ...common, name: 'unit', include: unit, testTimeout: 60_000 } },
      { test: { ...withParts, name: 'parts', include: parts } },
      { test: { ...common, name: 'simulation', include: simulation, testTimeout: 600_000, hookTimeout: 60_000 } },
      { test: { ...withParts, name: 'quiet', include: QUIET, maxWorkers: 1, sequence: { groupOrder: AFTER_ALL_OTHERS } } },
    ],
  },
});
