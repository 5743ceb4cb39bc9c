import { describe, expect, test } from 'vitest';
import type { Condition, JsonObject } from './types.ts';
import { isRecovery, neededSecrets, type PodSpec, readWorkload, type StuckClaim, standingFor, stuckClaim } from './workload.ts';

describe('Secrets that pods need', () => {
  test.each<[string, PodSpec, string[]]>([
    ['nothing', {}, []],
    ['a volume', { volumes: [{ secret: { secretName: 'orders-queue' } }] }, ['orders-queue']],
    ['an optional volume', { volumes: [{ secret: { secretName: 'orders-queue', optional: true } }] }, []],
    ['a volume of something else', { volumes: [{}] }, []],
    [
      'projected, one of two optional',
      { volumes: [{ projected: { sources: [{ secret: { name: 'a' } }, { secret: { name: 'b', optional: true } }, {}] } }] },
      ['a'],
    ],
    ['all variables of one', { containers: [{ envFrom: [{ secretRef: { name: 'a' } }, { secretRef: { name: 'b', optional: true } }, {}] }] }, ['a']],
    [
      'one variable',
      {
        containers: [
          { env: [{ valueFrom: { secretKeyRef: { name: 'a' } } }, { valueFrom: {} }, {}, { valueFrom: { secretKeyRef: { name: 'b', optional: true } } }] },
        ],
      },
      ['a'],
    ],
    ['in a container that runs first', { initContainers: [{ envFrom: [{ secretRef: { name: 'a' } }] }] }, ['a']],
    [
      'optional here and needed there',
      { volumes: [{ secret: { secretName: 'a', optional: true } }], containers: [{ envFrom: [{ secretRef: { name: 'a' } }] }] },
      ['a'],
    ],
    ['several, each once and sorted', { volumes: ['b', 'a', 'b'].map(secretName => ({ secret: { secretName } })) }, ['a', 'b']],
  ])('%s', (_, spec, needed) => {
    expect(neededSecrets(spec)).toEqual(needed);
  });
});

const stalled = (more: Partial<Condition> = {}): Condition => ({
  type: 'Stalled',
  status: 'True',
  reason: 'Conflict',
  message: 'it exists',
  observedGeneration: 2,
  lastTransitionTime: '2026-01-01T00:00:00Z',
  ...more,
});
const claim = (conditions: readonly Condition[] | undefined, metadata: JsonObject = {}): JsonObject =>
  ({
    kind: 'Queue',
    metadata: { name: 'orders', generation: 2, ...metadata },
    ...(conditions === undefined ? {} : { status: { conditions } }),
  }) as unknown as JsonObject;

describe('a claim is stuck', () => {
  test.each<[string, JsonObject, boolean]>([
    ['stalled for its newest generation', claim([stalled()]), true],
    ['nobody has looked at it', claim(undefined), false],
    ['not stalled', claim([stalled({ status: 'False' })]), false],
    ['edited since', claim([stalled({ observedGeneration: 1 })]), false],
    ['on its way out', claim([stalled()], { deletionTimestamp: '2026-01-01T00:00:00Z' }), false],
    ['another condition', claim([stalled({ type: 'Drifted' })]), false],
  ])('%s', (_, object, isStuck) => {
    expect(stuckClaim(object)).toEqual(isStuck ? { kind: 'Queue', name: 'orders', reason: 'Conflict', message: 'it exists' } : undefined);
  });
});

describe('what a workload says', () => {
  const stuck = (kind: string, name: string, message = 'it exists'): StuckClaim => ({ kind, name, reason: `Of${kind}`, message });

  test('nothing without a stuck claim', () => {
    expect(standingFor([])).toBeUndefined();
  });

  test('of one, its reason and its message', () => {
    expect(standingFor([stuck('Queue', 'orders')])).toEqual({ reason: 'OfQueue', message: 'Queue orders: it exists' });
  });

  test('of several each, in one order', () => {
    const said = { reason: 'OfBucket', message: 'Bucket invoices: it exists; Queue orders: it exists' };
    expect(standingFor([stuck('Queue', 'orders'), stuck('Bucket', 'invoices')])).toEqual(said);
    expect(standingFor([stuck('Bucket', 'invoices'), stuck('Queue', 'orders')])).toEqual(said);
  });

  test('of many the first, each cut', () => {
    const many = Array.from({ length: 100 }, (_, index) => stuck('Queue', `q${index}`, 'x'.repeat(4_000)));
    const { message } = standingFor(many)!;
    expect(message.length).toBeLessThan(3_000);
    expect(message).toMatch(/^Queue q0: x+…; Queue q1: .*; and 95 more claims$/);
  });
});

describe('what is read of a workload', () => {
  const owned = (manager: string, subresource: string, type: string): JsonObject => ({
    manager,
    subresource,
    fieldsV1: { 'f:status': { 'f:conditions': { [`k:{"type":"${type}"}`]: { '.': {} } } } },
  });
  const object = (metadata: JsonObject, conditions: JsonObject[] = []): JsonObject => ({
    metadata: { name: 'shop', ...metadata },
    spec: { template: { spec: { volumes: [{ secret: { secretName: 'orders-queue' } }] } } },
    status: { conditions },
  });
  const on = { labels: { 'plinth.dev/awaits-claims': 'true' } };
  const said = { type: 'Stalled', status: 'True', reason: 'Conflict', message: 'hm' };

  test.each<[string, JsonObject, boolean]>([
    ['the label', on, true],
    ['no label', {}, false],
    ['the label switched off', { labels: { 'plinth.dev/awaits-claims': 'false' } }, false],
    ['the label on its way out', { ...on, deletionTimestamp: '2026-01-01T00:00:00Z' }, false],
  ])('%s', (_, metadata, awaits) => {
    expect(readWorkload(object(metadata))).toEqual({ awaits, needs: ['orders-queue'], stalled: undefined, isOurs: false });
  });

  test('what it says, and who wrote it', () => {
    const of = (managedFields: JsonObject[], condition: JsonObject = said) => {
      const { stalled: now, isOurs } = readWorkload(object({ ...on, managedFields }, [{ type: 'Available', status: 'False' }, condition]));
      return [now, isOurs];
    };
    const now = { reason: 'Conflict', message: 'hm' };
    expect(of([owned('plinth-workloads', 'status', 'Stalled')])).toEqual([now, true]);
    expect(of([owned('flux', 'status', 'Stalled')])).toEqual([now, false]);
    expect(of([owned('plinth-workloads', 'status', 'Available')])).toEqual([now, false]);
    expect(of([owned('plinth-workloads', '', 'Stalled')])).toEqual([now, false]);
    expect(of([])).toEqual([now, false]);
    // Edited by hand to what says nothing: it is not what was said.
    expect(of([owned('plinth-workloads', 'status', 'Stalled')], { ...said, status: 'False' })).toEqual([{ reason: '', message: '' }, true]);
  });

  test('whatever is missing', () => {
    expect(readWorkload({ metadata: { name: 'shop' } })).toEqual({ awaits: false, needs: [], stalled: undefined, isOurs: false });
  });
});

test('a report that takes it back', () => {
  expect(isRecovery([stalled()], [stalled({ status: 'False' })])).toBe(true);
  expect(isRecovery([stalled()], [])).toBe(true);
  expect(isRecovery([stalled()], [stalled({ message: 'still' })])).toBe(false);
  expect(isRecovery([stalled({ status: 'False' })], [stalled({ status: 'False' })])).toBe(false);
  expect(isRecovery([], [stalled()])).toBe(false);
});
