import { Type } from '@sinclair/typebox';
import { beforeEach, expect, test } from 'vitest';
import { sentDigests } from './diff.ts';
import { EngineError } from './errors.ts';
import { fold } from './fold.ts';
import { identityKey, type Link } from './match.ts';
import { marksOf } from './ownership.ts';
import { type PlanInput, plan } from './plan.ts';
import type { Claim, DesiredResource, JsonObject, Observed, Outcome, OwnedEntry, Plan, Policy, ResourceType } from './types.ts';

// ── a world of three types, told in data ──
const spec = Type.Object({
  size: Type.Integer({ default: 1 }),
  fixed: Type.Optional(Type.String({ plinth: 'immutable' })),
  policy: Type.Optional(Type.String({ removable: true })),
  tier: Type.Optional(Type.String()),
  purge: Type.Optional(Type.Boolean({ plinth: 'delete-only' })),
  tags: Type.Record(Type.String(), Type.String(), { default: {}, plinth: 'shared' }),
});
const make = (type: string, holds: ResourceType['holds']): ResourceType =>
  ({
    type,
    spec,
    holds,
    settleSeconds: 60,
    mark: { as: 'map', at: 'tags' },
    naming: { by: 'template', maxLength: 80, characters: 'A-Za-z0-9_-', unique: 'account' },
  }) as unknown as ResourceType;
const types = new Map([make('t/thing', 'nothing'), make('t/queue', 'backlog'), make('t/store', 'data')].map(type => [type.type, type]));
const link: Link = { scope: 'test:1', types, unsupported: {}, forgetful: false, lifetime: 'Cluster' };
const policy: Policy = {
  swap: 'Approve',
  reclaim: 'Conflict',
  recreateLost: false,
  graceSeconds: 0,
  purgeOnDelete: false,
  deletion: 'Delete',
  drift: 'Correct',
  naming: '',
};
const claim = {
  kind: 'Queue',
  namespace: 'dev',
  name: 'orders',
  uid: 'u1',
  generation: 1,
  annotations: {},
  spec: {},
  lifecycle: {},
  deletionRequested: false,
  hasFinalizer: true,
  version: '1',
  status: { resources: [], drift: [] },
} as unknown as Claim;
const T0 = '2026-01-01T00:00:00.000Z';
const later = (seconds: number): string => new Date(Date.parse(T0) + seconds * 1000).toISOString();
const tags = (id = 'main', uid = 'u1') => marksOf({ instance: 'i', kind: 'Queue', namespace: 'dev', name: 'orders', id, uid });
const want = (value: JsonObject = {}, extra: Partial<DesiredResource> = {}): DesiredResource => ({
  id: 'main',
  template: 'main',
  type: 't/thing',
  config: 'c',
  main: true,
  name: undefined,
  dependsOn: [],
  formerly: [],
  notReady: '',
  value,
  pending: [],
  secrets: [],
  ...extra,
});
const present = (value: JsonObject = {}, extra: Partial<Extract<Observed, { kind: 'present' }>> = {}): Observed => ({
  kind: 'present',
  spec: { size: 1, tags: tags(), ...value },
  unread: [],
  state: {},
  readiness: { ready: true },
  secrets: {},
  ...extra,
});
const absent: Observed = { kind: 'absent' };

let input: PlanInput;
beforeEach(() => {
  input = {
    claim,
    instance: { id: 'i', key: 'k' },
    lifecycle: { deletion: 'Delete', drift: 'Correct', management: 'Full', ignore: {}, adopt: {} },
    policy,
    adoptable: [],
    links: new Map([['c', link]]),
    baseName: () => '',
    now: T0,
    rendering: undefined,
    inventory: [],
    observed: new Map(),
    recorded: new Set(),
    quietSince: later(-3600),
    tried: new Set(),
    drift: [],
    approved: undefined,
    recreate: false,
    abandon: false,
  };
});

