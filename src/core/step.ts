/** What is to be done about one desired resource, given its entry and what was seen. Pure. */
import { type Diff, diff, isCorrectable, isImmutable, isUnreadChanged } from './diff.ts';
import { EngineError } from './errors.ts';
import {
  canonicalSpec,
  freshEntry,
  heldError,
  identityKey,
  isLeaving,
  isNotOlder,
  isOwned,
  type Match,
  normalSpec,
  ownerFor,
  pinsFor,
  type Wanted,
} from './match.ts';
import { judge } from './ownership.ts';
import { head } from './paths.ts';
import { blocked, mayRetire, missedStep, observeOnly, type PlanInput, type Step, staying, waiting } from './turn.ts';
import type { Action, Change, DriftRow, OwnedEntry, Present } from './types.ts';

type Matched = Extract<Match, { kind: 'entry' | 'new' }>;
type Seen = Present & { readonly secrets: Readonly<Record<string, string>> };

/** Corrections of one path within an hour that make it contested. */
const CONTESTED_AT = 3;
const HOUR_MS = 3_600_000;
/** A value that the service takes and does not keep is sent again only so often. */
const RESEND_MS = 600_000;

export function stepFor(input: PlanInput, match: Matched, ready: ReadonlyMap<string, boolean>): Step {
  const { wanted } = match;
  const others = rivals(input, match);
  if (match.kind === 'new' || isTakenUp(match.entry, others)) {
    const { name, scope } = match.entry;
    const refusal = refusalOf(
      input,
      others,
      old => `${old.type} ${old.name} in ${old.scope} would be replaced by ${name} in ${scope}`,
      identityKey(match.entry),
    );
    if (refusal !== undefined) {
      const serving = { ...refusal, entries: others.map(old => asSeen(input, wanted, old)) };
      return match.kind === 'new' ? serving : together(serving, waiting(staying(input, match.entry), match.entry.id, ''));
    }
  }
  const entry = current(input, match, others);
  const moved: Action[] = match.kind === 'entry' && match.moved ? [{ kind: 'move', entry: match.entry, to: { id: entry.id, config: entry.config } }] : [];
  const step = observedStep(input, wanted, entry, ready);
  return { ...step, actions: [...moved, ...step.actions] };
}

/** What else stands for the id and does not retire yet. */
function rivals({ inventory }: PlanInput, { wanted, entry }: Matched): OwnedEntry[] {
  return inventory.filter(isOwned).filter(other => other.id === wanted.desired.id && !isLeaving(other) && identityKey(other) !== identityKey(entry));
}

/** True when something newer serves in its place so far. */
const isTakenUp = (entry: OwnedEntry, others: readonly OwnedEntry[]): boolean =>
  others.some(other => other.id === entry.id && (isLeaving(entry) || other.incarnation > entry.incarnation));

/** What serves an id is its newest entry: one that is taken up again after a successor (a config put back) becomes the newest. */
function current(input: PlanInput, match: Matched, others: readonly OwnedEntry[]): OwnedEntry {
  const { id, config, dependsOn } = match.wanted.desired;
  const incarnation = Math.max(match.entry.incarnation, ...others.map(entry => entry.incarnation + 1));
  const entry = isLeaving(match.entry) ? staying(input, match.entry) : match.entry;
  return { ...entry, id, config, dependsOn, incarnation };
}

/** Whether what goes on serving until somebody decides can still be used. */
function asSeen({ observed }: PlanInput, { desired }: Wanted, entry: OwnedEntry): OwnedEntry {
  const seen = observed.get(identityKey(entry));
  if (entry.phase !== 'Present' || seen === undefined || seen.kind === 'unknown') return entry;
  if (seen.kind === 'absent') return { ...entry, ready: false, message: `${entry.type} ${entry.name} is not there` };
  return { ...entry, ready: seen.readiness.ready && desired.notReady === '', message: seen.readiness.ready ? desired.notReady : seen.readiness.message };
}

/** Undefined when all of them may go; else all stay as they are, and it is said why. */
function refusalOf(input: PlanInput, entries: readonly OwnedEntry[], why: (entry: OwnedEntry) => string, place: string): Step | undefined {
  const refusals = entries.flatMap(entry => mayRetire(input, entry, why(entry), place) ?? []);
  if (refusals.length === 0) return undefined;
  return { entries, actions: refusals.flatMap(step => step.actions), held: refusals.flatMap(step => step.held ?? []) };
}

