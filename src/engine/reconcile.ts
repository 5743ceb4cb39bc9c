/** One reconcile: the ten steps of src/README.md for one claim. */
import { boundedStatus } from '../core/bounds.ts';
import { isCondition } from '../core/conditions.ts';
import { equal } from '../core/digest.ts';
import { EngineError, isError } from '../core/errors.ts';
import { identityKey, isLeaving, isOwned } from '../core/match.ts';
import { parseClaim } from '../core/parse.ts';
import { emptyStatus, parseStatus } from '../core/parse-status.ts';
import { isWhole } from '../core/plan.ts';
import { redactStatus } from '../core/redact.ts';
import { isWorking, type ReportInput, report, retire, type Schedule, takenIntoUse } from '../core/report.ts';
import type { Action, Claim, ClaimDefinition, ClaimKey, ClaimStatus, DriftRow, Json, JsonObject, Plan, Timestamp } from '../core/types.ts';
import { loadDefinition } from './catalogue.ts';
import { type Choice, choose, type Served } from './choice.ts';
import { conditionEvents } from './condition-events.ts';
import type { Engine } from './engine.ts';
import { expire, noLaterThan } from './expiry.ts';
import { FINALIZER, keyText, metadataOf } from './objects.ts';
import { beginPass, dependencies, type Pass, planOnly, runTurns, secretsById, secretValues, type Turned } from './pass.ts';
import { rebuildInventory } from './rebuild.ts';
import { asItSays, isNamespaceGoing, keptIfKindGoes, stuckOn, tellLetGo, tellTakenBack, tellUntouched } from './retain.ts';
import { type Binding, writeBinding } from './secrets.ts';

export const PAUSED = 'plinth.dev/paused';
export const APPROVE = 'plinth.dev/approve';
export const RECREATE = 'plinth.dev/recreate';
export const ABANDON = 'plinth.dev/abandon';

/** What the store or the lease says: nothing can or may be reported. */
const PASSED_ON: ReadonlySet<string> = new Set(['StoreConflict', 'StoreUnavailable', 'LeaseLost']);

/** Between looks at a claim whose namespace is going, ms. */
const HELD_MS = 5_000;

/** Works one claim once and says when to look again. Throws only what the store throws, and LeaseLost: the caller backs off. */
export async function reconcile(engine: Engine, key: ClaimKey): Promise<Schedule> {
  const object = await look(engine, key);
  if (object === undefined) return gone(engine, key);
  const definition = await loadDefinition(engine.store, key.kind);
  if (definition === undefined) return await reportFailure(engine, object, new EngineError('NoDefinition', `no ClaimDefinition makes the kind ${key.kind}`));
  try {
    const claim = parseClaim(object, definition);
    if (claim.deletionRequested && !claim.hasFinalizer) return gone(engine, key);
    if (claim.annotations[PAUSED] !== undefined) return await reportPause(engine, object, key);
    const isGoing = await isNamespaceGoing(engine, claim.namespace);
    // Its own deletion comes any moment: until then nothing is made, mended or told.
    if (isGoing && !claim.deletionRequested) return { kind: 'again', afterMs: HELD_MS, because: 'poll' };
    const taken = await takeUp(engine, claim, definition);
    if (!claim.deletionRequested) return await workLiving(engine, taken, definition, metadataOf(object).creationTimestamp);
    const kept = await keptIfKindGoes(engine, taken, object);
    return isGoing ? await workGoing(engine, kept, definition) : await workClaim(engine, kept, definition);
  } catch (error) {
    if (!isError(error) || PASSED_ON.has(error.code)) throw error;
    return await reportFailure(engine, object, error);
  }
}

/**
 * What watch told will do once the claim was seen live: every write is conditional, and no call leaves before the claim was confirmed live. So it will for a
 * claim that nobody took up yet: the write that does is refused unless it is the one that was told, and answered with the claim as it stands then.
 */
async function look({ store, memory }: Engine, key: ClaimKey): Promise<JsonObject | undefined> {
  const told = await store.get(key, 'cache');
  if (memory.has(keyText(key))) return told;
  const isTakenUp = told === undefined || metadataOf(told).finalizers?.includes(FINALIZER) === true;
  return isTakenUp ? await store.get(key) : told;
}