const desire = (...resources: DesiredResource[]): PlanInput['rendering'] => ({
  resources,
  undecided: [],
  connection: { value: {}, pending: [], secrets: [] },
  outputs: { value: {}, pending: [], secrets: [] },
});
const see = (...seen: [string, Observed][]): PlanInput['observed'] => new Map(seen);
const key = (name: string, type = 't/thing', scope = 'test:1'): string => identityKey({ scope, type, name });
const kinds = (made: Plan): string[] => made.actions.map(action => (action.kind === 'blocked' ? `blocked ${action.error.code}` : action.kind));
/** The entry of a thing that was made, seen and settled a while ago. */
function entryOf(resource = want(), extra: Partial<OwnedEntry> = {}): OwnedEntry {
  const first = plan({ ...input, rendering: desire(resource) });
  const base = { ...(first.inventory[0] as OwnedEntry), phase: 'Created' as const, since: later(-3600), changedAt: later(-3600) };
  const settled = plan({
    ...input,
    rendering: desire(resource),
    inventory: [base],
    observed: see([identityKey(base), present({ ...resource.value, tags: { ...tags(resource.id), ...(resource.value['tags'] as JsonObject) } })]),
  });
  return { ...(settled.inventory[0] as OwnedEntry), ...extra };
}

// ── coming to be ──
test('a new resource is looked at first, then made', () => {
  const first = plan({ ...input, rendering: desire(want()) });
  expect(first.look.map(entry => entry.name)).toEqual(['dev_orders']);
  expect(first.inventory[0]).toMatchObject({ phase: 'Intended', name: 'dev_orders', deletion: 'Delete', holds: 'nothing' });
  const second = plan({ ...input, rendering: desire(want()), observed: see([key('dev_orders'), absent]) });
  expect(kinds(second)).toEqual(['create']);
  expect(second.actions[0]).toMatchObject({ because: 'new', desired: { value: { size: 1, tags: tags() } } });
});

test('a pending field makes a create wait, and so does a dependency that is not ready', () => {
  const waiting = want({}, { pending: [{ path: 'policy', on: 'dead', message: 'waits for dead' }] });
  expect(kinds(plan({ ...input, rendering: desire(waiting), observed: see([key('dev_orders'), absent]) }))).toEqual(['wait']);
  const dead = want({}, { id: 'dead', template: 'dead', main: false });
  const made = plan({
    ...input,
    rendering: desire(dead, want({}, { dependsOn: ['dead'] })),
    observed: see([key('dev_orders'), absent], [key('dev_orders_dead'), absent]),
  });
  expect(kinds(made)).toEqual(['create', 'wait']);
});

test('each verb is tried once in a pass', () => {
  const observed = see([key('dev_orders'), absent]);
  expect(kinds(plan({ ...input, rendering: desire(want()), observed, tried: new Set([`create ${key('dev_orders')}`]) }))).toEqual(['wait']);
});

test.each([
  ['a foreign thing of that name', present({ tags: tags('main', 'u1') && { 'plinth.dev/uid': 'x' } }), 'blocked Conflict'],
  ['an unmarked thing of that name', present({ tags: {} }), 'blocked Conflict'],
  ['one of an earlier claim that holds nothing', present({ tags: tags('main', 'u0') }), 'update'],
  ['our own, found after a crash', present(), 'keep'],
])('%s', (_, seen, kind) => {
  expect(kinds(plan({ ...input, rendering: desire(want()), observed: see([key('dev_orders'), seen]) }))).toEqual([kind]);
});

test('what an earlier claim left is told to be taken back, a change of our own is not', () => {
  const takes = (seen: Observed): unknown =>
    plan({ ...input, rendering: desire(want({ size: 2 })), observed: see([key('dev_orders'), seen]) }).actions.map(action => 'takesBack' in action);
  expect([takes(present({ tags: tags('main', 'u0') })), takes(present({ size: 1, tags: tags() }))]).toEqual([[true], [false]]);
});

