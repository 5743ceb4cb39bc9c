/** The state folder: in use, broken, read-only, newer, emptied, deleted. Clear refusals, or rebuilt from marks; nothing is made twice. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { isProcessAlive } from '../../src/cli/emulator.ts';
import { everything, makeQueue, queue, WHOLE_SHOP } from './cloud.ts';
import { copyShop, endOf, plinth, saying, sharedWorkplace, start, status, type Workplace, workplace, write } from './plinth.ts';

const SHOP = ['config.yaml', 'shop'];
/** Nothing is read-only to root: then the program runs as nobody. */
const isRoot = process.getuid?.() === 0;

/** A shop that is up on the emulator of the test run. */
async function shopUp(): Promise<Awaited<ReturnType<typeof sharedWorkplace>>> {
  const place = await sharedWorkplace();
  copyShop(place);
  const { code, said } = await plinth(place, ['up', ...SHOP, '--class', 'local']);
  expect(said).toContain('4 of 4 claims ready.');
  expect(code).toBe(0);
  return place;
}

const stateFile = ({ folder }: Workplace, ...names: string[]): string => join(folder, '.plinth', ...names);

test('a second engine on one state folder is refused by name, and readers are not', async () => {
  const place = await shopUp();
  const watching = start(place, ['up', ...SHOP, '--watch']);
  const ended = endOf(watching);
  await saying(watching, 'watching');
  const second = await plinth(place, ['up', ...SHOP]);
  expect(second.stderr).toMatch(
    new RegExp(`\\.plinth is in use by process ${watching.pid} since .* \\(StateLocked\\)\\n  wait for it or stop it, or use --state DIR`),
  );
  expect(second.code).toBe(1);
  expect((await status(place))['Queue/orders']!.ready).toBe(true);
  watching.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(stderr).toContain('The state is consistent');
  expect(code).toBe(130);
  expect((await plinth(place, ['up', ...SHOP])).stdout).toContain('Nothing changed');
});

test('a run that was killed leaves no lock that counts', async () => {
  const place = await shopUp();
  const watching = start(place, ['up', ...SHOP, '--watch']);
  const ended = endOf(watching);
  await saying(watching, 'watching');
  watching.kill('SIGKILL');
  await ended;
  const { code, stdout } = await plinth(place, ['up', ...SHOP]);
  expect(stdout).toContain('Nothing changed');
  expect(code).toBe(0);
});

test('a corrupt file: up and down refuse, name it and the cure; removed, the claim is found again by its marks', async () => {
  const place = await shopUp();
  const file = stateFile(place, 'claims', 'Queue', 'shop', 'orders.json');
  const uid = (JSON.parse(readFileSync(file, 'utf8')) as { metadata: { uid: string } }).metadata.uid;
  writeFileSync(file, '{"kind": "Que');
  for (const args of [['up', ...SHOP], ['down']]) {
    const { code, stderr } = await plinth(place, args);
    expect(stderr).toContain(`${file} is not JSON (StateCorrupt)\n  put it back, or remove it: the inventory is rebuilt from marks`);
    expect(code).toBe(1);
  }
  rmSync(file);
  const { code, said } = await plinth(place, ['up', ...SHOP]);
  expect(said).toContain('the state folder had lost 1 claim; found again by the marks on the real things');
  expect(code).toBe(0);
  expect((JSON.parse(readFileSync(file, 'utf8')) as { metadata: { uid: string } }).metadata.uid).toBe(uid);
  expect(await everything(place)).toEqual(WHOLE_SHOP);
});

