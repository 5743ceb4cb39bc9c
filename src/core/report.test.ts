import { expect, test } from 'vitest';
import { boundedStatus } from './bounds.ts';
import { conditionOf } from './conditions.ts';
import { EngineError } from './errors.ts';
import { isWorking, type ReportInput, report, retire } from './report.ts';
import type { Action, Claim, Condition, ConditionType, DesiredResource, DriftRow, OwnedEntry, Plan, Rendering } from './types.ts';

const T0 = '2026-01-01T00:00:00.000Z';
const later = (seconds: number): string => new Date(Date.parse(T0) + seconds * 1000).toISOString();
const claim = (status: Partial<Claim['status']> = {}, extra: Partial<Claim> = {}): Claim =>
  ({
    kind: 'Queue',
    namespace: 'dev',
    name: 'orders',
    uid: 'u1',
    generation: 2,
    annotations: {},
    spec: {},
    lifecycle: {},
    deletionRequested: false,
    hasFinalizer: true,
    version: '1',
    status: {
      conditions: [],
      resources: [],
      drift: [],
      outputs: {},
      class: '',
      composition: '',
      revision: '',
      inventoryFor: 'u1',
      observedGeneration: 1,
      ...status,
    },
    ...extra,
  }) as Claim;
const entry = (extra: Partial<OwnedEntry> = {}): OwnedEntry => ({
  id: 'queue',
  type: 't/queue',
  config: 'c',
  scope: 's',
  name: 'dev_orders',
  phase: 'Present',
  ready: true,
  message: '',
  dependsOn: [],
  since: T0,
  incarnation: 0,
  origin: 'Created',
  deletion: 'Delete',
  onDelete: {},
  holds: 'backlog',
  settled: {},
  ...extra,
});
const desired: DesiredResource = {
  id: 'queue',
  template: 'queue',
  type: 't/queue',
  config: 'c',
  main: true,
  name: undefined,
  dependsOn: [],
  formerly: [],
  notReady: '',
  value: {},
  pending: [],
  secrets: [],
};
const nothing = { value: {}, pending: [], secrets: [] };
const rendering: Rendering = { resources: [desired], undecided: [], connection: nothing, outputs: { ...nothing, value: { arn: 'a' } } };
const planOf = (...actions: Action[]): Plan => ({
  claim: { kind: 'Queue', namespace: 'dev', name: 'orders' },
  actions,
  inventory: [],
  look: [],
  held: [],
  hash: 'h',
});
const keep = (drift: Extract<Action, { kind: 'keep' }>['drift'] = []): Action => ({ kind: 'keep', entry: entry(), desired, seen: undefined, drift });
const blocked = (error: EngineError): Action => ({ kind: 'blocked', entry: entry(), error });
const input = (extra: Partial<ReportInput> = {}): ReportInput => ({
  claim: claim(),
  served: {
    class: 'dev',
    composition: 'queue-sqs',
    revision: 'r1',
    lifecycle: { deletion: 'Delete', drift: 'Correct', management: 'Full', ignore: {}, adopt: {} },
  },
  error: undefined,
  rendering,
  plan: planOf(keep()),
  outcomes: [],
  inventory: [entry()],
  swap: undefined,
  binding: { name: 'orders-queue', error: undefined, drift: [] },
  notes: [],
  failedReads: 0,
  pollMs: 60_000,
  now: T0,
  ...extra,
});
const told = (given: ReportInput, type: ConditionType): Condition => conditionOf(report(given).status.conditions, type)!;
const condition = (type: ConditionType, status: Condition['status'], reason: string, extra: Partial<Condition> = {}): Condition => ({
  type,
  status,
  reason,
  message: '',
  observedGeneration: 2,
  lastTransitionTime: T0,
  ...extra,
});

test('all there: Ready for the generation it was computed from, bound, with its outputs', () => {
  const { status, schedule } = report(input());
  expect(told(input(), 'Ready')).toMatchObject({ status: 'True', observedGeneration: 2 });
  expect(status).toMatchObject({ observedGeneration: 2, binding: { name: 'orders-queue' }, outputs: { arn: 'a' }, revision: 'r1' });
  expect(schedule).toEqual({ kind: 'again', afterMs: 60_000, because: 'resync' });
});

