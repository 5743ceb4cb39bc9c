/** The turns of one reconcile: observe, render, plan, record, apply, again while there is work. */
import { equal } from '../core/digest.ts';
import { ENVIRONMENT } from '../core/environment.ts';
import { EngineError } from '../core/errors.ts';
import { fold } from '../core/fold.ts';
import { identityKey, isLeaving, isOwned, type Setting } from '../core/match.ts';
import { parseClaim } from '../core/parse.ts';
import { isWhole, plan as makePlan } from '../core/plan.ts';
import { redactStatus, secretsIn } from '../core/redact.ts';
import { render, renderText } from '../core/render.ts';
import { withDefaults } from '../core/schema.ts';
import type {
  Claim,
  ClaimDefinition,
  InventoryEntry,
  Json,
  JsonObject,
  Lifecycle,
  ObjectKey,
  Outcome,
  OwnedEntry,
  Plan,
  Policy,
  Rendering,
  ResourceView,
  StringMap,
  Timestamp,
} from '../core/types.ts';
import { type Acting, applyAll, callBudget, isActing, isMutating } from './apply.ts';
import type { Served } from './choice.ts';
import type { Engine, Memory } from './engine.ts';
import { type Links, linkAll } from './links.ts';
import { keyText } from './objects.ts';
import { observeAll, type Sight } from './observe.ts';
import { type References, resolveReferences } from './references.ts';
import { bindingName } from './secrets.ts';

/** What one reconcile carries along. `claim` is replaced after each write; `sight` and `tried` grow. */
export interface Pass {
  readonly engine: Engine;
  claim: Claim;
  readonly definition: ClaimDefinition;
  readonly depth: 'quick' | 'full';
  readonly sight: Sight;
  readonly tried: Set<string>;
  readonly recorded: ReadonlySet<string>;
  readonly quietSince: Timestamp;
  lastTries: ReadonlyMap<string, Timestamp>;
  /** When the store was asked last of what confirmed the claim in this pass, by the clock's milliseconds. */
  confirmedMs: number;
  references: References;
  /** See PlanInput.stuck. */
  readonly stuck: string | undefined;
  /**
   * Set while a newer revision waits for approval: then that is the plan a person is asked about. See PlanInput.wantedAgain. `unseen`: it waits for a look
   * instead, which failed with this.
   */
  held: { readonly wantedAgain: ReadonlySet<string>; readonly unseen: EngineError | undefined } | undefined;
  /** Secret values among the settings of the connections in use. */
  readonly credentials: Set<string>;
  /** Where the credentials of those connections come from. */
  credentialSecrets: readonly ObjectKey[];
}
export interface Turned {
  /** Of the last turn: nothing more could be done at once. */
  readonly plan: Plan;
  readonly rendering: Rendering | undefined;
  readonly inventory: readonly InventoryEntry[];
  /** Of all turns. */
  readonly outcomes: readonly Outcome[];
  readonly notes: readonly string[];
  readonly failedReads: number;
}

/** A composition has at most 100 resources in at most as many levels; most are done after three turns. */
const MAX_TURNS = 110;
const MAX_LOOKS = 8;
/** For deletion: every choice that matters is pinned on the entries. */
const DELETION_POLICY: Policy = {
  swap: 'Automatic',
  reclaim: 'Conflict',
  recreateLost: false,
  graceSeconds: 0,
  purgeOnDelete: false,
  deletion: 'Retain',
  drift: 'Correct',
  naming: '',
};
const DELETION_LIFECYCLE: Lifecycle = { deletion: 'Retain', drift: 'Correct', management: 'Full', ignore: {}, adopt: {} };