test('one of an earlier claim that holds data is a conflict unless the class says Reuse', () => {
  const store = want({}, { type: 't/store' });
  const observed = see([key('dev_orders', 't/store'), present({ tags: tags('main', 'u0') })]);
  expect(kinds(plan({ ...input, rendering: desire(store), observed }))).toEqual(['blocked Conflict']);
  expect(kinds(plan({ ...input, rendering: desire(store), observed, policy: { ...policy, reclaim: 'Reuse' } }))).toEqual(['update']);
});

test('an unmarked thing under a recorded intention, not older than it, is our own half-made one', () => {
  const [intended] = plan({ ...input, rendering: desire(want()) }).inventory as [OwnedEntry];
  const again = { ...input, rendering: desire(want()), inventory: [intended], recorded: new Set([identityKey(intended)]) };
  const young = see([key('dev_orders'), present({ tags: {} }, { createdAt: T0 })]);
  const old = see([key('dev_orders'), present({ tags: {} }, { createdAt: later(-5) })]);
  expect(kinds(plan({ ...again, observed: young }))).toEqual(['update']);
  expect(kinds(plan({ ...again, observed: old }))).toEqual(['blocked Conflict']);
});

test('a foreign thing made in the very second of our intention, as a service of whole seconds tells it, is not ours, nor deleted', () => {
  const [first] = plan({ ...input, rendering: desire(want()) }).inventory as [OwnedEntry];
  const intended = { ...first, since: T0.replace('.000Z', '.800Z') };
  const again = { ...input, inventory: [intended], recorded: new Set([identityKey(intended)]) };
  const observed = see([key('dev_orders'), present({ tags: {} }, { createdAt: T0 })]);
  expect(kinds(plan({ ...again, rendering: desire(want()), observed }))).toEqual(['blocked Conflict']);
  expect(kinds(plan({ ...again, claim: { ...again.claim, deletionRequested: true }, observed }))).toEqual(['forget']);
});

// ── staying ──
test('nothing changed: keep, and the entry stays as it is', () => {
  const entry = entryOf();
  const made = plan({ ...input, rendering: desire(want()), inventory: [entry], observed: see([identityKey(entry), present()]) });
  expect(kinds(made)).toEqual(['keep']);
  expect(made.inventory).toEqual([entry]);
});

test('an edit outside is drift and put back; under Report it is only told', () => {
  const entry = entryOf();
  const given = { ...input, rendering: desire(want()), inventory: [entry], observed: see([identityKey(entry), present({ size: 9 })]) };
  expect(plan(given).actions).toMatchObject([{ kind: 'update', changes: [{ path: 'size', desired: 1, observed: 9, cause: 'drift' }] }]);
  expect(plan({ ...given, lifecycle: { ...given.lifecycle, drift: 'Report' } }).actions).toMatchObject([{ kind: 'keep', drift: [{ path: 'size' }] }]);
});

test('an unset field moved outside is taken away where the type can, else told', () => {
  const entry = entryOf();
  const given = { ...input, rendering: desire(want()), inventory: [entry] };
  expect(plan({ ...given, observed: see([identityKey(entry), present({ policy: 'open' })]) }).actions).toMatchObject([
    { kind: 'update', changes: [{ path: 'policy', cause: 'drift' }] },
  ]);
  expect(plan({ ...given, observed: see([identityKey(entry), present({ tier: 'x' })]) }).actions).toMatchObject([{ kind: 'keep', drift: [{ path: 'tier' }] }]);
});

test('a change on a quick look asks for a full one before anything is sent', () => {
  const entry = entryOf();
  const made = plan({
    ...input,
    rendering: desire(want({ size: 2 })),
    inventory: [entry],
    observed: see([identityKey(entry), present({}, { unread: ['tags'] })]),
  });
  expect(made.look).toHaveLength(1);
  expect(made.actions).toEqual([]);
});

test('marks gone: nothing is touched', () => {
  const entry = entryOf();
  for (const theirs of [{}, tags('main', 'u2')]) {
    const made = plan({ ...input, rendering: desire(want({ size: 2 })), inventory: [entry], observed: see([identityKey(entry), present({ tags: theirs })]) });
    expect(kinds(made)).toEqual(['blocked MarksGone']);
  }
});

