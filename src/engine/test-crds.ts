/** For tests: CRDs that take anything, for what a store does whatever the schema. */
import type { Json, JsonObject } from '../core/types.ts';
import { apiVersionOf, pathOf, type Resource } from '../kube/paths.ts';
import { APPLY_PATCH, type Api, request } from '../kube/transport.ts';
import { claimResource, RESOURCES } from './kube-objects.ts';

const CRDS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
export const QUEUES = claimResource({ kind: 'Queue', plural: 'queues' });
const ADMIN = ['ClaimDefinition', 'Composition', 'EnvironmentClass', 'ProviderConfig'].map(kind => RESOURCES[kind]!);

/** Applies loose CRDs of the admin kinds and of these claim kinds; returns when they are served. */
export async function applyLooseCrds(api: Api, kinds: readonly Resource[] = [QUEUES]): Promise<void> {
  await Promise.all([...ADMIN, ...kinds].map(resource => applyLoose(api, resource)));
}

async function applyLoose(api: Api, resource: Resource): Promise<void> {
  const name = `${resource.plural}.${resource.group}`;
  const body = { apiVersion: apiVersionOf(CRDS), kind: CRDS.kind, metadata: { name }, spec: looseSpec(resource) };
  await request(api, { method: 'PATCH', path: pathOf(CRDS, '', name), body, contentType: APPLY_PATCH, query: { fieldManager: 'test', force: true } });
  for (;;) {
    const { status } = (await request(api, { method: 'GET', path: pathOf(CRDS, '', name) })) as {
      status?: { conditions?: { type: string; status: string }[] };
    };
    if (status?.conditions?.some(condition => condition.type === 'Established' && condition.status === 'True')) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

function looseSpec({ group, version, plural, kind, namespaced }: Resource): JsonObject {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const schema: Json = { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } };
  const versions = [{ name: version, served: true, storage: true, subresources: { status: {} }, schema }];
  return { group, scope: namespaced ? 'Namespaced' : 'Cluster', names: { plural, kind, singular: kind.toLowerCase() }, versions };
}
