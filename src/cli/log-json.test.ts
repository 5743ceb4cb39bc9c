import { expect, test } from 'vitest';
import { logAsJson } from './log-json.ts';

test('one JSON object a line, with level and time as people read them, and the claim', () => {
  const lines: string[] = [];
  const log = logAsJson('info', { write: (line: string) => void lines.push(line) });
  log('debug', 'not told');
  log('warn', 'not in time', { claim: { kind: 'Queue', namespace: 'dev', name: 'orders' } });
  expect(lines).toHaveLength(1);
  const line = JSON.parse(lines[0]!) as { time: string };
  expect(line).toMatchObject({ level: 'warn', msg: 'not in time', claim: { kind: 'Queue', namespace: 'dev', name: 'orders' } });
  expect(new Date(line.time).toISOString()).toBe(line.time);
});

test('off is silent', () => {
  const lines: string[] = [];
  logAsJson('off', { write: (line: string) => void lines.push(line) })('error', 'nothing');
  expect(lines).toEqual([]);
});
