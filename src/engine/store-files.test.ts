import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EngineError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import { realClock } from './clock.ts';
import { metadataOf } from './objects.ts';
import { processStartTime } from './process.ts';
import { claimOf, orders, queueObject, statusOf, storeContract } from './store.contract.ts';
import { type FilesStore, openFiles } from './store-files.ts';
import { bundled, output } from './test-process.ts';

const WRITER = { clock: realClock, lock: true, create: true };
const READER = { clock: realClock, lock: false, create: false };
let folder: string;
const opened: FilesStore[] = [];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'plinth-files-')), '.plinth');
});
afterEach(async () => {
  for (const files of opened.splice(0)) await files.close();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

async function open(options: Partial<typeof WRITER> & { project?: string } = {}): Promise<FilesStore> {
  const files = await openFiles(folder, { ...WRITER, ...options });
  opened.push(files);
  return files;
}
async function failure(promise: Promise<unknown>): Promise<EngineError> {
  const error = await promise.then(
    () => undefined,
    thrown => thrown as unknown,
  );
  expect(error).toBeInstanceOf(EngineError);
  return error as EngineError;
}
const text = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
const claimFile = (): string => join(folder, 'claims', 'Queue', 'dev', 'orders.json');
async function withSecret(files: FilesStore, data: Record<string, string>, version?: string): Promise<JsonObject> {
  const claim = claimOf((await files.store.get(orders)) ?? (await files.store.put(queueObject())));
  return (await files.store.write({ kind: 'secret', claim, name: 'orders-queue', type: 't', data, version }))!;
}
async function reopen(files: FilesStore): Promise<FilesStore> {
  await files.close();
  opened.splice(opened.indexOf(files), 1);
  return await open();
}

describe('the file store keeps the contract', () => {
  storeContract(async () => {
    const files = await openFiles(folder, WRITER);
    const events = async () => {
      // Waiting for the log is what close does.
      await files.close();
      return files.events();
    };
    return { store: files.store, events, close: () => files.close() };
  });
});

describe('the folder', () => {
  test('is private, ignored by git, and says who it is', async () => {
    const { instance } = await open({ project: 'shop' });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'instance.json')).mode & 0o777).toBe(0o600);
    expect(text('.gitignore')).toBe('*\n');
    expect(JSON.parse(text('instance.json'))).toEqual({ version: 1, ...instance });
    expect(instance).toMatchObject({ project: 'shop', id: expect.stringMatching(/^[0-9a-f]{10}$/), key: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  test('keeps its objects, its id and its versions going over runs', async () => {
    const first = await open();
    const made = await first.store.put(queueObject({ a: 1 }));
    await first.store.put({ apiVersion: 'plinth.dev/v1alpha1', kind: 'EnvironmentClass', metadata: { name: 'dev' }, spec: {} });
    await first.store.write({ kind: 'revision', name: 'abc', data: {} });
    const second = await reopen(first);
    expect(second.instance).toEqual(first.instance);
    expect(await second.store.get(orders)).toEqual(made);
    expect(existsSync(join(folder, 'objects', 'EnvironmentClass', 'dev.json'))).toBe(true);
    expect(existsSync(join(folder, 'revisions', 'abc.json'))).toBe(true);
    const version = metadataOf(await second.store.put(queueObject({ a: 2 }))).resourceVersion;
    expect(Number.parseInt(version, 10)).toBeGreaterThan(Number.parseInt(metadataOf(made).resourceVersion, 10));
  });

  test('is not made by a reader, nor out of a folder that holds other things', async () => {
    expect((await failure(open({ create: false }))).code).toBe('StateMissing');
    expect((await failure(openFiles(folder, READER))).code).toBe('StateMissing');
    expect(existsSync(folder)).toBe(false);
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{}');
    expect((await failure(open())).message).toContain('holds package.json');
    expect(readdirSync(folder)).toEqual(['package.json']);
  });

  test('whose instance.json is gone, broken or newer is not opened, and gets no new id', async () => {
    const files = await open();
    await files.store.put(queueObject());
    await files.close();
    const good = text('instance.json');
    for (const [bad, code] of [
      ['', 'StateCorrupt'],
      [good.slice(0, 30), 'StateCorrupt'],
      ['{"version": 1}', 'StateCorrupt'],
      ['{"version": 2}', 'StateNewer'],
    ] as const) {
      writeFileSync(join(folder, 'instance.json'), bad);
      expect((await failure(open())).code).toBe(code);
    }
    unlinkSync(join(folder, 'instance.json'));
    expect((await failure(open())).message).toContain('instance.json is missing');
    expect((await failure(openFiles(folder, READER))).code).toBe('StateCorrupt');
    expect(existsSync(join(folder, 'lock'))).toBe(false);
    writeFileSync(join(folder, 'instance.json'), good);
    await open();
  });

  test('deleted or replaced while it is used ends the run and is not made again', async () => {
    const files = await open();
    const claim = claimOf(await files.store.put(queueObject()));
    renameSync(folder, `${folder}-away`);
    expect((await failure(files.store.get(orders))).code).toBe('StoreUnavailable');
    expect((await failure(files.store.write({ kind: 'status', claim, status: statusOf(1) }))).code).toBe('StoreUnavailable');
    expect((await failure(files.store.put(queueObject({ a: 1 })))).code).toBe('StoreUnavailable');
    files.store.emit(orders, { type: 'Normal', reason: 'X', message: 'x' });
    await files.close();
    expect(existsSync(folder)).toBe(false);
    const other = await open();
    expect(other.instance.id).not.toBe(files.instance.id);
    expect((await failure(files.store.put(queueObject()))).code).toBe('StoreUnavailable');
    await files.close();
    expect(existsSync(join(folder, 'lock'))).toBe(true);
  });

  test('that may not be written is StateReadOnly', async () => {
    if (process.getuid?.() !== 0) return;
    await (await open()).close();
    const script = await bundled(
      join(folder, '..'),
      `
      const error = await openFiles(process.argv[2], { clock: realClock, lock: true, create: true }).catch(thrown => thrown);
      console.log(error.code);`,
    );
    spawnSync('chmod', ['-R', 'a+rX', join(folder, '..')]);
    const child = spawnSync(process.execPath, [script, folder], { uid: 65_534, gid: 65_534, encoding: 'utf8' });
    expect(child.stdout.trim()).toBe('StateReadOnly');
  });
});

describe('the lock', () => {
  test('is held by one run, which the second is told of; readers need none and cannot write', async () => {
    const files = await open();
    const error = await failure(open());
    expect([error.code, error.message]).toEqual(['StateLocked', expect.stringMatching(`in use by process ${process.pid} since \\d{4}-`)]);
    await files.store.put(queueObject());
    const reader = await openFiles(folder, READER);
    expect(await reader.store.list('Queue')).toHaveLength(1);
    await files.store.put(queueObject({}, { name: 'more' }));
    expect(await reader.store.list('Queue')).toHaveLength(2);
    expect((await failure(reader.store.put(queueObject()))).code).toBe('StateReadOnly');
    await reader.close();
    expect(existsSync(join(folder, 'lock'))).toBe(true);
    await files.close();
    expect(existsSync(join(folder, 'lock'))).toBe(false);
    await open();
  });

  test('of a dead process, of a reused pid or torn is taken over; of another host it is not', async () => {
    const lock = JSON.parse((await lockText()) ?? '') as Record<string, unknown>;
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    for (const stale of [JSON.stringify({ ...lock, pid: dead }), JSON.stringify({ ...lock, startTime: '1' }), '', '{"pid":']) {
      writeFileSync(join(folder, 'lock'), stale);
      await (await open()).close();
    }
    writeFileSync(join(folder, 'lock'), JSON.stringify({ ...lock, host: 'elsewhere' }));
    expect((await failure(open())).message).toContain('on elsewhere');
    expect(readdirSync(folder).filter(name => name.startsWith('lock'))).toEqual(['lock']);
  });

  async function lockText(): Promise<string> {
    const files = await open();
    const found = text('lock');
    await files.close();
    return found;
  }

  test('goes to one of many that find a stale one at the same time', async () => {
    await (await open()).close();
    const script = await bundled(
      join(folder, '..'),
      `
      await openFiles(process.argv[2], { clock: realClock, lock: true, create: true }).then(() => console.log('held'), error => console.log(error.code));
      process.stdin.resume();`,
    );
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1, startTime: '1', host: (await import('node:os')).hostname(), since: '' }));
    const runs = Array.from({ length: 6 }, () => spawn(process.execPath, [script, folder]));
    const outputs = runs.map(output);
    // The one that holds it stays until all have tried.
    await Promise.all(runs.map(run => new Promise(resolve => run.stdout.once('data', resolve))));
    for (const run of runs) run.stdin.end();
    expect((await Promise.all(outputs)).sort()).toEqual(['StateLocked', 'StateLocked', 'StateLocked', 'StateLocked', 'StateLocked', 'held']);
  });

  test('start times tell processes apart', () => {
    expect(processStartTime(process.pid)).toBe(processStartTime(process.pid));
    expect(processStartTime(process.pid)).toBeDefined();
    expect(processStartTime(spawnSync(process.execPath, ['-e', '']).pid)).toBeUndefined();
    expect(processStartTime(-1)).toBeUndefined();
  });
});

