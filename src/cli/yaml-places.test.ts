import { expect, test } from 'vitest';
import { parseText, placeOf } from './yaml.ts';

const TEXT = `kind: Queue
metadata: {name: orders}
spec:
  subscriptions:
    - topic: a
    - topic: a
      filter: {}
  names: [x, {y: 1}]
`;

test.each([
  ['spec.subscriptions', 4, 3],
  ['spec.subscriptions[1]', 6, 7],
  ['spec.subscriptions[1].filter', 7, 7],
  ['spec.subscriptions[1].raw', 6, 7],
  ['spec.names[0]', 8, 11],
  ['spec.names[1]', 8, 15],
  ['metadata.name', 2, 18],
  ['metadata.namespace', 2, 1],
  ['other', 1, 1],
])('%s', (path, line, column) => {
  const [object] = parseText('a.yaml', TEXT).objects;
  expect(placeOf(object!.source, path)).toEqual({ file: 'a.yaml', line, column });
});