test('waiting names what is waited for, and looks again soon', () => {
  const given = input({
    inventory: [entry({ ready: false })],
    plan: planOf({ kind: 'wait', entry: entry(), on: 'Topic/events', message: 'Topic/events does not exist', until: undefined }),
  });
  expect(told(given, 'Ready')).toMatchObject({ status: 'False', reason: 'WaitingForReference', message: 'queue: Topic/events does not exist' });
  expect(report(given).schedule).toMatchObject({ because: 'progress' });
  const own = input({ inventory: [entry({ ready: false, message: 'is being made' })], plan: planOf(keep()) });
  expect(told(own, 'Ready')).toMatchObject({ reason: 'WaitingForResource', message: 'queue: is being made' });
});

test('a terminal error stalls at once, a waiting one after two minutes, a patient one never', () => {
  expect(told(input({ plan: planOf(blocked(new EngineError('Conflict', 'x exists'))) }), 'Stalled')).toMatchObject({ status: 'True', reason: 'Conflict' });
  const error = new EngineError('NoClass', 'no class');
  expect(told(input({ error }), 'Stalled').status).toBe('False');
  const old = claim({ conditions: [condition('Ready', 'False', 'NoClass')] });
  expect(told(input({ claim: old, error, now: later(121) }), 'Stalled')).toMatchObject({ status: 'True', reason: 'NoClass' });
  const busy = claim({ conditions: [condition('Ready', 'False', 'Busy')] });
  expect(told(input({ claim: busy, error: new EngineError('Busy', 'updating'), now: later(999) }), 'Stalled').status).toBe('False');
});

test('a failed read keeps Ready for three polls of the same generation, and makes Synced Unknown at the second', () => {
  const unread = planOf(blocked(new EngineError('Timeout', 'no answer')));
  const before = claim({ conditions: [condition('Ready', 'True', 'Available'), condition('Synced', 'True', 'Applied')] });
  const given = (failedReads: number): ReportInput => input({ claim: before, plan: unread, inventory: [entry({ ready: false })], failedReads });
  expect([1, 2, 3, 4].map(reads => told(given(reads), 'Ready').status)).toEqual(['True', 'True', 'True', 'False']);
  expect([1, 2].map(reads => told(given(reads), 'Synced').status)).toEqual(['True', 'Unknown']);
  const older = claim({ conditions: [condition('Ready', 'True', 'Available', { observedGeneration: 1 })] });
  expect(told({ ...given(1), claim: older }, 'Ready').status).toBe('False');
});

test('a look that fails for its credentials is a failed read as well', () => {
  const refused = blocked(new EngineError('InvalidCredentials', 'the key is wrong'));
  const before = claim({ conditions: [condition('Ready', 'True', 'Available')] });
  const given = (action: Action): ReportInput => input({ claim: before, plan: planOf(action), inventory: [entry()], failedReads: 1 });
  expect(told(given({ ...refused, read: true } as Action), 'Ready').status).toBe('True');
});

test('drift that stands is told with both values and when it was first seen; under Report Synced is False', () => {
  const change = { path: 'size', desired: 1, observed: 9, cause: 'drift' } as const;
  const first = report(input({ plan: planOf(keep([change])) })).status;
  expect(first.drift).toEqual([{ resource: 'queue', path: 'size', desired: 1, observed: 9, detectedAt: T0 }]);
  const second = report(input({ claim: claim({ drift: first.drift }), plan: planOf(keep([change])), now: later(60) })).status;
  expect(second.drift).toEqual(first.drift);
  const served = { ...input().served!, lifecycle: { ...input().served!.lifecycle, drift: 'Report' as const } };
  expect(told(input({ served, plan: planOf(keep([change])) }), 'Synced')).toMatchObject({ status: 'False', reason: 'Drifted' });
  expect(told(input({ served, plan: planOf(keep([change])) }), 'Ready').status).toBe('True');
});

