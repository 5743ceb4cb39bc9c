import { expect, test } from 'vitest';
import { redact, redactStatus, secretsIn } from './redact.ts';
import type { ClaimStatus } from './types.ts';

test('takes values out, the longest first, and leaves short ones alone', () => {
  expect(redact('login hunter2hunter2 and hunter2hunter2x', ['hunter2hunter2', 'hunter2hunter2x'])).toBe('login ••• and •••');
  expect(redact('the test queue', ['test'])).toBe('the test queue');
});

test('finds secrets among settings by the name of the field', () => {
  expect(secretsIn({ region: 'eu-west-1', credentials: { accessKeyId: 'AKIA', secretAccessKey: 's3cret-value', sessionToken: 't0ken-value' } })).toEqual([
    's3cret-value',
    't0ken-value',
  ]);
});

test('messages and drift of a status hold none; names stay', () => {
  const status = {
    conditions: [{ message: 'refused s3cret-value' }],
    resources: [{ name: 's3cret-value', message: 's3cret-value' }],
    drift: [{ path: 'x', observed: ['s3cret-value'] }],
  } as unknown as ClaimStatus;
  const text = redactStatus(status, ['s3cret-value']);
  expect(text).toMatchObject({
    conditions: [{ message: 'refused •••' }],
    resources: [{ name: 's3cret-value', message: '•••' }],
    drift: [{ observed: ['•••'] }],
  });
});