test('a failed read creates and deletes nothing', () => {
  const entry = entryOf();
  const unknown: Observed = { kind: 'unknown', error: new EngineError('Timeout', 'no answer') };
  expect(kinds(plan({ ...input, rendering: desire(want()), inventory: [entry], observed: see([identityKey(entry), unknown]) }))).toEqual(['blocked Timeout']);
  expect(kinds(plan({ ...input, inventory: [entry], observed: see([identityKey(entry), unknown]) }))).toEqual(['blocked Timeout']);
});

test('corrected three times within an hour: contested', () => {
  const entry = entryOf();
  const rows = [1, 2, 3].map(minutes => ({ resource: 'main', path: 'size', detectedAt: T0, correctedAt: later(-60 * minutes) }));
  const made = plan({ ...input, rendering: desire(want()), inventory: [entry], drift: rows, observed: see([identityKey(entry), present({ size: 9 })]) });
  expect(kinds(made)).toEqual(['keep', 'blocked Contested']);
});

// ── getting lost ──
test('a thing that vanished is believed gone when it was missing twice, and made again when it holds no data', () => {
  const entry = entryOf();
  const observed = see([identityKey(entry), absent]);
  const first = plan({ ...input, rendering: desire(want()), inventory: [entry], observed });
  expect(kinds(first)).toEqual(['wait']);
  const second = plan({ ...input, now: later(3), rendering: desire(want()), inventory: first.inventory, observed });
  expect(second.actions).toMatchObject([{ kind: 'create', because: 'gone' }]);
});

test('what held data is lost: told, not made again, unless a person asks or the class allows', () => {
  const store = want({}, { type: 't/store' });
  const entry = entryOf(store, { missing: later(-10) });
  const given = { ...input, rendering: desire(store), inventory: [entry], observed: see([identityKey(entry), absent]) };
  expect(kinds(plan(given))).toEqual(['blocked Lost']);
  expect(kinds(plan({ ...given, recreate: true }))).toEqual(['create']);
  expect(kinds(plan({ ...given, policy: { ...policy, recreateLost: true } }))).toEqual(['create']);
  expect(kinds(plan({ ...given, links: new Map([['c', { ...link, forgetful: true }]]) }))).toEqual(['create']);
});

test('another scope behind the config makes nothing absent', () => {
  const entry = entryOf();
  const moved = { ...input, rendering: desire(want()), inventory: [entry], links: new Map([['c', { ...link, scope: 'test:2' }]]) };
  const made = plan(moved);
  expect(kinds(made)).toEqual(['blocked ScopeChanged']);
  expect(made.held).toHaveLength(1);
  expect(kinds(plan({ ...moved, rendering: undefined }))).toEqual(['blocked ScopeChanged']);
});

// ── being replaced ──
const queue = (value: JsonObject = {}) => want(value, { type: 't/queue' });
test('an immutable change of what holds a backlog waits for approval, then makes before it breaks', () => {
  const entry = entryOf(queue({ fixed: 'a' }));
  const given = { ...input, rendering: desire(queue({ fixed: 'b' })), inventory: [entry], observed: see([identityKey(entry), present({ fixed: 'a' })]) };
  const held = plan(given);
  expect(kinds(held)).toEqual(['blocked SwapPending']);
  expect(held.inventory).toHaveLength(1);
  const approved = plan({ ...given, approved: held.hash });
  expect(approved.inventory).toMatchObject([
    { name: 'dev_orders', approved: held.hash },
    { name: 'dev_orders_1', phase: 'Intended', incarnation: 1 },
  ]);
  const observed = new Map([...given.observed, [key('dev_orders_1', 't/queue'), absent] as const]);
  const next = plan({ ...given, inventory: approved.inventory, observed });
  expect(kinds(next)).toEqual(['create', 'keep']);
  expect(plan({ ...given, approved: 'other' }).held).toHaveLength(1);
});