/** Told, and then left alone until the annotation goes. */
async function reportPause(engine: Engine, object: JsonObject, key: ClaimKey): Promise<Schedule> {
  await reportFailure(engine, object, new EngineError('Paused', `${key.kind}/${key.name} is paused`));
  return { kind: 'done' };
}

/** With its finalizer and an inventory that is its own. */
async function takeUp(engine: Engine, claim: Claim, definition: ClaimDefinition): Promise<Claim> {
  if (claim.hasFinalizer) return await withInventory(engine, claim, definition);
  const taken = parseClaim((await engine.store.write({ kind: 'finalizer', claim, present: true }))!, definition);
  return { ...taken, status: emptyStatus() };
}

function gone(engine: Engine, key: ClaimKey): Schedule {
  engine.memory.delete(keyText(key));
  engine.track(key, []);
  return { kind: 'done' };
}

/** A status that belongs to another uid, or that a restore dropped, says nothing: the inventory is found again by marks first. It is ours once it is on record. */
async function withInventory(engine: Engine, claim: Claim, definition: ClaimDefinition): Promise<Claim> {
  if (claim.status.inventoryFor === claim.uid) return claim;
  const resources = await rebuildInventory(engine, claim, definition);
  return { ...claim, status: { ...emptyStatus(), resources } };
}

async function workLiving(engine: Engine, claim: Claim, definition: ClaimDefinition, createdAt: Timestamp): Promise<Schedule> {
  const { claim: living, dueMs, isOver } = await expire(engine, claim, definition, createdAt);
  if (isOver) return { kind: 'again', afterMs: 0, because: 'progress' };
  return noLaterThan(await workClaim(engine, asItSays(living), definition), dueMs);
}

/** In a namespace that is going, what only a person could mend is let go at the look after the one that said so. */
async function workGoing(engine: Engine, claim: Claim, definition: ClaimDefinition): Promise<Schedule> {
  const schedule = await workClaim(engine, claim, definition, stuckOn(claim));
  return schedule.kind === 'again' && schedule.because === 'recheck' ? { ...schedule, afterMs: HELD_MS, because: 'poll' } : schedule;
}

async function workClaim(engine: Engine, claim: Claim, definition: ClaimDefinition, stuck?: string): Promise<Schedule> {
  const choice: Choice = claim.deletionRequested ? { newest: undefined, last: undefined, error: undefined } : await choose(engine, claim);
  const pass = beginPass(engine, claim, definition, stuck);
  const { served, swap } = await servedBy(pass, choice);
  if (served === undefined && !claim.deletionRequested) return await finish(pass, undefined, undefined, choice.error, undefined);
  const turned = await runTurns(pass, served);
  tellTakenBack(engine, claim, turned.outcomes);
  if (claim.deletionRequested) tellUntouched(engine, claim, turned.outcomes);
  if (stuck !== undefined) tellLetGo(engine, claim, turned.outcomes, stuck);
  // While a newer revision waits, nobody is asked about the last one.
  const waiting = swap ?? (pass.held === undefined ? heldPlan(turned.plan) : undefined);
  return await finish(pass, served, turned, choice.error ?? swap?.error, waiting);
}

/** The last revision goes on serving; whether anybody is asked is said by the class as it is now. */
function asCareful(last: Served, newest: Served): Served {
  return { ...last, selection: { ...last.selection, policy: { ...last.selection.policy, swap: newest.selection.policy.swap } } };
}

interface Swap {
  readonly hash: string;
  readonly summary: readonly string[];
  readonly error: EngineError;
}

/**
 * A newer revision that would retire what holds something waits for approval, and the last one goes on serving; so it does while something cannot be
 * seen that the newer one may replace.
 */
async function servedBy(pass: Pass, { newest, last }: Choice): Promise<{ readonly served: Served | undefined; readonly swap: Swap | undefined }> {
  if (newest === undefined || last === undefined) return { served: newest ?? last, swap: undefined };
  const { plan } = await planOnly(pass, newest);
  const swap = heldPlan(plan);
  const unseen = swap === undefined ? unseenBy(pass, plan) : undefined;
  if (swap === undefined && unseen === undefined) return { served: newest, swap };
  pass.held = { wantedAgain: keptRetiring(pass.claim, plan), unseen };
  return { served: asCareful(last, newest), swap };
}