describe('what somebody else changed', () => {
  test('is read by the next get, and a write computed before it conflicts', async () => {
    const files = await open();
    const before = claimOf(await files.store.put(queueObject({ a: 1 })));
    writeFileSync(claimFile(), text('claims', 'Queue', 'dev', 'orders.json').replace('"a": 1', '"a": 2'));
    expect((await failure(files.store.write({ kind: 'status', claim: before, status: statusOf(1) }))).code).toBe('StoreConflict');
    const now = (await files.store.get(orders))!;
    expect(now['spec']).toEqual({ a: 2 });
    expect(metadataOf(now).generation).toBe(2);
    expect(await files.store.write({ kind: 'status', claim: claimOf(now), status: statusOf(1) })).toBeDefined();
    unlinkSync(claimFile());
    expect(await files.store.get(orders)).toBeUndefined();
  });

  test('is another state each time, also when it is edited twice before anything is written', async () => {
    const { store } = await open();
    const first = await store.put(queueObject({ a: 1 }));
    const seen = [first];
    for (const a of [2, 3]) {
      writeFileSync(claimFile(), text('claims', 'Queue', 'dev', 'orders.json').replace(`"a": ${a - 1}`, `"a": ${a}`));
      seen.push((await store.get(orders))!);
    }
    expect(seen.map(object => object['spec'])).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    expect(seen.map(object => metadataOf(object).generation)).toEqual([1, 2, 3]);
    expect(new Set(seen.map(object => metadataOf(object).resourceVersion)).size).toBe(3);
    expect((await failure(store.write({ kind: 'status', claim: claimOf(first), status: statusOf(1) }))).code).toBe('StoreConflict');
  });

  test('is never taken for it: a read while our own file is put in place gives what was or what comes, the very same', async () => {
    const { store } = await open();
    let before = await store.put(queueObject({ a: 0 }));
    for (let round = 1; round <= 20; round++) {
      let isWritten = false;
      const writing = store.put(queueObject({ a: round })).finally(() => {
        isWritten = true;
      });
      const seen = new Set<JsonObject | undefined>();
      while (!isWritten) {
        seen.add(await store.get(orders));
        await new Promise(setImmediate);
      }
      const after = await writing;
      for (const object of seen) expect([before, after].some(known => known === object)).toBe(true);
      before = after;
    }
  });

  test('a corrupt file is named with its cure, is never overwritten, and does not hide the others', async () => {
    const files = await open();
    await files.store.put(queueObject());
    await files.store.put(queueObject({}, { name: 'fine' }));
    const good = text('claims', 'Queue', 'dev', 'orders.json');
    for (const bad of ['', good.slice(0, 40), '[]', '{}', good.replace('"orders"', '"other"')]) {
      writeFileSync(claimFile(), bad);
      const error = await failure(files.store.get(orders));
      expect([error.code, error.message]).toEqual(['StateCorrupt', expect.stringContaining(claimFile())]);
      expect((await failure(files.store.put(queueObject({ a: 1 })))).code).toBe('StateCorrupt');
      expect(readFileSync(claimFile(), 'utf8')).toBe(bad);
    }
    const again = await reopen(files);
    expect((await again.store.list('Queue')).map(object => metadataOf(object).name)).toEqual(['fine']);
    expect(again.problems().map(error => error.code)).toEqual(['StateCorrupt']);
    writeFileSync(claimFile(), good);
    expect(await again.store.get(orders)).toBeDefined();
    expect(again.problems()).toEqual([]);
  });
});

