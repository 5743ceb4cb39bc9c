/** `plinth uninstall`: takes away what runs, and with --kinds the kinds; never while a claim exists. */
import { CLAIM_KIND } from '../core/crd.ts';
import { EngineError } from '../core/errors.ts';
import { ADMIN_NAMES, type AdminKind } from '../core/kinds.ts';
import type { JsonObject } from '../core/types.ts';
import { usersText } from '../core/usage.ts';
import { adminResource, CRDS, listClaims, writeFinalizers } from '../engine/definitions-api.ts';
import { IN_USE } from '../engine/definitions-use.ts';
import { claimResource } from '../engine/kube-objects.ts';
import { metadataOf } from '../engine/objects.ts';
import { pathOf } from '../kube/paths.ts';
import { type Api, request } from '../kube/transport.ts';
import { closeCluster, openCluster } from './cluster.ts';
import type { Context, ExitCode } from './host.ts';
import { assertNotHelms, type Change, installedObjects, removeObject, titleOf } from './install-objects.ts';
import { columns, say, tell } from './output.ts';

/** `kinds`: the CustomResourceDefinitions too, with every definition, composition, class and config. Errors: ClaimsExist, which names some; BadUse where Helm installed it. */
export async function runUninstall(context: Context, { kinds }: { readonly kinds: boolean }): Promise<ExitCode> {
  const { out } = context;
  const cluster = await openCluster(context);
  const { api, namespace } = cluster;
  try {
    const crds = await ownCrds(api);
    await assertNoClaims(api, crds);
    const installed = await installedObjects(api, namespace);
    assertNotHelms(installed, 'uninstall');
    const changes: [string, Change][] = [];
    for (const object of installed) changes.push([titleOf(object), await removeObject(api, object)]);
    if (kinds) changes.push(...(await removeKinds(api, crds)));
    await tell(
      out,
      changes.map(([object, change]) => ({ object, change })),
      () => (changes.length === 0 ? ['nothing of Plinth was found'] : columns(changes.map(([object, change]) => [change, object]))),
    );
    if (!kinds && crds.length > 0) say(out, 'The kinds, definitions, compositions, classes and configs stay; --kinds removes them too.');
    say(out, `Namespace ${namespace} stays: it holds the key and the name by which this installation knows what it made.`);
    return 0;
  } finally {
    await closeCluster(cluster);
  }
}

/** Claim kinds first: their definitions go after them. */
async function ownCrds(api: Api): Promise<JsonObject[]> {
  const query = { labelSelector: 'app.kubernetes.io/part-of=plinth' };
  const { items = [] } = (await request(api, { method: 'GET', path: pathOf(CRDS), query })) as { items?: JsonObject[] };
  const isClaim = (crd: JsonObject): boolean => metadataOf(crd).labels?.[CLAIM_KIND] !== undefined;
  const all = items.map(item => ({ ...item, kind: 'CustomResourceDefinition' }));
  return [...all.filter(isClaim), ...all.filter(crd => !isClaim(crd))];
}

const namesOf = (crd: JsonObject): { kind: string; plural: string } => (crd['spec'] as unknown as { names: { kind: string; plural: string } }).names;

async function assertNoClaims(api: Api, crds: readonly JsonObject[]): Promise<void> {
  const kinds = crds.filter(crd => metadataOf(crd).labels?.[CLAIM_KIND] !== undefined).map(namesOf);
  const claims = (await Promise.all(kinds.map(kind => listClaims(api, claimResource(kind))))).flat();
  if (claims.length === 0) return;
  const texts = claims.map(titleOf).sort();
  throw new EngineError('ClaimsExist', `${claims.length} ${claims.length === 1 ? 'claim exists' : 'claims exist'}: ${usersText(texts)}`);
}

/** Looked at once more right before each: whoever made a claim meanwhile must not lose it. */
async function removeKinds(api: Api, crds: readonly JsonObject[]): Promise<[string, Change][]> {
  const changes: [string, Change][] = [];
  for (const kind of Object.keys(ADMIN_NAMES) as AdminKind[]) {
    if (!crds.some(crd => namesOf(crd).kind === kind)) continue;
    for (const object of await listClaims(api, adminResource(kind))) {
      // Nothing uses it any more, and nobody is left to say so.
      const { finalizers = [] } = metadataOf(object);
      const others = finalizers.filter(finalizer => finalizer !== IN_USE);
      if (others.length < finalizers.length) await writeFinalizers(api, adminResource(kind), object, others);
      changes.push([titleOf(object), await removeObject(api, object)]);
    }
  }
  for (const crd of crds) {
    await assertNoClaims(api, [crd]);
    changes.push([titleOf(crd), await removeObject(api, crd)]);
  }
  return changes;
}
