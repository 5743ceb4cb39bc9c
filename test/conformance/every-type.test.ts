/** A resource type that no suite runs the conformance kit for is a hole nobody sees. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { providers } from '../../providers/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Texts of the suites, and of the tests beside the types. */
function suites(): string[] {
  const beside = readdirSync(join(ROOT, 'providers'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.test.ts'));
  const own = readdirSync(import.meta.dirname).filter(name => name.endsWith('.ts') && name !== 'every-type.test.ts');
  const files = [...beside.map(name => join(ROOT, 'providers', name)), ...own.map(name => join(import.meta.dirname, name))];
  return files.map(file => readFileSync(file, 'utf8')).filter(text => /conformance|Subject/.test(text));
}

const names = [...new Set(providers.flatMap(provider => provider.types.map(({ type }) => type)))];

test.each(names)('%s', name => {
  const told = new RegExp(`\\b(title|type): ['\`]${name}\\b`);
  expect(suites().some(text => told.test(text))).toBe(true);
});