test('Automatic swaps at once, Refuse never', () => {
  const entry = entryOf(queue({ fixed: 'a' }));
  const given = { ...input, rendering: desire(queue({ fixed: 'b' })), inventory: [entry], observed: see([identityKey(entry), present({ fixed: 'a' })]) };
  expect(plan({ ...given, policy: { ...policy, swap: 'Automatic' } }).inventory).toHaveLength(2);
  expect(kinds(plan({ ...given, policy: { ...policy, swap: 'Refuse' } }))).toEqual(['blocked SwapRefused']);
});

test('what is no longer declared goes only with approval when it holds something', () => {
  const entry = entryOf(queue());
  const given = { ...input, rendering: desire(), inventory: [entry], observed: see([identityKey(entry), present()]) };
  expect(kinds(plan(given))).toEqual(['blocked SwapPending']);
  expect(plan({ ...given, approved: plan(given).hash }).actions).toMatchObject([{ kind: 'keep', desired: undefined }]);
});

test('what is at stake has one hash, in whatever order it is found', () => {
  const [one, two] = [entryOf(queue()), { ...entryOf(queue()), id: 'other', name: 'dev_orders_other' }];
  const observed = see([identityKey(one), present()], [identityKey(two), present({ tags: tags('other') })]);
  const given = { ...input, rendering: desire(), observed };
  expect(plan({ ...given, inventory: [one, two] }).hash).toBe(plan({ ...given, inventory: [two, one] }).hash);
});

test('a plan that must still look at something is not taken for an approved smaller one', () => {
  const [old, hidden] = [{ ...entryOf(queue()), id: 'old', name: 'dev_orders_old' }, entryOf(queue({ fixed: 'a' }))];
  const given = { ...input, rendering: desire(queue({ fixed: 'b' })), inventory: [hidden, old] };
  const observed = see([identityKey(old), present({ tags: tags('old') })], [identityKey(hidden), present({ fixed: 'a' }, { unread: ['tags'] })]);
  const partly = plan({ ...given, observed });
  expect([partly.look.length, partly.held.length]).toEqual([1, 1]);
  expect(plan({ ...given, observed, approved: partly.hash }).held).toHaveLength(1);
});

test('a predecessor that is taken up again becomes the newest of its id', () => {
  const before = entryOf();
  const successor = { ...entryOf(), scope: 'test:2', name: 'dev_orders_1', incarnation: 1, approved: 'yes' };
  const made = plan({ ...input, rendering: desire(want()), inventory: [before, successor], observed: see([identityKey(before), present()]) });
  expect(made.inventory).toMatchObject([
    { name: 'dev_orders', incarnation: 2 },
    { name: 'dev_orders_1', incarnation: 1 },
  ]);
});

test('a renamed id moves the entry when the thing is the same', () => {
  const entry = entryOf();
  const renamed = want({}, { id: 'queue', template: 'queue' });
  const made = plan({ ...input, rendering: desire(renamed), inventory: [entry], observed: see([identityKey(entry), present()]) });
  expect(made.actions[0]).toMatchObject({ kind: 'move', to: { id: 'queue', config: 'c' } });
  expect(made.inventory).toMatchObject([{ id: 'queue', name: 'dev_orders' }]);
  const before = entryOf(want({}, { main: false }));
  const formerly = want({}, { id: 'queue', template: 'queue', main: false, formerly: ['main'] });
  expect(plan({ ...input, rendering: desire(formerly), inventory: [before], observed: see([identityKey(before), present()]) }).inventory).toMatchObject([
    { id: 'queue', name: 'dev_orders_main' },
  ]);
});

test('a forEach in another order touches nothing', () => {
  const items = ['a', 'b'].map(name => want({}, { id: `sub[${name}]`, template: 'sub', main: false }));
  const entries = items.map(item => entryOf(item));
  const observed = see(...entries.map((entry): [string, Observed] => [identityKey(entry), present({ tags: tags(entry.id) })]));
  expect(kinds(plan({ ...input, rendering: desire(...[...items].reverse()), inventory: entries, observed }))).toEqual(['keep', 'keep']);
});