/** Why something on record cannot be seen. What is reached in another way from now on is looked at in that way next time. */
function unseenBy({ claim }: Pass, plan: Plan): EngineError | undefined {
  const configs = new Map(claim.status.resources.filter(isOwned).map(entry => [identityKey(entry), entry.config]));
  const isUnseen = (action: Action): action is Extract<Action, { kind: 'blocked' }> =>
    action.kind === 'blocked' && action.read === true && isOwned(action.entry) && configs.get(identityKey(action.entry)) === action.entry.config;
  return plan.actions.find(isUnseen)?.error;
}

/** What retires under the last revision and the newest takes up again, or may: it waits until that is decided. What just has its grace goes on. */
function keptRetiring({ status }: Claim, plan: Plan): Set<string> {
  const isGoing = (action: Action): boolean =>
    action.kind === 'wait' ? action.until !== undefined && isLeaving(action.entry) : ['delete', 'forget', 'update'].includes(action.kind);
  const going = new Set(plan.actions.flatMap(action => (isOwned(action.entry) && isGoing(action) ? [identityKey(action.entry)] : [])));
  const retiring = status.resources.filter(isOwned).filter(entry => entry.phase === 'Retiring');
  return new Set(retiring.map(identityKey).filter(key => !going.has(key)));
}

function heldPlan(plan: Plan): Swap | undefined {
  const blocked = plan.actions.flatMap(action =>
    action.kind === 'blocked' && ['SwapPending', 'SwapRefused', 'ScopeChanged'].includes(action.error.code) ? [action.error] : [],
  );
  const [first] = blocked;
  if (first === undefined || (plan.held.length === 0 && first.code !== 'SwapRefused')) return undefined;
  const hint =
    first.code === 'SwapRefused'
      ? {}
      : { hint: `look with \`plinth plan\`, then \`plinth approve ${plan.claim.kind}/${plan.claim.name} --plan ${plan.hash}\`` };
  return { hash: plan.hash, summary: blocked.map(error => error.message), error: new EngineError(first.code, first.message, hint) };
}

async function finish(
  pass: Pass,
  served: Served | undefined,
  turned: Turned | undefined,
  error: EngineError | undefined,
  swap: Swap | undefined,
): Promise<Schedule> {
  const { engine } = pass;
  let inventory = turned?.inventory ?? pass.claim.status.resources;
  if (pass.claim.deletionRequested && inventory.length === 0) {
    await engine.store.write({ kind: 'finalizer', claim: pass.claim, present: false });
    return gone(engine, pass.claim);
  }
  const works = turned?.rendering !== undefined && isWorking(turned.rendering, inventory);
  const binding: Binding | undefined = works
    ? await writeBinding(engine, pass.claim, pass.definition, turned.rendering!, served!.compiled.name, secretsById(pass, inventory))
    : undefined;
  if (works && binding?.error === undefined && turned !== undefined) inventory = retire(takenIntoUse(inventory), turned.plan, engine.clock.now());
  const told = swap !== undefined && error === undefined && turned !== undefined ? withHash(turned, swap) : turned;
  const { status, schedule } = report({
    claim: pass.claim,
    served:
      served === undefined
        ? undefined
        : { class: served.selection.class, composition: served.selection.composition, revision: served.revision, lifecycle: served.lifecycle },
    error,
    unseen: pass.held?.unseen,
    rendering: turned?.rendering,
    plan: told?.plan,
    outcomes: turned?.outcomes ?? [],
    inventory,
    swap: swap === undefined ? undefined : { hash: swap.hash, summary: swap.summary },
    binding,
    notes: turned?.notes ?? [],
    failedReads: turned?.failedReads ?? 0,
    pollMs: engine.options.pollMs,
    now: engine.clock.now(),
  });
  await publish(pass, redactStatus(status, secretValues(pass)));
  await takeBackVerbs(pass, swap, status, (error ?? pass.held?.unseen) === undefined ? turned?.plan : undefined);
  engine.track(pass.claim, dependencies(pass, served));
  return schedule;
}