test('drift that was put back stays as history, and its condition says so', () => {
  const change = { path: 'size', desired: 1, observed: 9, cause: 'drift' } as const;
  const update: Action = {
    kind: 'update',
    entry: entry(),
    desired,
    seen: { kind: 'present', spec: {}, unread: [], state: {}, readiness: { ready: true } },
    changes: [change],
  };
  const given = input({ outcomes: [{ action: update, at: T0, result: 'done' }] });
  expect(report(given).status.drift).toMatchObject([{ path: 'size', correctedAt: T0 }]);
  expect(told(given, 'Drifted')).toMatchObject({ status: 'False', reason: 'Corrected', message: 'put back: queue.size' });
  const many: DriftRow[] = Array.from({ length: 30 }, (_, index) => ({ resource: 'queue', path: `f${index}`, detectedAt: T0, correctedAt: T0 }));
  expect(report({ ...given, claim: claim({ drift: many }) }).status.drift).toHaveLength(20);
});

test('a failed call is told until a later look finds the thing as desired', () => {
  const create: Action = { kind: 'create', entry: entry({ phase: 'Intended' }), desired, because: 'new' };
  const outcomes = [{ action: create, at: T0, result: 'failed', error: new EngineError('ServiceError', 'it failed') }] as const;
  expect(told(input({ outcomes }), 'Synced').status).toBe('True');
  const still = input({
    outcomes,
    inventory: [entry({ ready: false })],
    plan: planOf({ kind: 'wait', entry: entry(), on: 'queue', message: 'asked for', until: undefined }),
  });
  expect(told(still, 'Synced')).toMatchObject({ status: 'False', reason: 'ServiceError' });
  expect(report(still).schedule).toMatchObject({ because: 'backoff' });
});

test('a transition time moves only with status or reason', () => {
  const before = claim({ conditions: [condition('Ready', 'True', 'Available', { lastTransitionTime: later(-99) })] });
  expect(told(input({ claim: before }), 'Ready').lastTransitionTime).toBe(later(-99));
  expect(told(input({ claim: before, error: new EngineError('Lost', 'gone') }), 'Ready').lastTransitionTime).toBe(T0);
});

test('an output that is pending keeps what was published', () => {
  const pending: Rendering = { ...rendering, outputs: { value: {}, pending: [{ path: 'arn', on: 'queue', message: '' }], secrets: [] } };
  expect(report(input({ claim: claim({ outputs: { arn: 'old', gone: 'x' } }), rendering: pending })).status.outputs).toEqual({ arn: 'old' });
});

test('the successor counts for Ready, not the old one; the old one retires when the claim works', () => {
  const old = entry({ ready: true });
  const next = entry({ name: 'dev_orders_1', incarnation: 1, ready: false });
  expect(isWorking(rendering, [next, old])).toBe(false);
  expect(isWorking(rendering, [{ ...next, ready: true }, old])).toBe(true);
  const going = planOf({ kind: 'keep', entry: old, desired: undefined, seen: undefined, drift: [] });
  expect(retire([old, next], going, T0).map(item => item.phase)).toEqual(['Retiring', 'Present']);
});

test('what is wrong with one resource does not keep the others from being looked at soon', () => {
  const conflict = planOf(blocked(new EngineError('Conflict', 'x exists')));
  expect(report(input({ plan: conflict })).schedule).toMatchObject({ because: 'recheck' });
  expect(report(input({ plan: conflict, inventory: [entry(), entry({ id: 'dead', name: 'dead', phase: 'Created', ready: false })] })).schedule).toEqual({
    kind: 'again',
    afterMs: 5_000,
    because: 'poll',
  });
});

test('what is not stalled says so, whether it is ready or on its way', () => {
  const waits = input({ error: new EngineError('NoClass', 'none applies') });
  for (const given of [input({}), waits]) expect(told(given, 'Stalled')).toMatchObject({ status: 'False', reason: 'NotStalled', message: '' });
});

test('drift whose value is too long to be kept whole goes on as the same drift', () => {
  const change = { path: 'size', desired: 1, observed: 'x'.repeat(5_000), cause: 'drift' } as const;
  const first = boundedStatus(report(input({ plan: planOf(keep([change])) })).status);
  expect(String(first.drift[0]!.observed).length).toBeLessThan(200);
  const second = boundedStatus(report(input({ claim: claim({ drift: first.drift }), plan: planOf(keep([change])), now: later(60) })).status);
  expect(second.drift).toEqual(first.drift);
});
