/** What the shipped schema of an Environment takes, and what it says of the rest. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { claimProblems, parseClaim, parseDefinition } from '../src/core/parse.ts';
import type { JsonObject } from '../src/core/types.ts';

const FOLDER = join(import.meta.dirname, '..', 'compositions', 'environment');
const load = (name: string): JsonObject => parse(readFileSync(join(FOLDER, name), 'utf8')) as JsonObject;
const definition = parseDefinition(load('claim.yaml'));
const environment = (spec: JsonObject): JsonObject => ({ apiVersion: 'plinth.dev/v1alpha1', kind: 'Environment', metadata: { name: 'dev-alice' }, spec });
const told = (spec: JsonObject): string[] => claimProblems(environment(spec), definition).map(({ path, message }) => `${path}: ${message}`);

test('nothing need be said', () => {
  expect(parseClaim(environment({}), definition).spec).toEqual({ users: [], config: {}, asleep: false, overrides: [] });
});

test.each([
  ['every field', load('example.yaml')['spec'] as JsonObject],
  ['a service account of the environment itself', { users: [{ kind: 'ServiceAccount', name: 'deployer' }] }],
  ['a time to live', { ttl: '1d12h30m', keepUntil: '2026-12-24T18:00:00Z' }],
  [
    'other implementations',
    {
      overrides: [
        { claim: 'Queue', composition: 'queue-fake' },
        { claim: 'Topic', parameters: { tags: { a: 'b' } } },
      ],
    },
  ],
])('%s', (_, spec) => {
  expect(told(spec)).toEqual([]);
});

test.each([
  ['a user of a namespace', { users: [{ kind: 'User', name: 'alice', namespace: 'ci' }] }, 'only a ServiceAccount has a namespace'],
  ['a role of its own', { users: [{ kind: 'User', name: 'alice', role: 'cluster-admin' }] }, 'spec.users[0].role'],
  ['no time', { ttl: '' }, 'write how long'],
  ['a time that is none', { ttl: '7 days' }, 'spec.ttl'],
  ['a day that is none', { keepUntil: 'tomorrow' }, 'spec.keepUntil'],
  ['an override of nothing', { overrides: [{ claim: 'Queue' }] }, 'name a composition, parameters or both'],
  [
    'two of one kind',
    {
      overrides: [
        { claim: 'Queue', composition: 'a' },
        { claim: 'Queue', composition: 'b' },
      ],
    },
    'spec.overrides',
  ],
])('not %s', (_, spec, words) => {
  expect(told(spec)).toEqual([expect.stringContaining(words)]);
});