describe('what follows from a Secret', () => {
  test('an .env file that a shell reads exactly, and a binding folder', async () => {
    const files = await open();
    const data = { uri: 'https://q/1?a=b&c', 'access-key': `it's "$HOME" \`x\`\n\\ two`, empty: '' };
    const secret = await withSecret(files, data);
    const shell = spawnSync('sh', [
      '-c',
      `. "$1"; printf '%s|%s|%s' "$ORDERS_QUEUE_URI" "$ORDERS_QUEUE_ACCESS_KEY" "$ORDERS_QUEUE_EMPTY"`,
      'sh',
      join(folder, 'env/dev/orders-queue.env'),
    ]);
    expect(shell.stdout.toString()).toBe(`${data.uri}|${data['access-key']}|`);
    for (const [key, value] of Object.entries(data)) expect(text('bindings/dev/orders-queue', key)).toBe(value);
    for (const path of ['env/dev/orders-queue.env', 'secrets/dev/orders-queue.json', 'bindings/dev/orders-queue/uri'])
      expect(statSync(join(folder, path)).mode & 0o777).toBe(0o600);
    await withSecret(files, { uri: 'new', port: '1' }, metadataOf(secret).resourceVersion);
    expect(readdirSync(join(folder, 'bindings/dev/orders-queue')).filter(name => !name.startsWith('..'))).toEqual(['port', 'uri']);
    expect(text('env/dev/orders-queue.env')).toBe('ORDERS_QUEUE_PORT=1\nORDERS_QUEUE_URI=new\n');
    await files.store.remove(orders);
    expect(existsSync(join(folder, 'secrets/dev/orders-queue.json'))).toBe(false);
    expect(existsSync(join(folder, 'env/dev/orders-queue.env'))).toBe(false);
    expect(existsSync(join(folder, 'bindings/dev/orders-queue'))).toBe(false);
  });

  test('is made again when it does not fit, and goes when the Secret is gone', async () => {
    const files = await open();
    await withSecret(files, { uri: 'a' });
    writeFileSync(join(folder, 'env/dev/orders-queue.env'), 'X=1');
    rmSync(join(folder, 'bindings'), { recursive: true });
    const again = await reopen(files);
    expect(text('env/dev/orders-queue.env')).toBe('ORDERS_QUEUE_URI=a\n');
    expect(text('bindings/dev/orders-queue/uri')).toBe('a');
    await again.close();
    unlinkSync(claimFile());
    await open();
    for (const path of ['secrets/dev/orders-queue.json', 'env/dev/orders-queue.env', 'bindings/dev/orders-queue'])
      expect(lstatSync(join(folder, path), { throwIfNoEntry: false }), path).toBeUndefined();
  });

  test('keys that could leave the folder are refused before anything is written', async () => {
    const files = await open();
    for (const key of ['../x', 'a/b', '..', '.', '..data', '', 'a b']) expect((await failure(withSecret(files, { [key]: 'x' }))).code).toBe('InvalidObject');
    expect(existsSync(join(folder, 'secrets'))).toBe(false);
  });
});

test('events are bounded', async () => {
  const files = await open();
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < 50; n++) files.store.emit(orders, { type: 'Normal', reason: `R${round}-${n}`, message: 'x'.repeat(1000) });
    await new Promise(setImmediate);
  }
  await files.close();
  expect(statSync(join(folder, 'events.jsonl')).size).toBeLessThanOrEqual(1024 * 1024);
  expect(files.events().length).toBeGreaterThan(400);
  expect(files.events().at(-1)!.reason).toBe('R29-49');
});