test('a state folder of a newer version is refused', async () => {
  const place = await shopUp();
  const file = stateFile(place, 'instance.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), version: 99 }));
  const { code, stderr } = await plinth(place, ['up', ...SHOP]);
  expect(stderr).toMatch(/has version 99; this program knows up to \d+ \(StateNewer\)\n {2}use that version or a newer one/);
  expect(code).toBe(1);
});

test('a read-only state folder is refused', async () => {
  const place = workplace();
  copyShop(place);
  chmodSync(dirname(place.folder), 0o755);
  chmodSync(place.folder, 0o555);
  const { code, stderr } = await plinth(place, ['up', 'shop', '--class', 'local'], isRoot ? { uid: 65_534 } : {});
  chmodSync(place.folder, 0o755);
  expect(stderr).toMatch(/\.plinth: may not be accessed \(EACCES\) \(StateReadOnly\)\n {2}make it writable, or use --state DIR/);
  expect(code).toBe(1);
});

test('a folder with other things in it is not taken for a state folder', async () => {
  const place = await sharedWorkplace();
  copyShop(place);
  const before = readdirSync(join(place.folder, 'shop'));
  const { code, stderr } = await plinth(place, ['up', ...SHOP, '--class', 'local', '--state', 'shop']);
  expect(stderr).toMatch(/it is no state folder \(StateCorrupt\)/);
  expect(code).toBe(1);
  expect(readdirSync(join(place.folder, 'shop'))).toEqual(before);
});

test.each(['deleted', 'emptied'])('a state folder that was %s while its resources live: found by marks, nothing made twice', async how => {
  const place = await shopUp();
  await makeQueue(place, 'somebody-elses');
  const folder = stateFile(place);
  if (how === 'deleted') rmSync(folder, { recursive: true });
  else for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  rmSync(join(place.folder, 'shop', 'customers.yaml'));

  const { code, said } = await plinth(place, ['up', ...SHOP, '--class', 'local']);
  expect(said).toContain('the state folder had lost 4 claims; found again by the marks on the real things');
  expect(said).toContain('3 of 3 claims ready.');
  expect(said).toContain('No longer declared, left as they are: Table/customers. Remove with --prune.');
  expect(code).toBe(0);
  expect(await everything(place)).toEqual([...WHOLE_SHOP, 'queue somebody-elses'].sort());

  expect((await plinth(place, ['up', ...SHOP, '--prune'])).stdout).toContain('Removed: Table/customers.');
  expect((await plinth(place, ['down'])).code).toBe(0);
  expect(await everything(place)).toEqual(['queue somebody-elses']);
  expect((await queue(place, 'somebody-elses'))['VisibilityTimeout']).toBe('77');
});

test('a deleted state folder, then down: everything of ours goes all the same', async () => {
  const place = await shopUp();
  rmSync(stateFile(place), { recursive: true });
  const { code, stdout } = await plinth(place, ['down']);
  expect(stdout).toContain('removed Bucket/invoices, Queue/orders, Table/customers, Topic/order-events');
  expect(code).toBe(0);
  expect(await everything(place)).toEqual([]);
  expect(existsSync(stateFile(place))).toBe(false);
});

test('a lost state folder whose resources cannot be searched for is a refusal, not a second set', async () => {
  const place = await shopUp();
  rmSync(stateFile(place), { recursive: true });
  const { code, stderr } = await plinth(place, ['up', ...SHOP, '--class', 'local'], { env: { PLINTH_ENDPOINT: 'http://127.0.0.1:1' } });
  expect(stderr).toMatch(/cannot be searched for through ProviderConfig local: .* \(StateCorrupt\)\n .*then run again: nothing was touched/);
  expect(code).toBe(1);
  expect((await plinth(place, ['up', ...SHOP, '--class', 'local'])).stdout).toContain('4 of 4 claims ready.');
  expect(await everything(place)).toEqual(WHOLE_SHOP);
});

test('an emulator that was killed is started again and what it forgot is made again', async () => {
  const place = workplace();
  copyShop(place);
  await plinth(place, ['up', 'shop', '--class', 'local']);
  const { pid, endpoint } = JSON.parse(readFileSync(stateFile(place, 'emulator.json'), 'utf8')) as { pid: number; endpoint: string };
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => isProcessAlive(pid)).toBe(false);
  const { code, said } = await plinth(place, ['up', 'shop']);
  expect(said).toContain(`started an AWS emulator at ${endpoint}`);
  expect(said).toContain('4 of 4 claims ready.');
  expect(code).toBe(0);
  expect(await everything({ endpoint, account: 'test' })).toEqual(WHOLE_SHOP);
});

test('the lock and the note of a state folder are not needed to read it', async () => {
  const place = await shopUp();
  write(place, '.plinth/lock', 'not a lock');
  expect((await plinth(place, ['trace', 'queue/orders'])).stdout).toContain('Queue/orders in shop: ready');
});