const together = (one: Step, two: Step): Step => ({ ...one, entries: [...one.entries, ...two.entries], actions: [...one.actions, ...two.actions] });

function observedStep(input: PlanInput, wanted: Wanted, entry: OwnedEntry, ready: ReadonlyMap<string, boolean>): Step {
  const observed = input.observed.get(identityKey(entry));
  if (observed === undefined) return { entries: [entry], actions: [], look: [entry] };
  if (observed.kind === 'unknown') {
    const noted = notBegun(input, entry);
    return { entries: [noted], actions: [{ kind: 'blocked', entry: noted, error: observed.error, read: true }] };
  }
  if (observed.kind === 'absent') return absentStep(input, wanted, entry, ready);
  return presentStep(input, wanted, entry, observed);
}

// ── not there ──

function absentStep(input: PlanInput, wanted: Wanted, before: OwnedEntry, ready: ReadonlyMap<string, boolean>): Step {
  const entry: OwnedEntry = { ...before, ready: false };
  if (entry.origin !== 'Created') {
    const error = new EngineError('NotAdoptable', `${entry.id}: ${entry.type} ${entry.name} does not exist`);
    return blocked({ ...entry, message: error.message }, error);
  }
  const settled = Date.parse(entry.changedAt ?? entry.since) + wanted.type.settleSeconds * 1000;
  if (entry.phase === 'Created' && Date.parse(input.now) < settled) return waiting(entry, entry.id, 'made, not visible yet', new Date(settled).toISOString());
  if (entry.phase === 'Present' && !wanted.link.forgetful) return lostStep(input, wanted, entry, ready);
  return createStep(input, wanted, entry, ready);
}

/** Present before, absent now. Twice seen, it is gone; what held data is not made again silently. */
function lostStep(input: PlanInput, wanted: Wanted, entry: OwnedEntry, ready: ReadonlyMap<string, boolean>): Step {
  const unsure = missedStep(input, entry);
  if (unsure !== undefined) return unsure;
  const noted = { ...entry, missing: entry.missing ?? input.now };
  if (entry.holds === 'data' && !input.policy.recreateLost && !input.recreate)
    return blocked(noted, new EngineError('Lost', `${entry.id}: ${entry.type} ${entry.name} held data and is gone`));
  if (input.lifecycle.drift === 'Report' && !input.recreate)
    return blocked(noted, new EngineError('Drifted', `${entry.id}: ${entry.type} ${entry.name} was removed outside`));
  return createStep(input, wanted, noted, ready);
}

function createStep(input: PlanInput, { desired }: Wanted, entry: OwnedEntry, ready: ReadonlyMap<string, boolean>): Step {
  if (input.lifecycle.management === 'ObserveOnly') return blocked(entry, observeOnly(entry, `${entry.type} ${entry.name} is not there`));
  const [pending] = desired.pending;
  if (pending !== undefined) return waiting(notBegun(input, entry), pending.on, pending.message);
  const unready = desired.dependsOn.find(id => ready.get(id) === false);
  if (unready !== undefined) return waiting(notBegun(input, entry), unready, `waits for ${unready}`);
  if (input.tried.has(`create ${identityKey(entry)}`)) return waiting(entry, entry.id, 'asked for, not visible yet');
  const again = entry.phase !== 'Intended';
  const { changedAt: _, missing: __, sent: ___, ...rest } = entry;
  const intended: OwnedEntry = { ...rest, phase: 'Intended', since: again ? input.now : entry.since, settled: {} };
  return {
    entries: [intended],
    actions: [{ kind: 'create', entry: intended, desired: canonical(input, desired, entry, undefined), because: again ? 'gone' : 'new' }],
  };
}

/** Planned in this very pass and not called for yet; of one that was on record before, an earlier call may have been lost. */
function notBegun({ recorded, tried }: PlanInput, entry: OwnedEntry): OwnedEntry {
  const key = identityKey(entry);
  return entry.phase === 'Intended' && !recorded.has(key) && !tried.has(`create ${key}`) ? { ...entry, unmade: true } : entry;
}

// ── there ──

