/** The admin objects that an installation begins with. */
import type { JsonObject } from '../types.ts';

const CLUSTER = { ClaimDefinition: true, Composition: true, EnvironmentClass: true, ProviderConfig: true } as Readonly<Record<string, boolean>>;
/** For a laptop: what they reach lives in, or is started by, the process itself. */
const LAPTOP = new Set(['EnvironmentClass/local', 'EnvironmentClass/demo', 'ProviderConfig/local', 'ProviderConfig/fake', 'Composition/queue-fake']);
const KEEP = 'helm.sh/resource-policy';

/** Of the embedded objects those for a cluster. They stay when Helm takes Plinth away: claims may need them. */
export function defaultObjects(embedded: readonly JsonObject[]): JsonObject[] {
  return embedded.flatMap(object => {
    const { kind, metadata } = object as { kind: string; metadata: JsonObject & { name: string } };
    if (CLUSTER[kind] !== true || LAPTOP.has(`${kind}/${metadata.name}`)) return [];
    const annotations = { ...(metadata['annotations'] as JsonObject | undefined), [KEEP]: 'keep' };
    return [{ ...object, metadata: { ...metadata, labels: { 'app.kubernetes.io/part-of': 'plinth' }, annotations } }];
  });
}

/** Plurals of the claim kinds of tenants among the embedded objects, sorted. */
export function pluralsOf(embedded: readonly JsonObject[]): string[] {
  return embedded
    .flatMap(object => (object['kind'] === 'ClaimDefinition' && !isClusterKind(object) ? [(object['spec'] as { plural: string }).plural] : []))
    .sort();
}

/** True for the definition of a kind whose claims belong to no namespace: the platform's. */
export function isClusterKind({ kind, spec }: JsonObject): boolean {
  return kind === 'ClaimDefinition' && (spec as { scope?: string }).scope === 'Cluster';
}
