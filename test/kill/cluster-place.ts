/** A cluster of its own to be killed in: control plane, a proxy before it and one before the emulator, foreign things, and the controller as a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isError } from '../../src/core/errors.ts';
import type { ClaimStatus, JsonObject } from '../../src/core/types.ts';
import { LEADER_LEASE } from '../../src/engine/lease.ts';
import { metadataOf } from '../../src/engine/objects.ts';
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import { MERGE_PATCH, request } from '../../src/kube/transport.ts';
import { BUNDLE } from '../e2e/build.ts';
import { openGround } from '../integration/cluster-ground.ts';
import { type ClusterHome, makeNamespace, OWN_NAMESPACE } from '../integration/cluster-home.ts';
import { nodeOptions } from '../parts/entrypoint.ts';
import { FREEZABLE } from '../parts/freeze.ts';
import type { KubeProxy } from '../parts/kube/proxy.ts';
import type { AwsProxy } from '../parts/proxy.ts';
import { DECLARED, NAMESPACE, type Phase } from './claims.ts';
import { isWork } from './classes.ts';
import type { Clients, Cloud } from './cloud.ts';
import { makeForeign } from './foreign.ts';

export interface Place {
  /** `home.proxy` is the way of the controller to the API server; `home.api` goes past it. */
  readonly home: ClusterHome;
  /** The way of the controller to the emulator. */
  readonly proxy: AwsProxy;
  /** Past it. */
  readonly client: Clients;
  readonly foreign: Cloud;
  /** The controller that was started last. */
  running: Running | undefined;
  close(): Promise<void>;
}
/** A process of `plinth controller`. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  log: string;
}

/** Of the leader. */
export const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${OWN_NAMESPACE}/leases/${LEADER_LEASE}`;
const claims = (kind: string): Resource => ({ group: 'plinth.dev', version: 'v1alpha1', plural: `${kind.toLowerCase()}s`, kind, namespaced: true });
const KINDS = ['Queue', 'Topic', 'Bucket', 'Table'] as const;

/** Starts all of it but a controller. */
export async function openPlace(): Promise<Place> {
  const ground = await openGround();
  const { home, proxy, cloud: client } = ground;
  await makeNamespace(home.api, NAMESPACE, { 'plinth.dev/class': 'local' });
  const foreign = await makeForeign(client, ground.account);
  const place: Place = { home, proxy, client, foreign, running: undefined, close };
  async function close(): Promise<void> {
    await kill(place);
    await ground.close();
  }
  return place;
}

/** A controller behind a proxy before the API server, which can be frozen. Who leads is decided by the Lease, unless `more` flags say otherwise. */
export function startController({ plane }: ClusterHome, proxy: KubeProxy, more: readonly string[] = []): Running {
  const flags = ['--kubeconfig', proxy.kubeconfig(plane.adminKubeconfig), '--metrics-address', 'off', '--log-level', 'info', '--poll-interval', '10s'];
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], AWS_EC2_METADATA_DISABLED: 'true' };
  const child = spawn(process.execPath, [...nodeOptions(), ...FREEZABLE, BUNDLE, 'controller', ...flags, ...more], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
  const running: Running = { child, ended, log: '' };
  const hear = (chunk: Buffer): void => {
    running.log += chunk.toString();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return running;
}

/** Ends the process as a crash would, and waits until what it had sent is worked. */
export async function kill({ running, home, proxy }: Place): Promise<void> {
  running?.child.kill('SIGKILL');
  await running?.ended;
  const isUnderWay = (): boolean =>
    proxy.calls.some(call => call.endedAt === undefined) || home.proxy.calls.some(call => call.endedAt === undefined && call.verb !== 'watch');
  while (isUnderWay()) await sleep(5);
}

/** A fresh process in place of the one that ran. It does not wait for the Lease: how long that takes is told elsewhere. */
export async function startFresh(place: Place): Promise<void> {
  place.running?.child.kill('SIGKILL');
  await place.running?.ended;
  await request(place.home.api, { method: 'DELETE', path: LEASE }).catch(() => undefined);
  place.running = startController(place.home, place.home.proxy);
}

/** Waits until nothing was changed for so long, in the cloud or through these proxies: what is at rest may still have some last thing to write. */
export async function untilQuiet({ proxy }: Place, ms: number, ...proxies: readonly KubeProxy[]): Promise<void> {
  const count = (): number => [proxy, ...proxies].reduce((sum, { calls }) => sum + calls.filter(isWork).length, 0);
  let [seen, since] = [count(), performance.now()];
  for (const end = performance.now() + REST_MS; performance.now() < since + ms; await sleep(50)) {
    if (performance.now() > end) throw new Error('it never comes to rest');
    if (count() !== seen) [seen, since] = [count(), performance.now()];
  }
}

/** Declares the claims of the phase, as people do. */
export async function declare({ home }: Place, phase: Phase): Promise<void> {
  if (phase !== 'delete') await Promise.all(DECLARED.of(phase).map(claim => home.admin.put(claim)));
  else
    await Promise.all(
      DECLARED.of('update').map(claim => home.admin.remove({ kind: String(claim['kind']), namespace: NAMESPACE, name: metadataOf(claim).name })),
    );
}

/** Every claim there is. */
export async function listClaims({ home }: Place): Promise<JsonObject[]> {
  const lists = await Promise.all(KINDS.map(kind => request(home.api, { method: 'GET', path: pathOf(claims(kind), NAMESPACE, '') })));
  return lists.flatMap((list, index) => ((list?.['items'] ?? []) as JsonObject[]).map(item => ({ ...item, kind: KINDS[index]! })));
}

/** `Ready`, …: reason and message of what is not True for the newest generation; '' for what is. */
export function unlike(claim: JsonObject, type: string): string {
  const { conditions = [], observedGeneration } = (claim['status'] ?? {}) as Partial<ClaimStatus>;
  const found = conditions.find(condition => condition.type === type);
  if (found === undefined || observedGeneration !== metadataOf(claim).generation) return `${type} is not told`;
  return found.status === 'True' ? '' : `${type} ${found.status} ${found.reason}: ${found.message}`;
}

/** Why a claim is still being worked; '' for one at rest. */
export function restless(claim: JsonObject): string {
  const { resources = [] } = (claim['status'] ?? {}) as Partial<ClaimStatus>;
  const moving = resources.filter(entry => entry.phase !== 'Present').map(entry => `${entry.id} ${entry.phase}`);
  return [unlike(claim, 'Ready'), unlike(claim, 'Synced'), ...moving].filter(Boolean).join(', ');
}

/** No requirement, but the end of all patience: a run to rest takes 5 s on a quiet machine. */
const REST_MS = 240_000;

/** Waits for that. Undefined when the phase is at rest, else what still moves after four minutes. `isOver` ends the wait with nothing. */
export async function untilRest(place: Place, phase: Phase, isOver: () => boolean = () => false): Promise<string | undefined> {
  for (const end = Date.now() + REST_MS; !isOver(); await sleep(100)) {
    const left = await moving(place, phase);
    if (left.length === 0) return undefined;
    if (Date.now() > end) return `not at rest:\n  ${left.join('\n  ')}\n${place.running?.log.slice(-3_000)}`;
  }
  return undefined;
}

async function moving(place: Place, phase: Phase): Promise<string[]> {
  const found = await listClaims(place);
  const tell = (claim: JsonObject, why: string): string => `${String(claim['kind'])}/${metadataOf(claim).name}: ${why}`;
  if (phase === 'delete') return found.map(claim => tell(claim, `is there, ${JSON.stringify((claim['status'] as JsonObject | undefined)?.['conditions'])}`));
  return found.flatMap(claim => (restless(claim) === '' ? [] : [tell(claim, restless(claim))]));
}

/** Empties every status, as a restore without them does, or a hand with the right to it. */
export async function emptyStatuses(place: Place): Promise<void> {
  for (const claim of await listClaims(place)) await patchClaim(place, claim, { status: null }, 'status');
}

/** What a person with every right does to a claim; nothing when it is gone meanwhile. */
export async function patchClaim({ home }: Place, claim: JsonObject, body: JsonObject, subresource = ''): Promise<void> {
  const path = pathOf(claims(String(claim['kind'])), NAMESPACE, metadataOf(claim).name, subresource);
  await request(home.api, { method: 'PATCH', path, contentType: MERGE_PATCH, body }).catch((error: unknown) => {
    if (!isError(error, 'NotFound')) throw error;
  });
}
