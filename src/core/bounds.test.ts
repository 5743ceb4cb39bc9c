import { expect, test } from 'vitest';
import { boundedStatus, boundedValue, STATUS_BYTES } from './bounds.ts';
import { redactStatus } from './redact.ts';
import type { ClaimStatus, DriftRow, Json, OwnedEntry } from './types.ts';

const T0 = '2026-01-01T00:00:00.000Z';
const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
/** As of a queue on AWS: 10 fields and 7 marks. */
const settled = {
  '': '~',
  ...Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`someLongFieldName${n}Seconds`, '0123456789ab'])),
  ...Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`tags["plinth.dev/mark${n}"]`, '0123456789ab'])),
};
const entry = (n: number, message: string): OwnedEntry => ({
  id: `subscription[order-events-${n}]`,
  type: 'aws/sqs-queue',
  config: 'aws-production',
  scope: 'aws:123456789012/eu-central-1',
  name: `team-checkout_order-events-with-a-long-name-${n}`,
  phase: 'Present',
  ready: false,
  message,
  dependsOn: [`queue-${n}`],
  since: T0,
  changedAt: T0,
  incarnation: 0,
  origin: 'Created',
  deletion: 'Delete',
  onDelete: {},
  holds: 'backlog',
  settled,
});
const row = (observed: Json, n = 0): DriftRow => ({ resource: `queue-${n}`, path: `policy.Statement${n}`, desired: observed, observed, detectedAt: T0 });
const statusOf = (text: string, resources = 100): ClaimStatus => ({
  inventoryFor: 'u',
  observedGeneration: 1,
  conditions: (['Ready', 'Synced', 'Drifted', 'Stalled'] as const).map(type => ({
    type,
    status: 'False',
    reason: 'NotConverging',
    message: text,
    observedGeneration: 1,
    lastTransitionTime: T0,
  })),
  class: 'production',
  composition: 'queue-sqs',
  revision: '0123456789ab',
  outputs: { queue: { arn: 'arn:aws:sqs:eu-central-1:123456789012:orders' } },
  resources: Array.from({ length: resources }, (_, n) => entry(n, text)),
  drift: Array.from({ length: 20 }, (_, n) => row(n % 2 === 0 ? text : { Statement: [text] }, n)),
  pendingPlan: { hash: '0123456789ab', summary: Array.from({ length: 100 }, () => text) },
});

test.each([
  ['plain text', 'x'.repeat(30_000)],
  ['text of three bytes a character', '値'.repeat(10_000)],
  ['text that JSON escapes', '"\n\u0001'.repeat(10_000)],
  ['text beyond the first plane', '🪣'.repeat(10_000)],
])('100 rich resources, 20 drift rows and a plan with %s stay below the bound, whatever goes through the redactor', (_, text) => {
  const status = statusOf(text);
  expect(bytes(status)).toBeGreaterThan(4 * STATUS_BYTES);
  const bounded = redactStatus(status, []);
  expect(bytes(bounded)).toBeLessThanOrEqual(STATUS_BYTES);
  expect(bounded.resources.map(({ message: _message, ...rest }) => rest)).toEqual(status.resources.map(({ message: _message, ...rest }) => rest));
  expect(bounded.drift.map(({ path }) => path)).toEqual(status.drift.map(({ path }) => path));
  expect(bounded.conditions[0]!.message).toMatch(/.…$/s);
  expect(JSON.stringify(bounded)).toBe(Buffer.from(JSON.stringify(bounded)).toString('utf8'));
  expect(boundedStatus(bounded)).toEqual(bounded);
});

test('what is short stays as it is, and a few resources keep long messages', () => {
  const status = { ...statusOf('the queue is not there', 3), pendingPlan: { hash: 'h', summary: ['one', 'two'] } };
  expect(boundedStatus(status)).toEqual(status);
  expect(boundedStatus(statusOf('x'.repeat(900), 3)).resources[0]!.message).toHaveLength(900);
});

test('a long value is shown by the beginning of its text, the same each time', () => {
  expect(boundedValue({ a: 1 })).toEqual({ a: 1 });
  const short = boundedValue({ a: 'y'.repeat(1_000) }) as string;
  expect(short).toMatch(/^\{"a":"y{100,}…$/);
  expect(boundedValue(short)).toBe(short);
  expect(boundedValue(undefined)).toBeUndefined();
});

test('a secret is taken out before a text is cut, so that no half of it stays', () => {
  const secret = 'hunter2'.repeat(20);
  const status = statusOf(`${'x'.repeat(200)}${secret}`, 1);
  expect(JSON.stringify(redactStatus(status, [secret]))).not.toContain('hunter2');
});