function presentStep(input: PlanInput, wanted: Wanted, entry: OwnedEntry, seen: Seen): Step {
  const settling = Date.parse(input.now) < Date.parse(entry.changedAt ?? entry.since) + wanted.type.settleSeconds * 1000;
  const verdict = whose(input, wanted, entry, seen, settling);
  if (verdict === 'wait') return waiting({ ...entry, ready: false }, entry.id, 'its marks are not visible yet');
  if (verdict instanceof EngineError) {
    const noted = entry.phase === 'Intended' ? ({ unmade: true } as const) : {};
    return blocked({ ...entry, ready: false, message: verdict.message, ...noted }, verdict);
  }
  if (!seen.readiness.ready && seen.readiness.reason === 'Deleting') return waiting({ ...entry, ready: false }, entry.id, seen.readiness.message);
  const desired = canonical(input, wanted.desired, entry, seen);
  const normal = { ...seen, spec: normalSpec(wanted.type, seen) };
  const { settled } = entry;
  const pending = desired.pending.map(item => item.path);
  if (needsFullLook(input, wanted, entry, seen, { desired: desired.value, pending })) return { entries: [entry], actions: [], look: [entry] };
  const found = diff({
    type: wanted.type,
    desired: desired.value,
    pending,
    secrets: desired.secrets,
    seen: normal,
    settled,
    sent: entry.sent ?? {},
    quietMs: entry.changedAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(input.now) - Date.parse(entry.changedAt),
    pastUnknown: isPastUnknown(entry),
    ignore: input.lifecycle.ignore[desired.template] ?? [],
    key: input.instance.key,
  });
  const fixed = found.changes.filter(change => isImmutable(wanted.type, change.path));
  if (fixed.length > 0 && entry.origin !== 'Observed' && input.lifecycle.management === 'Full') return replaceStep(input, wanted, entry, seen, fixed);
  return changeStep(input, wanted, settle(input, wanted, entry, normal, found), normal, desired, found);
}

/**
 * A quick look says too little when what it left out is to change, when drift stands there, and when the thing was not usable last time:
 * its marks may be what was wrong.
 */
function needsFullLook(
  input: PlanInput,
  { type }: Wanted,
  entry: OwnedEntry,
  seen: Seen,
  wanted: { readonly desired: Wanted['spec']; readonly pending: readonly string[] },
): boolean {
  if (seen.unread.length === 0) return false;
  if (input.drift.some(row => row.resource === entry.id && row.correctedAt === undefined && seen.unread.includes(head(row.path)))) return true;
  if (entry.origin === 'Observed') return false;
  if (!entry.ready && judge(type, seen, ownerFor(input, entry.id)) === 'unread') return true;
  return isUnreadChanged({ ...wanted, type, seen, settled: entry.settled, sent: entry.sent ?? {}, key: input.instance.key });
}

/** We made it, and the record of what we made is lost: found by its marks, or by a run after one that was killed in the act. */
const isPastUnknown = ({ origin, phase, settled }: OwnedEntry): boolean =>
  origin === 'Created' && (phase === 'Intended' || (phase === 'Present' && Object.keys(settled).length === 0));

/** Whether the thing may be treated as ours: true, 'wait', or why not. Marks with this uid, read in the same pass, or nothing is touched. */
function whose(input: PlanInput, { type }: Wanted, entry: OwnedEntry, seen: Present, settling: boolean): true | 'wait' | EngineError {
  const ownership = judge(type, seen, ownerFor(input, entry.id));
  if (ownership === 'ours' || ownership === 'key' || ownership === 'unread' || entry.origin === 'Observed') return true;
  const thing = `${entry.id}: ${entry.type} ${entry.name}`;
  const fresh = entry.phase === 'Intended';
  if (ownership === 'predecessor' && fresh)
    return entry.holds === 'nothing' || input.policy.reclaim === 'Reuse' || entry.origin === 'Adopted'
      ? true
      : new EngineError('Conflict', `${thing} was left by an earlier claim of this name and holds ${entry.holds}`, {
          hint: 'remove it, rename the claim, or let the class set reclaim: Reuse',
        });
  if (ownership === 'unmarked' && fresh) return half(input, entry, seen, settling) ?? new EngineError('Conflict', `${thing} exists and bears no marks of ours`);
  if (ownership === 'unmarked') return settling ? 'wait' : new EngineError('MarksGone', `${thing} lost its plinth.dev marks`);
  if (fresh) return new EngineError(entry.origin === 'Adopted' ? 'NotAdoptable' : 'Conflict', `${thing} belongs to another claim or installation`);
  return new EngineError('MarksGone', `${thing} now bears the marks of somebody else`);
}

