import { expect, test } from 'vitest';
import { DURATION, durationMs } from './duration.ts';

test.each([
  ['7d', 7 * 86_400_000],
  ['12h', 12 * 3_600_000],
  ['1d12h30m', 36.5 * 3_600_000],
  ['90m', 90 * 60_000],
])('%s is a duration', (text, ms) => {
  expect(text).toMatch(new RegExp(DURATION));
  expect(durationMs(text)).toBe(ms);
});

test.each(['7', '7 d', 'd', '0h', '1.5h', '1h1d', '-1d', '1w', '10s'])('%s is none', text => {
  expect(text).not.toMatch(new RegExp(DURATION));
});
