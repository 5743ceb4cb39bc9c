import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { CONTROL_PLANE, findProgram, NODE } from '../kube/binaries.ts';

const SYSTEM_PROGRAMS = ['containerd', 'ctr', 'runc', 'iptables', 'ip', 'nsenter', 'unshare', 'sysctl', 'openssl'];
const CNI_PROGRAM = '/usr/lib/cni/bridge';

/** What keeps this machine from running a real node, and what helps; undefined when nothing does. */
export function nodeProblem(installCommand: string): { readonly reason: string; readonly cure: string } | undefined {
  if (process.platform !== 'linux') return { reason: 'a real node runs on Linux only', cure: 'Run the tests on Linux.' };
  if (process.getuid?.() !== 0) return { reason: 'a real node is for root only', cure: 'Run the tests as root on a machine of their own.' };
  const absent = SYSTEM_PROGRAMS.filter(program => !isOnPath(program));
  if (!existsSync(CNI_PROGRAM)) absent.push('containernetworking-plugins');
  if (absent.length > 0) return { reason: `${absent.join(', ')} missing`, cure: 'Run test/parts/node/prepare.sh, which installs them with apt-get.' };
  if (spawnSync('unshare', ['--mount', '--net', 'true'], { timeout: 10_000 }).status !== 0) {
    return { reason: 'namespaces may not be made here', cure: 'Run the tests on a machine, not in a container without rights.' };
  }
  const missing = [...CONTROL_PLANE, ...NODE].filter(program => findProgram(program) === undefined);
  if (missing.length === 0) return undefined;
  return { reason: `${missing.join(', ')} not installed`, cure: `Run ${installCommand}, which needs Go.` };
}

function isOnPath(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders.some(folder => folder !== '' && existsSync(`${folder}/${program}`));
}