// ── going ──
test('deletion runs against the order of making, and forgets what is gone', () => {
  const dead = entryOf(want({}, { id: 'dead', template: 'dead', main: false }));
  const main = entryOf(want({}, { dependsOn: ['dead'] }));
  const both = see([identityKey(dead), present({ tags: tags('dead') })], [identityKey(main), present()]);
  expect(plan({ ...input, inventory: [dead, main], observed: both }).actions.map(action => [action.kind, action.entry.id])).toEqual([
    ['wait', 'dead'],
    ['delete', 'main'],
  ]);
  const gone = see([identityKey(dead), present({ tags: tags('dead') })], [identityKey(main), absent]);
  expect(kinds(plan({ ...input, inventory: [dead, main], observed: gone }))).toEqual(['delete', 'forget']);
});

test('deletion never touches what is not ours', () => {
  const entry = entryOf();
  expect(plan({ ...input, inventory: [entry], observed: see([identityKey(entry), present({ tags: tags('main', 'u2') })]) }).actions).toMatchObject([
    { kind: 'forget', because: 'not ours' },
  ]);
  const unmarked = { ...input, inventory: [entry], observed: see([identityKey(entry), present({ tags: {} })]) };
  expect(kinds(plan(unmarked))).toEqual(['blocked MarksGone']);
  expect(plan({ ...unmarked, abandon: true }).actions).toMatchObject([{ kind: 'forget', because: 'retained' }]);
});

test('Retain marks the thing as retained, then lets it go', () => {
  const entry = entryOf(want(), { deletion: 'Retain' });
  const first = plan({ ...input, inventory: [entry], observed: see([identityKey(entry), present()]) });
  expect(first.actions).toMatchObject([{ kind: 'update', changes: [{ path: 'tags["plinth.dev/retained"]', desired: 'true' }] }]);
  const second = plan({ ...input, inventory: [entry], observed: see([identityKey(entry), present({ tags: { ...tags(), 'plinth.dev/retained': 'true' } })]) });
  expect(second.actions).toMatchObject([{ kind: 'forget', because: 'retained' }]);
});

test('Retain lets nothing go unnamed because its marking failed, unless a person asks', () => {
  const entry = entryOf(want(), { deletion: 'Retain' });
  const given = { ...input, inventory: [entry], observed: see([identityKey(entry), present()]), tried: new Set([`update ${identityKey(entry)}`]) };
  expect(kinds(plan(given))).toEqual(['wait']);
  expect(kinds(plan({ ...given, abandon: true }))).toEqual(['forget']);
});

test('an abandoned claim lets go what cannot be reached, but not for a failure of a moment', () => {
  const entry = entryOf();
  const links = (code: 'StoreUnavailable' | 'InvalidCredentials') => new Map([['c', new EngineError(code, 'no')]]);
  expect(kinds(plan({ ...input, inventory: [entry], abandon: true, links: links('InvalidCredentials') }))).toEqual(['forget']);
  expect(kinds(plan({ ...input, inventory: [entry], abandon: true, links: links('StoreUnavailable') }))).toEqual(['blocked StoreUnavailable']);
});

test('an entry made a moment ago and not visible is waited for, not dropped', () => {
  for (const phase of ['Created', 'Present', 'Retiring', 'Deleting'] as const) {
    const entry = { ...entryOf(), phase, changedAt: T0 };
    const made = plan({ ...input, inventory: [entry], observed: see([identityKey(entry), absent]) });
    expect(kinds(made), phase).toEqual([phase === 'Deleting' ? 'forget' : 'wait']);
  }
});

test('what was only intended, long ago, may have been tried a moment ago: it is waited for from the last call on', () => {
  const [intended] = plan({ ...input, rendering: desire(want()), observed: see([key('dev_orders'), absent]) }).inventory as OwnedEntry[];
  const given = { ...input, inventory: [intended!], observed: see([identityKey(intended!), absent]), recorded: new Set([identityKey(intended!)]) };
  const goingAt = (seconds: number): Plan => plan({ ...given, quietSince: later(600), now: later(seconds) });
  expect(kinds(goingAt(630))).toEqual(['wait']);
  expect(goingAt(661).actions).toMatchObject([{ kind: 'forget', because: 'never made' }]);
  expect(plan({ ...given, rendering: desire(), quietSince: later(600), now: later(630) }).actions).toMatchObject([{ kind: 'wait' }]);
});

