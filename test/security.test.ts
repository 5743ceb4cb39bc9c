/** docs/security.md: each threat names the test that shows what happens, and that test exists. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
const threats = page
  .slice(page.indexOf('## Threats'))
  .split('\n')
  .filter(line => line.startsWith('| ') && !/^\| (who tries|---)/.test(line));

test('every threat has a test', () => {
  expect(threats.length).toBeGreaterThan(15);
  const missing = threats.filter(line => {
    const [, file = '', title = ''] = /\| `(test\/[^`]+)`: (.*) \|$/.exec(line) ?? [];
    // In the source a backtick in a title stands as it is.
    return file === '' || !readFileSync(join(root, file), 'utf8').includes(title);
  });
  expect(missing).toEqual([]);
});

test('the roles of the page are those of the chart', () => {
  const roles = readFileSync(join(root, 'charts/plinth/templates/roles.yaml'), 'utf8');
  const names = new Set([...roles.matchAll(/^kind: ClusterRole\nmetadata:\n {2}name: (\S+)$/gm)].map(match => match[1]!));
  expect(names.size).toBeGreaterThan(5);
  expect([...names].filter(name => !page.includes(`\`${name}\``))).toEqual([]);
});
