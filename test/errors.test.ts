import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS } from '../src/core/errors.ts';

const root = join(import.meta.dirname, '..');
const catalogue = 'src/core/errors.ts';
const self = 'test/errors.test.ts';

function textOf(folders: readonly string[], wanted: (path: string) => boolean): string {
  const paths = folders.flatMap(folder => readdirSync(join(root, folder), { recursive: true }).map(path => join(folder, String(path)).replaceAll('\\', '/')));
  return paths
    .filter(path => path.endsWith('.ts') && wanted(path))
    .map(path => readFileSync(join(root, path), 'utf8'))
    .join('\n');
}

const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.endsWith('.contract.ts') || path.startsWith('test/');
const code = textOf(['src', 'providers'], path => !isTest(path) && path !== catalogue);
const tests = textOf(['src', 'providers', 'test'], path => isTest(path) && path !== self);
const page = readFileSync(join(root, 'docs/reference/errors.md'), 'utf8');
const names = Object.keys(ERRORS);
const speaksOf = (text: string, name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);

test('every error code is used', () => {
  expect(names.filter(name => !speaksOf(code, name))).toEqual([]);
});

test('every error code is met in a test', () => {
  expect(names.filter(name => !speaksOf(tests, name))).toEqual([]);
});

test('every error code is documented', () => {
  expect(names.filter(name => !page.includes(`## ${name}\n`))).toEqual([]);
});

test('messages to do next are one line and end without a full stop', () => {
  for (const { means, hint } of Object.values(ERRORS)) {
    expect(hint).not.toMatch(/\n|\.$/);
    expect(means).toMatch(/\.$/);
  }
});
