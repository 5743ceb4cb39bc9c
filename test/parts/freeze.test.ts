import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep, setImmediate as turnOver } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FREEZABLE, freeze, isStopped, thaw } from './freeze.ts';

/** Asks the server as fast as it can. Before each request it asks what time it is, as the engine asks whether it still holds the Lease. */
const SENDER = `
const { request, Agent } = await import('node:http');
const agent = new Agent({ keepAlive: true });
const send = () => request(process.argv[1], { agent, headers: { asked: String(Date.now()) } }, answer => answer.resume().once('end', send)).end();
for (let n = 0; n < 8; n += 1) send();
`;

test('a frozen process does nothing until it is thawed, and nothing it asked before leaves it then', async () => {
  const asked: number[] = [];
  /** What had left may still be on its way on a busy machine, and this process late to listen. Returns how much that was. */
  const whenAllIsHeard = async (): Promise<number> => {
    for (let before = -1; before !== asked.length; ) {
      before = asked.length;
      await sleep(200);
      for (let turn = 0; turn < 50; turn += 1) await turnOver();
    }
    return asked.length;
  };
  const server = createServer((request, response) => {
    asked.push(Number(request.headers['asked']));
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [...FREEZABLE, '--input-type=module', '-e', SENDER, url], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    for (let round = 0; round < 10; round += 1) {
      const before = asked.length;
      await expect.poll(() => asked.length, { interval: 1 }).toBeGreaterThan(before + 50);
      await freeze(child);
      expect(isStopped(child.pid!)).toBe(true);
      const heard = await whenAllIsHeard();
      await sleep(200);
      expect(asked).toHaveLength(heard);
      const thawed = Date.now();
      thaw(child);
      await expect.poll(() => asked.length, { interval: 1 }).toBeGreaterThan(heard + 8);
      expect(asked.slice(heard).filter(moment => moment < thawed)).toEqual([]);
    }
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
    server.closeAllConnections();
    server.close();
  }
});
