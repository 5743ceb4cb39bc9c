import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { installMiniStack, isHealthy, isProcessAlive, processStartTime, startServer, stopProcess } from './emulator.ts';
import { MINISTACK_REQUIREMENTS, MINISTACK_VERSION } from './emulator-pins.ts';
import { findPython, findVenv, installVenv, type VenvSpec, venvFolder } from './emulator-venv.ts';

const PYTHON: VenvSpec = {
  name: 'nothing-1',
  requirements: [],
  pythons: ['python3', 'python3.13', 'python3.12', 'python3.11'],
  minimum: [3, 10],
  cure: 'install it',
};

afterEach(() => vi.unstubAllEnvs());

function temporaryCache(): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-cache-'));
  vi.stubEnv('PLINTH_CACHE', folder);
  return folder;
}

test('the requirement file for installing by hand holds the pins of the product', () => {
  const lines = readFileSync(join(import.meta.dirname, '../../localstack/ministack-requirements.txt'), 'utf8').split('\n');
  expect(lines.filter(line => line !== '' && !line.startsWith('#'))).toEqual(MINISTACK_REQUIREMENTS);
  expect(readFileSync(join(import.meta.dirname, '../../localstack/compose.yaml'), 'utf8')).toContain(`ministackorg/ministack:${MINISTACK_VERSION}`);
});

test('a missing Python is an error that says what to do', async () => {
  const folder = temporaryCache();
  vi.stubEnv('PATH', folder);
  await expect(installMiniStack(() => {})).rejects.toThrow(/Python 3\.10 or newer.*install python3.*--endpoint URL/);
  expect(readdirSync(folder)).toEqual([]);
});

test('an interpreter that does not run or is too old is passed over', () => {
  expect(findPython(['/nonexistent/python3', 'false'], [3, 0])).toBeUndefined();
  expect(findPython(PYTHON.pythons, [99, 0])).toBeUndefined();
});

test('two installs at once make one environment, and what a killed install left is taken over', { timeout: 300_000 }, async () => {
  const folder = temporaryCache();
  const first = venvFolder(PYTHON);
  mkdirSync(`${first}.build-999999999-1`);
  mkdirSync(`${first}.lock`);
  writeFileSync(join(`${first}.lock`, 'owner.json'), JSON.stringify({ pid: 999999999 }));
  const said: string[] = [];
  const paths = await Promise.all([installVenv(PYTHON, line => said.push(line)), installVenv(PYTHON, line => said.push(line))]);
  expect(new Set(paths)).toEqual(new Set([first]));
  expect(findVenv(PYTHON)).toBe(first);
  expect(existsSync(join(first, 'bin', 'pip'))).toBe(true);
  expect(said.filter(line => line.startsWith('installing nothing-1 into'))).toHaveLength(1);
  expect(readdirSync(folder), 'the link and what it points to').toHaveLength(2);
  rmSync(folder, { recursive: true });
});

test('a process is ended by pid, and only if it is still the same one', async () => {
  const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  const startTime = processStartTime(pid);
  if (startTime !== undefined) {
    expect(await stopProcess(pid, 'of another process')).toBe(true);
    expect(isProcessAlive(pid, startTime)).toBe(true);
  }
  child.kill('SIGKILL');
  expect(await stopProcess(pid, startTime)).toBe(true);
  expect(isProcessAlive(pid, startTime)).toBe(false);
  expect(processStartTime(pid)).toBeUndefined();
});

test('a server that ends early or never answers is an error with its last words, and nothing is left running', async () => {
  const logFile = join(mkdtempSync(join(tmpdir(), 'plinth-log-')), 'server.log');
  const spec = { title: 'Test', command: process.execPath, env: () => ({}), logFile, detached: false, boundMs: 3_000 };
  await expect(startServer({ ...spec, boundMs: 60_000, args: ['-e', 'console.log("no disk"); process.exit(3)'] })).rejects.toThrow(
    /Test ended with 3[\s\S]*no disk/,
  );
  await expect(startServer({ ...spec, command: 'sh', args: ['-c', 'echo $$; exec sleep 600'] })).rejects.toThrow('did not answer');
  const pid = Number(readFileSync(logFile, 'utf8'));
  expect([pid > 0, isProcessAlive(pid)]).toEqual([true, false]);
  await expect(startServer({ ...spec, command: '/nonexistent/server', args: [] })).rejects.toThrow('could not be started');
});

test('a port that is in use is refused, whoever answers there', async () => {
  const other = createServer((_, response) => response.end('{}'));
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const spec = { title: 'Test', command: process.execPath, args: ['-e', ''], env: () => ({}), logFile: join(tmpdir(), 'unused.log'), detached: false };
  await expect(startServer({ ...spec, port, boundMs: 500 })).rejects.toThrow(`Test cannot start: port ${port} of 127.0.0.1 is in use`);
  other.closeAllConnections();
  other.close();
});

test('health is bounded and never throws', async () => {
  const silent = createServer(() => {});
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const bounds = vi.spyOn(AbortSignal, 'timeout');
  expect(await isHealthy(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`)).toBe(false);
  // Nothing else ends it: the server says nothing for ever.
  expect(bounds.mock.calls).toEqual([[expect.toSatisfy(ms => ms <= 1_000)]]);
  bounds.mockRestore();
  silent.closeAllConnections();
  silent.close();
  expect(await isHealthy('http://127.0.0.1:1')).toBe(false);
});
