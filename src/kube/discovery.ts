/** Which resource of a server serves a kind. */
import { isError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import type { Resource } from './paths.ts';
import { type Api, request } from './transport.ts';

/** What was found out about a server's kinds; made by `newDiscovery`. */
export interface Discovery {
  readonly api: Api;
  /** By apiVersion. A rejection is not kept. */
  readonly known: Map<string, { readonly resources: Promise<readonly Resource[]>; readonly atMs: number }>;
}

/** An unknown kind is asked for again at most this often, ms: a CRD may arrive at any time, and a typing mistake must not ask in each pass. */
const ASK_AGAIN_MS = 5_000;

export function newDiscovery(api: Api): Discovery {
  return { api, known: new Map() };
}

/** The resource that serves a kind of an apiVersion; undefined when there is none. Errors: those of `request`. */
export async function resourceOf(discovery: Discovery, apiVersion: string, kind: string): Promise<Resource | undefined> {
  const known = discovery.known.get(apiVersion);
  const found = (await known?.resources.catch(() => undefined))?.find(resource => resource.kind === kind);
  if (found !== undefined || (known !== undefined && performance.now() - known.atMs < ASK_AGAIN_MS && discovery.known.has(apiVersion))) return found;
  const resources = ask(discovery.api, apiVersion);
  discovery.known.set(apiVersion, { resources, atMs: performance.now() });
  resources.catch(() => discovery.known.delete(apiVersion));
  return (await resources).find(resource => resource.kind === kind);
}

/** Forgets an apiVersion, e.g. after its CRDs changed. */
export function forgetResources(discovery: Discovery, apiVersion: string): void {
  discovery.known.delete(apiVersion);
}

async function ask(api: Api, apiVersion: string): Promise<Resource[]> {
  const [first = '', second] = apiVersion.split('/');
  const [group, version] = second === undefined ? ['', first] : [first, second];
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const list = await request(api, { method: 'GET', path }).catch((error: unknown): JsonObject => {
    // A group without CRDs is no group.
    if (isError(error, 'NotFound')) return {};
    throw error;
  });
  const resources = (list['resources'] ?? []) as JsonObject[];
  return resources
    .filter(item => !String(item['name']).includes('/'))
    .map(item => ({ group, version, plural: String(item['name']), kind: String(item['kind']), namespaced: item['namespaced'] === true }));
}