/** The blocked steps of a held plan say how to approve it. */
function withHash(turned: Turned, swap: Swap): Turned {
  const actions = turned.plan.actions.map(action =>
    action.kind === 'blocked' && action.error.code === 'SwapPending'
      ? { ...action, error: new EngineError('SwapPending', action.error.message, { hint: swap.error.hint }) }
      : action,
  );
  return { ...turned, plan: { ...turned.plan, actions } };
}

/** One patch, and only if something changed. */
async function publish(pass: Pass, status: ClaimStatus): Promise<void> {
  const before = pass.claim.status;
  announce(pass, before, status);
  if (equal(before as unknown as Json, status as unknown as Json)) return;
  pass.claim = parseClaim((await pass.engine.store.write({ kind: 'status', claim: pass.claim, status }))!, pass.definition);
}

/** Events only on transitions, and for each new drift row. */
function announce(pass: Pass, before: ClaimStatus, after: ClaimStatus): void {
  const { engine, claim } = pass;
  for (const event of conditionEvents(before, after)) engine.store.emit(claim, event);
  const isNew = (row: DriftRow): boolean =>
    !before.drift.some(old => old.resource === row.resource && old.path === row.path && old.detectedAt === row.detectedAt);
  const paths = after.drift.filter(isNew).map(row => (row.path === '' ? row.resource : `${row.resource}.${row.path}`));
  if (paths.length > 0) engine.store.emit(claim, { type: 'Warning', reason: 'Drift', message: `changed outside: ${paths.join(', ')}` });
}

/** A verb of a person is taken back once it was obeyed; an approval also when another plan, or none, waits for one. `plan`: undefined when that cannot be told. */
async function takeBackVerbs(pass: Pass, swap: Swap | undefined, status: ClaimStatus, plan: Plan | undefined): Promise<void> {
  const { annotations } = pass.claim;
  const lost = status.conditions.some(condition => condition.reason === 'Lost');
  const done = [
    ...(annotations[APPROVE] !== undefined && isOver(annotations[APPROVE], swap, status, plan) ? [APPROVE] : []),
    ...(annotations[ABANDON] !== undefined && !pass.claim.deletionRequested && !status.resources.some(isLeaving) ? [ABANDON] : []),
    ...(annotations[RECREATE] !== undefined && !lost && isCondition(status.conditions, 'Ready') ? [RECREATE] : []),
  ];
  if (done.length === 0) return;
  await pass.engine.store.write({ kind: 'annotations', claim: pass.claim, set: Object.fromEntries(done.map(name => [name, undefined])) });
}

/** True when an approval was obeyed, or is for another plan than the one that waits now. While something cannot be read no plan is whole. */
function isOver(approved: string, swap: Swap | undefined, status: ClaimStatus, plan: Plan | undefined): boolean {
  if (status.resources.some(entry => isOwned(entry) && entry.approved === approved)) return true;
  return plan !== undefined && isWhole(plan) && swap?.hash !== approved;
}

/** A claim that cannot even be read gets its conditions from the raw object; nothing is touched. */
async function reportFailure(engine: Engine, object: JsonObject, error: EngineError): Promise<Schedule> {
  const claim = parseRaw(object);
  const input: ReportInput = {
    claim,
    served: undefined,
    error,
    rendering: undefined,
    plan: undefined,
    outcomes: [],
    inventory: claim.status.resources,
    swap: undefined,
    binding: undefined,
    notes: [],
    failedReads: 0,
    pollMs: engine.options.pollMs,
    now: engine.clock.now(),
  };
  const { status: told, schedule } = report(input);
  // What was not rebuilt is not made ours by saying that it cannot be read.
  const status = boundedStatus({ ...told, inventoryFor: claim.status.inventoryFor });
  if (!equal(claim.status as unknown as Json, status as unknown as Json)) await engine.store.write({ kind: 'status', claim, status });
  return schedule;
}

function parseRaw(object: JsonObject): Claim {
  const metadata = object['metadata'] as unknown as {
    name: string;
    namespace?: string;
    uid: string;
    generation: number;
    resourceVersion: string;
    deletionTimestamp?: string;
  };
  return {
    kind: object['kind'] as string,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    generation: metadata.generation,
    annotations: {},
    spec: {},
    lifecycle: {},
    deletionRequested: metadata.deletionTimestamp !== undefined,
    hasFinalizer: true,
    status: parseStatus(object['status']),
    version: metadata.resourceVersion,
  };
}
