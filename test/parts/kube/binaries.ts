import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cacheFolder, oneAtATime, runStep } from '../../../src/cli/emulator-venv.ts';
import { fetchPublished, type PublishedSources, publishedFolder } from './published.ts';

/** What is built here when nothing else is found; a found kube-apiserver may be another patch of the same minor. */
export const KUBERNETES_VERSION = '1.34.2';

/** How one program is built: the folder of its pinned wrapper module, the package in it, and where the cache folder keeps it. */
interface Program {
  readonly module: 'kube' | 'etcd' | 'helm3' | 'helm4' | 'coredns' | 'pause';
  readonly package: string;
  readonly file: string;
  readonly flags?: string;
}

const STAMP = 'k8s.io/component-base/version';
/** Without these the server says v0.0.0. */
const KUBERNETES_FLAGS = [
  '-s -w',
  `-X ${STAMP}.gitVersion=v${KUBERNETES_VERSION}`,
  `-X ${STAMP}.gitMajor=1`,
  `-X ${STAMP}.gitMinor=${KUBERNETES_VERSION.split('.')[1]}`,
  `-X ${STAMP}.gitTreeState=clean`,
].join(' ');

const PROGRAMS = {
  etcd: { module: 'etcd', package: 'go.etcd.io/etcd/server/v3', file: 'etcd' },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  kubectl: kubernetes('kubectl'),
  helm3: { module: 'helm3', package: 'helm.sh/helm/v3/cmd/helm', file: join('h3', 'helm') },
  helm4: { module: 'helm4', package: 'helm.sh/helm/v4/cmd/helm', file: join('h4', 'helm') },
  kubelet: kubernetes('kubelet'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  'kube-proxy': kubernetes('kube-proxy'),
  coredns: { module: 'coredns', package: 'github.com/coredns/coredns', file: 'coredns' },
  pause: { module: 'pause', package: '.', file: 'pause' },
} satisfies Record<string, Program>;

export type ProgramName = keyof typeof PROGRAMS;

/** What a control plane for tests consists of. */
export const CONTROL_PLANE: readonly ProgramName[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'];

/** What a node for tests has beside it. */
export const NODE: readonly ProgramName[] = ['kubelet', 'kube-scheduler', 'kube-proxy', 'coredns', 'pause'];

function kubernetes(name: string): Program {
  return { module: 'kube', package: `k8s.io/kubernetes/cmd/${name}`, file: name, flags: KUBERNETES_FLAGS };
}

/**
 * Path of a program; undefined when it is nowhere. Looked for in $KUBEBUILDER_ASSETS, among what was built here, among what was downloaded.
 * Starts nothing.
 */
export function findProgram(name: ProgramName): string | undefined {
  const { file } = PROGRAMS[name];
  const assets = process.env['KUBEBUILDER_ASSETS'];
  const isHelm = name.startsWith('helm');
  const folders = [...(assets && !isHelm ? [assets] : []), builtFolder(), publishedFolder()];
  return folders.map(folder => join(folder, file)).find(isExecutable);
}

/** Path of a program. Throws Error with the cure when it is nowhere. */
export function programPath(name: ProgramName): string {
  const path = findProgram(name);
  if (!path) throw new Error(`${name} is not installed: run npx tsx test/parts/install.ts`);
  return path;
}

/**
 * Makes sure that the programs are there: downloads what is published as an archive (where there is a network), builds the rest from the pinned
 * modules in `wrapper/` (minutes on a small machine, once). Safe to call from two processes at once.
 * Throws Error when something is still missing and Go is not on PATH, or with the last lines of the build that failed.
 */
export async function installPrograms(names: readonly ProgramName[], report: (line: string) => void, sources?: PublishedSources): Promise<void> {
  const missing = () => names.filter(name => findProgram(name) === undefined);
  if (missing().length === 0) return;
  await fetchPublished(missing(), report, sources);
  if (missing().length === 0) return;
  if (spawnSync('go', ['version'], { timeout: 30_000 }).status !== 0) {
    throw new Error(`${missing().join(', ')} could not be downloaded, and Go to build them with is not on PATH: install Go, or set KUBEBUILDER_ASSETS`);
  }
  for (const name of missing()) await build(name, report);
}

/** The folder of the programs that were built here. */
function builtFolder(): string {
  return join(cacheFolder(), `kube-${KUBERNETES_VERSION}`);
}

async function build(name: ProgramName, report: (line: string) => void): Promise<void> {
  const program: Program = PROGRAMS[name];
  const path = join(builtFolder(), program.file);
  await oneAtATime(
    path,
    () => isExecutable(path),
    report,
    async () => {
      const unfinished = join(dirname(path), `${basename(path)}.build-${process.pid}`);
      mkdirSync(dirname(path), { recursive: true });
      const flags = ['-trimpath', '-ldflags', program.flags ?? '-s -w', '-o', unfinished];
      const go = ['CGO_ENABLED=0', 'GOFLAGS=-mod=readonly', 'GOWORK=off', 'go', 'build', ...flags, program.package];
      try {
        await runStep(`building ${name} from its Go module`, 'env', go, report, join(import.meta.dirname, 'wrapper', program.module));
        renameSync(unfinished, path);
      } finally {
        rmSync(unfinished, { force: true });
      }
    },
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
