/** Who an installation in a cluster is: a name, made unique by the cluster, and a key for HMACs. */
import { createHash, randomBytes } from 'node:crypto';
import { EngineError, isError } from '../core/errors.ts';
import type { JsonObject, StringMap } from '../core/types.ts';
import { pathOf } from '../kube/paths.ts';
import { call, getLive, type KubeHome } from './kube-home.ts';
import { encoded, fromKube, MANAGED_BY, MANAGER, RESOURCES } from './kube-objects.ts';

export interface KubeInstance {
  /** In the marks of everything made from here: the name and a hash of the cluster's identity, e.g. `plinth-1f0c3a92`. */
  readonly id: string;
  /** Secret: never leaves the engine. */
  readonly key: string;
}

/** The Secret in the engine's own namespace. */
export const INSTANCE_SECRET = 'plinth-instance';
const DEFAULT_NAME = 'plinth';
const NAME = /^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/;

/**
 * Finds who we are, or decides it once: of several that begin together one makes the Secret and the others read it. The id follows the
 * cluster, so that a copy of everything in another cluster is another instance and takes nothing for its own. `name` undefined: the one
 * decided before, else `plinth`. Errors: BadUse when the name is no name or another one was decided; StateCorrupt when the Secret is
 * not whole; AccessDenied, StoreUnavailable.
 */
export async function kubeInstance(home: KubeHome, name?: string): Promise<KubeInstance> {
  if (name !== undefined && !NAME.test(name)) {
    throw new EngineError('BadUse', `${JSON.stringify(name)} is no name for an instance`, { hint: 'use lower-case letters, digits and `-`, at most 32' });
  }
  const cluster = await clusterUid(home);
  const found = (await read(home)) ?? (await decide(home, name ?? DEFAULT_NAME)) ?? (await read(home));
  const { name: decided = '', key = '' } = (found?.['data'] ?? {}) as StringMap;
  if (!NAME.test(decided) || !/^[0-9a-f]{64}$/.test(key)) {
    throw new EngineError('StateCorrupt', `Secret ${INSTANCE_SECRET} in namespace ${home.namespace} lacks name or key`, {
      hint: 'put it back from a backup; without it, what was made is known as ours only while its claims keep their status',
    });
  }
  if (name !== undefined && name !== decided) {
    throw new EngineError('BadUse', `this installation is the instance ${decided}, not ${name}`, { hint: `use --instance ${decided}, or another namespace` });
  }
  return { id: `${decided}-${createHash('sha256').update(cluster).digest('hex').slice(0, 8)}`, key };
}

async function clusterUid(home: KubeHome): Promise<string> {
  const object = await getLive(home, { kind: 'Namespace', namespace: '', name: 'kube-system' });
  if (object === undefined) throw new EngineError('StoreUnavailable', 'the cluster has no namespace kube-system', { hint: 'its uid tells clusters apart' });
  return String((object['metadata'] as JsonObject)['uid']);
}

async function read(home: KubeHome): Promise<JsonObject | undefined> {
  return await getLive(home, { kind: 'Secret', namespace: home.namespace, name: INSTANCE_SECRET });
}

/** Undefined when another was faster. */
async function decide(home: KubeHome, name: string): Promise<JsonObject | undefined> {
  const metadata = { name: INSTANCE_SECRET, namespace: home.namespace, labels: { [MANAGED_BY]: MANAGER } };
  const data = encoded({ name, key: randomBytes(32).toString('hex') });
  const body = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'plinth.dev/instance', data };
  try {
    const path = pathOf(RESOURCES['Secret']!, home.namespace);
    return fromKube('Secret', await call(home, `Secret ${INSTANCE_SECRET}`, { method: 'POST', path, body }));
  } catch (error) {
    if (isError(error, 'AlreadyExists')) return undefined;
    throw error;
  }
}
