/** Verbs of a person on one claim: approve, recreate, abandon. Each is an annotation that the engine obeys and takes back. */
import { EngineError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import { keyOf, keyText } from '../engine/objects.ts';
import { ABANDON, APPROVE, RECREATE } from '../engine/reconcile.ts';
import { type Home, isCluster, type Limits } from './home.ts';
import type { Context, ExitCode } from './host.ts';
import { type Interrupt, listenForInterrupt } from './interrupt.ts';
import { approveCommand, command, findClaim, namesOf, namespaceOfBareNames, parseClaimName } from './names.ts';
import { openHome } from './open-home.ts';
import { note, say, tell } from './output.ts';
import { rawClaim } from './recover.ts';
import { leavingLine, statusOf, troubleOf } from './standing.ts';
import { refuseState, tellInterrupted } from './up.ts';
import { viewOf } from './view.ts';

/** Lets the plan that a claim holds go ahead, if it is the one named. BadUse when none or another one waits. */
export async function runApprove(context: Context, text: string, hash: string, timeoutMs: number): Promise<ExitCode> {
  return await withHome(context, text, async (home, interrupt) => {
    const claim = await findClaim(home, text);
    const pending = statusOf(claim).pendingPlan;
    if (pending === undefined) throw new EngineError('BadUse', `no change of ${text} waits for approval`, { hint: `\`${command()} status\` shows what waits` });
    if (pending.hash !== hash) {
      throw new EngineError('BadUse', `the plan that waits now is ${pending.hash}: ${pending.summary.join('; ')}`, {
        hint: `if that is what you want: \`${approveCommand(keyOf(claim), pending.hash, namespaceOfBareNames(home))}\``,
      });
    }
    return await obey(home, claim, APPROVE, hash, { timeoutMs, interrupt });
  });
}

/** Makes lost things again; where nothing is lost, only looks, and says so. */
export async function runRecreate(context: Context, text: string, timeoutMs: number): Promise<ExitCode> {
  return await withHome(context, text, async (home, interrupt) => {
    const claim = await findClaim(home, text);
    return await obey(home, claim, RECREATE, 'true', { timeoutMs, interrupt });
  });
}

/** Deletes the claim; what cannot be deleted is left behind, marked as retained. */
export async function runAbandon(context: Context, text: string, timeoutMs: number): Promise<ExitCode> {
  return await withHome(context, text, async (home, interrupt) => {
    const claim = await findClaim(home, text);
    const marked = (await home.store.write({ kind: 'annotations', claim: rawClaim(claim), set: { [ABANDON]: 'true' } })) ?? claim;
    await home.store.remove(keyOf(marked));
    return await watch(home, claim, undefined, { timeoutMs, interrupt });
  });
}

async function withHome(context: Context, text: string, work: (home: Home, interrupt: Interrupt) => Promise<ExitCode>): Promise<ExitCode> {
  parseClaimName(text);
  const interrupt = listenForInterrupt();
  const home = await openHome(context, { write: true });
  try {
    return refuseState(home) ? 1 : await work(home, interrupt);
  } finally {
    await home.close();
    interrupt.dispose();
  }
}

async function obey(home: Home, claim: JsonObject, verb: string, value: string, limits: Limits): Promise<ExitCode> {
  await home.store.write({ kind: 'annotations', claim: rawClaim(claim), set: { [verb]: value } });
  return await watch(home, claim, verb, limits);
}

async function watch(home: Home, claim: JsonObject, verb: string | undefined, limits: Limits): Promise<ExitCode> {
  const key = keyOf(claim);
  const name = namesOf([key], home.namespace).get(keyText(key))!;
  const { ending, object, standing } = await home.settle(claim, verb, limits);
  if (ending === 'interrupted') return tellInterrupted();
  const { out } = home.context;
  if (object === undefined) {
    await tell(out, { claim: name, gone: true }, () => [`${name} is gone`]);
    return 0;
  }
  const ready = verb === RECREATE && !isMadeAgain(claim, object) ? 'ready; nothing of it is lost' : 'ready';
  await tell(out, viewOf(object), () => [`${name}: ${standing === 'ready' ? ready : (troubleOf(statusOf(object).conditions)?.message ?? standing)}`]);
  const leaving = leavingLine(object, isCluster(home.context.globals) ? 'by the controller' : `by the next \`${command()} up\``);
  if (leaving !== undefined) say(out, leaving);
  if (ending === 'timeout') note('not in time; run again to go on');
  if (standing === 'held') say(out, `another change waits: ${approveCommand(key, statusOf(object).pendingPlan?.hash ?? '', namespaceOfBareNames(home))}`);
  return standing === 'ready' ? 0 : standing === 'held' ? 3 : 1;
}

/** A thing that was gone and is there again is a row without a path. */
function isMadeAgain(before: JsonObject, after: JsonObject): boolean {
  const times = (object: JsonObject): string[] => statusOf(object).drift.flatMap(row => (row.path === '' ? [`${row.resource} ${row.correctedAt ?? ''}`] : []));
  const known = new Set(times(before));
  return times(after).some(time => !known.has(time));
}
