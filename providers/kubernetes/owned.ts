/** Finding what bears our marks: every kind of the cluster that can be listed, by the one label. */
import { isExpired } from '../../src/kube/failure.ts';
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import { isError, type JsonObject, type Owned, ownerOf } from '../../src/sdk.ts';
import { type Call, send } from './client.ts';
import { annotationsOf, INSTANCE_LABEL, labelFor } from './manifest.ts';
import { keyOf, NAMESPACE } from './names.ts';

/** Pages as those of kubectl. */
const PAGE = 500;
/** Only metadata is asked for: what an object holds says nothing about whose it is. */
const METADATA = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

/** Everything with marks of this instance, one kind after the other. A kind we may not list is one we made nothing of. */
export async function* owned(call: Call, instance: string): AsyncGenerator<Owned> {
  for (const resource of await listable(call)) {
    try {
      yield* ownedOf(call, resource, instance);
    } catch (error) {
      if (!isError(error, 'AccessDenied') && !isError(error, 'NotFound') && !isError(error, 'Unsupported')) throw error;
    }
  }
}

async function* ownedOf(call: Call, resource: Resource, instance: string): AsyncGenerator<Owned> {
  for (let next = ''; ; ) {
    const page = await list(call, resource, instance, next);
    for (const item of (page['items'] ?? []) as JsonObject[]) {
      const owner = ownerOf(annotationsOf(item));
      const { namespace = '', name } = item['metadata'] as { readonly namespace?: string; readonly name: string };
      if (owner?.instance === instance) yield { type: 'kubernetes/object', name: keyOf({ ...resource, namespace, name }), owner };
    }
    next = String((page['metadata'] as JsonObject | undefined)?.['continue'] ?? '');
    if (next === '') return;
  }
}

/** A page. One that has grown too old begins again from the start: what is yielded twice is the same. */
async function list(call: Call, resource: Resource, instance: string, next: string): Promise<JsonObject> {
  const query = { labelSelector: `${INSTANCE_LABEL}=${labelFor(instance)}`, limit: PAGE };
  const page = (token: string): Promise<JsonObject> =>
    send(
      call,
      { verb: 'list', thing: resource.plural },
      { method: 'GET', path: pathOf(resource), query: { ...query, ...(token === '' ? {} : { continue: token }) }, accept: METADATA },
    );
  try {
    return await page(next);
  } catch (error) {
    if (next === '' || !isExpired((error as Error).cause)) throw error;
    return await page('');
  }
}

interface Group {
  readonly name: string;
  readonly preferredVersion: { readonly groupVersion: string };
}

/** Every kind that belongs to namespaces and can be listed, in the version the server prefers, and Namespace itself; no Secrets. */
async function listable(call: Call): Promise<Resource[]> {
  const groups = (await send(call, { verb: 'get', thing: 'API groups' }, { method: 'GET', path: '/apis' })) as unknown as { readonly groups: readonly Group[] };
  const versions = ['v1', ...groups.groups.map(group => group.preferredVersion.groupVersion)];
  const found: Resource[] = [];
  for (const apiVersion of versions) found.push(...(await resourcesOf(call, apiVersion).catch(noneIfGone)));
  return found.filter(({ kind, group }) => kind !== 'Secret' && !(kind === 'Event' && (group === '' || group === 'events.k8s.io')));
}

/** A group whose last kind was removed after the groups were listed. */
function noneIfGone(error: unknown): Resource[] {
  if (isError(error, 'NotFound')) return [];
  throw error;
}

async function resourcesOf(call: Call, apiVersion: string): Promise<Resource[]> {
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion];
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const list = await send(call, { verb: 'get', thing: `API ${apiVersion}` }, { method: 'GET', path });
  const items = (list['resources'] ?? []) as { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
  return items
    .filter(({ namespaced, kind }) => namespaced || (group === '' && kind === NAMESPACE))
    .filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list') && verbs.includes('create'))
    .map(({ name, kind, namespaced }) => ({ group, version, plural: name, kind, namespaced }));
}
