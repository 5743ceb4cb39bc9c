/** The Helm chart on a real API server: valid, the same as `plinth install`, installed and upgraded by both Helms, and what it leaves behind. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, test as anyTest, beforeAll, expect } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { defaultObjects, pluralsOf } from '../../src/core/install/defaults.ts';
import { policyObjects } from '../../src/core/install/policies.ts';
import { roleObjects } from '../../src/core/install/roles.ts';
import { workloadObjects } from '../../src/core/install/workload.ts';
import type { JsonObject } from '../../src/core/types.ts';
import embedded from '../../src/generated/embedded.json' with { type: 'json' };
import { part } from '../parts/emulators.ts';
import type { LentControlPlane } from '../parts/kube/control-plane.ts';
import { borrowControlPlane } from '../parts/kube/pool.ts';
import { helm, kubectl, runTool } from '../parts/kube/tools.ts';

const test = anyTest.skipIf(!part('kubernetes').available);

const ROOT = join(import.meta.dirname, '../..');
const CHART = join(ROOT, 'charts/plinth');
const EMBEDDED = embedded as unknown as JsonObject[];
const NAMESPACE = 'plinth-system';
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
let plane: LentControlPlane;
const at = () => ({ kubeconfig: plane.adminKubeconfig });
const template = async (tool: 3 | 4, ...args: string[]): Promise<JsonObject[]> => {
  const text = await helm(tool, at(), 'template', 'plinth', CHART, '-n', NAMESPACE, '--kube-version', '1.34.0', ...args);
  const documents = parseAllDocuments(text) as unknown as readonly { toJS(): JsonObject | null }[];
  return documents.map(document => document.toJS()).filter(object => object !== null);
};
const nameOf = ({ kind, metadata }: JsonObject): string => `${kind as string} ${(metadata as { name: string }).name}`;
const byName = (objects: readonly JsonObject[]): Map<string, JsonObject> => new Map(objects.map(object => [nameOf(object), object]));

beforeAll(async () => {
  if (!part('kubernetes').available) return;
  plane = await borrowControlPlane();
});
afterAll(() => plane?.stop());

test.each([3, 4] as const)('helm %i finds nothing to complain about', async tool => {
  expect(await helm(tool, at(), 'lint', CHART, '--strict')).toContain('0 chart(s) failed');
});

test('the chart bears the version of the package', () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { version: string; appVersion: string };
  expect([chart.version, chart.appVersion]).toEqual([version, version]);
});

test.each([
  [3, false],
  [4, false],
  [4, true],
] as const)('what helm %i makes of it is what `plinth install` applies (environments: %s)', async (tool, environments) => {
  const settings = { namespace: NAMESPACE, plurals: pluralsOf(EMBEDDED), environments, image: `plinth:${version}`, version, replicas: 2 };
  const ours = byName([...workloadObjects(settings), ...roleObjects(settings), ...policyObjects(NAMESPACE), ...defaultObjects(EMBEDDED)]);
  ours.delete(`Namespace ${NAMESPACE}`);
  const theirs = byName(await template(tool, '--set', `environments.enabled=${environments}`));
  expect([...theirs.keys()].sort()).toEqual([...ours.keys()].sort());
  for (const [name, object] of theirs) expect(withoutPolicy(object), name).toEqual(ours.get(name));
});

/** How an image is pulled is a value of the chart alone. */
function withoutPolicy(object: JsonObject): JsonObject {
  if (object['kind'] !== 'Deployment') return object;
  return JSON.parse(JSON.stringify(object, (key, value: unknown) => (key === 'imagePullPolicy' ? undefined : value))) as JsonObject;
}

test('values reach what they are for', async () => {
  const values = ['claimKinds={widgets}', 'replicas=1', 'sharding=true', 'workers=4', 'pollInterval=90s', 'logLevel=debug', 'instance=blue'];
  const more = ['defaults.region=us-east-1', 'metrics.serviceMonitor.enabled=true', 'image.tag=x', 'engineRules[0].apiGroups={apps}'];
  const rules = ['engineRules[0].resources={deployments}', 'engineRules[0].verbs={get}', 'serviceAccount.annotations.role=r'];
  const objects = byName(await template(4, ...[...values, ...more, ...rules].flatMap(value => ['--set', value])));
  const text = (name: string): string => JSON.stringify(objects.get(name));
  expect(text('ClusterRole plinth-engine-claims')).toContain('"widgets/status"');
  expect(text('ClusterRole plinth-claims-edit')).toContain('"widgets"');
  expect(text('ClusterRole plinth-engine-more')).toContain('"deployments"');
  expect(text('Deployment plinth')).toContain('["controller","--sharding","--poll-interval=90s","--workers=4","--log-level=debug","--instance=blue"]');
  expect(text('Deployment plinth')).toContain('"plinth:x"');
  expect(text('ProviderConfig aws')).toContain('"us-east-1"');
  expect(text('ServiceAccount plinth')).toContain('"role":"r"');
  expect(objects.has('ServiceMonitor plinth')).toBe(true);
  expect(objects.has('PodDisruptionBudget plinth')).toBe(false);
  const bare = byName(await template(4, '--set', 'defaults.definitions=false,defaults.compositions=false,defaults.aws=false'));
  expect([...bare.keys()].filter(name => /^(ClaimDefinition|Composition|EnvironmentClass|ProviderConfig) /.test(name))).toEqual([]);
});

test.each([
  ['replicas=-1', /replicas/],
  ['replica=1', /replica/],
  ['pollInterval=often', /pollInterval/],
  ['claimKinds={Widgets}', /claimKinds/],
])('a wrong value is refused: %s', async (value, message) => {
  const { code, stderr } = await runTool('helm4', at(), ['template', 'plinth', CHART, '--set', value]);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
});

test('no role grants everything of anything, and tenants get neither status nor finalizers', async () => {
  for (const object of await template(4)) {
    if (!/Role$/.test(object['kind'] as string)) continue;
    const rules = (object['rules'] ?? []) as { apiGroups: string[]; resources: string[]; verbs: string[] }[];
    expect(
      rules.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]).filter(word => word.includes('*')),
      nameOf(object),
    ).toEqual([]);
    if (!nameOf(object).includes('plinth-claims')) continue;
    expect(rules.flatMap(({ resources }) => resources).filter(resource => resource.includes('/'))).toEqual([]);
  }
});

test.each([3, 4] as const)('helm %i installs, upgrades and uninstalls it; kinds and what came with them stay', async tool => {
  await helm(tool, at(), 'install', 'plinth', CHART, '-n', NAMESPACE, '--create-namespace');
  const objects = [...(await template(tool))];
  for (const object of objects) await kubectl(at(), 'get', object['kind'] as string, (object['metadata'] as { name: string }).name, '-n', NAMESPACE);
  await helm(tool, at(), 'upgrade', 'plinth', CHART, '-n', NAMESPACE, '--set', 'replicas=3');
  expect(await kubectl(at(), 'get', 'deployment', 'plinth', '-n', NAMESPACE, '-o', 'jsonpath={.spec.replicas}')).toBe('3');
  await helm(tool, at(), 'uninstall', 'plinth', '-n', NAMESPACE);
  expect(await kubectl(at(), 'get', 'deployment,clusterrole,validatingadmissionpolicy', '-A', '-l', 'app.kubernetes.io/name=plinth', '-o', 'name')).toBe('');
  expect((await kubectl(at(), 'get', 'plinth', '-o', 'name')).trim().split('\n')).toHaveLength(defaultObjects(EMBEDDED).length);
  // What stayed is taken over by the next release of that name.
});
