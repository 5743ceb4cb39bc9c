import { expect, test } from 'vitest';
import { emptyStatus } from './parse-status.ts';
import { effectiveLifecycle, select } from './selection.ts';
import type { Claim, EnvironmentClass, LifecycleSpec, Policy } from './types.ts';

const policy: Policy = {
  swap: 'Approve',
  reclaim: 'Conflict',
  recreateLost: false,
  graceSeconds: 30,
  purgeOnDelete: false,
  deletion: 'Delete',
  drift: 'Correct',
  naming: '',
};
const implementation = (claim: string, composition: string) => ({ claim, composition, configs: { aws: 'c' }, parameters: { wait: 1, size: 2 } });
const classOf = (name: string, more: Partial<EnvironmentClass> = {}): EnvironmentClass => ({
  name,
  isDefault: false,
  implementations: [implementation('Queue', 'queue-sqs')],
  policy,
  allow: { compositions: [], parameters: [], adopt: [] },
  ...more,
});
const claim = (lifecycle: LifecycleSpec = {}): Claim => ({
  kind: 'Queue',
  namespace: 'dev',
  name: 'orders',
  uid: 'u',
  generation: 1,
  annotations: {},
  spec: {},
  lifecycle,
  deletionRequested: false,
  hasFinalizer: false,
  status: emptyStatus(),
  version: '',
});
const allow = (compositions: string[], parameters: string[] = []) => classOf('a', { allow: { compositions, parameters, adopt: [] } });

test.each<[string, Claim, EnvironmentClass[], string | undefined, object]>([
  [
    'the class of the namespace',
    claim(),
    [classOf('a'), classOf('b', { isDefault: true })],
    'a',
    { class: 'a', composition: 'queue-sqs', because: 'class', parameters: { wait: 1, size: 2 } },
  ],
  ['the default class', claim(), [classOf('a'), classOf('b', { isDefault: true })], undefined, { class: 'b', because: 'default class' }],
  ['the claim’s own choice', claim({ composition: 'queue-x' }), [allow(['queue-x'])], 'a', { composition: 'queue-x', because: 'claim' }],
  ['a choice of what serves anyway', claim({ composition: 'queue-sqs' }), [classOf('a')], 'a', { composition: 'queue-sqs', because: 'class' }],
  ['allowed parameters', claim({ parameters: { wait: 9 } }), [allow([], ['wait'])], 'a', { parameters: { wait: 9, size: 2 } }],
])('chooses %s', (_, own, classes, label, expected) => {
  expect(select(own, classes, label)).toMatchObject(expected);
  expect(select(own, [...classes].reverse(), label)).toEqual(select(own, classes, label));
});

test.each<[string, Claim, EnvironmentClass[], string | undefined, string, string]>([
  ['no such class', claim(), [classOf('dev')], 'dvе', 'NoClass', 'the EnvironmentClass `dvе` does not exist'],
  ['no default', claim(), [classOf('b'), classOf('a')], undefined, 'NoClass', 'there are `a`, `b`'],
  ['no class at all', claim(), [], undefined, 'NoClass', 'there is no EnvironmentClass at all'],
  ['two defaults', claim(), [classOf('b', { isDefault: true }), classOf('a', { isDefault: true })], undefined, 'TwoDefaultClasses', '`a`, `b`'],
  [
    'two implementations',
    claim(),
    [classOf('a', { implementations: [implementation('Queue', 'q2'), implementation('Queue', 'q1')] })],
    'a',
    'AmbiguousImplementation',
    '`q1`, `q2`',
  ],
  ['no implementation', claim(), [classOf('a', { implementations: [implementation('Topic', 't')] })], 'a', 'NoImplementation', 'only `Topic`'],
  ['a choice that is not allowed', claim({ composition: 'x' }), [allow(['y'])], 'a', 'NotAllowed', 'it allows `y`'],
  [
    'a parameter that is not allowed',
    claim({ parameters: { size: 1, wait: 2 } }),
    [allow([], ['wait'])],
    'a',
    'NotAllowed',
    'the parameters `size`; it allows `wait`',
  ],
])('refuses: %s', (_, own, classes, label, code, message) => {
  expect(() => select(own, classes, label)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
});

test('the lifecycle of a claim over the policy of its class', () => {
  expect(effectiveLifecycle(claim(), policy)).toEqual({ deletion: 'Delete', drift: 'Correct', management: 'Full', ignore: {}, adopt: {} });
  const own: LifecycleSpec = { deletion: 'Retain', drift: 'Report', management: 'ObserveOnly', ignore: { q: ['a'] }, adopt: { q: 'n' } };
  expect(effectiveLifecycle(claim(own), policy)).toEqual(own);
});
