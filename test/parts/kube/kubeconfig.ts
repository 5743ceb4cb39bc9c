import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KeyPair, makeCertificate } from './certificates.ts';

/** Whom an API server takes the caller for: the owner of a client certificate, of a token, or nobody. */
export type Identity = { readonly certificate: KeyPair } | { readonly token: string } | undefined;

/** Where an API server is, and how it is known to be the right one. */
export interface Server {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  readonly caFile: string;
}

/** Writes a kubeconfig (0600) that holds everything it needs, and returns its path. JSON, which every reader of kubeconfigs takes. */
export function writeKubeconfig(path: string, server: Server, identity: Identity, namespace = 'default'): string {
  const user =
    identity === undefined
      ? {}
      : 'token' in identity
        ? { token: identity.token }
        : { 'client-certificate-data': base64(identity.certificate.certFile), 'client-key-data': base64(identity.certificate.keyFile) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    clusters: [{ name: 'test', cluster: { server: server.url, 'certificate-authority-data': base64(server.caFile) } }],
    users: [{ name: 'test', user }],
  };
  writeFileSync(path, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return path;
}

/** Makes a client certificate for the user and a kubeconfig beside it. Each call makes new files. */
export async function certificateKubeconfig(folder: string, server: Server, authority: KeyPair, user: string, groups: readonly string[]): Promise<string> {
  const name = `user-${randomBytes(6).toString('hex')}`;
  const certificate = await makeCertificate(folder, name, { authority, use: 'client', commonName: user, organisations: groups });
  return writeKubeconfig(join(folder, `${name}.kubeconfig`), server, { certificate });
}

/** The same kubeconfig for another address (a proxy before the API server, which shows a certificate of the same authority). Returns the new path. */
export function redirectKubeconfig(path: string, url: string): string {
  const config = JSON.parse(readFileSync(path, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  for (const { cluster } of config.clusters) cluster.server = url;
  const target = `${path}.${new URL(url).port}`;
  writeFileSync(target, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return target;
}

function base64(path: string): string {
  return readFileSync(path).toString('base64');
}
