import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tries } from '../../test/tries.ts';
import { emptyStatus, parseStatus } from './parse-status.ts';
import type { Json, JsonObject } from './types.ts';

const T0 = '2026-01-01T00:00:00.000Z';
const entry: JsonObject = {
  id: 'queue',
  type: 'aws/sqs-queue',
  config: 'local',
  dependsOn: ['deadLetter'],
  ready: true,
  message: '',
  phase: 'Present',
  scope: 'aws:1/us-east-1',
  name: 'dev_orders',
  since: T0,
  incarnation: 0,
  origin: 'Created',
  deletion: 'Delete',
  onDelete: { purge: true },
  holds: 'backlog',
  changedAt: T0,
  settled: { '': '~', fifo: 'abc' },
};
const waiting: JsonObject = { id: 'sub', type: 'aws/sns-subscription', config: 'local', dependsOn: [], ready: false, message: 'waits', phase: 'Waiting' };
const whole: JsonObject = {
  inventoryFor: 'u1',
  observedGeneration: 2,
  conditions: [{ type: 'Ready', status: 'True', reason: 'Available', message: '', observedGeneration: 2, lastTransitionTime: T0 }],
  class: 'dev',
  composition: 'queue-sqs',
  revision: 'abc',
  lifecycle: { deletion: 'Delete', drift: 'Correct', management: 'Full', ignore: { queue: ['delaySeconds'] }, adopt: {} },
  binding: { name: 'orders-queue' },
  outputs: { url: 'u' },
  resources: [entry, waiting],
  drift: [{ resource: 'queue', path: 'tags["a b"]', desired: 1, observed: 2, detectedAt: T0, correctedAt: T0 }],
  pendingPlan: { hash: 'h', summary: ['x'] },
};

test('what the engine wrote is read as it was', () => {
  expect(parseStatus(whole)).toEqual(whole);
  expect(parseStatus(emptyStatus() as unknown as Json)).toEqual(emptyStatus());
});

test.each<[string, Json | undefined]>([
  ['nothing', undefined],
  ['null', null],
  ['a text', 'rubbish'],
  ['a list', []],
  ['the default of the CRD', { observedGeneration: -1 }],
])('%s says nothing', (_, value) => {
  expect(parseStatus(value)).toEqual(emptyStatus());
});

test.each<[string, JsonObject]>([
  ['without a name', { ...entry, name: '' }],
  ['in no phase', { ...entry, phase: 'Done' }],
  ['without an incarnation', { ...entry, incarnation: null }],
  ['with a broken incarnation', { ...entry, incarnation: 0.5 }],
  ['of no time', { ...entry, since: 'yesterday' }],
  ['without a policy', { ...entry, deletion: 'Maybe' }],
  ['without digests', { ...entry, settled: { a: 1 } }],
  ['of no type', { ...entry, type: 1 }],
  ['that is barely one', { id: 'queue', type: 'aws/sqs-queue', phase: 'Present' }],
])('an inventory with an entry %s is none', (_, broken) => {
  const status = parseStatus({ ...whole, resources: [waiting, broken] });
  expect([status.inventoryFor, status.resources]).toEqual(['', []]);
  expect([status.outputs, status.observedGeneration]).toEqual([{ url: 'u' }, -1]);
});

test('of the rest, what is whole is kept', () => {
  const [condition] = whole['conditions'] as JsonObject[];
  const [row] = whole['drift'] as JsonObject[];
  const status = parseStatus({
    ...whole,
    conditions: [condition!, { type: 'Ready' }, 'x'],
    drift: [row!, { ...row, path: 'a[[' }, { ...row, detectedAt: 1 }],
    lifecycle: { deletion: 'Retain' },
    binding: { name: 1 },
    pendingPlan: { hash: 'x' },
    outputs: [],
    revision: {},
    observedGeneration: '9',
  });
  expect(status).toMatchObject({ conditions: [condition], drift: [row], outputs: {}, revision: '', observedGeneration: -1 });
  expect([status.lifecycle, status.binding, status.pendingPlan]).toEqual([undefined, undefined, undefined]);
});

test('a field of a newer engine makes it no less whole', () => {
  expect(parseStatus({ ...whole, next: { a: 1 } })).toEqual(whole);
});

test('nothing makes it throw', () => {
  const mangled = fc.tuple(fc.constantFrom(...Object.keys(whole)), fc.jsonValue()).map(([field, value]) => ({ ...whole, [field]: value as Json }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue() as fc.Arbitrary<Json>, mangled), value => parseStatus(value).resources !== undefined),
    tries(),
  );
});
