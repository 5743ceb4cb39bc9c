/** Data that was kept lives in the emulator that `up` started: `down` does not stop that without being told to. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isProcessAlive, stopProcess } from '../../src/cli/emulator.ts';
import { everything } from './cloud.ts';
import { copyShop, emulatorOf, plinth, type Workplace, workplace } from './plinth.ts';

const isAlive = ({ pid, startTime }: ReturnType<typeof emulatorOf>): boolean => isProcessAlive(pid, startTime);
const KEPT = /what was kept lives in the emulator at http:\S+, which would end with it: aws\/s3-bucket shop-invoices-\w+.* \(KeptData\)\n .*--discard-kept/;

/** A shop of which only the bucket is kept. */
async function keptBucket(): Promise<Workplace> {
  const place = workplace();
  copyShop(place);
  expect((await plinth(place, ['up', 'shop', '--class', 'local'])).code).toBe(0);
  const { pid, startTime } = emulatorOf(place);
  onTestFinished(async () => void (await stopProcess(pid, startTime)));
  const { said, code } = await plinth(place, ['down', 'bucket/invoices', '--keep-data']);
  expect(said).toContain('kept, marked as retained: aws/s3-bucket');
  expect(code).toBe(0);
  return place;
}

test('down names what is kept in its own emulator and leaves that running, until it is told to discard it', async () => {
  const place = await keptBucket();
  const emulator = emulatorOf(place);
  const bucket = (await everything({ endpoint: emulator.endpoint, account: 'test' })).filter(line => line.startsWith('bucket'));
  for (let round = 0; round < 2; round += 1) {
    const { stderr, code } = await plinth(place, ['down']);
    expect(stderr).toMatch(KEPT);
    expect(code).toBe(1);
    expect(isAlive(emulator)).toBe(true);
    expect(await everything({ endpoint: emulator.endpoint, account: 'test' })).toEqual(bucket);
  }
  expect((await plinth(place, ['orphans'])).stdout).toContain('aws/s3-bucket');
  const { said, code } = await plinth(place, ['down', '--discard-kept']);
  expect(said).toMatch(/discarded with the emulator: aws\/s3-bucket shop-invoices/);
  expect(code).toBe(0);
  expect(isAlive(emulator)).toBe(false);
  expect(existsSync(join(place.folder, '.plinth'))).toBe(false);
});

test('the same after the state folder was deleted; with nothing kept, nothing is asked', async () => {
  const place = await keptBucket();
  const emulator = emulatorOf(place);
  rmSync(join(place.folder, '.plinth'), { recursive: true });
  const { stderr, code } = await plinth(place, ['down']);
  expect(stderr).toMatch(KEPT);
  expect(code).toBe(1);
  expect(isAlive(emulator)).toBe(true);
  expect((await plinth(place, ['down', '--discard-kept'])).code).toBe(0);
  expect(isAlive(emulator)).toBe(false);
  expect((await plinth(place, ['up', 'shop', '--class', 'local'])).code).toBe(0);
  expect((await plinth(place, ['down'])).code).toBe(0);
});
