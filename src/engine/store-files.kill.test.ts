import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../core/types.ts';
import { realClock } from './clock.ts';
import { metadataOf } from './objects.ts';
import { type FilesStore, openFiles } from './store-files.ts';
import { bundled, output } from './test-process.ts';

const home = mkdtempSync(join(tmpdir(), 'plinth-kill-'));
const folder = join(home, '.plinth');
const open = (): Promise<FilesStore> => openFiles(folder, { clock: realClock, lock: true, create: true });
const text = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('killed at any byte', () => {
  test('everything on disk is whole, what was acknowledged is there, and the next run goes on', async () => {
    const script = await bundled(home, WRITE_LOOP);
    await (await open()).close();
    const { id } = JSON.parse(text('instance.json')) as { id: string };
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < 25; round++) {
      const lines = await killedAfter(spawn(process.execPath, [script, folder]), round % 8, Math.random() * 20);
      for (const line of lines) acknowledged.set(line.split(' ')[0]!, Number(line.split(' ')[1]));
      for (const path of jsonFiles(folder)) expect(() => JSON.parse(readFileSync(path, 'utf8')), path).not.toThrow();
      const files = await open();
      expect(files.instance.id).toBe(id);
      expect(files.problems()).toEqual([]);
      for (const object of await files.store.list('Queue')) assertWhole(object, acknowledged);
      for (const secret of await files.store.list('Secret')) assertDerived(secret);
      expect(allFiles(folder).filter(path => path.endsWith('.tmp') || /lock\./.test(path))).toEqual([]);
      await files.close();
    }
    acknowledged.delete('go');
    expect(acknowledged.size).toBe(3);
    expect(Math.min(...acknowledged.values())).toBeGreaterThan(5);
  }, 300_000);

  function assertWhole(object: JsonObject, acknowledged: ReadonlyMap<string, number>): void {
    const { n, text: written } = object['spec'] as { n: number; text: string };
    expect(written).toBe(String(n).repeat(2000));
    const status = (object['status'] as { outputs?: { n: number; text: string } } | undefined)?.outputs;
    if (status !== undefined) expect(status.text).toBe(String(status.n).repeat(500));
    expect(n).toBeGreaterThanOrEqual(acknowledged.get(metadataOf(object).name) ?? 0);
  }

  function assertDerived(secret: JsonObject): void {
    const { name } = metadataOf(secret);
    const data = secret['data'] as Record<string, string>;
    expect(data['b']).toBe(data['a']);
    for (const [key, value] of Object.entries(data)) expect(text('bindings/dev', name, key)).toBe(value);
    expect(text('env/dev', `${name}.env`)).toContain(`_A=${data['a']}\n`);
  }
});

const WRITE_LOOP = `
  const files = await openFiles(process.argv[2], { clock: realClock, lock: true, create: true });
  console.log('go 0');
  const loop = async name => {
    const key = { kind: 'Queue', namespace: 'dev', name };
    for (;;) {
      const old = await files.store.get(key);
      const n = (old?.spec.n ?? 0) + 1;
      const object = await files.store.put({ apiVersion: 'v1', kind: 'Queue', metadata: { name, namespace: 'dev' }, spec: { n, text: String(n).repeat(2000) } });
      console.log(name, n);
      const claim = { ...key, uid: object.metadata.uid, version: object.metadata.resourceVersion };
      await files.store.write({ kind: 'status', claim, status: { outputs: { n, text: String(n).repeat(500) } } });
      const secret = await files.store.get({ kind: 'Secret', namespace: 'dev', name: name + '-s' });
      const data = n % 5 === 0 ? undefined : { a: String(n), b: String(n), ['k' + (n % 3)]: 'x' };
      await files.store.write({ kind: 'secret', claim, name: name + '-s', type: 't', data, version: secret?.metadata.resourceVersion });
      files.store.emit(key, { type: 'Normal', reason: 'Wrote', message: String(n) });
    }
  };
  await Promise.all(['q1', 'q2', 'q3'].map(loop));`;

/** The complete lines a child said before it was killed, `ms` after it had said so many more than the first. */
async function killedAfter(child: ChildProcess, count: number, ms: number): Promise<string[]> {
  const said = output(child);
  let lineFeeds = 0;
  await new Promise<void>(resolve => {
    child.stdout!.on('data', bytes => {
      lineFeeds += String(bytes).split('\n').length - 1;
      if (lineFeeds > count) resolve();
    });
    child.once('close', () => resolve());
  });
  await new Promise(resolve => setTimeout(resolve, ms));
  child.kill('SIGKILL');
  const lines = `${await said}`.split('\n');
  return lines.filter(line => /^\S+ \d+$/.test(line)).slice(0, -1);
}

function allFiles(path: string): string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap(entry => (entry.isDirectory() ? allFiles(join(path, entry.name)) : [join(path, entry.name)]));
}

function jsonFiles(path: string): string[] {
  return allFiles(path).filter(file => file.endsWith('.json'));
}
