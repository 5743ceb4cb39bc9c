/** Desired against observed, leaf by leaf: what to change, what drifted, what has settled. Pure. */
import { digest, equal } from './digest.ts';
import { isMark } from './ownership.ts';
import { at, head, isUnder, join, leaves, split } from './paths.ts';
import { behaviourOf, fieldSettleSeconds, isRemovable } from './schema.ts';
import type { Change, Digest, FieldBehaviour, Json, JsonObject, Path, Present, ResourceType, SecretLeaf } from './types.ts';

export interface DiffInput {
  readonly type: ResourceType;
  /** Canonical: marked, defaulted, normalised. Pending fields are left out and named in `pending`. */
  readonly desired: JsonObject;
  readonly pending: readonly Path[];
  readonly secrets: readonly SecretLeaf[];
  /** Its spec normalised. */
  readonly seen: Present;
  readonly settled: Readonly<Record<Path, Digest>>;
  readonly sent: Readonly<Record<Path, Digest>>;
  /** Since our own last change; Infinity when there was none. Within its settle time a field does not drift, and is not sent again. */
  readonly quietMs: number;
  /** Ours, and nobody knows what we set before (a record that was lost): what stands there and is not desired is taken for ours. */
  readonly pastUnknown?: boolean;
  /** Paths never treated as drift. */
  readonly ignore: readonly Path[];
  /** The instance's HMAC key. */
  readonly key: string;
}
export interface Diff {
  /** To be sent, or reported; immutable ones included. */
  readonly changes: readonly Change[];
  readonly settled: Readonly<Record<Path, Digest>>;
  /** Still on their way: sent within the settle time and not seen yet. */
  readonly travelling: readonly Path[];
  /** Sent before, the settle time is over, and still another value is seen. */
  readonly stuck: readonly Path[];
}
interface Leaf {
  readonly changes: Change[];
  readonly settled: Record<Path, Digest>;
  readonly travelling: Path[];
  readonly stuck: Path[];
}

const UNSET = '~';
const NEVER_COMPARED: ReadonlySet<FieldBehaviour | undefined> = new Set(['create-only', 'delete-only', 'secret']);

/** Compares every leaf. A field that the look left unread, or that is pending, is neither compared nor judged. */
export function diff(input: DiffInput): Diff {
  const out: Leaf = { changes: [], settled: { ...input.settled }, travelling: [], stuck: [] };
  const wanted = leaves(input.desired);
  for (const [path, value] of wanted) if (isCompared(input, path)) compareLeaf(input, out, path, value);
  for (const leaf of input.secrets) compareSecret(input, out, leaf);
  const owned = wanted.map(([path]) => path);
  for (const [path, value] of leaves(input.seen.spec as JsonObject)) {
    if (isCompared(input, path) && !covers(input.desired, path)) compareUnset(input, out, path, value);
  }
  forgetOld(input, out, owned);
  return out;
}

/** True when a field that the look left unread is to change: what we want there is not what we saw there last, or not what we sent last. */
export function isUnreadChanged(input: Pick<DiffInput, 'type' | 'desired' | 'pending' | 'seen' | 'settled' | 'sent' | 'key'>): boolean {
  const { unread } = input.seen;
  if (unread.length === 0) return false;
  const isMeant = (path: Path): boolean =>
    unread.includes(head(path)) &&
    !NEVER_COMPARED.has(behaviourOf(input.type.spec, head(path))) &&
    !input.pending.some(pending => isUnder(path, pending) || isUnder(pending, path));
  const isAnother = (path: Path, value: Json): boolean => {
    const mine = digest(input.key, value);
    return input.settled[path] !== mine || (input.sent[path] !== undefined && input.sent[path] !== mine);
  };
  if (leaves(input.desired).some(([path, value]) => isMeant(path) && isAnother(path, value))) return true;
  return Object.entries(input.settled).some(([path, value]) => path !== '' && !value.startsWith(UNSET) && isMeant(path) && !covers(input.desired, path));
}

/** True when the path needs another thing to change: an immutable field of the type. */
export function isImmutable(type: ResourceType, path: Path): boolean {
  return behaviourOf(type.spec, head(path)) === 'immutable';
}

/** True when leaving the field out takes it away, so that an outside value can be corrected. */
export function isCorrectable(type: ResourceType, change: Change): boolean {
  return (
    change.desired !== undefined ||
    change.secret === true ||
    isRemovable(type.spec, head(change.path)) ||
    behaviourOf(type.spec, head(change.path)) === 'shared'
  );
}

/** How long a top-level field may show an old value: at least as long as its type, and not at all where the type settles at once. */
export function settleSecondsOf({ spec, settleSeconds }: ResourceType, field: string): number {
  return settleSeconds === 0 ? 0 : Math.max(settleSeconds, fieldSettleSeconds(spec, field));
}

function isCompared(input: DiffInput, path: Path): boolean {
  const field = head(path);
  if (input.seen.unread.includes(field) || NEVER_COMPARED.has(behaviourOf(input.type.spec, field))) return false;
  const waits = input.pending.some(pending => isUnder(path, pending) || isUnder(pending, path) || isHalf(input, path, pending));
  return !waits && !input.secrets.some(secret => isUnder(path, secret.path));
}