test('a missing provider config holds the deletion; nothing is dropped because of an error', () => {
  const entry = entryOf();
  const links = new Map([['c', new EngineError('InvalidCredentials', 'no')]]);
  expect(kinds(plan({ ...input, inventory: [entry], links }))).toEqual(['blocked InvalidCredentials']);
});

test('what deletion needs is pinned: the options of the spec, else the purge of the class', () => {
  const pins = (value: JsonObject, purgeOnDelete: boolean) =>
    plan({ ...input, policy: { ...policy, purgeOnDelete }, rendering: desire(want(value)) }).inventory;
  expect(pins({}, true)).toMatchObject([{ onDelete: { purge: true } }]);
  expect(pins({ purge: false }, true)).toMatchObject([{ onDelete: { purge: false } }]);
});

// ── adopting ──
test('adoption takes only what the class lists', () => {
  const lifecycle = { ...input.lifecycle, adopt: { main: 'legacy-orders' } };
  const observed = see([key('legacy-orders'), present({ tags: {} })]);
  expect(kinds(plan({ ...input, lifecycle, rendering: desire(want()), observed }))).toEqual(['blocked NotAdoptable']);
  const adoptable = [{ type: 't/thing', name: 'legacy-*' }];
  const made = plan({ ...input, lifecycle, adoptable, rendering: desire(want()), observed });
  expect(made.actions).toMatchObject([{ kind: 'update', entry: { name: 'legacy-orders', origin: 'Adopted', deletion: 'Retain' } }]);
  const foreign = see([key('legacy-orders'), present({ tags: { ...tags(), 'plinth.dev/instance': 'other' } })]);
  expect(kinds(plan({ ...input, lifecycle, adoptable, rendering: desire(want()), observed: foreign }))).toEqual(['blocked NotAdoptable']);
});

test('what has a natural key can only be adopted under it', () => {
  const keyed = { ...make('t/object', 'nothing'), naming: { by: 'key', key: ({ tier }: { tier?: string }) => tier } } as unknown as ResourceType;
  const links = new Map([['c', { ...link, types: new Map([['t/object', keyed]]) }]]);
  const adopting = (adopt: string, desired: DesiredResource): Plan => {
    const observed = see(['test:1|t/object|a', present({ tags: {}, tier: 'a' })], ['test:1|t/object|b', present({ tags: {}, tier: 'b' })]);
    const lifecycle = { ...input.lifecycle, adopt: { main: adopt } };
    return plan({ ...input, links, lifecycle, adoptable: [{ type: 't/object', name: '*' }], rendering: desire(desired), observed });
  };
  const object = (value: JsonObject, extra: Partial<DesiredResource> = {}) => want(value, { type: 't/object', ...extra });
  expect(kinds(adopting('b', object({ tier: 'a' })))).toEqual(['blocked NotAdoptable']);
  expect(adopting('a', object({ tier: 'a' })).actions).toMatchObject([{ kind: 'update', entry: { name: 'a', origin: 'Adopted' } }]);
  const pending = object({}, { pending: [{ path: 'tier', on: 'other', message: 'not there yet' }] });
  expect(kinds(adopting('b', pending))).toEqual(['wait']);
});

test('an observed thing is never changed', () => {
  const lifecycle = { ...input.lifecycle, management: 'ObserveOnly', adopt: { main: 'legacy-orders' } } as const;
  const made = plan({
    ...input,
    lifecycle,
    adoptable: [{ type: 't/thing', name: '*' }],
    rendering: desire(want({ size: 5 })),
    observed: see([key('legacy-orders'), present({ tags: {} })]),
  });
  expect(kinds(made)).toEqual(['keep']);
  expect(plan({ ...input, inventory: made.inventory }).actions).toMatchObject([{ kind: 'forget', because: 'retained' }]);
});

