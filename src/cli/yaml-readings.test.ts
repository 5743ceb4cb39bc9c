import { expect, test } from 'vitest';
import { checkObjects } from './check.ts';
import { parseText } from './yaml.ts';
import { oldReading, otherReadings } from './yaml-readings.ts';

/** As kubectl 1.34 answered: `kubectl annotate --local -f FILE a=b -o json`. */
test.each<[string, boolean | number | undefined]>([
  ...(['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'] as const).map((word): [string, boolean] => [word, true]),
  ...(['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'] as const).map((word): [string, boolean] => [word, false]),
  ['oN', undefined],
  ['010', 8],
  ['-010', -8],
  ['+010', 8],
  ['007', 7],
  ['00', 0],
  ['08', 8],
  ['0o10', 8],
  ['-0o7', -7],
  ['0O10', 8],
  ['0b101', 5],
  ['-0b11', -3],
  ['0B11', 3],
  ['0b2', undefined],
  ['0x1F', 31],
  ['0x1_F', 31],
  ['1_000', 1000],
  ['1__0', 10],
  ['_1', undefined],
  ['1_0.5', 10.5],
  ['1e3_0', 1e30],
  ['010e1', 100],
  ['.5', 0.5],
  ['1.', 1],
  ['+12', 12],
  ['1:30', undefined],
  ['2001-01-01', undefined],
  ['=', undefined],
  ['a', undefined],
  ['', undefined],
])('kubectl reads %s as %s', (text, expected) => {
  expect(oldReading(text)).toBe(expected);
});

const told = (text: string): string[] =>
  parseText('a.yaml', text).objects.flatMap(object => otherReadings(object).map(({ line, column, message }) => `${line}:${column} ${message}`));

test('what is read otherwise is told with its place and what to write', () => {
  expect(told('spec:\n  delaySeconds: 010\n  fifo: yes\n  tags: {on: "no", a: 1_000, b: 08, c: 0x1F, d: no thing}\n')).toEqual([
    '2:17 `010` is 10 here and 8 for kubectl, which reads YAML 1.1; write 10 or 8, whichever is meant',
    '3:9 `yes` is a text here and true for kubectl, which reads YAML 1.1; quote it, or write true',
    '4:10 `on` is a text here and true for kubectl, which reads YAML 1.1; quote it, or write true',
    '4:23 `1_000` is a text here and 1000 for kubectl, which reads YAML 1.1; quote it, or write 1000',
  ]);
});

test('what is quoted, a block, or the same to both is not told', () => {
  expect(told('a: "yes"\nb: \'010\'\nc: |\n  no\nd: true\ne: 12\nf: null\ng: 1e3\nh: [yesterday, none, 1:30]\n')).toEqual([]);
});

test('only objects of Plinth are looked at, also inside of a List', () => {
  const text = `kind: List
apiVersion: v1
items:
  - {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 010}}
  - {apiVersion: plinth.dev/v1alpha1, kind: ProviderConfig, metadata: {name: a}, spec: {provider: fake, settings: {world: no}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: on}}
`;
  const { warnings } = checkObjects(parseText('a.yaml', text).objects, { objects: [], providers: new Map() });
  expect(warnings).toEqual([{ file: 'a.yaml', line: 5, column: 123, message: expect.stringContaining('`no` is a text here and false for kubectl') }]);
});
