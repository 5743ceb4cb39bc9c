/** One life of the claims in a cluster: created, updated, deleted by the controller, killed where the test says. */
import type { KubeCall } from '../parts/kube/proxy.ts';
import type { Call } from '../parts/proxy/call.ts';
import { fill, losses, wrongs } from './check.ts';
import type { Phase } from './claims.ts';
import { classOfCall, classOfWrite, isWork } from './classes.ts';
import { readCloud } from './cloud.ts';
import { declare, emptyStatuses, kill, type Place, startFresh, untilRest } from './cluster-place.ts';
import { calledForeign, type Lived, type Plan, type Point } from './life.ts';
import { PHASES } from './lives.ts';

/** `call`: a mutating call to the cloud. `write`: one to the API server, Leases left out. `emptied`: every status, after the kill. */
export type ClusterPlan = Pick<Plan, 'points' | 'emptied'>;

/** Lives it with the controller that runs there, whose successor is left. Stops after the first phase with something wrong. */
export async function liveInCluster(place: Place, plan: ClusterPlan): Promise<Lived[]> {
  const lived: Lived[] = [];
  for (const phase of PHASES) {
    const point = plan.points[phase];
    // What was created must go again; a change that is not killed tells nothing.
    if (point === undefined && phase === 'update') continue;
    lived.push(await livePhase(place, phase, point ?? 'none', plan.emptied));
    if (lived.at(-1)!.wrongs.length > 0) break;
  }
  return lived;
}

async function livePhase(place: Place, phase: Phase, point: Point | 'none', emptied: boolean): Promise<Lived> {
  const begin = performance.now();
  place.proxy.reset();
  place.home.proxy.reset();
  const death = point === 'none' ? undefined : dieAt(place, point);
  await declare(place, phase);
  const early = await untilRest(place, phase, () => death?.isHit === true);
  const killed = death?.isHit === true;
  if (killed) {
    await death.done;
    await kill(place);
    if (emptied) await emptyStatuses(place);
    await startFresh(place);
  }
  const unrest = killed ? await untilRest(place, phase) : early;
  death?.remove();
  const cloud = await readCloud(place.client);
  const found = [
    ...(unrest === undefined ? [] : [unrest]),
    ...wrongs(cloud, place.foreign, phase),
    ...(phase === 'update' ? losses(cloud) : []),
    ...calledForeign(place),
  ];
  if (phase === 'create' && found.length === 0) await fill(place.client, cloud);
  const counted = {
    calls: place.proxy.calls.filter(isWork).map(classOfCall),
    writes: place.home.proxy.calls.filter(isWork).map(classOfWrite),
  };
  return { phase, point, killed, killedAgain: false, wrongs: found, ...counted, ms: performance.now() - begin };
}

export interface Death {
  isHit: boolean;
  done: Promise<void>;
  remove: () => void;
}

/** Kills the controller at the point, counted from now. */
export function dieAt(place: Place, { seam, when, index, of }: Point): Death {
  const death: Death = { isHit: false, done: Promise.resolve(), remove: () => {} };
  let count = 0;
  const classOf = (call: Call | KubeCall): string => ('operation' in call ? classOfCall(call) : classOfWrite(call));
  const hook = async (call: Call | KubeCall): Promise<void> => {
    const isMeant = isWork(call) && (of === undefined || classOf(call) === of);
    if (death.isHit || !isMeant || ++count !== index) return;
    death.isHit = true;
    place.running!.child.kill('SIGKILL');
    death.done = place.running!.ended;
    await death.done;
    const rule = { match: { index: call.index }, do: { kind: 'drop' } } as const;
    if (when === 'after') return;
    if (seam === 'call') place.proxy.addRule(rule);
    else place.home.proxy.addRule(rule);
  };
  const proxy = seam === 'call' ? place.proxy : place.home.proxy;
  death.remove = when === 'before' ? proxy.onBefore(hook) : proxy.onAfter(hook);
  return death;
}
