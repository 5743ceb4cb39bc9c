/** Kubeconfigs and a pod's service account: which cluster, which user. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { EngineError } from '../core/errors.ts';

export interface AccessSource {
  /** A file; undefined: KUBECONFIG, then the user's own, then the pod's service account. */
  readonly kubeconfig?: string | undefined;
  /** A kubeconfig itself, instead of any file; it may name no files and no plugins. */
  readonly text?: string | undefined;
  /** The pod's service account, and nothing else. */
  readonly inCluster?: boolean | undefined;
  /** Undefined: the current one. */
  readonly context?: string | undefined;
  /** KUBECONFIG and KUBERNETES_SERVICE_HOST are read from here; process.env by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The parts that are read, as kubeconfigs name them; paths are absolute. */
export interface Cluster {
  readonly server: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
}
interface User {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly exec?: { readonly apiVersion?: string; readonly env?: readonly { readonly name: string; readonly value: string }[] | null };
  readonly 'auth-provider'?: object;
}
interface Context {
  readonly cluster: string;
  readonly user?: string;
  readonly namespace?: string;
}
interface Config {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly users: ReadonlyMap<string, User>;
  readonly contexts: ReadonlyMap<string, Context>;
  readonly current: string;
}
/** The one context in use. */
export interface Chosen {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly cluster: Cluster;
  readonly userName: string;
  readonly user: User;
  /** For users with a plugin: made at the first question; it remembers what the plugin answered. */
  plugin: KubeConfig | undefined;
}

const POD_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const PATHS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

/**
 * The cluster and user that are meant. Errors: FileNotFound, InvalidYaml (no kubeconfig), BadUse (no such context), NoCluster (nothing to
 * connect to), InvalidCredentials (a text that is no kubeconfig, or reaches for programs or files).
 */
export function choose({ kubeconfig, text, inCluster = false, context, env = process.env }: AccessSource): Chosen {
  const files = text !== undefined || inCluster ? [] : filesOf(kubeconfig, env);
  const config = text !== undefined ? readText(text) : files.length > 0 ? merged(files.map(readFile)) : podConfig(env);
  const name = context ?? config.current;
  const found = config.contexts.get(name);
  const where = text === undefined ? files.join(', ') : 'the kubeconfig given';
  if (found === undefined) throw noContext(config, name === '' ? `${where} has no current context` : `there is no context ${name} in ${where}`);
  const cluster = config.clusters.get(found.cluster);
  if (cluster?.server === undefined) throw noContext(config, `context ${name} names cluster ${found.cluster}, which does not exist`);
  const userName = found.user ?? '';
  return { name, namespace: found.namespace, cluster, userName, user: config.users.get(userName) ?? {}, plugin: undefined };
}

/** Files of a list that do not exist are skipped, as kubectl does. */
function filesOf(kubeconfig: string | undefined, env: Readonly<Record<string, string | undefined>>): string[] {
  if (kubeconfig !== undefined) {
    if (!existsSync(kubeconfig)) throw new EngineError('FileNotFound', `there is no kubeconfig at ${kubeconfig}`);
    return [kubeconfig];
  }
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter(file => file !== '');
  return (listed.length > 0 ? listed : [join(env['HOME'] ?? homedir(), '.kube', 'config')]).filter(existsSync);
}

function podConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  const tokenFile = join(POD_FOLDER, 'token');
  if (host === undefined || !existsSync(tokenFile)) {
    throw new EngineError('NoCluster', 'no cluster is named: there is no kubeconfig, and this is no pod');
  }
  const namespaceFile = join(POD_FOLDER, 'namespace');
  const namespace = existsSync(namespaceFile) ? { namespace: readFileSync(namespaceFile, 'utf8').trim() } : {};
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    clusters: new Map([['pod', { server, 'certificate-authority': join(POD_FOLDER, 'ca.crt') }]]),
    users: new Map([['pod', { tokenFile }]]),
    contexts: new Map([['pod', { cluster: 'pod', user: 'pod', ...namespace }]]),
    current: 'pod',
  };
}

function readFile(file: string): Config {
  try {
    return parsed(readFileSync(file, 'utf8'), dirname(file));
  } catch (error) {
    // The parser's own message quotes the lines around the mistake, which may hold a token.
    throw new EngineError('InvalidYaml', `${file} cannot be read as a kubeconfig`, { hint: 'see what `kubectl config view` says of it', cause: error });
  }
}

/** Fields that name a program or a file (client-go, clientcmd/api/v1). */
const REACHING = new Set(['exec', 'auth-provider', ...PATHS]);

/** Whoever may write a kubeconfig into a Secret is not to run programs and read files here. */
function readText(text: string): Config {
  let config: Config;
  try {
    config = parsed(text, '/');
  } catch (error) {
    throw new EngineError('InvalidCredentials', 'the text given as kubeconfig is none', { cause: error });
  }
  const fields = [...config.users.values(), ...config.clusters.values()].flatMap(item => Object.keys(item));
  const reaching = fields.filter(field => REACHING.has(field)).sort();
  if (reaching.length === 0) return config;
  throw new EngineError('InvalidCredentials', `a kubeconfig in a Secret may not use ${[...new Set(reaching)].join(', ')}`, {
    hint: 'put certificates and tokens into the kubeconfig itself',
  });
}

function parsed(text: string, folder: string): Config {
  const raw = parse(text) as Record<string, unknown>;
  const named = <T>(list: string, field: string): Map<string, T> =>
    new Map(((raw[list] ?? []) as Record<string, unknown>[]).map(item => [String(item['name']), absolute((item[field] ?? {}) as T, folder)]));
  return {
    clusters: named<Cluster>('clusters', 'cluster'),
    users: named<User>('users', 'user'),
    contexts: named<Context>('contexts', 'context'),
    current: String(raw['current-context'] ?? ''),
  };
}

/** Paths are relative to the file they stand in; empty fields are none. */
function absolute<T>(value: T, folder: string): T {
  const entries = Object.entries(value as Record<string, unknown>).filter(([, item]) => item !== null && item !== '');
  return Object.fromEntries(entries.map(([key, item]) => [key, PATHS.includes(key) ? resolve(folder, String(item)) : item])) as T;
}

/** The first of each name counts. */
function merged(configs: readonly Config[]): Config {
  const [last, ...rest] = [...configs].reverse();
  return rest.reduce(
    (later, first) => ({
      clusters: new Map([...later.clusters, ...first.clusters]),
      users: new Map([...later.users, ...first.users]),
      contexts: new Map([...later.contexts, ...first.contexts]),
      current: first.current || later.current,
    }),
    last!,
  );
}

function noContext({ contexts }: Config, message: string): EngineError {
  const names = [...contexts.keys()].sort();
  return new EngineError('BadUse', message, { hint: names.length === 0 ? 'name another kubeconfig' : `name one with --context: ${names.join(', ')}` });
}
