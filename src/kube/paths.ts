/** Addresses in a Kubernetes API. Pure. */
/** One resource of an API: what stands between the server and an object's name. */
export interface Resource {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** `v1`, or `plinth.dev/v1alpha1`. */
export function apiVersionOf({ group, version }: Pick<Resource, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/**
 * `/apis/plinth.dev/v1alpha1/namespaces/dev/queues/orders/status`. Without a name: the collection; of a namespaced resource without a
 * namespace: of all namespaces. Parts are escaped.
 */
export function pathOf(resource: Resource, namespace = '', name = '', subresource = ''): string {
  const root = resource.group === '' ? '/api' : `/apis/${encodeURIComponent(resource.group)}`;
  const place = resource.namespaced && namespace !== '' ? ['namespaces', namespace] : [];
  const parts = [resource.version, ...place, resource.plural, name, subresource].filter(part => part !== '');
  return `${root}/${parts.map(encodeURIComponent).join('/')}`;
}

/** What a call is about, for metrics: bounded in number, so it names no object. */
export interface CallName {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'apply' | 'delete';
  /** `plinth.dev/queues/status`, `secrets`; the path itself where it is no resource (`/version`). */
  readonly resource: string;
}

const APPLY = 'application/apply-patch+yaml';
const VERBS = { POST: 'create', PUT: 'update', DELETE: 'delete' } as const;

export function nameOfCall(method: string, path: string, query: Readonly<Record<string, unknown>> = {}, contentType = ''): CallName {
  const { group, plural, name, subresource } = partsOf(path);
  const read = query['watch'] !== undefined ? 'watch' : name === '' && plural !== '' ? 'list' : 'get';
  const verb = method === 'GET' ? read : method === 'PATCH' ? (contentType === APPLY ? 'apply' : 'patch') : (VERBS[method as keyof typeof VERBS] ?? 'get');
  const resource = plural === '' ? path : [group, plural, subresource].filter(part => part !== '').join('/');
  return { verb, resource };
}

/** What a path that `pathOf` made is about; '' for what it does not name. */
export function partsOf(path: string): { group: string; namespace: string; plural: string; name: string; subresource: string } {
  const [root, ...rest] = path.split('/').slice(1);
  const group = root === 'apis' ? (rest.shift() ?? '') : '';
  rest.shift();
  const [, namespace = ''] = rest[0] === 'namespaces' && rest.length > 2 ? rest.splice(0, 2) : [];
  const [plural = '', name = '', subresource = ''] = root === 'api' || root === 'apis' ? rest : [];
  return { group, namespace, plural, name, subresource };
}
