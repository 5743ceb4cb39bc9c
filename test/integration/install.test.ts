/** `plinth install` and `plinth uninstall` on a real API server, by the bundle. */
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test as anyTest, beforeAll, expect } from 'vitest';
import { parse } from 'yaml';
import type { JsonObject } from '../../src/core/types.ts';
import { IN_USE } from '../../src/engine/definitions-use.ts';
import { BUNDLE } from '../e2e/build.ts';
import { part } from '../parts/emulators.ts';
import type { LentControlPlane } from '../parts/kube/control-plane.ts';
import { borrowControlPlane } from '../parts/kube/pool.ts';
import { helm, kubectl, runTool } from '../parts/kube/tools.ts';
import { object } from '../support.ts';

const test = anyTest.skipIf(!part('kubernetes').available);

const SYSTEM = 'plinth-system';
const IMAGE = ['--image', 'plinth:test'];
let plane: LentControlPlane;
const admin = (...args: string[]) => kubectl({ kubeconfig: plane.adminKubeconfig }, ...args);
const apply = (item: JsonObject) => kubectl({ kubeconfig: plane.adminKubeconfig, input: JSON.stringify(item) }, 'apply', '-f', '-');

function plinth(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env['PATH'], HOME: tmpdir(), NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [BUNDLE, ...args, '--kubeconfig', plane.adminKubeconfig], { env, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

beforeAll(async () => {
  if (!part('kubernetes').available) return;
  plane = await borrowControlPlane();
});
afterAll(() => plane?.stop());

test('a dry run shows every object and makes none', async () => {
  const { code, stdout } = plinth('install', ...IMAGE, '--dry-run', '-o', 'yaml');
  expect(code).toBe(0);
  const objects = parse(stdout) as JsonObject[];
  expect(objects.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['CustomResourceDefinition', 'Deployment', 'ClusterRole', 'ValidatingAdmissionPolicy', 'ClaimDefinition']),
  );
  expect((await runTool('kubectl', { kubeconfig: plane.adminKubeconfig }, ['get', 'namespace', SYSTEM])).code).toBe(1);
});

test('without an image it says what is missing', () => {
  const { code, stderr } = plinth('install');
  expect(code).toBe(2);
  expect(stderr).toContain('--image');
});

test('one command installs everything, and again changes nothing', async () => {
  const first = plinth('install', ...IMAGE);
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout).toMatch(/^created +Deployment plinth-system\/plinth$/m);
  expect(first.stdout).toContain('kubectl rollout status deployment/plinth -n plinth-system');
  expect(await admin('get', 'deployment', 'plinth', '-n', SYSTEM, '-o', 'jsonpath={.spec.template.spec.containers[0].image}')).toBe('plinth:test');
  const again = plinth('install', ...IMAGE);
  expect(again.stdout).not.toMatch(/^(created|changed|removed)/m);
});

test('an upgrade changes what differs and takes away what is not needed any more', async () => {
  const { stdout } = plinth('install', ...IMAGE, '--replicas', '1', '--kind', 'widgets');
  expect(stdout).toMatch(/^changed +Deployment plinth-system\/plinth$/m);
  expect(stdout).toMatch(/^changed +ClusterRole plinth-engine-claims$/m);
  expect(stdout).toMatch(/^removed +PodDisruptionBudget plinth-system\/plinth$/m);
  expect(await admin('get', 'clusterrole', 'plinth-claims-edit', '-o', 'jsonpath={.rules[*].resources}')).toContain('widgets');
});

test('while claims exist it is not uninstalled, and says which', async () => {
  const definition = JSON.parse(await admin('get', 'claimdefinition', 'queues.plinth.dev', '-o', 'json')) as JsonObject;
  const { claimCrd } = await import('../../src/core/crd.ts');
  const { parseDefinition } = await import('../../src/core/parse.ts');
  await apply(claimCrd(parseDefinition(definition), '0.1.0'));
  await admin('wait', '--for=condition=Established', 'crd/queues.plinth.dev', '--timeout=120s');
  for (const name of ['a', 'b']) await apply(object('Queue', name, {}, 'default'));
  for (const more of [[], ['--kinds']]) {
    const { code, stderr } = plinth('uninstall', ...more);
    expect(code).toBe(1);
    expect(stderr).toContain('2 claims exist: Queue default/a, Queue default/b (ClaimsExist)');
    expect(stderr).toContain('delete the claims and wait until they are gone');
  }
  expect(await admin('get', 'deployment', 'plinth', '-n', SYSTEM, '-o', 'name')).toContain('plinth');
  await admin('delete', 'queues', '--all');
});

test('uninstall takes what runs and leaves the kinds; with --kinds these go too', async () => {
  const { code, stdout } = plinth('uninstall');
  expect(code).toBe(0);
  expect(stdout).toContain('The kinds, definitions, compositions, classes and configs stay');
  expect(
    await admin('get', 'deployment,clusterrole,clusterrolebinding,validatingadmissionpolicy', '-A', '-l', 'app.kubernetes.io/name=plinth', '-o', 'name'),
  ).toBe('');
  await admin('get', 'composition', 'queue-sqs');
  await admin('patch', 'composition', 'queue-sqs', '--type=merge', '-p', JSON.stringify({ metadata: { finalizers: [IN_USE] } }));
  expect(plinth('uninstall', '--kinds').code).toBe(0);
  await expect.poll(() => admin('get', 'crd', '-o', 'name'), { timeout: 120_000 }).toBe('');
  await admin('get', 'namespace', SYSTEM);
});

test('what Helm installed is left to Helm', async () => {
  await helm(4, { kubeconfig: plane.adminKubeconfig }, 'install', 'mine', join(import.meta.dirname, '../../charts/plinth'), '-n', SYSTEM);
  for (const [command, verb] of [
    [['install', ...IMAGE], 'upgrade'],
    [['uninstall'], 'uninstall'],
    [['uninstall', '--kinds'], 'uninstall'],
  ] as const) {
    const { code, stderr } = plinth(...command);
    expect(code).toBe(2);
    expect(stderr).toContain(`helm ${verb} mine`);
  }
});
