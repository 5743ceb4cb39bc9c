import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { isProcessAlive } from '../../../src/cli/emulator.ts';
import { part } from '../emulators.ts';
import { withKubernetes } from '../with-kubernetes.ts';
import { callKube } from './client.ts';
import { asAdmin, kubeconfigFor, type OwnControlPlane, serviceAccountKubeconfig, serviceAccountToken, startControlPlane } from './control-plane.ts';
import { controlPlane, newNamespace } from './shared.ts';
import { helm, kubectl, runTool } from './tools.ts';

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' } });

withKubernetes('RBAC denies who was given nothing, and allows what a role says', async () => {
  const plane = await controlPlane();
  const namespace = await newNamespace(plane);
  const kubeconfig = await kubeconfigFor(plane, 'alice', ['team:shop/a']);
  const denied = await runTool('kubectl', { kubeconfig }, ['get', 'configmaps', '-n', namespace]);
  expect(denied.code).toBe(1);
  expect(denied.stderr).toContain('User "alice" cannot list resource "configmaps"');
  await kubectl({ kubeconfig: plane.adminKubeconfig }, 'create', 'rolebinding', 'team', '--clusterrole=view', '--group=team:shop/a', '-n', namespace);
  const listed = async (): Promise<string> => (await runTool('kubectl', { kubeconfig }, ['get', 'configmaps', '-n', namespace, '-o', 'name'])).stdout;
  await expect.poll(listed).toBe('configmap/kube-root-ca.crt\n');
  expect((await runTool('kubectl', { kubeconfig }, ['create', 'configmap', 'mine', '-n', namespace])).code).toBe(1);
});

withKubernetes('a service account has a token that says who it is; nobody else is let in', async () => {
  const plane = await controlPlane();
  const namespace = await newNamespace(plane);
  await asAdmin(plane, 'POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } });
  const token = await serviceAccountToken(plane, namespace, 'robot');
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const answer = await callKube(plane, { token }, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', review);
  expect(answer.body.status.userInfo.username).toBe(`system:serviceaccount:${namespace}:robot`);
  expect((await callKube(plane, { token: 'wrong' }, 'GET', '/api/v1/namespaces')).status).toBe(401);
  expect((await callKube(plane, undefined, 'GET', '/api/v1/namespaces')).status).toBe(403);
  expect(await kubectl({ kubeconfig: await serviceAccountKubeconfig(plane, namespace, 'robot') }, 'auth', 'whoami')).toContain('robot');
});

withKubernetes('a deleted namespace goes with what is in it', async () => {
  const plane = await controlPlane();
  const namespace = await newNamespace(plane);
  await asAdmin(plane, 'POST', `/api/v1/namespaces/${namespace}/configmaps`, configMap('first'));
  await kubectl({ kubeconfig: plane.adminKubeconfig }, 'delete', 'namespace', namespace, '--timeout=120s');
  expect((await asAdmin(plane, 'GET', `/api/v1/namespaces/${namespace}`)).status).toBe(404);
});

withKubernetes('what an object owns is garbage collected with it', async () => {
  const plane = await controlPlane();
  const path = `/api/v1/namespaces/${await newNamespace(plane)}/configmaps`;
  const owner = await asAdmin(plane, 'POST', path, configMap('owner'));
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.body.metadata.uid }];
  await asAdmin(plane, 'POST', path, { ...configMap('owned'), metadata: { name: 'owned', ownerReferences } });
  await asAdmin(plane, 'DELETE', `${path}/owner`);
  await expect.poll(async () => (await asAdmin(plane, 'GET', `${path}/owned`)).status).toBe(404);
});

withKubernetes(
  'a control plane of its own: a crash keeps the data, a pause only holds answers back, stop leaves no process',
  { timeout: 240_000 },
  async () => {
    const plane = await startControlPlane();
    try {
      await breakAndMend(plane);
    } finally {
      await plane.stop();
    }
    for (const pid of Object.values(plane.pids)) expect(isProcessAlive(pid)).toBe(false);
    expect(existsSync(plane.folder)).toBe(false);
  },
);

async function breakAndMend(plane: OwnControlPlane): Promise<void> {
  await asAdmin(plane, 'POST', '/api/v1/namespaces/default/configmaps', configMap('kept'));
  await plane.killApiServer();
  await expect(asAdmin(plane, 'GET', '/version')).rejects.toThrow(/ECONNREFUSED/);
  await plane.restartApiServer();
  expect((await asAdmin(plane, 'GET', '/api/v1/namespaces/default/configmaps/kept')).body.data).toEqual({ a: '1' });
  plane.pauseApiServer();
  const answer = asAdmin(plane, 'GET', '/version');
  expect(await Promise.race([answer, sleep(500, 'nothing')])).toBe('nothing');
  plane.continueApiServer();
  expect((await answer).status).toBe(200);
}

for (const version of [3, 4] as const) {
  test.skipIf(!part('kubernetes').available || !part(`helm${version}`).available)(`helm ${version} talks to it`, async () => {
    const plane = await controlPlane();
    const options = { kubeconfig: plane.adminKubeconfig };
    expect(await helm(version, options, 'version', '--template', '{{.Version}}')).toMatch(new RegExp(`^v${version}\\.`));
    expect(await helm(version, options, 'list', '-n', await newNamespace(plane), '-o', 'json')).toBe('[]\n');
  });
}
