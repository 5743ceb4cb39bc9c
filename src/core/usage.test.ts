import { expect, test } from 'vitest';
import type { JsonObject } from './types.ts';
import { usageOf, usersText } from './usage.ts';

const claim = (kind: string, name: string, status?: JsonObject): JsonObject => ({ kind, metadata: { name, namespace: 'dev' }, ...(status ? { status } : {}) });

test('a claim uses its kind, and what its status names, each once', () => {
  const status = { class: 'dev', composition: 'queue-sqs', resources: [{ config: 'local' }, { config: 'local' }, { config: 'old' }, {}] };
  const usage = usageOf([claim('Queue', 'b', status), claim('Queue', 'a', { class: 'dev', composition: '' }), claim('Topic', 't')]);
  expect(Object.fromEntries(usage)).toEqual({
    'ClaimDefinition/Queue': ['Queue dev/b', 'Queue dev/a'],
    'ClaimDefinition/Topic': ['Topic dev/t'],
    'EnvironmentClass/dev': ['Queue dev/b', 'Queue dev/a'],
    'Composition/queue-sqs': ['Queue dev/b'],
    'ProviderConfig/local': ['Queue dev/b'],
    'ProviderConfig/old': ['Queue dev/b'],
  });
});

test('users in one line', () => {
  expect(usersText(['a'])).toBe('a');
  expect(usersText(['f', 'b', 'a', 'c', 'd', 'e'])).toBe('a, b, c, d and 2 more');
});

test('what belongs to no namespace is told by its name', () => {
  expect(usageOf([{ kind: 'Environment', metadata: { name: 'dev-alice' } }]).get('ClaimDefinition/Environment')).toEqual(['Environment dev-alice']);
});
