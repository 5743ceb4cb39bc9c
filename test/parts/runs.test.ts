import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isProcessAlive } from '../../src/cli/emulator.ts';

const SCRIPT = join(import.meta.dirname, 'server-of-worker.ts');

/** A worker with a server of its own. */
async function work(): Promise<{ readonly worker: ChildProcess; readonly server: number }> {
  const worker = fork(SCRIPT, { execArgv: ['--import', 'tsx'] });
  const [server] = (await once(worker, 'message')) as [number];
  expect(isProcessAlive(server, undefined)).toBe(true);
  return { worker, server };
}

test.each<readonly [string, (worker: ChildProcess) => void]>([
  ['is ended', worker => worker.kill('SIGTERM')],
  ['is interrupted', worker => worker.kill('SIGINT')],
  ['loses the process that forked it', worker => worker.disconnect()],
])('the servers of a worker end when it %s', async (_, end) => {
  const { worker, server } = await work();
  const ended = once(worker, 'exit');
  end(worker);
  await ended;
  expect(isProcessAlive(server, undefined)).toBe(false);
});