export function beginPass(engine: Engine, claim: Claim, definition: ClaimDefinition, stuck?: string): Pass {
  const memory = memoryOf(engine, claim);
  const depth = memory.passes % engine.options.fullEvery === 0 || claim.deletionRequested ? 'full' : 'quick';
  const recorded = new Set(claim.status.resources.filter(isOwned).map(identityKey));
  return {
    engine,
    claim,
    definition,
    depth,
    sight: { observed: new Map(), secrets: new Map() },
    tried: new Set(),
    recorded,
    quietSince: memory.quietSince,
    lastTries: memory.lastTries,
    confirmedMs: Number.NEGATIVE_INFINITY,
    stuck,
    held: undefined,
    references: { scope: {}, keys: [] },
    credentials: new Set(),
    credentialSecrets: [],
  };
}

/** What the claim depends on beside itself. Any class may become a second default; what cannot be served is woken by whatever could mend it. */
export function dependencies(pass: Pass, served: Served | undefined): ObjectKey[] {
  const cluster = (kind: string, name: string): ObjectKey => ({ kind, namespace: '', name });
  const chosen =
    served === undefined
      ? [cluster('Composition', '*'), cluster('ProviderConfig', '*')]
      : [
          cluster('Composition', served.selection.composition),
          ...[...new Set([...Object.values(served.selection.configs), ...pass.claim.status.resources.map(entry => entry.config)])].map(name =>
            cluster('ProviderConfig', name),
          ),
        ];
  const { namespace, name, kind } = pass.claim;
  const placed: ObjectKey[] =
    namespace === ''
      ? []
      : [cluster('Namespace', namespace), cluster(ENVIRONMENT, namespace), { kind: 'Secret', namespace, name: bindingName({ kind, name }) }];
  return [cluster('EnvironmentClass', '*'), ...placed, ...chosen, ...pass.credentialSecrets, ...pass.references.keys];
}

/** Plans without doing anything: looks, but neither records nor applies. */
export async function planOnly(pass: Pass, served: Served | undefined): Promise<{ plan: Plan; rendering: Rendering | undefined }> {
  const links = await prepare(pass, served);
  return await planTurn(pass, served, links, pass.claim.status.resources);
}

/**
 * Plans on while that shows more, as if what is planned were only recorded: `plan` names what takes the place of what goes. `first`: the plan that
 * a held swap is approved by.
 */
export async function planAhead(pass: Pass, served: Served | undefined): Promise<{ first: Plan; plan: Plan; rendering: Rendering | undefined }> {
  const links = await prepare(pass, served);
  const begun = await planTurn(pass, served, links, pass.claim.status.resources);
  let [before, now] = [phases(pass.claim.status.resources), begun];
  for (let turn = 0; turn < MAX_TURNS && !equal(before, phases(now.plan.inventory)); turn += 1) {
    before = phases(now.plan.inventory);
    now = await planTurn(pass, served, links, now.plan.inventory);
  }
  return { ...now, first: begun.plan };
}

/** Works until nothing more can be done at once. */
export async function runTurns(pass: Pass, served: Served | undefined): Promise<Turned> {
  const links = await prepare(pass, served);
  const outcomes: Outcome[] = [];
  let inventory = pass.claim.status.resources;
  for (let turn = 0; ; turn += 1) {
    const { plan, rendering } = await planTurn(pass, served, links, inventory);
    // A successor is made in the pass that records it: what stands under its name later is then not taken for what a call of ours left.
    const isMore = plan.actions.some(action => action.kind !== 'keep') || plan.inventory.length > inventory.length;
    const isFurther = isMore && !equal(phases(inventory), phases(plan.inventory));
    inventory = plan.inventory;
    const acting = plan.actions.filter(isActing);
    if (acting.length === 0 && isFurther && turn < MAX_TURNS) continue;
    if (acting.length === 0 || turn === MAX_TURNS)
      return { plan, rendering, inventory, outcomes, notes: notesOf(links, inventory), failedReads: remember(pass, plan) };
    if (acting.some(isMutating)) await record(pass, inventory);
    const done = await applyAll(pass.engine, pass.claim, links.connections, acting, secretsById(pass, inventory)).finally(() => noteTries(pass, acting));
    for (const outcome of done) noteTried(pass, outcome);
    outcomes.push(...done);
    inventory = fold(inventory, done, pass.engine.instance.key);
    const touched = done.flatMap(({ action }) => (isMutating(action) && isOwned(action.entry) ? [action.entry] : []));
    await observeAll(pass.engine, links.connections, touched, 'full', pass.sight);
  }
}

