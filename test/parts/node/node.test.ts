import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isProcessAlive } from '../../../src/cli/emulator.ts';
import { part } from '../emulators.ts';
import { newNamespace } from '../kube/shared.ts';
import { kubectl, runTool } from '../kube/tools.ts';
import { endDeadRuns } from '../runs.ts';
import { writeNodeImage } from './layers.ts';
import { type Node, startNode } from './node.ts';

const START_MS = 600_000;
/** Asks the API server, reads a Secret, calls what is exposed. */
const PROGRAM = `
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
const [token, namespace, ca] = ['token', 'namespace', 'ca.crt'].map(name => readFileSync(folder + '/' + name, 'utf8'));
const ask = path => new Promise((resolve, reject) => {
  const call = request('https://kubernetes.default.svc' + path, { ca, headers: { authorization: 'Bearer ' + token } }, answer => {
    answer.resume().once('end', () => resolve(answer.statusCode));
  });
  call.once('error', reject).end();
});
const base = '/api/v1/namespaces/' + namespace;
console.log('pods', await ask(base + '/pods'), 'secrets', await ask(base + '/secrets'));
console.log('user', process.getuid(), 'binding', readFileSync('/binding/uri', 'utf8'));
console.log('outside', await (await fetch(process.env.OUTSIDE)).text());
setInterval(() => {}, 1_000_000);
`;

describe.skipIf(!part('node').available)('a real node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-node-'));
  const outside = createServer((_, response) => response.end('hello from outside'));
  let before: ReturnType<typeof machine>;
  let node: Node;
  let options: { kubeconfig: string };

  beforeAll(async () => {
    await new Promise<void>(resolve => outside.listen(0, '127.0.0.1', resolve));
    before = machine();
    writeFileSync(join(folder, 'main.mjs'), PROGRAM);
    const image = await writeNodeImage(join(folder, '..', 'plinth-node-app.tar'), { name: 'localhost/app:1', folder, command: ['node', '/app/main.mjs'] });
    node = await startNode([image]);
    rmSync(image);
    options = { kubeconfig: node.adminKubeconfig };
  }, START_MS);

  afterAll(async () => {
    await node?.stop();
    outside.close();
    rmSync(folder, { recursive: true, force: true });
  }, START_MS);

  test('it is ready, and pods reach the API server with their own rights, and what is exposed to them', async () => {
    expect(await kubectl(options, 'get', 'node', node.name, '-o', 'jsonpath={.status.nodeInfo.kubeletVersion}')).toMatch(/^v1\.34\./);
    const namespace = await newNamespace(node);
    const url = await node.expose((outside.address() as AddressInfo).port);
    await kubectl({ ...options, input: manifests(url) }, 'apply', '-n', namespace, '-f', '-');
    await kubectl(options, 'wait', 'deployment/app', '-n', namespace, '--for=condition=Available', '--timeout=240s');
    const logs = () => kubectl(options, 'logs', 'deployment/app', '-n', namespace);
    await expect.poll(logs).toBe('pods 200 secrets 403\nuser 1000 binding https://queue\noutside hello from outside\n');
  });

  test('a pod goes on running while the API server, the kubelet and containerd are restarted', { timeout: START_MS }, async () => {
    const pods = () =>
      kubectl(options, 'get', 'pods', '-A', '-o', 'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].containerID} {end}');
    const running = await pods();
    for (const component of ['apiServer', 'kubelet', 'containerd'] as const) {
      const pid = node.pids[component];
      await node.restart(component);
      expect([isProcessAlive(pid), node.pids[component] === pid]).toEqual([false, false]);
      expect(await pods()).toBe(running);
    }
    expect(await kubectl(options, 'get', 'pods', '-A', '-o', 'jsonpath={.items[*].status.containerStatuses[*].restartCount}')).toBe('0 0');
  });

  test('it leaves nothing behind when it stops', { timeout: START_MS }, async () => {
    const pids = Object.values(node.pids);
    expect(tracesOf(node).length).toBeGreaterThan(3);
    expect((await runTool('kubectl', options, ['get', 'pods', '-A'])).code).toBe(0);
    await node.stop();
    expect(pids.filter(pid => isProcessAlive(pid))).toEqual([]);
    expect(existsSync(node.folder)).toBe(false);
    expect(tracesOf(node)).toEqual([]);
    const after = machine();
    if (before && after) expect(after).toEqual(before);
    await node.stop();
  });
});

test.skipIf(!part('node').available)('a node whose test run was killed is ended by the next run, containers and all', { timeout: START_MS }, async () => {
  const script = join(import.meta.dirname, 'test-killed.ts');
  const { stdout, signal } = spawnSync(process.execPath, ['--import', 'tsx', script], { encoding: 'utf8', timeout: START_MS });
  expect(signal).toBe('SIGKILL');
  const dead = JSON.parse(stdout) as Pick<Node, 'name' | 'folder' | 'hostAddress' | 'pids'>;
  await endDeadRuns(() => {});
  // Another run may be at it already.
  await expect.poll(() => tracesOf(dead)).toEqual([]);
  expect(Object.values(dead.pids).filter(pid => isProcessAlive(pid))).toEqual([]);
  expect(existsSync(dead.folder)).toBe(false);
});

/** What this machine has of a node: its link, its routes, its mounts, its cgroups. */
function tracesOf({ name, folder, hostAddress }: Pick<Node, 'name' | 'folder' | 'hostAddress'>): string[] {
  const lines = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).split('\n');
  const network = hostAddress.split('.')[2];
  const isOurs = (line: string) => line.includes(name) || new RegExp(`^10\\.(243|244|96)\\.${network}\\.`).test(line);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter(line => line.includes(folder));
  const cgroups = readdirSync('/sys/fs/cgroup').filter(hierarchy => existsSync(`/sys/fs/cgroup/${hierarchy}/${name}`));
  return [...lines('ip', '-brief', 'link'), ...lines('ip', 'route')].filter(isOurs).concat(mounts, cgroups);
}

/** Kernel settings that a node changes, and the folders that it needs; undefined while other nodes run on this machine, whose they may be. */
function machine() {
  if (/veth-plinth\d/.test(execFileSync('ip', ['-brief', 'link'], { encoding: 'utf8' }))) return undefined;
  const names = ['vm.overcommit_memory', 'kernel.panic', 'kernel.panic_on_oops', 'fs.inotify.max_user_instances', 'net.ipv4.ip_forward'];
  const folders = ['/var/lib/kubelet', '/run/netns', '/tmp/hostpath_pv'].filter(existsSync);
  return { settings: execFileSync('sysctl', names, { encoding: 'utf8' }), folders };
}

function manifests(outside: string): string {
  const metadata = { name: 'app' };
  const labels = { app: 'app' };
  const container = {
    name: 'app',
    image: 'localhost/app:1',
    env: [{ name: 'OUTSIDE', value: outside }],
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [{ name: 'binding', mountPath: '/binding' }],
  };
  const spec = {
    serviceAccountName: 'app',
    terminationGracePeriodSeconds: 1,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container],
    volumes: [{ name: 'binding', secret: { secretName: 'app' } }],
  };
  const reader = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'app' };
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }] },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata, roleRef: reader, subjects: [{ kind: 'ServiceAccount', name: 'app' }] },
    { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { uri: 'https://queue' } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } },
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