/** True when both lie in a mapping that is not there yet: it is made whole or not at all. */
function isHalf({ seen }: DiffInput, path: Path, pending: Path): boolean {
  const [mine, theirs] = [split(path), split(pending)];
  const common = mine.findIndex((segment, index) => segment !== theirs[index]);
  return mine.slice(0, common).some((_, index) => at(seen.spec as JsonObject, mine.slice(0, index + 1).reduce<Path>(join, '')) === undefined);
}

/** True when a desired leaf that is not a mapping stands at the path or above it. */
function covers(desired: JsonObject, path: Path): boolean {
  let current: Json | undefined = desired;
  for (const segment of split(path)) {
    if (current === null || typeof current !== 'object' || Array.isArray(current)) return true;
    current = current[segment];
    if (current === undefined) return false;
  }
  return current === null || typeof current !== 'object' || Array.isArray(current);
}

const isEmptyMap = (value: Json): boolean => value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0;

function compareLeaf(input: DiffInput, out: Leaf, path: Path, desired: Json): void {
  const observed = at(input.seen.spec as JsonObject, path);
  const mine = digest(input.key, desired);
  if (equal(desired, observed) || isEmptyMap(desired)) {
    const sent = input.sent[path];
    // What is seen is older than what was sent last, which would come to be after all.
    if (sent !== undefined && sent !== mine && isSettling(input, path)) out.changes.push({ path, desired, observed, cause: 'changed' });
    out.settled[path] = mine;
    return;
  }
  const cause = input.settled[path] === mine ? 'drift' : 'changed';
  if (cause === 'drift' && (isSettling(input, path) || isIgnored(input, path))) return;
  if (cause === 'changed' && input.sent[path] === mine) {
    if (isSettling(input, path)) {
      out.travelling.push(path);
      return;
    }
    out.stuck.push(path);
  }
  out.changes.push({ path, desired, observed, cause });
}

/** What cannot be read back is compared with what we wrote last. */
function compareSecret(input: DiffInput, out: Leaf, leaf: SecretLeaf): void {
  if (input.settled[leaf.path] === leaf.digest) return;
  if (input.sent[leaf.path] === leaf.digest) {
    out.settled[leaf.path] = leaf.digest;
    return;
  }
  out.changes.push({ path: leaf.path, desired: undefined, observed: undefined, cause: 'changed', secret: true });
}

/** A leaf that is there and that we do not set. */
function compareUnset(input: DiffInput, out: Leaf, path: Path, observed: Json): void {
  const field = head(path);
  const behaviour = behaviourOf(input.type.spec, field);
  const before = input.settled[path];
  const wasOurs = before !== undefined && !before.startsWith(UNSET);
  if (behaviour === 'left-alone-unset' && input.desired[field] === undefined && !wasOurs) return;
  if (behaviour === 'shared' && (!wasOurs || isMark(lastKey(path)))) return;
  if (wasOurs) {
    if (isSettling(input, path) && input.sent[path] === UNSET) out.travelling.push(path);
    else out.changes.push({ path, desired: undefined, observed, cause: 'changed' });
    return;
  }
  const now = UNSET + digest(input.key, observed);
  if (before === now || isEmptyMap(observed)) return;
  if (before === UNSET || (input.pastUnknown === true && isRemovable(input.type.spec, field) && !isIgnored(input, path))) {
    takeAway(input, out, path, observed, now);
    return;
  }
  if (input.settled[''] === undefined || isSettling(input, path)) out.settled[path] = now;
  else if (!isIgnored(input, path)) out.changes.push({ path, desired: undefined, observed, cause: 'drift' });
}

/** Perhaps ours from before: noted as a bare `~` until it is gone, or has been sent away and stays: then it is what the service gives by itself. */
function takeAway(input: DiffInput, out: Leaf, path: Path, observed: Json, now: Digest): void {
  out.settled[path] = UNSET;
  if (input.sent[path] !== UNSET) out.changes.push({ path, desired: undefined, observed, cause: 'changed' });
  else if (isSettling(input, path)) out.travelling.push(path);
  else out.settled[path] = now;
}

const isSettling = ({ type, quietMs }: DiffInput, path: Path): boolean => quietMs < settleSecondsOf(type, head(path)) * 1000;
const lastKey = (path: Path): string => String(split(path).at(-1));

function isIgnored(input: DiffInput, path: Path): boolean {
  return !isMark(lastKey(path)) && input.ignore.some(ignored => isUnder(path, ignored));
}

/** Leaves that are neither desired nor there need no digest any more. */
function forgetOld(input: DiffInput, out: Leaf, owned: readonly Path[]): void {
  const kept = new Set<Path>([...owned, '', ...input.secrets.map(secret => secret.path)]);
  for (const path of Object.keys(out.settled)) {
    if (kept.has(path) || !isCompared(input, path)) continue;
    if (at(input.seen.spec as JsonObject, path) === undefined) delete out.settled[path];
  }
}

/** Digests of what an update is about to send, by path; a removal is kept as `~`. */
export function sentDigests(changes: readonly Change[], secrets: readonly SecretLeaf[], key: string): Record<Path, Digest> {
  return Object.fromEntries(
    changes.map(change => {
      const secret = secrets.find(leaf => leaf.path === change.path);
      return [change.path, secret?.digest ?? (change.desired === undefined ? UNSET : digest(key, change.desired))];
    }),
  );
}