/** An unmarked thing under an Intended name: adopted, our own half-made one, perhaps ours (wait), or undefined: not ours. */
function half(input: PlanInput, entry: OwnedEntry, seen: Present, settling: boolean): true | 'wait' | undefined {
  if (entry.origin === 'Adopted') return true;
  if (entry.unmade === true || !input.recorded.has(identityKey(entry))) return undefined;
  if (seen.createdAt !== undefined) return isNotOlder(seen, entry) ? true : undefined;
  return settling ? 'wait' : undefined;
}

function canonical(input: PlanInput, desired: Wanted['desired'], entry: OwnedEntry, seen: Present | undefined): Wanted['desired'] {
  const link = input.links.get(entry.config);
  if (link === undefined || link instanceof EngineError) return desired;
  const type = link.types.get(entry.type)!;
  const value =
    entry.origin === 'Observed' ? desired.value : canonicalSpec(type, desired.value, ownerFor(input, entry.id), link.unsupported[type.type] ?? [], seen);
  return { ...desired, value };
}

/** The entry after this look: Present, with what has settled, its readiness and its pins. It is wanted, so an approval to let it go is over. */
function settle(input: PlanInput, { type, desired, spec }: Wanted, entry: OwnedEntry, seen: Seen, found: Diff): OwnedEntry {
  const { missing: _, sent = {}, approved: __, approvedFor: ___, unmade: ____, ...rest } = entry;
  const open = Object.entries(sent).filter(
    ([path]) => found.travelling.includes(path) || found.stuck.includes(path) || found.changes.some(change => change.path === path),
  );
  const isReady = seen.readiness.ready && desired.notReady === '';
  const whole = seen.readiness.ready && seen.unread.length === 0;
  return {
    ...rest,
    phase: 'Present',
    since: entry.phase === 'Present' ? entry.since : input.now,
    ready: isReady,
    message: seen.readiness.ready ? desired.notReady : seen.readiness.message,
    settled: whole ? { ...found.settled, '': '~' } : found.settled,
    ...(open.length > 0 ? { sent: Object.fromEntries(open) } : {}),
    ...(found.changes.length === 0 ? pinsFor(input, type, spec, entry.origin) : {}),
  };
}

function changeStep(input: PlanInput, { type }: Wanted, entry: OwnedEntry, seen: Seen, desired: Wanted['desired'], found: Diff): Step {
  const contested = found.changes.filter(change => change.cause === 'drift' && isContested(input, entry.id, change));
  const resting = Date.parse(input.now) - Date.parse(entry.changedAt ?? entry.since) < RESEND_MS ? found.stuck : [];
  const send = found.changes.filter(
    change => maySend(input, entry, change) && isCorrectable(type, change) && !contested.includes(change) && !resting.includes(change.path),
  );
  const drift = found.changes.filter(change => change.cause === 'drift' && !send.includes(change));
  const extra: Action[] = [...problems(entry, contested, found), ...notDone(input, entry, desired, found)].map(error => ({ kind: 'blocked', entry, error }));
  const again = input.tried.has(`update ${identityKey(entry)}`);
  if (send.length === 0)
    return {
      entries: [entry],
      actions: [{ kind: 'keep', entry, desired, seen, drift }, ...unseen(entry, found.travelling, nextGlance(input, entry)), ...extra],
    };
  if (again)
    return {
      entries: [entry],
      actions: [
        { kind: 'keep', entry, desired, seen, drift },
        ...unseen(
          entry,
          send.map(change => change.path),
        ),
        ...extra,
      ],
    };
  if (seen.unread.length > 0) return { entries: [entry], actions: [], look: [entry] };
  const kept: Action[] = drift.length > 0 ? [{ kind: 'keep', entry, desired, seen, drift }] : [];
  const left = judge(type, seen, ownerFor(input, entry.id)) === 'predecessor' ? ({ takesBack: true } as const) : {};
  return { entries: [entry], actions: [{ kind: 'update', entry, desired, seen, changes: send, ...left }, ...kept, ...extra] };
}

/** Sent, and the service does not show it yet. */
function unseen(entry: OwnedEntry, paths: readonly string[], until?: string): Action[] {
  return paths.length === 0 ? [] : [{ kind: 'wait', entry, on: entry.id, message: `${[...paths].sort().join(', ')} sent, not visible yet`, until }];
}

