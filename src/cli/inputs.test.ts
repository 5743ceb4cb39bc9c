import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readInputs } from './inputs.ts';
import { webAddress } from './numbers.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plinth-inputs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a device without an end is read as far as a file may be large', async () => {
  const [input] = await readInputs(['/dev/zero']);
  expect(input!.size).toBe(5 * 1024 * 1024 + 1);
});

test('what the file system refuses is told with its code', async () => {
  symlinkSync('circle', join(folder, 'circle'));
  await expect(readInputs([join(folder, 'circle')])).rejects.toMatchObject({
    code: 'FileNotFound',
    message: expect.stringContaining('cannot be read (ELOOP)'),
  });
  await expect(readInputs(['x'.repeat(5_000)])).rejects.toMatchObject({
    code: 'FileNotFound',
    message: expect.stringContaining('cannot be read (ENAMETOOLONG)'),
  });
});

test('a name that would break the line or talk to the terminal is written as in JSON', async () => {
  writeFileSync(join(folder, 'new\nline\u001b[2J.yaml'), 'a: 1');
  const [input] = await readInputs([folder]);
  expect(input!.file).toBe(join(folder, 'new\\u000aline\\u001b[2J.yaml'));
  expect(input!.bytes.toString()).toBe('a: 1');
});

test('a pipe is read to its end', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  execFileSync('sh', ['-c', `(printf 'a: 1' > '${pipe}') >/dev/null 2>&1 &`]);
  expect((await readInputs([pipe]))[0]!.bytes.toString()).toBe('a: 1');
});

test('an endpoint is an http or https URL', () => {
  expect(webAddress(' http://127.0.0.1:4566 ')).toBe('http://127.0.0.1:4566');
  for (const text of ['foo', 'ftp://x', 'http://', 'localhost:4566', '']) expect(() => webAddress(text)).toThrow(InvalidArgumentError);
});