// ── the hash ──
test('the hash is the same while nothing changes, and another for another plan', () => {
  const observed = see([key('dev_orders'), absent]);
  const made = plan({ ...input, rendering: desire(want()), observed });
  expect(plan({ ...input, now: later(5), rendering: desire(want()), observed }).hash).toBe(made.hash);
  expect(
    plan({
      ...input,
      rendering: desire(want({ size: 2 }), want({}, { id: 'b', template: 'b', main: false })),
      observed: see([key('dev_orders'), absent], [key('dev_orders_b'), absent]),
    }).hash,
  ).not.toBe(made.hash);
});

// ── after the calls ──
test('outcomes fold into the inventory; a failed call drops nothing', () => {
  const made = plan({ ...input, rendering: desire(want()), observed: see([key('dev_orders'), absent]) });
  const [action] = made.actions;
  const done: Outcome = { action: action!, at: T0, result: 'done' };
  expect(fold(made.inventory, [done], 'k')).toMatchObject([{ phase: 'Created', changedAt: T0 }]);
  const failed: Outcome = { action: action!, at: T0, result: 'failed', error: new EngineError('Timeout', 'no answer') };
  expect(fold(made.inventory, [failed], 'k')).toMatchObject([{ phase: 'Intended', message: 'no answer' }]);
});

// ── quick looks ──
test('a quick look that hides what is to change, what has drifted, or whose thing it is, is made full', () => {
  const quick = (row: Partial<OwnedEntry> = {}, value: JsonObject = {}): PlanInput => {
    const entry = entryOf(want(), row);
    const seen = present({}, { unread: ['tags'], spec: { size: 1 } });
    return { ...input, rendering: desire(want(value)), inventory: [entry], observed: see([identityKey(entry), seen]) };
  };
  expect(plan(quick()).look).toEqual([]);
  expect(plan(quick({}, { tags: { team: 'shop' } })).look).toHaveLength(1);
  expect(plan(quick({ ready: false })).look).toHaveLength(1);
  const row = { resource: 'main', path: 'tags.team', detectedAt: T0 };
  expect(plan({ ...quick(), drift: [row] }).look).toHaveLength(1);
  expect(plan({ ...quick(), drift: [{ ...row, correctedAt: T0 }] }).look).toEqual([]);
});

test('a provider that refuses the connection says nothing about the thing', () => {
  const entry = entryOf();
  const refused = (code: 'InvalidCredentials' | 'NoProviderConfig'): Plan =>
    plan({ ...input, rendering: desire(want()), inventory: [entry], links: new Map([['c', new EngineError(code, 'no')]]) });
  expect(refused('InvalidCredentials').actions).toMatchObject([{ kind: 'blocked', read: true }]);
  expect(refused('NoProviderConfig').actions[0]).not.toHaveProperty('read');
});

test('a field that takes longer than its type to be seen is not sent again meanwhile, and is looked for less and less often', () => {
  const slow = { ...types.get('t/thing')!, spec: Type.Object({ ...spec.properties, size: Type.Integer({ default: 1, settleSeconds: 900 }) }) };
  const entry = entryOf(want(), { changedAt: T0, sent: sentDigests([{ path: 'size', desired: 5, observed: 1, cause: 'changed' }], [], 'k') });
  const at = (seconds: number) =>
    plan({
      ...input,
      now: later(seconds),
      links: new Map([['c', { ...link, types: new Map([['t/thing', slow]]) }]]),
      rendering: desire(want({ size: 5 })),
      inventory: [entry],
      observed: see([identityKey(entry), present()]),
    }).actions.filter(action => action.kind !== 'keep');
  expect(at(1)).toMatchObject([{ kind: 'wait', until: later(2) }]);
  expect(at(600)).toMatchObject([{ kind: 'wait', message: 'size sent, not visible yet', until: later(750) }]);
  expect(at(900)).toMatchObject([{ kind: 'update' }, { kind: 'blocked', error: { code: 'NotConverging' } }]);
});
