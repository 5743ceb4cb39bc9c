import { spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { processStartTime } from './emulator.ts';
import { answers, type EmulatorNote } from './endpoint.ts';

let server: Server;
let note: EmulatorNote;
/** How many questions it leaves unanswered; two come at a time. */
let busy: number;
/** How much time seems to pass with each question. */
let slowMs: number;

beforeEach(async () => {
  [busy, slowMs] = [0, 0];
  let nowMs = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs);
  server = createServer((_, response) => {
    busy -= 1;
    nowMs += slowMs;
    if (busy < 0) response.end('{}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const startTime = processStartTime(process.pid);
  note = { pid: process.pid, ...(startTime === undefined ? {} : { startTime }), port, endpoint: `http://127.0.0.1:${port}` };
});
afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
});

test('an emulator that is too busy to answer at once is not taken for dead', async () => {
  busy = 4;
  expect(await answers(note)).toBe(true);
});

test('who waits for a busy one is told', async () => {
  [busy, slowMs] = [6, 1_000];
  const lines: string[] = [];
  expect(await answers(note, line => lines.push(line))).toBe(true);
  expect(lines[0]).toMatch(/^waiting for the emulator at http:.* \(\d s\)$/);
});

test('one whose process is gone, or is another, is not asked', async () => {
  expect(await answers({ ...note, pid: spawnSync(process.execPath, ['-e', '']).pid })).toBe(false);
  if (note.startTime !== undefined) expect(await answers({ ...note, startTime: 'of another process' })).toBe(false);
  expect(await answers(undefined)).toBe(false);
});
