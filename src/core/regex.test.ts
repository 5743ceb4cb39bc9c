import { expect, test } from 'vitest';
import { checkValue } from './schema.ts';

test('two patterns in one schema stay apart', () => {
  const schema = {
    type: 'object',
    properties: { kind: { type: 'string', pattern: '^[A-Z]+$' }, plural: { type: 'string', pattern: '^[a-z]+$' } },
  };
  expect(checkValue(schema, { kind: 'Q', plural: 'q' }, '')).toEqual([]);
  expect(checkValue(schema, { kind: 'Q', plural: 'Q' }, '').map(problem => problem.path)).toEqual(['plural']);
});
