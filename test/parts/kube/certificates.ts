import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate and its key, as PEM files. */
export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What a certificate is for. */
export type Use = 'server' | 'client' | 'both';

const DAYS = '30';
/** Our own, because that of the system makes every certificate an authority. */
const CONFIG = `[req]
distinguished_name = subject
prompt = no
[subject]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[both]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
`;

/** Whether certificates can be made on this machine: they are made by the openssl program. */
export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version'], { timeout: 30_000 }).status === 0;
}

/** Makes `<name>.crt` and `<name>.key` of a new authority in the folder. */
export async function makeAuthority(folder: string, name: string): Promise<KeyPair> {
  const pair = pairIn(folder, name);
  const self = ['req', '-x509', ...newKey(pair), '-subj', `/CN=${name}`, '-days', DAYS, '-extensions', 'authority', '-out', pair.certFile];
  await openssl(folder, [...self, '-config', configIn(folder, name, 'authority')]);
  return locked(pair);
}

/**
 * Makes `<name>.crt` and `<name>.key` in the folder, signed by the authority. For a client the common name is the user and the organisations are
 * its groups, as Kubernetes reads them. `names` are what a server is called (`IP:127.0.0.1`, `DNS:localhost`).
 */
export async function makeCertificate(
  folder: string,
  name: string,
  options: {
    readonly authority: KeyPair;
    readonly use: Use;
    readonly commonName: string;
    readonly organisations?: readonly string[];
    readonly names?: readonly string[];
  },
): Promise<KeyPair> {
  const pair = pairIn(folder, name);
  const request = join(folder, `${name}.csr`);
  const subject = [...(options.organisations ?? []).map(group => `/O=${escaped(group)}`), `/CN=${escaped(options.commonName)}`].join('');
  const config = configIn(folder, name, options.use, options.names);
  await openssl(folder, ['req', '-new', ...newKey(pair), '-subj', subject, '-out', request, '-config', config]);
  const signing = ['-CA', options.authority.certFile, '-CAkey', options.authority.keyFile, '-set_serial', serial(), '-days', DAYS];
  await openssl(folder, ['x509', '-req', '-in', request, ...signing, '-extfile', config, '-extensions', options.use, '-out', pair.certFile]);
  return locked(pair);
}

/** Makes `<name>.key` and `<name>.pub`, with which the API server signs and checks the tokens of service accounts. */
export async function makeSigningKey(folder: string, name: string): Promise<{ readonly keyFile: string; readonly publicFile: string }> {
  const { keyFile } = pairIn(folder, name);
  const publicFile = join(folder, `${name}.pub`);
  await openssl(folder, ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', keyFile]);
  await openssl(folder, ['pkey', '-in', keyFile, '-pubout', '-out', publicFile]);
  chmodSync(keyFile, 0o600);
  return { keyFile, publicFile };
}

function pairIn(folder: string, name: string): KeyPair {
  return { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) };
}

function newKey({ keyFile }: KeyPair): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
}

/** One for each certificate: several processes make certificates in one folder. */
function configIn(folder: string, name: string, use: Use | 'authority', names: readonly string[] = []): string {
  const path = join(folder, `${name}.cnf`);
  const called = names.length === 0 ? '' : `\nsubjectAltName = ${names.join(', ')}`;
  writeFileSync(path, CONFIG.replace(`[${use}]`, `[${use}]${called}`));
  return path;
}

function locked(pair: KeyPair): KeyPair {
  chmodSync(pair.keyFile, 0o600);
  return pair;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\/+=,]/g, '\\$&');
}

function serial(): string {
  return `0x1${Date.now().toString(16)}${Math.floor(Math.random() * 0xffff_ffff).toString(16)}`;
}

async function openssl(folder: string, args: readonly string[]): Promise<void> {
  try {
    await run('openssl', [...args], { cwd: folder, timeout: 120_000 });
  } catch (error) {
    throw new Error(`openssl ${args[0]} failed: ${(error as { stderr?: string }).stderr?.trim() || String(error)}`);
  }
}
