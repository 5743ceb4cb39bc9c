import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { cacheFolder, oneAtATime, runStep } from '../../../src/cli/emulator-venv.ts';

/** Where archives and single programs are published. A test points these at a server of its own. */
export interface PublishedSources {
  /** The list of envtest archives, with their sha512. */
  readonly index: string;
  /** Below it: `v1.34.2/bin/linux/amd64/<program>` and `<program>.sha512`. */
  readonly binaries: string;
}

const SOURCES: PublishedSources = {
  index: 'https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml',
  binaries: 'https://dl.k8s.io/release',
};
/** The minor that is taken from the list, its newest patch. */
const MINOR = 'v1.34.';
const IN_ARCHIVE: readonly string[] = ['etcd', 'kube-apiserver', 'kubectl'];
const NOT_IN_ARCHIVE: readonly string[] = ['kube-controller-manager'];
/** Without a network a name does not resolve, or nothing answers: this long is waited for the list, in milliseconds. */
const INDEX_MS = 5_000;
const DOWNLOAD_MS = 120_000;

interface Release {
  readonly version: string;
  readonly url: string;
  readonly sha512: string;
}

/** The folder of what was downloaded. */
export function publishedFolder(): string {
  return join(cacheFolder(), `kube-${MINOR.slice(1)}published`);
}

/**
 * Downloads those of the programs that are published: the envtest archive holds etcd, kube-apiserver and kubectl, the controller manager is published
 * by itself (Linux only). What cannot be had, or whose checksum is not the published one, is left out with a line; never throws.
 */
export async function fetchPublished(names: readonly string[], report: (line: string) => void, sources: PublishedSources = SOURCES): Promise<void> {
  if (!names.some(name => IN_ARCHIVE.includes(name) || NOT_IN_ARCHIVE.includes(name))) return;
  try {
    const release = await newestRelease(sources);
    if (names.some(name => IN_ARCHIVE.includes(name))) await fetchArchive(release, report);
    for (const name of names.filter(wanted => NOT_IN_ARCHIVE.includes(wanted))) await fetchBinary(name, release.version, sources, report);
  } catch (error) {
    report(`no download of Kubernetes (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Of the list, the newest patch of our minor for this machine. */
async function newestRelease({ index }: PublishedSources): Promise<Release> {
  const list = parse((await download(index, INDEX_MS)).toString('utf8')) as { releases?: Record<string, Record<string, { hash: string; selfLink: string }>> };
  const versions = Object.keys(list.releases ?? {}).filter(version => version.startsWith(MINOR));
  const version = versions.sort((a, b) => Number(b.slice(MINOR.length)) - Number(a.slice(MINOR.length)))[0];
  const archive = version && list.releases?.[version]?.[`envtest-${version}-${platform()}.tar.gz`];
  if (!version || !archive) throw new Error(`no archive of ${MINOR}x for ${platform()}`);
  return { version, url: archive.selfLink, sha512: archive.hash };
}

async function fetchArchive({ version, url, sha512 }: Release, report: (line: string) => void): Promise<void> {
  const folder = publishedFolder();
  await oneAtATime(
    join(folder, 'archive'),
    () => false,
    report,
    async () => {
      report(`downloading the envtest archive of Kubernetes ${version}`);
      const unpacked = join(folder, `unpack-${process.pid}`);
      mkdirSync(unpacked, { recursive: true });
      try {
        const archive = join(unpacked, 'archive.tar.gz');
        writeFileSync(archive, checked(await download(url, DOWNLOAD_MS), sha512, url));
        await runStep('unpacking the envtest archive', 'tar', ['-xzf', archive, '-C', unpacked, '--strip-components=2'], report);
        for (const name of IN_ARCHIVE) renameSync(join(unpacked, name), join(folder, name));
      } finally {
        rmSync(unpacked, { recursive: true, force: true });
      }
    },
  );
}

async function fetchBinary(name: string, version: string, { binaries }: PublishedSources, report: (line: string) => void): Promise<void> {
  const url = `${binaries}/${version}/bin/${platform().replace('-', '/')}/${name}`;
  const sha512 = (await download(`${url}.sha512`, INDEX_MS)).toString('utf8').trim().split(/\s/)[0] ?? '';
  report(`downloading ${name} ${version}`);
  const content = checked(await download(url, DOWNLOAD_MS), sha512, url);
  const unfinished = join(publishedFolder(), `${name}.${process.pid}`);
  mkdirSync(publishedFolder(), { recursive: true });
  writeFileSync(unfinished, content);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, join(publishedFolder(), name));
}

async function download(url: string, boundMs: number): Promise<Buffer> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(boundMs) });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

function checked(content: Buffer, sha512: string, url: string): Buffer {
  if (createHash('sha512').update(content).digest('hex') !== sha512) throw new Error(`${url} has not the sha512 it was published with`);
  return content;
}

/** As release files name it: `linux-amd64`. */
function platform(): string {
  return `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
}
