import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findProgram, installPrograms, KUBERNETES_VERSION, programPath } from './binaries.ts';
import { fetchPublished, publishedFolder } from './published.ts';

const before = { ...process.env };
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plinth-binaries-'));
  process.env['PLINTH_CACHE'] = folder;
  delete process.env['KUBEBUILDER_ASSETS'];
});

afterEach(() => {
  process.env = { ...before };
  rmSync(folder, { recursive: true, force: true });
});

test('a program is taken from KUBEBUILDER_ASSETS, else from what was built, else from what was downloaded', () => {
  expect(findProgram('kubectl')).toBeUndefined();
  expect(() => programPath('kubectl')).toThrow('kubectl is not installed: run npx tsx test/parts/install.ts');
  const downloaded = program(publishedFolder(), 'kubectl');
  expect(findProgram('kubectl')).toBe(downloaded);
  const built = program(join(folder, `kube-${KUBERNETES_VERSION}`), 'kubectl');
  expect(findProgram('kubectl')).toBe(built);
  process.env['KUBEBUILDER_ASSETS'] = join(folder, 'assets');
  expect(findProgram('kubectl')).toBe(built);
  const own = program(join(folder, 'assets'), 'kubectl');
  expect(findProgram('kubectl')).toBe(own);
});

test('what is published is downloaded and checked, the newest patch of the minor', async () => {
  const site = await publish(archive());
  const lines: string[] = [];
  await fetchPublished(['etcd', 'kube-apiserver', 'kubectl', 'kube-controller-manager'], line => lines.push(line), site.sources);
  await site.close();
  expect(lines).toEqual(['downloading the envtest archive of Kubernetes v1.34.10', 'downloading kube-controller-manager v1.34.10']);
  for (const name of ['etcd', 'kube-apiserver', 'kubectl', 'kube-controller-manager'] as const) {
    expect(readFileSync(programPath(name), 'utf8')).toContain(name);
  }
});

test('an archive that is not what was published is left out, with a line', async () => {
  const site = await publish(archive(), 'not the checksum');
  const lines: string[] = [];
  await fetchPublished(['etcd'], line => lines.push(line), site.sources);
  await site.close();
  expect(lines.at(-1)).toMatch(/^no download of Kubernetes \(.*has not the sha512 it was published with\)$/);
  expect(findProgram('etcd')).toBeUndefined();
  expect(existsSync(join(publishedFolder(), 'archive.lock'))).toBe(false);
});

test('without a download and without Go the message says what to do', async () => {
  process.env['PATH'] = folder;
  const sources = { index: 'http://127.0.0.1:1/', binaries: 'http://127.0.0.1:1' };
  await expect(installPrograms(['etcd', 'helm4'], () => {}, sources)).rejects.toThrow(
    'etcd, helm4 could not be downloaded, and Go to build them with is not on PATH: install Go, or set KUBEBUILDER_ASSETS',
  );
});

function program(where: string, name: string): string {
  mkdirSync(where, { recursive: true });
  const path = join(where, name);
  writeFileSync(path, `#!/bin/sh\necho ${name}\n`);
  chmodSync(path, 0o755);
  return path;
}

function archive(): Buffer {
  const root = join(folder, 'making');
  for (const name of ['etcd', 'kube-apiserver', 'kubectl']) program(join(root, 'controller-tools', 'envtest'), name);
  expect(spawnSync('tar', ['-czf', join(folder, 'made.tar.gz'), '-C', root, 'controller-tools']).status).toBe(0);
  return readFileSync(join(folder, 'made.tar.gz'));
}

async function publish(content: Buffer, sha512 = sum(content)) {
  const manager = Buffer.from('#!/bin/sh\necho kube-controller-manager\n');
  const server = createServer(({ url = '' }, response) => {
    if (url === '/index.yaml') response.end(index(sha512));
    else if (url.endsWith('.tar.gz')) response.end(content);
    else if (url.endsWith('kube-controller-manager')) response.end(manager);
    else if (url.endsWith('kube-controller-manager.sha512')) response.end(sum(manager));
    else response.writeHead(404).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const index = (hash: string) => JSON.stringify({ releases: Object.fromEntries(['v1.33.99', 'v1.34.9', 'v1.34.10'].map(v => [v, release(v, hash)])) });
  const release = (version: string, hash: string) =>
    Object.fromEntries(
      ['linux-amd64', 'linux-arm64', 'darwin-amd64', 'darwin-arm64'].map(platform => {
        const name = `envtest-${version}-${platform}.tar.gz`;
        return [name, { hash, selfLink: `${address}/${name}` }];
      }),
    );
  const close = () => new Promise<void>(resolve => server.close(() => resolve()));
  return { sources: { index: `${address}/index.yaml`, binaries: `${address}/release` }, close };
}

function sum(content: Buffer): string {
  return createHash('sha512').update(content).digest('hex');
}
