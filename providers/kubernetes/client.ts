/** One connection to a cluster, and the one function through which every call goes. */
import { loadAccess } from '../../src/kube/config.ts';
import { type Discovery, forgetResources, newDiscovery, resourceOf } from '../../src/kube/discovery.ts';
import { apiVersionOf, type Resource } from '../../src/kube/paths.ts';
import { type Api, closeApi, openApi, type Call as Request, request } from '../../src/kube/transport.ts';
import { type Context, EngineError, isError, type JsonObject } from '../../src/sdk.ts';
import { type FailedCall, translated } from './errors.ts';
import { groupOf } from './names.ts';
import { checkSettings, type KubernetesSettings } from './settings.ts';
import { endWatching, newWatches, type Watches } from './watch.ts';

export interface KubernetesClient {
  readonly api: Api;
  readonly discovery: Discovery;
  /** By key of an object: the version it is read in, as its manifest has it. */
  readonly versions: Map<string, string>;
  readonly watches: Watches;
}
/** What a verb of a Kubernetes type gets. */
export type Call = Context<KubernetesClient>;

/** Once more for what a fresh token or connection mends; all else is the engine's to try again. */
const TRIES = 2;

/** Checks the settings and reads the credentials; opens nothing yet. */
export async function connect(settings: KubernetesSettings): Promise<KubernetesClient> {
  checkSettings(settings);
  const { from = 'Environment', context, file, kubeconfig } = settings.credentials ?? {};
  const source = { Environment: {}, InCluster: { inCluster: true }, File: { kubeconfig: file }, Secret: { text: kubeconfig } }[from];
  const api = openApi(await loadAccess({ ...source, context }), { tries: TRIES });
  return { api, discovery: newDiscovery(api), versions: new Map(), watches: newWatches() };
}

/** Ends the connections. */
export async function close({ api, watches }: KubernetesClient): Promise<void> {
  endWatching(watches);
  await closeApi(api);
}

/** A cluster is known by the uid of its namespace kube-system, which lives as long as it does. */
export async function scopeOf({ api }: KubernetesClient): Promise<string> {
  const call: FailedCall = { verb: 'get', thing: 'Namespace kube-system' };
  const found = await request(api, { method: 'GET', path: '/api/v1/namespaces/kube-system' }).catch(error => {
    throw translated(error, call);
  });
  return `kubernetes:${String((found['metadata'] as JsonObject)['uid'])}`;
}

/** One call, within the budget; what fails is translated. */
export async function send(
  { client, budget, signal, fence }: Pick<Call, 'client' | 'budget' | 'signal' | 'fence'>,
  what: FailedCall,
  call: Request,
): Promise<JsonObject> {
  await budget('kubernetes');
  signal.throwIfAborted();
  try {
    return await request(client.api, { ...call, signal, fence });
  } catch (error) {
    throw translated(error, what);
  }
}

/** Which resource serves a kind in one version. DependencyMissing when the server has none: its CRD may still come. */
export async function resourceFor({ client }: Pick<Call, 'client'>, apiVersion: string, kind: string): Promise<Resource> {
  const found = await discovered(client, apiVersion, kind);
  if (found !== undefined) return found;
  throw new EngineError('DependencyMissing', `the API server has no kind ${kind} in ${apiVersion}`, {
    hint: 'install what brings the kind, or correct the manifest',
    path: 'manifest.kind',
  });
}

/** The resource that serves a kind of a group in the version the server prefers; undefined when there is none. */
export async function preferredFor(call: Call, group: string, kind: string): Promise<Resource | undefined> {
  for (const apiVersion of group === '' ? ['v1'] : await versionsOf(call, group)) {
    const found = await discovered(call.client, apiVersion, kind);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function versionsOf(call: Call, group: string): Promise<string[]> {
  try {
    const found = await send(call, { verb: 'get', thing: `API group ${group}` }, { method: 'GET', path: `/apis/${encodeURIComponent(group)}` });
    const { preferredVersion, versions = [] } = found as { preferredVersion?: { groupVersion: string }; versions?: { groupVersion: string }[] };
    return [...new Set([preferredVersion, ...versions].flatMap(version => (version === undefined ? [] : [version.groupVersion])))];
  } catch (error) {
    if (isError(error, 'NotFound')) return [];
    throw error;
  }
}

async function discovered({ discovery }: KubernetesClient, apiVersion: string, kind: string): Promise<Resource | undefined> {
  try {
    return await resourceOf(discovery, apiVersion, kind);
  } catch (error) {
    throw translated(error, { verb: 'get', thing: `API ${apiVersion}` });
  }
}

/** Which resource an object is read through: as its manifest has it when that is known and served, else as the server prefers. */
export async function readerFor(call: Call, key: string, group: string, kind: string): Promise<Resource | undefined> {
  const known = call.client.versions.get(key);
  const found = known === undefined || groupOf(known) !== group ? undefined : await discovered(call.client, known, kind);
  return found ?? (await preferredFor(call, group, kind));
}

/** A path that is gone although discovery knows it: the kind was taken away. */
export function forgetKind({ client }: Call, resource: Resource): void {
  forgetResources(client.discovery, apiVersionOf(resource));
}
