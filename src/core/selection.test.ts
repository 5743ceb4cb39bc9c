import { expect, test } from 'vitest';
import { NO_ENVIRONMENT } from './environment.ts';
import { emptyStatus } from './parse-status.ts';
import { effectiveLifecycle, select } from './selection.ts';
import type { Claim, EnvironmentClass, LifecycleSpec, Override, Place, Policy } from './types.ts';

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
  ttl: '',
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
const at = (label: string | undefined, ...overrides: Override[]): Place => ({ class: label, environment: { ...NO_ENVIRONMENT, name: 'dev', overrides } });
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
  expect(select(own, classes, at(label))).toMatchObject(expected);
  expect(select(own, [...classes].reverse(), at(label))).toEqual(select(own, classes, at(label)));
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
  expect(() => select(own, classes, at(label))).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
});

const override = (composition: string | undefined, parameters = {}): Override => ({
  claim: 'Queue',
  parameters,
  ...(composition === undefined ? {} : { composition }),
});

test.each<[string, LifecycleSpec, Override[], object]>([
  ['its override', {}, [override('queue-x')], { composition: 'queue-x', because: 'environment' }],
  ['an override of another kind', {}, [{ ...override('queue-x'), claim: 'Topic' }], { composition: 'queue-sqs', because: 'class' }],
  ['parameters alone', {}, [override(undefined, { wait: 5 })], { composition: 'queue-sqs', because: 'class', parameters: { wait: 5, size: 2 } }],
  [
    'the claim before it',
    { composition: 'queue-y', parameters: { wait: 9 } },
    [override('queue-x', { wait: 5, size: 7 })],
    { composition: 'queue-y', because: 'claim', parameters: { wait: 9, size: 7 } },
  ],
  ['the claim that takes what the class provides', { composition: 'queue-sqs' }, [override('queue-x')], { composition: 'queue-sqs', because: 'class' }],
  ['what the class provides anyway', {}, [override('queue-sqs')], { composition: 'queue-sqs', because: 'class' }],
])('in an Environment chooses %s', (_, lifecycle, overrides, expected) => {
  expect(select(claim(lifecycle), [allow(['queue-x', 'queue-y'], ['wait', 'size'])], at('a', ...overrides))).toMatchObject(expected);
});

test.each<[string, Override, string, string]>([
  [
    'a composition',
    override('queue-z'),
    'does not let the Environment `dev` choose the composition `queue-z`; it allows `queue-x`',
    'Environment.spec.overrides[0].composition',
  ],
  [
    'a parameter',
    override(undefined, { size: 1 }),
    'does not let the Environment `dev` set the parameters `size`; it allows `wait`',
    'Environment.spec.overrides[0].parameters.size',
  ],
])('refuses what an Environment may not choose: %s', (_, given, message, path) => {
  const expected = expect.objectContaining({ code: 'NotAllowed', path, message: expect.stringContaining(message) });
  expect(() => select(claim(), [allow(['queue-x'], ['wait'])], at('a', given))).toThrow(expected);
});

test('the lifecycle of a claim over the policy of its class', () => {
  expect(effectiveLifecycle(claim(), policy)).toEqual({ deletion: 'Delete', drift: 'Correct', management: 'Full', ignore: {}, adopt: {} });
  const own: LifecycleSpec = { deletion: 'Retain', drift: 'Report', management: 'ObserveOnly', ignore: { q: ['a'] }, adopt: { q: 'n' } };
  expect(effectiveLifecycle(claim(own), policy)).toEqual(own);
});