/** At once, since a pass may fail after its calls. */
function noteTries(pass: Pass, acting: readonly Acting[]): void {
  const { memory, clock } = pass.engine;
  const made = acting.flatMap(({ kind, entry }) => (kind === 'create' ? [[identityKey(entry), clock.now()] as const] : []));
  if (made.length === 0) return;
  pass.lastTries = new Map([...pass.lastTries, ...made]);
  memory.set(keyText(pass.claim), { ...memoryOf(pass.engine, pass.claim), lastTries: pass.lastTries });
}

function noteTried({ tried, stuck }: Pass, outcome: Outcome): void {
  const { action } = outcome;
  if (!isOwned(action.entry)) return;
  tried.add(`${action.kind} ${identityKey(action.entry)}`);
  if (outcome.result === 'failed' && (outcome.error.retry === 'terminal' || outcome.error.code === stuck)) tried.add(`refused ${identityKey(action.entry)}`);
}

/** A thing found present lets what depends on it go on, although nothing was done. */
function phases(inventory: readonly InventoryEntry[]): Json {
  return inventory.map(entry => [entry.id, entry.phase, entry.ready, isOwned(entry) ? entry.incarnation : 0]);
}

/** Connections, referred claims and the first look at everything there is. */
async function prepare(pass: Pass, served: Served | undefined): Promise<Links> {
  const { engine, claim } = pass;
  const configs = [...(served === undefined ? [] : Object.values(served.selection.configs)), ...claim.status.resources.map(entry => entry.config)];
  const [links, references] = await Promise.all([
    linkAll(engine, claim, configs),
    served === undefined ? { scope: {}, keys: [] } : resolveReferences(engine.store, claim, served),
  ]);
  pass.references = references;
  pass.credentialSecrets = links.secrets;
  for (const { settings } of links.connections.values()) for (const value of secretsIn(settings)) pass.credentials.add(value);
  const unseen = claim.status.resources.filter(isOwned).filter(entry => !pass.sight.observed.has(identityKey(entry)));
  await observeAll(engine, links.connections, unseen, pass.depth, pass.sight);
  return links;
}

/** Renders and plans; what the plan must see first is looked at, and it is made again. */
async function planTurn(
  pass: Pass,
  served: Served | undefined,
  links: Links,
  inventory: readonly InventoryEntry[],
): Promise<{ plan: Plan; rendering: Rendering | undefined }> {
  let known = inventory;
  for (let look = 0; ; look += 1) {
    const rendering = served === undefined ? undefined : render(served.compiled, scopeOf(pass, served, known), served.selection.configs);
    const plan = makePlan({
      ...settingOf(pass, served, links),
      rendering,
      inventory: known,
      observed: pass.sight.observed,
      recorded: pass.recorded,
      quietSince: pass.quietSince,
      lastTries: pass.lastTries,
      tried: pass.tried,
      drift: pass.claim.status.drift,
      stuck: pass.stuck,
      ...verbsOf(pass.claim),
      ...(pass.held === undefined ? {} : { wantedAgain: pass.held.wantedAgain, approved: undefined }),
    });
    if (plan.look.length === 0 || look === MAX_LOOKS) return { plan, rendering };
    await observeAll(pass.engine, links.connections, plan.look, 'full', pass.sight);
    known = withNew(inventory, plan.inventory);
  }
}

