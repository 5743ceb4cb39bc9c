import type { IncomingHttpHeaders } from 'node:http';

/** What a call does, as the API server names it. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection' | 'other';

/** One call to the API server that came through the proxy. */
export interface KubeCall {
  /** Counted from 0 in the order of arrival. */
  readonly index: number;
  /** Counted from 0 over the mutating calls alone; undefined for another. */
  readonly mutatingIndex: number | undefined;
  readonly verb: Verb;
  /** '' for the core group; undefined, as the fields below, for what is not about objects (`/version`, `/readyz`, discovery). */
  readonly group: string | undefined;
  /** The plural: `configmaps`. */
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  /** undefined for cluster-scoped kinds, and for lists over all namespaces. */
  readonly namespace: string | undefined;
  /** Of a list or watch too when it asks for one name. */
  readonly name: string | undefined;
  /** Whether it changes something that is kept: dry runs and reviews do not. */
  readonly mutating: boolean;
  readonly userAgent: string;
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  /** The JSON body; undefined without one. */
  readonly input: unknown;
  /** What the client got; undefined while the call runs and when the connection was broken instead. */
  status: number | undefined;
  /** What the API server answered; undefined when the call did not reach it. */
  upstreamStatus: number | undefined;
  /** Events of a watch that went to the client, bookmarks included. */
  events: number;
  /** Milliseconds of the wall clock. */
  readonly startedAt: number;
  endedAt: number | undefined;
}

/** Which calls are meant; an absent field means any. `userAgent` is a part of it. */
export interface KubeCallFilter {
  readonly verb?: Verb | readonly Verb[];
  readonly group?: string;
  readonly resource?: string | readonly string[];
  /** null: calls about the object itself. */
  readonly subresource?: string | null;
  readonly namespace?: string;
  readonly name?: string;
  readonly mutating?: boolean;
  readonly index?: number;
  readonly mutatingIndex?: number;
  readonly userAgent?: string;
}

/** Whether `call` is one of those `filter` means. */
export function matches(call: KubeCall, filter: KubeCallFilter): boolean {
  if (filter.userAgent !== undefined && !call.userAgent.includes(filter.userAgent)) return false;
  if (filter.subresource === null && call.subresource !== undefined) return false;
  if (typeof filter.subresource === 'string' && filter.subresource !== call.subresource) return false;
  if (!oneOf(call.verb, filter.verb) || !oneOf(call.resource, filter.resource)) return false;
  const fields = ['group', 'namespace', 'name', 'mutating', 'index', 'mutatingIndex'] as const;
  return fields.every(field => filter[field] === undefined || filter[field] === call[field]);
}

/** Reads from a request what it is about, as the API server does. Never throws: what cannot be told is undefined. */
export function identify(
  counted: { readonly index: number; readonly mutatingIndex: number },
  request: { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer },
): KubeCall {
  const url = new URL(request.path, 'https://proxy');
  const about = readPath(url.pathname);
  const name = about.name ?? /(?:^|,)metadata\.name=([^,]+)/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1];
  const verb = verbOf(request.method, url, about);
  const mutating = isMutating(verb, about.resource, url);
  return {
    ...about,
    name,
    verb,
    mutating,
    index: counted.index,
    mutatingIndex: mutating ? counted.mutatingIndex : undefined,
    userAgent: request.headers['user-agent'] ?? '',
    method: request.method,
    path: request.path,
    input: parsed(request.body),
    status: undefined,
    upstreamStatus: undefined,
    events: 0,
    startedAt: Date.now(),
    endedAt: undefined,
  };
}

/** Whether the answer goes on until somebody ends it. */
export function isStream(call: KubeCall): boolean {
  return call.verb === 'watch' || (call.subresource === 'log' && new URL(call.path, 'https://proxy').searchParams.get('follow') === 'true');
}

type About = Pick<KubeCall, 'group' | 'resource' | 'subresource' | 'namespace' | 'name'>;

const NOTHING: About = { group: undefined, resource: undefined, subresource: undefined, namespace: undefined, name: undefined };

function readPath(path: string): About {
  const [root, ...rest] = path.split('/').filter(Boolean).map(decodeURIComponent);
  if (root !== 'api' && root !== 'apis') return NOTHING;
  const group = root === 'api' ? '' : rest.shift();
  rest.shift();
  if (rest.length === 0) return NOTHING;
  // Of a namespace itself `status` and `finalize` are what other names would be: a resource inside it.
  const isInside = rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2] ?? '');
  const namespace = isInside ? rest[1] : undefined;
  const [resource, name, ...below] = isInside ? rest.slice(2) : rest;
  return { group, resource, namespace, name, subresource: below.length > 0 ? below.join('/') : undefined };
}

function verbOf(method: string, url: URL, { resource, name }: About): Verb {
  if (resource === undefined) return method === 'GET' || method === 'HEAD' ? 'get' : 'other';
  const isWatch = ['true', '1'].includes(url.searchParams.get('watch') ?? '');
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isWatch) return 'watch';
      return name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
      return 'other';
  }
}

function isMutating(verb: Verb, resource: string | undefined, url: URL): boolean {
  if (!['create', 'update', 'patch', 'delete', 'deletecollection'].includes(verb)) return false;
  return !url.searchParams.has('dryRun') && !/reviews$/.test(resource ?? '');
}

function oneOf<T>(value: T | undefined, wanted: T | readonly T[] | undefined): boolean {
  if (wanted === undefined) return true;
  return Array.isArray(wanted) ? wanted.includes(value) : wanted === value;
}

function parsed(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
