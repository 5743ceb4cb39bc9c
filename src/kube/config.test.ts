import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isError } from '../core/errors.ts';
import { loadAccess } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'plinth-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const b64 = (text: string) => Buffer.from(text).toString('base64');

/** A kubeconfig with one context per user given. */
function kubeconfig(name: string, users: Record<string, object>, cluster: object = {}): string {
  const path = join(folder, name);
  const names = Object.keys(users);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': names[0],
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443/', 'certificate-authority-data': b64('CA'), ...cluster } }],
    contexts: names.map(user => ({ name: user, context: { cluster: 'c', user, namespace: `of-${user}` } })),
    users: names.map(user => ({ name: user, user: users[user] })),
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

test('a token, a certificate and a password become headers and TLS options', async () => {
  const path = kubeconfig('plain', {
    token: { token: 't0ken' },
    cert: { 'client-certificate-data': b64('CERT'), 'client-key-data': b64('KEY') },
    basic: { username: 'u', password: 'p' },
  });
  const access = await loadAccess({ kubeconfig: path });
  expect(access).toMatchObject({ server: 'https://127.0.0.1:6443', context: 'token', namespace: 'of-token', proxyUrl: undefined });
  expect(await access.credentials()).toEqual({ headers: { Authorization: 'Bearer t0ken' }, tls: { ca: 'CA' } });
  const of = async (context: string) => await (await loadAccess({ kubeconfig: path, context })).credentials();
  expect((await of('cert')).tls).toEqual({ ca: 'CA', cert: 'CERT', key: 'KEY' });
  expect((await of('basic')).headers).toEqual({ Authorization: `Basic ${b64('u:p')}` });
});

test('a tokenFile is read again, relative to the kubeconfig', async () => {
  const file = join(folder, 'token.txt');
  writeFileSync(file, 'one');
  const access = await loadAccess({ kubeconfig: kubeconfig('file', { a: { tokenFile: 'token.txt' } }) });
  expect((await access.credentials()).headers).toEqual({ Authorization: 'Bearer one' });
  writeFileSync(file, 'two');
  await new Promise(resolve => setTimeout(resolve, 1_050));
  expect((await access.credentials(true)).headers).toEqual({ Authorization: 'Bearer two' });
});

test('a plugin is run once for many calls, is told the API version, and again after a refusal', async () => {
  const plugin = join(folder, 'plugin.sh');
  const runs = join(folder, 'runs');
  const answer = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}';
  writeFileSync(plugin, `#!/bin/sh\nprintf '%s\\n' "$KUBERNETES_EXEC_INFO" >> ${runs}\necho '${answer}'\n`);
  chmodSync(plugin, 0o755);
  const path = kubeconfig('exec', { a: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin } } });
  const access = await loadAccess({ kubeconfig: path });
  const answers = await Promise.all(Array.from({ length: 20 }, () => access.credentials()));
  expect(new Set(answers.map(({ headers }) => headers['Authorization']))).toEqual(new Set(['Bearer from-plugin']));
  const lines = () => readFileSync(runs, 'utf8').trim().split('\n');
  expect(lines()).toHaveLength(1);
  expect(JSON.parse(lines()[0]!)).toMatchObject({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1' });
  await new Promise(resolve => setTimeout(resolve, 1_050));
  await Promise.all([access.credentials(true), access.credentials(true)]);
  expect(lines()).toHaveLength(2);
});

test('a plugin that fails is told without what it printed', async () => {
  const path = kubeconfig('bad-exec', {
    a: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', 'echo s3cret >&2; exit 1'] } },
  });
  const error = await (await loadAccess({ kubeconfig: path })).credentials().catch((thrown: unknown) => thrown);
  expect(isError(error, 'InvalidCredentials')).toBe(true);
  expect(String(error)).not.toContain('s3cret');
});

test('of several files the first of each name counts and missing files are skipped', async () => {
  const [one, two] = [kubeconfig('one', { a: { token: '1' } }), kubeconfig('two', { a: { token: '2' }, b: { token: '3' } })];
  const env = { KUBECONFIG: [join(folder, 'none'), one, two].join(':') };
  expect((await (await loadAccess({ env })).credentials()).headers).toEqual({ Authorization: 'Bearer 1' });
  expect((await (await loadAccess({ env, context: 'b' })).credentials()).headers).toEqual({ Authorization: 'Bearer 3' });
});

test('a proxy, a server name and plain http', async () => {
  const proxied = kubeconfig('proxied', { a: {} }, { 'proxy-url': 'http://proxy:3128', 'tls-server-name': 'kube', 'insecure-skip-tls-verify': true });
  const access = await loadAccess({ kubeconfig: proxied });
  expect(access.proxyUrl).toBe('http://proxy:3128');
  expect((await access.credentials()).tls).toEqual({ ca: 'CA', servername: 'kube', rejectUnauthorized: false });
  const plain = await loadAccess({ kubeconfig: kubeconfig('http', { a: {} }, { server: 'http://127.0.0.1:8001' }) });
  expect((await plain.credentials()).headers).toEqual({});
});

test('what is wrong with the choice is said', async () => {
  const path = kubeconfig('ok', { a: {}, b: {} });
  const broken = join(folder, 'broken');
  writeFileSync(broken, 'users: [{name: x, user: {token: s3cret}\n');
  const code = async (source: Parameters<typeof loadAccess>[0]) => {
    const error = await loadAccess(source).catch((thrown: unknown) => thrown);
    expect(`${String(error)} ${isError(error) ? error.hint : ''}`).not.toContain('s3cret');
    return isError(error) ? [error.code, error.hint] : error;
  };
  expect(await code({ kubeconfig: join(folder, 'none') })).toEqual(['FileNotFound', 'check the path']);
  expect(await code({ kubeconfig: path, context: 'c' })).toEqual(['BadUse', 'name one with --context: a, b']);
  expect((await code({ kubeconfig: broken })) as string[]).toContain('InvalidYaml');
  expect((await code({ env: { HOME: folder } })) as string[]).toContain('NoCluster');
});

test('a kubeconfig given as text may not reach for programs and files', async () => {
  const textOf = (...args: Parameters<typeof kubeconfig>): string => readFileSync(kubeconfig(...args), 'utf8');
  const access = await loadAccess({ text: textOf('text', { a: { token: 'from-text' } }) });
  expect((await access.credentials()).headers).toEqual({ Authorization: 'Bearer from-text' });
  expect((await access.credentials(true)).headers).toEqual({ Authorization: 'Bearer from-text' });
  const refused = async (text: string) =>
    await loadAccess({ text }).then(
      () => '',
      error => `${error.code} ${error.message}`,
    );
  const users = [{ exec: { command: 'x' } }, { tokenFile: '/t' }, { 'client-certificate': '/c', 'client-key': '/k' }, { 'auth-provider': { name: 'gcp' } }];
  for (const user of users) expect(await refused(textOf('text', { a: user }))).toMatch(/^InvalidCredentials a kubeconfig in a Secret may not use /);
  expect(await refused(textOf('text', { a: {} }, { 'certificate-authority': '/ca' }))).toMatch(/certificate-authority$/);
  expect(await refused('token: [s3cret')).toBe('InvalidCredentials the text given as kubeconfig is none');
});

test('a pod is asked for, and this is none', async () => {
  await expect(loadAccess({ inCluster: true, kubeconfig: join(folder, 'plain'), env: {} })).rejects.toMatchObject({ code: 'NoCluster' });
});
