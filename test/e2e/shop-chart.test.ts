/** The example chart: the same objects from both helms, a shop on a laptop, and workloads an API server takes as they are. */
import { cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { JsonObject } from '../../src/core/types.ts';
import { part } from '../parts/emulators.ts';
import { programPath } from '../parts/kube/binaries.ts';
import { asAdmin } from '../parts/kube/control-plane.ts';
import { controlPlane, newNamespace } from '../parts/kube/shared.ts';
import { runTool } from '../parts/kube/tools.ts';
import { plinth, sharedWorkplace, status } from './plinth.ts';

const CHART = join(import.meta.dirname, '..', '..', 'examples', 'shop', 'chart');
const HELMS = [3, 4] as const;
const here = HELMS.filter(version => part(`helm${version}`).available);
if (here.length === 0) test.skip(`helm is not here: ${part('helm4').reason}. ${part('helm4').cure}`);

async function rendered(version: 3 | 4, ...args: readonly string[]): Promise<JsonObject[]> {
  const { code, stdout, stderr } = await runTool(`helm${version}`, { kubeconfig: '' }, ['template', 'shop', CHART, ...args]);
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap(document => {
    const object = document.toJSON() as JsonObject | null;
    return object === null ? [] : [object];
  });
}
const find = (objects: readonly JsonObject[], kind: string): JsonObject => objects.find(object => object['kind'] === kind)!;

describe.each(here)('with helm %i', version => {
  test('values decide size and dead letter', async () => {
    const small = await rendered(version);
    expect(small.map(object => `${object['kind']}/${(object['metadata'] as JsonObject)['name']}`).sort()).toEqual([
      'Bucket/invoices',
      'Deployment/shop',
      'Queue/orders',
      'Service/shop',
      'Table/customers',
      'Topic/order-events',
    ]);
    expect(find(small, 'Queue')['spec']).toMatchObject({ visibilityTimeoutSeconds: 60, deadLetter: { maxReceives: 5 } });
    const large = await rendered(version, '--set', 'size=large,deadLetter.enabled=false');
    expect(find(large, 'Queue')['spec']).toEqual({ visibilityTimeoutSeconds: 300, subscriptions: [{ topic: 'order-events' }] });
    expect(find(large, 'Deployment')['spec']).toMatchObject({ replicas: 3 });
    await expect(rendered(version, '--set', 'size=huge')).rejects.toThrow(/size/);
  });

  test('every claim has its Secret mounted where Service Binding looks for it', async () => {
    const objects = await rendered(version);
    const claims = objects.filter(object => String(object['apiVersion']).startsWith('plinth.dev/'));
    const secrets = claims.map(({ kind, metadata }) => `${(metadata as JsonObject)['name']}-${String(kind).toLowerCase()}`).sort();
    const pod = (find(objects, 'Deployment')['spec'] as { template: { spec: JsonObject } }).template.spec as unknown as {
      containers: { env: { name: string; value: string }[]; volumeMounts: { name: string; mountPath: string }[] }[];
      volumes: { name: string; secret: { secretName: string } }[];
    };
    expect(pod.volumes.map(({ secret }) => secret.secretName).sort()).toEqual(secrets);
    const root = pod.containers[0]!.env.find(({ name }) => name === 'SERVICE_BINDING_ROOT')!.value;
    expect(pod.containers[0]!.volumeMounts.map(({ mountPath }) => mountPath).sort()).toEqual(secrets.map(name => `${root}/${name}`));
  });

  test('on a laptop the claims become real, and what is not a claim is named', async () => {
    const place = await sharedWorkplace();
    cpSync(CHART, join(place.folder, 'chart'), { recursive: true });
    // As users have it: `helm` on their PATH.
    const folder = dirname(programPath(version === 3 ? 'helm3' : 'helm4'));
    const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    const up = await plinth(place, ['up', 'chart', 'config.yaml', '--class', 'local'], { env });
    expect(up.said).toContain("not Plinth's, left alone: Service/plinth, Deployment/plinth");
    expect(up.said).toContain('4 of 4 claims ready.');
    expect(up.code).toBe(0);
    const claims = await status(place);
    expect(Object.keys(claims).sort()).toEqual(['Bucket/invoices', 'Queue/orders', 'Table/customers', 'Topic/order-events']);
    expect((await plinth(place, ['validate', 'chart'], { env })).code).toBe(0);
  });
});

const cluster = part('kubernetes');
test.skipIf(here.length === 0 || !cluster.available)('an API server takes Deployment and Service as they are', async () => {
  const plane = await controlPlane();
  const namespace = await newNamespace(plane);
  const objects = await rendered(here[0]!);
  for (const [kind, path] of [
    ['Deployment', `/apis/apps/v1/namespaces/${namespace}/deployments`],
    ['Service', `/api/v1/namespaces/${namespace}/services`],
  ] as const) {
    const { status: code, headers, body } = await asAdmin(plane, 'POST', `${path}?fieldValidation=Strict&dryRun=All`, find(objects, kind));
    expect(code, JSON.stringify(body)).toBe(201);
    expect(headers['warning']).toBeUndefined();
  }
});