/** What takes a quarter of an hour to be seen is not looked for each second. */
function nextGlance(input: PlanInput, entry: OwnedEntry): string {
  const now = Date.parse(input.now);
  return new Date(now + Math.max(1_000, (now - Date.parse(entry.changedAt ?? entry.since)) / 4)).toISOString();
}

const maySend = (input: PlanInput, entry: OwnedEntry, change: Change): boolean =>
  entry.origin !== 'Observed' && input.lifecycle.management === 'Full' && (change.cause === 'changed' || input.lifecycle.drift === 'Correct');

function problems(entry: OwnedEntry, contested: readonly Change[], found: Diff): EngineError[] {
  const list = (paths: readonly string[]): string => [...paths].sort().join(', ');
  const errors: EngineError[] = [];
  if (contested.length > 0)
    errors.push(new EngineError('Contested', `${entry.id}: somebody else keeps changing ${list(contested.map(change => change.path))}`));
  if (found.stuck.length > 0) errors.push(new EngineError('NotConverging', `${entry.id}: ${list(found.stuck)} keeps another value than the one sent`));
  return errors;
}

/** What the claim asks for and does not get. */
function notDone(input: PlanInput, entry: OwnedEntry, desired: Wanted['desired'], found: Diff): EngineError[] {
  if (entry.origin === 'Observed') return [];
  const thing = `${entry.type} ${entry.name}`;
  const isMeant = (change: Change): boolean => change.cause === 'changed' || input.lifecycle.drift === 'Correct';
  const unsent = input.lifecycle.management === 'Full' ? [] : found.changes.filter(isMeant).map(change => change.path);
  const adopt = desired.id === desired.template ? input.lifecycle.adopt[desired.template] : undefined;
  return [
    ...(unsent.length === 0 ? [] : [observeOnly(entry, `${[...unsent].sort().join(', ')} of ${thing} would change`)]),
    ...(adopt === undefined || adopt === entry.name
      ? []
      : [new EngineError('NotAdoptable', `${entry.id} is ${thing} already, so ${adopt} is not adopted`, { hint: 'take the name out of lifecycle.adopt' })]),
  ];
}

/** Three corrections within an hour: then one more try after 5, 10, 20 … minutes, at most an hour apart. */
function isContested(input: PlanInput, id: string, change: Change): boolean {
  const now = Date.parse(input.now);
  const isRecent = (row: DriftRow): boolean =>
    row.resource === id && row.path === change.path && row.correctedAt !== undefined && now - Date.parse(row.correctedAt) < HOUR_MS;
  const times = input.drift.filter(isRecent).map(row => Date.parse(row.correctedAt!));
  if (times.length < CONTESTED_AT) return false;
  return now - Math.max(...times) < Math.min(HOUR_MS, 300_000 * 2 ** (times.length - CONTESTED_AT));
}

function replaceStep(input: PlanInput, wanted: Wanted, entry: OwnedEntry, seen: Seen, fixed: readonly Change[]): Step {
  const fields = fixed.map(change => change.path).join(', ');
  const thing = `${entry.type} ${entry.name}`;
  const kept: OwnedEntry = { ...entry, phase: 'Present', ready: seen.readiness.ready && wanted.desired.notReady === '' };
  if (entry.origin === 'Adopted' || judge(wanted.type, seen, ownerFor(input, entry.id)) === 'predecessor')
    return blocked(entry, new EngineError('Conflict', `${entry.id}: ${thing} exists with another ${fields}, which cannot change`));
  if (seen.unread.length > 0) return { entries: [entry], actions: [], look: [entry] };
  const next = freshEntry(input, wanted, input.inventory);
  const place = next === undefined ? '' : identityKey(next);
  const others = rivals(input, { kind: 'entry', wanted, entry, moved: false });
  const holder = input.inventory.filter(isOwned).find(other => identityKey(other) === place && other.id !== entry.id);
  if (next !== undefined && holder !== undefined) return together({ entries: others, actions: [] }, blocked(kept, heldError(next, holder)));
  const by = next === undefined ? '' : ` by ${next.name}`;
  const why = (old: OwnedEntry): string => `${old.type} ${old.name} would be replaced${by}${old === kept ? `: ${fields} cannot change` : ''}`;
  const refusal = refusalOf(input, [kept, ...others], why, place);
  if (refusal !== undefined) return refusal;
  return { entries: [kept, ...others, ...(next === undefined ? [] : [next])], actions: [{ kind: 'keep', entry: kept, desired: undefined, seen, drift: [] }] };
}
