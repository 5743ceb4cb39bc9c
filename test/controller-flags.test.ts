/** docs/controller.md names every flag of `plinth controller`, with its variable. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs', 'controller.md'), 'utf8');
const commands = readFileSync(join(root, 'src', 'cli.ts'), 'utf8');
const own = commands.slice(commands.indexOf("usage: 'controller'"), commands.indexOf('controller.ts'));

test('flags and variables of the controller are documented', () => {
  const flags = [...own.matchAll(/new Option\('(--[a-z-]+)/g)].map(match => match[1]!);
  const variables = [...own.matchAll(/\.env\('(PLINTH_[A-Z_]+)'\)/g)].map(match => match[1]!);
  expect(flags.length).toBeGreaterThan(3);
  expect(variables).toHaveLength(flags.length);
  for (const name of [...flags, ...variables, '--kubeconfig', '--context', '--poll-interval', '--workers', '--log-level']) expect(page).toContain(name);
});
