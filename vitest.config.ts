/**
 * Three projects. unit: no process but our own, part of `npm run check`. parts: real emulators and the real bundle. simulation: many schedules.
 * Which of the first two a test belongs to is read from its imports: whoever reaches test/parts/ needs parts.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { reaches } from './scripts/reaches.ts';

const ROOT = import.meta.dirname;
const PARTS = `${join(ROOT, 'test', 'parts')}/`;
const NEVER_UNIT = /^test\/(e2e|kill|parts)\//;

function testFiles(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names.filter(name => name.endsWith('.test.ts')).map(name => join(folder, name).replaceAll('\\', '/'));
}

const all = ['src', 'providers', 'test'].flatMap(testFiles).sort();
const simulation = all.filter(file => file.startsWith('test/simulation/'));
const rest = all.filter(file => !simulation.includes(file));
const parts = rest.filter(file => NEVER_UNIT.test(file) || file === 'src/cli/emulator.test.ts' || reaches(join(ROOT, file), PARTS));
const unit = rest.filter(file => !parts.includes(file));
// Said by the AWS SDK at each start on Node 20, and heard.
const common = { pool: 'forks' as const, env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' } };

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'unit', include: unit, testTimeout: 60_000 } },
      {
        test: {
          ...common,
          name: 'parts',
          include: parts,
          globalSetup: ['test/parts/global-setup.ts', 'test/e2e/build.ts'],
          // What real servers do takes its time beside others on a small machine. None of these is a requirement.
          testTimeout: 300_000,
          hookTimeout: 600_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
      { test: { ...common, name: 'simulation', include: simulation, testTimeout: 600_000, hookTimeout: 60_000 } },
    ],
  },
});