/** The inventory as it was, with what was approved, and the entries that planning added: a successor changes what the next plan looks like, not what was said of it. */
function withNew(before: readonly InventoryEntry[], after: readonly InventoryEntry[]): InventoryEntry[] {
  const planned = new Map(after.filter(isOwned).map(entry => [identityKey(entry), entry]));
  const known = new Set(before.filter(isOwned).map(identityKey));
  const kept = before.map(entry => {
    const { approved, approvedFor } = (isOwned(entry) ? planned.get(identityKey(entry)) : undefined) ?? {};
    return approved === undefined || approvedFor === undefined ? entry : { ...entry, approved, approvedFor };
  });
  return [...kept, ...after.filter(isOwned).filter(entry => !known.has(identityKey(entry)))];
}

function verbsOf({ annotations }: Claim): { approved: string | undefined; recreate: boolean; abandon: boolean } {
  return {
    approved: annotations['plinth.dev/approve'],
    recreate: annotations['plinth.dev/recreate'] !== undefined,
    abandon: annotations['plinth.dev/abandon'] !== undefined,
  };
}

function settingOf(pass: Pass, served: Served | undefined, links: Links): Setting {
  const { engine, claim } = pass;
  return {
    claim,
    instance: engine.instance,
    lifecycle: served?.lifecycle ?? { ...(claim.status.lifecycle ?? DELETION_LIFECYCLE), management: claim.lifecycle.management ?? 'Full' },
    policy: served?.selection.policy ?? DELETION_POLICY,
    adoptable: served?.selection.adoptable ?? [],
    links: links.links,
    over: links.over,
    baseName: id => (served?.naming === undefined ? '' : (renderText(served.naming, namingRoots(pass, served, id)) ?? '')),
    now: engine.clock.now(),
  };
}

function namingRoots({ claim, engine }: Pass, served: Served, id: string): Record<string, Json> {
  const { kind, namespace, name, spec } = claim;
  return {
    claim: { kind, namespace, name, spec },
    class: served.selection.class,
    parameters: withDefaults(served.compiled.parameters, served.selection.parameters),
    id,
    instance: engine.instance.id,
  };
}

function scopeOf(pass: Pass, served: Served, inventory: readonly InventoryEntry[]): Parameters<typeof render>[1] {
  const { kind, namespace, name, spec } = pass.claim;
  const { selection } = served;
  return {
    claim: { kind, namespace, name, spec },
    class: selection.class,
    parameters: selection.parameters,
    environment: served.environment,
    references: pass.references.scope,
    resources: viewsOf(pass, inventory),
  };
}

/** What expressions see of each resource: the newest entry of an id that is not on its way out. */
function viewsOf(pass: Pass, inventory: readonly InventoryEntry[]): Record<string, ResourceView> {
  return Object.fromEntries(currentEntries(inventory).map(entry => [entry.id, viewOf(pass, entry)]));
}

function currentEntries(inventory: readonly InventoryEntry[]): OwnedEntry[] {
  return inventory
    .filter(isOwned)
    .filter(entry => !isLeaving(entry))
    .sort((a, b) => a.incarnation - b.incarnation);
}

function viewOf(pass: Pass, entry: OwnedEntry): ResourceView {
  const observed = pass.sight.observed.get(identityKey(entry));
  if (observed?.kind !== 'present' || entry.phase === 'Intended') return { state: undefined, ready: false, secret: {} };
  return { state: observed.state, ready: observed.readiness.ready, secret: observed.secrets };
}

/** Secret outputs by resource id, for `fill`. */
export function secretsById(pass: Pass, inventory: readonly InventoryEntry[]): (id: string) => StringMap {
  const byId = new Map(currentEntries(inventory).map(entry => [entry.id, pass.sight.secrets.get(identityKey(entry)) ?? {}]));
  return id => byId.get(id) ?? {};
}

/** In a pass whose turns follow each other this fast, one confirmation is enough; a pass that took longer asks anew, ms. */
const CONFIRMED_MS = 2_000;

