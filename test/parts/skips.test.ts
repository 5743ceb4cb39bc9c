/** Where a part is missing its tests are skipped, not failed: whoever takes one asks first whether it is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reaches, testFiles } from '../../scripts/reaches.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const files = testFiles(ROOT);
const takes = (file: string, module: string): boolean => reaches(join(ROOT, file), join(ROOT, 'test', 'parts', module));
const asks = (file: string, what: RegExp): boolean => what.test(readFileSync(join(ROOT, file), 'utf8'));

test.each<[string, string, RegExp]>([
  ['a control plane', 'kube/control-plane.ts', /part\('kubernetes'\)|part\('node'\)|part\(helm|with-kubernetes|nodeProblem/],
  ['a node', 'node/node.ts', /part\('node'\)|nodeProblem/],
])('%s', (_, module, question) => {
  const takers = files.filter(file => takes(file, module));
  expect(takers.length).toBeGreaterThan(0);
  expect(takers.filter(file => !asks(file, question))).toEqual([]);
});
