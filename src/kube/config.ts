/**
 * Which API server, and what a call needs to be let in: from kubeconfigs or a pod's service account, as plain data. Credential plugins are
 * run by @kubernetes/client-node, which is loaded only for them: a controller in a pod saves its 14 MB and its time to start.
 */
import { readFileSync } from 'node:fs';
import type { KubeConfig } from '@kubernetes/client-node';
import { EngineError } from '../core/errors.ts';
import type { StringMap } from '../core/types.ts';
import { type AccessSource, type Chosen, type Cluster, choose } from './kubeconfig.ts';

/** As `tls.connect` takes them; PEM text. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** What one call needs now: headers (secret) and the TLS options that go with them. */
export interface Credentials {
  readonly headers: Readonly<StringMap>;
  readonly tls: TlsOptions;
}

export interface Access {
  /** `https://host:port`, with a path when the API server is behind one; no slash at the end. */
  readonly server: string;
  readonly context: string;
  /** Of the context, or of the pod; `default` when none is named. */
  readonly namespace: string;
  /** `http:`, `https:` or `socks5:`; undefined: straight. */
  readonly proxyUrl: string | undefined;
  /**
   * Token files and certificates are read again after 10 s, plugins run again when their answer has expired. `refresh`: the last answer was
   * refused, so everything is read again. InvalidCredentials when a plugin or file fails.
   */
  readonly credentials: (refresh?: boolean) => Promise<Credentials>;
}

/** How long an answer is used before files are read again, ms: client-go re-reads token files each minute, certificates each 5. */
const REUSE_MS = 10_000;
/** A plugin may open a browser and wait for a person, ms. */
const PLUGIN_MS = 60_000;

/** Errors: those of `choose`. */
export async function loadAccess(source: AccessSource = {}): Promise<Access> {
  const { name, namespace, cluster } = choose(source);
  const proxyUrl = cluster['proxy-url'];
  return {
    server: cluster.server.replace(/\/+$/, ''),
    context: name,
    namespace: namespace ?? 'default',
    proxyUrl: proxyUrl === '' ? undefined : proxyUrl,
    credentials: remembered(source),
  };
}

/** One at a time and kept for a moment, so that many calls at once run a plugin once. */
function remembered(source: AccessSource): Access['credentials'] {
  let chosen = choose(source);
  let known: { readonly answer: Promise<Credentials>; readonly untilMs: number } | undefined;
  const ask = async (refresh: boolean): Promise<Credentials> => {
    if (refresh) chosen = choose(source);
    return await credentialsOf(chosen);
  };
  return (refresh = false) => {
    const isFresh = known !== undefined && performance.now() < known.untilMs;
    // Calls that were refused together ask again once: an answer newer than a second is not asked for anew.
    if (isFresh && !(refresh && known!.untilMs - performance.now() < REUSE_MS - 1_000)) return known!.answer;
    const answer = ask(refresh);
    known = { answer, untilMs: performance.now() + REUSE_MS };
    answer.catch(() => {
      if (known?.answer === answer) known = undefined;
    });
    return answer;
  };
}

async function credentialsOf(chosen: Chosen): Promise<Credentials> {
  try {
    return chosen.user.exec === undefined && chosen.user['auth-provider'] === undefined ? plain(chosen) : await fromPlugin(chosen);
  } catch (error) {
    const { name, userName } = chosen;
    // What a plugin prints may hold a token: its text is not repeated.
    throw new EngineError('InvalidCredentials', `the credentials of user ${userName || '(none)'} of context ${name} cannot be read`, {
      hint: `see what \`kubectl --context ${name} get namespaces\` says`,
      cause: error,
    });
  }
}

function plain({ cluster, user }: Chosen): Credentials {
  const { token, tokenFile, username, password = '', as } = user;
  const bearer = token ?? (tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim());
  const basic = username === undefined ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const authorization = bearer === undefined ? basic : `Bearer ${bearer}`;
  const headers = { ...(authorization === undefined ? {} : { Authorization: authorization }), ...(as === undefined ? {} : { 'Impersonate-User': as }) };
  return { headers, tls: { ...clusterTls(cluster), ...pemOf('cert', user, 'client-certificate'), ...pemOf('key', user, 'client-key') } };
}

function clusterTls(cluster: Cluster): TlsOptions {
  return {
    ...pemOf('ca', cluster, 'certificate-authority'),
    ...(cluster['tls-server-name'] === undefined ? {} : { servername: cluster['tls-server-name'] }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
  };
}

/** Of a file or of base64 text; the text wins, as in kubectl. */
function pemOf(option: 'ca' | 'cert' | 'key', from: object, field: string): TlsOptions {
  const { [field]: file, [`${field}-data`]: data } = from as Record<string, string | undefined>;
  if (data) return { [option]: Buffer.from(data, 'base64').toString('utf8') };
  return file ? { [option]: readFileSync(file, 'utf8') } : {};
}

/** Exec plugins and the old auth providers. */
async function fromPlugin(chosen: Chosen): Promise<Credentials> {
  chosen.plugin ??= await pluginOf(chosen);
  const options: { headers?: StringMap; cert?: string; key?: string } = {};
  await inTime(chosen.plugin.applyToHTTPSOptions(options), PLUGIN_MS);
  const { headers = {}, cert, key } = options;
  const text = (value: string | Buffer): string => (typeof value === 'string' ? value : value.toString('utf8'));
  const pair = { ...(cert ? { cert: text(cert) } : {}), ...(key ? { key: text(key) } : {}) };
  return { headers, tls: { ...clusterTls(chosen.cluster), ...pair } };
}

async function pluginOf({ name, cluster, userName, user }: Chosen): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const { exec } = user;
  // Plugins are told for what they are asked, which the package leaves out. It refuses plain http unless nothing is to be verified.
  const info = { kind: 'ExecCredential', apiVersion: exec?.apiVersion ?? 'client.authentication.k8s.io/v1', spec: { interactive: false } };
  const env = [...(exec?.env ?? []).filter(item => item.name !== 'KUBERNETES_EXEC_INFO'), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }];
  const server = { server: cluster.server, 'insecure-skip-tls-verify': cluster.server.startsWith('http:') };
  config.loadFromString(
    JSON.stringify({
      'current-context': name,
      clusters: [{ name: 'cluster', cluster: server }],
      contexts: [{ name, context: { cluster: 'cluster', user: userName } }],
      users: [{ name: userName, user: exec === undefined ? user : { ...user, exec: { ...exec, env } } }],
    }),
  );
  return config;
}

function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`no answer within ${ms / 1000} s`)), ms);
    promise.then(done, fail).finally(() => clearTimeout(timer));
  });
}