/**
 * Step 7 and the fence: what will be touched stands on the claim before it is touched, and no mutating call leaves unless the store
 * confirmed the claim in this pass, by this conditional write or by a live read of the same uid, generation and deletion state. Where
 * several engines are, nothing is even recorded without the lease: LeaseLost.
 */
async function record(pass: Pass, inventory: readonly InventoryEntry[]): Promise<void> {
  const { engine, claim } = pass;
  callBudget(engine, claim);
  const askedMs = engine.clock.ms();
  if (claim.status.inventoryFor === claim.uid && isRecorded(claim.status.resources, inventory)) {
    if (askedMs - pass.confirmedMs < CONFIRMED_MS) return;
    const live = (await engine.store.get(claim))?.['metadata'] as JsonObject | undefined;
    const same =
      live?.['uid'] === claim.uid && live['generation'] === claim.generation && (live['deletionTimestamp'] !== undefined) === claim.deletionRequested;
    if (!same) throw new EngineError('StoreConflict', `${claim.kind} ${claim.name} was changed while it was worked on`);
    pass.confirmedMs = askedMs;
    return;
  }
  const status = redactStatus({ ...claim.status, inventoryFor: claim.uid, resources: inventory }, secretValues(pass));
  pass.claim = parseClaim((await engine.store.write({ kind: 'status', claim, status }))!, pass.definition);
  pass.confirmedMs = askedMs;
}

/** Every secret value this pass has met: no text with one of them leaves. */
export function secretValues({ sight, credentials }: Pass): string[] {
  return [...credentials, ...[...sight.secrets.values()].flatMap(secrets => Object.values(secrets))];
}

/** What must be on record before a call: each thing, under its id and config, as intended where it is about to be made, and whether it may go. */
function isRecorded(stored: readonly InventoryEntry[], inventory: readonly InventoryEntry[]): boolean {
  const known = new Map(stored.filter(isOwned).map(entry => [identityKey(entry), entry]));
  return inventory.filter(isOwned).every(entry => {
    const before = known.get(identityKey(entry));
    if (before === undefined || before.id !== entry.id || before.config !== entry.config || before.origin !== entry.origin) return false;
    if (before.approved !== entry.approved || before.approvedFor !== entry.approvedFor || before.unmade !== entry.unmade) return false;
    return entry.phase !== 'Intended' || before.phase === 'Intended';
  });
}

function notesOf(links: Links, inventory: readonly InventoryEntry[]): string[] {
  const notes = inventory.flatMap(entry => {
    const unsupported = links.connections.get(entry.config)?.unsupported ?? {};
    const fields = (Object.hasOwn(unsupported, entry.type) ? unsupported[entry.type] : undefined) ?? [];
    return fields.length === 0 ? [] : [`${entry.type} on ${entry.config} cannot do ${fields.join(', ')}`];
  });
  return [...new Set(notes)].sort();
}

function memoryOf({ memory, clock }: Engine, claim: Claim): Memory {
  return memory.get(keyText(claim)) ?? { passes: 0, failedReads: 0, quietSince: clock.now(), lastTries: new Map() };
}

/** Counts the pass, and how often in a row something could not be read. */
function remember({ engine, claim, quietSince, lastTries }: Pass, plan: Plan): number {
  const before = memoryOf(engine, claim);
  // What a call made is on record as made only when this pass is reported, which may fail.
  const open = [...claim.status.resources, ...plan.inventory].filter(isOwned).filter(entry => entry.phase === 'Intended');
  const isIntended = new Set(open.map(identityKey));
  const tries = lastTries.size === 0 ? lastTries : new Map([...lastTries].filter(([key]) => isIntended.has(key)));
  const after = { passes: before.passes + 1, failedReads: isWhole(plan) ? 0 : before.failedReads + 1, quietSince, lastTries: tries };
  engine.memory.set(keyText(claim), after);
  return after.failedReads;
}
