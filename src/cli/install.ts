/** `plinth install`: the same objects as the Helm chart, without Helm. Again, or by a newer version: an upgrade. */
import { setTimeout as sleep } from 'node:timers/promises';
import { adminCrds } from '../core/crd.ts';
import { EngineError } from '../core/errors.ts';
import { defaultObjects, pluralsOf } from '../core/install/defaults.ts';
import { policyObjects } from '../core/install/policies.ts';
import { roleObjects } from '../core/install/roles.ts';
import { workloadObjects } from '../core/install/workload.ts';
import type { JsonObject } from '../core/types.ts';
import { CRDS, getOne } from '../engine/definitions-api.ts';
import { applyAdminCrds } from '../engine/definitions-settle.ts';
import { metadataOf } from '../engine/objects.ts';
import type { Api } from '../kube/transport.ts';
import { closeCluster, openCluster } from './cluster.ts';
import type { Context, ExitCode } from './host.ts';
import { applyObject, assertNotHelms, type Change, installedObjects, removeObject, titleOf } from './install-objects.ts';
import { columns, note, say, tell } from './output.ts';

export interface InstallFlags {
  /** Where the image was pushed to, with its tag. */
  readonly image: string;
  readonly replicas: number;
  /** Plurals of claim kinds beside those that come with Plinth. */
  readonly kinds: readonly string[];
  /** Namespaces are made for Environments. */
  readonly environments: boolean;
  /** Definitions, compositions and the class for AWS. */
  readonly defaults: boolean;
  /** Only prints the objects. */
  readonly dryRun: boolean;
}

/** How long the API server may take to serve a kind, ms; it takes less than a second. */
const SERVED_MS = 30_000;

/** Installs or upgrades. Errors: those of openCluster; BadUse where Helm installed it; AccessDenied; NotInstalled when a kind is not served in time. */
export async function runInstall(context: Context, flags: InstallFlags): Promise<ExitCode> {
  const { host, out } = context;
  const embedded = await host.embedded();
  const cluster = await openCluster(context);
  try {
    const objects = objectsOf(flags, cluster.namespace, host.version, embedded);
    if (flags.dryRun) {
      const all = [...adminCrds(host.version), ...objects];
      await tell(out, all, () => all.map(titleOf));
      return 0;
    }
    const before = await installedObjects(cluster.api, cluster.namespace);
    assertNotHelms(before, 'upgrade');
    note(`installing Plinth ${host.version} in namespace ${cluster.namespace} of context ${cluster.access.context}`);
    await applyAdminCrds({ api: cluster.api, version: host.version, now: () => new Date().toISOString(), log: (_, line) => note(line) });
    await untilServed(cluster.api, host.version);
    const changes = [...(await applyAll(cluster.api, objects)), ...(await removeOthers(cluster.api, before, objects))];
    await tell(
      out,
      changes.map(([object, change]) => ({ object, change })),
      () => columns(changes.map(([object, change]) => [change, object])),
    );
    say(out);
    say(out, `Plinth is installed; \`kubectl rollout status deployment/plinth -n ${cluster.namespace}\` returns when it works.`);
    return 0;
  } finally {
    await closeCluster(cluster);
  }
}

function objectsOf(
  { image, replicas, kinds, environments, defaults }: InstallFlags,
  namespace: string,
  version: string,
  embedded: readonly JsonObject[],
): JsonObject[] {
  const plurals = [...new Set([...pluralsOf(embedded), ...kinds])].sort();
  return [
    ...workloadObjects({ namespace, image, version, replicas }),
    ...roleObjects({ namespace, plurals, environments }),
    ...policyObjects(namespace),
    ...(defaults ? defaultObjects(embedded) : []),
  ];
}

async function untilServed(api: Api, version: string): Promise<void> {
  const until = Date.now() + SERVED_MS;
  for (const crd of adminCrds(version)) {
    const { name } = metadataOf(crd);
    while (!isServed(await getOne(api, CRDS, name))) {
      if (Date.now() > until)
        throw new EngineError('NotInstalled', `${name} is not served after ${SERVED_MS / 1_000} s`, { hint: `see \`kubectl describe crd ${name}\`` });
      await sleep(100);
    }
  }
}

function isServed(crd: JsonObject | undefined): boolean {
  const conditions = ((crd?.['status'] as JsonObject | undefined)?.['conditions'] ?? []) as { type?: string; status?: string }[];
  return conditions.some(({ type, status }) => type === 'Established' && status === 'True');
}

/** In order: the namespace comes before what lives in it. */
async function applyAll(api: Api, objects: readonly JsonObject[]): Promise<[string, Change][]> {
  const changes: [string, Change][] = [];
  for (const object of objects) changes.push([titleOf(object), await applyObject(api, object)]);
  return changes;
}

/** What an earlier version had and this one has not: a role that is not needed any more must not stay. */
async function removeOthers(api: Api, before: readonly JsonObject[], objects: readonly JsonObject[]): Promise<[string, Change][]> {
  const wanted = new Set(objects.map(titleOf));
  const changes: [string, Change][] = [];
  for (const object of before) if (!wanted.has(titleOf(object))) changes.push([titleOf(object), await removeObject(api, object)]);
  return changes;
}
