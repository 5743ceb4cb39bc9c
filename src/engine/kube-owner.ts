/**
 * One cluster, one installation: Leases live in the engine's namespace, so engines in two namespaces would not know of each other. Which
 * namespace it is stands on the CustomResourceDefinition of ClaimDefinitions.
 */
import { EngineError, isError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import { CRDS, getOne, writeCrd } from './definitions-api.ts';
import { getLive, type KubeHome } from './kube-home.ts';
import { metadataOf } from './objects.ts';

const CRD = 'claimdefinitions.plinth.dev';
export const ENGINE_NAMESPACE_ANNOTATION = 'plinth.dev/engine-namespace';

/**
 * Makes the cluster ours, once; a namespace that is gone owns nothing. Errors: TwoInstallations when an engine of another namespace works
 * it; NotInstalled; those of `request`.
 */
export async function takeCluster(home: KubeHome): Promise<void> {
  const crd = await getOne(home.api, CRDS, CRD);
  if (crd === undefined) throw new EngineError('NotInstalled', `CustomResourceDefinition ${CRD} is not there`);
  const owner = metadataOf(crd).annotations?.[ENGINE_NAMESPACE_ANNOTATION];
  if (owner === home.namespace) return;
  if (owner !== undefined && (await getLive(home, { kind: 'Namespace', namespace: '', name: owner })) !== undefined) {
    throw new EngineError('TwoInstallations', `the Plinth of this cluster lives in namespace ${owner}, not in ${home.namespace}`, {
      hint: `use namespace ${owner}; to move it, stop it there and run \`kubectl annotate crd ${CRD} ${ENGINE_NAMESPACE_ANNOTATION}-\``,
    });
  }
  const metadata = { ...(crd['metadata'] as JsonObject), annotations: { [ENGINE_NAMESPACE_ANNOTATION]: home.namespace } };
  try {
    await writeCrd(home.api, crd, { ...crd, metadata });
  } catch (error) {
    if (!isError(error, 'StoreConflict')) throw error;
    // Somebody wrote it meanwhile, perhaps another engine.
    await takeCluster(home);
  }
}
