/** What `plinth doctor` finds in a cluster: the API server, what is installed, who works, and what claims say. Only reads. */
import { EngineError } from '../core/errors.ts';
import { API_VERSION } from '../core/kinds.ts';
import type { JsonObject } from '../core/types.ts';
import { kubeLeases } from '../engine/kube-leases.ts';
import { LEADER_LEASE, LEASE_MS, type LeaseRecord, MEMBER_LABEL } from '../engine/lease.ts';
import { resourceOf } from '../kube/discovery.ts';
import { pause, request } from '../kube/transport.ts';
import { allClaims } from './apply.ts';
import { type Cluster, closeCluster, openCluster } from './cluster.ts';
import type { Finding } from './finding.ts';
import type { Context } from './host.ts';
import { viewOf } from './view.ts';

/** How long a living holder may take to renew, twice, ms. */
const WATCH_MS = 5_000;
const INSTALL = 'run `plinth install`, or install the Helm chart';

/** One after the other, as far as each makes sense of the one before. Errors: those of loadAccess. */
export async function clusterFindings(context: Context): Promise<Finding[]> {
  const cluster = await openCluster(context);
  try {
    const server = await finding('API server', 'check the kubeconfig and its context', () => serverVersion(cluster));
    if (server.state !== 'ok') return [server];
    const kinds = await finding('kinds of Plinth', INSTALL, () => adminKinds(cluster));
    const rest =
      kinds.state === 'ok' ? [await finding('claim kinds', 'apply the ClaimDefinitions again, and look at the controller', () => claimKinds(cluster))] : [];
    const more = rest[0]?.state === 'ok' ? [await finding('claims', '`plinth status -A` says which, and why', () => claims(cluster))] : [];
    const work = await finding('controller', `${INSTALL}; it lives in namespace ${cluster.namespace}, or in another one: --engine-namespace`, () =>
      worker(cluster),
    );
    return [server, kinds, ...rest, work, ...more];
  } finally {
    await closeCluster(cluster);
  }
}

/** What it answers is fine; what it throws is missing, or only absent from what this user may see. */
async function finding(part: string, cure: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { part, state: 'ok', says: await look(), cure: '' };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return error.code === 'AccessDenied'
      ? { part, state: 'absent', says: error.message, cure: 'ask somebody who may look' }
      : { part, state: 'missing', says: error.message, cure: error.code === 'NotInstalled' ? cure : error.hint || cure };
  }
}

const notThere = (message: string): EngineError => new EngineError('NotInstalled', message);

async function serverVersion({ api, access }: Cluster): Promise<string> {
  const { gitVersion = '?' } = (await request(api, { method: 'GET', path: '/version', timeoutMs: 10_000 })) as { gitVersion?: string };
  return `${access.server}, Kubernetes ${gitVersion}`;
}

async function adminKinds({ store }: Cluster): Promise<string> {
  const kinds = ['ClaimDefinition', 'Composition', 'EnvironmentClass', 'ProviderConfig'];
  const found = await Promise.all(kinds.map(kind => resourceOf(store.home.discovery, API_VERSION, kind)));
  const missing = kinds.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) throw notThere(`${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not there`);
  return kinds.join(', ');
}

async function claimKinds({ store }: Cluster): Promise<string> {
  const definitions = await store.list('ClaimDefinition');
  if (definitions.length === 0) throw notThere('there is no ClaimDefinition');
  const kinds = definitions.map(definition => String((definition['spec'] as JsonObject)['kind']));
  const found = await Promise.all(kinds.map(kind => resourceOf(store.home.discovery, API_VERSION, kind)));
  const missing = kinds.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) throw notThere(`${missing.join(', ')} not served yet`);
  return kinds.sort().join(', ');
}

async function claims({ store }: Cluster): Promise<string> {
  const all = await allClaims(store);
  const waiting = all.map(viewOf).filter(view => !view.ready);
  if (waiting.length > 0) throw notThere(`${waiting.length} of ${all.length} are not ready`);
  return `${all.length}, all ready`;
}

/** Whoever renews its Lease while we look is alive; clocks are not compared. */
async function worker({ api, namespace }: Cluster): Promise<string> {
  const port = kubeLeases(api, namespace);
  const { signal } = new AbortController();
  const read = async (): Promise<LeaseRecord[]> => {
    const [leader, members] = await Promise.all([port.get(LEADER_LEASE, signal), port.list(MEMBER_LABEL, signal)]);
    return [...(leader === undefined ? [] : [leader]), ...members].filter(record => record.holder !== '');
  };
  const before = await read();
  if (before.length === 0) throw notThere(`no controller holds a lease in namespace ${namespace}`);
  await pause(WATCH_MS);
  const after = await read();
  const alive = after.filter(record => before.every(old => old.name !== record.name || old.version !== record.version));
  if (alive.length === 0)
    throw notThere(`no lease in namespace ${namespace} was renewed within ${WATCH_MS / 1_000} s; the last holder was ${before[0]!.holder}`);
  return `${alive.map(record => record.holder).join(', ')}; another takes over within ${LEASE_MS / 1_000 + 5} s`;
}
