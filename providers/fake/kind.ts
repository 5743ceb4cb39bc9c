/** What all fake types share: one service that stores specs and behaves as they say. */
import { type Static, type TObject, type TProperties, Type } from '@sinclair/typebox';
import {
  applied,
  changedFields,
  type Json,
  type JsonObject,
  type Naming,
  notReady,
  type Present,
  present,
  type Readiness,
  type ResourceType,
  ready,
  resourceType,
  type StringMap,
  type Update,
} from '../../src/sdk.ts';
import { Behaviour } from './behaviour.ts';
import { alive, type Call, type FakeClient, fails, send } from './client.ts';
import { nowMs, type Thing } from './world.ts';

const State = Type.Object({
  address: Type.String({ description: 'Where it is; what other fake types refer to it by.' }),
  name: Type.String({ description: 'Its name.' }),
  items: Type.Integer({ description: 'How much it holds.' }),
  status: Type.Union([Type.Literal('CREATING'), Type.Literal('UPDATING'), Type.Literal('ACTIVE'), Type.Literal('DELETING')], {
    description: 'What it is busy with.',
  }),
});
type State = Static<typeof State>;

export interface Kind<S extends TObject> extends Pick<ResourceType, 'type' | 'description' | 'mark' | 'holds' | 'settleSeconds'> {
  readonly spec: S;
  readonly naming: Naming<Static<S>>;
  readonly examples: readonly Static<S>[];
  /** Fields that a quick look leaves out. */
  readonly costly?: readonly string[];
  /** Fields that the making call does not take. */
  readonly later?: readonly string[];
  /** What the service chooses itself for fields left out. */
  readonly chosen?: JsonObject;
  /** Addresses of other things that the spec names. */
  readonly refersTo?: (spec: JsonObject) => readonly string[];
}

/** Tags in the manner of the real services. */
export const Tags = Type.Record(Type.String(), Type.String(), { default: {}, plinth: 'shared', description: 'Tags; those of others are left alone.' });

/** The fields every fake spec has, beside its own. */
export function fakeSpec<P extends TProperties>(properties: P) {
  return Type.Object({ ...properties, behaviour: Behaviour }, { additionalProperties: false });
}

/** Where a thing of an account is. */
export function addressOf(account: string, type: string, name: string): string {
  return `fake://${account}/${type}/${name}`;
}

/** A resource type of this provider. */
export function fakeType<S extends TObject>(given: Kind<S>): ResourceType {
  const kind = given as unknown as AnyKind;
  return resourceType<S, typeof State, FakeClient>({
    ...given,
    state: State,
    secrets: ['token'],
    observe: (ctx, name) => observe(ctx, kind, name) as Promise<Present<Static<S>, State> & { secrets: StringMap }>,
    create: (ctx, name, spec) => create(ctx, kind, name, spec as JsonObject),
    update: (ctx, name, update) => change(ctx, kind, name, update as unknown as Update),
    delete: (ctx, name, _seen, onDelete) => remove(ctx, kind, name, onDelete as JsonObject),
  });
}

type AnyKind = Kind<TObject>;

function behaviourOf(kind: AnyKind, field: string): string | undefined {
  return (kind.spec.properties[field] as { plinth?: string } | undefined)?.plinth;
}

const pick = (spec: JsonObject, keep: (field: string) => boolean): JsonObject =>
  Object.fromEntries(Object.entries(spec).filter(([field, value]) => value !== undefined && keep(field)));

const isStored = (kind: AnyKind, field: string): boolean => !['secret', 'create-only', 'delete-only'].includes(behaviourOf(kind, field) ?? '');

const hiddenOf = (kind: AnyKind, spec: JsonObject): StringMap => pick(spec, field => behaviourOf(kind, field) === 'secret') as StringMap;

const missing = (type: string, name: string): Error => fails('NotFound', `fake: ${type} ${name} does not exist`);

// ── observe ──

async function observe(ctx: Call, kind: AnyKind, name: string): Promise<Present & { secrets: StringMap }> {
  const { type, costly = [] } = kind;
  const behaviour = alive(ctx.client, type, name)?.behaviour;
  return await send(ctx, { verb: 'observe', operation: 'Describe', type, name, behaviour }, () => {
    const thing = alive(ctx.client, type, name);
    const now = nowMs(ctx.client.world);
    if (thing === undefined || now < thing.createdMs + (thing.behaviour.visibleAfterMs ?? 0)) throw missing(type, name);
    look(thing);
    const unread = ctx.depth === 'quick' ? costly.filter(field => kind.spec.properties[field] !== undefined) : [];
    const status = statusOf(thing, now);
    const state = { address: addressOf(ctx.client.settings.account, type, name), name, items: thing.items, status };
    const spec = structuredClone(pick(thing.spec, field => !unread.includes(field)));
    return present(spec, state, readinessOf(thing, status, now), {
      secrets: { token: thing.token },
      unread,
      createdAt: new Date(thing.createdMs).toISOString(),
    });
  });
}

/** Somebody else changes a field, once, when it was looked at often enough. */
function look(thing: Thing): void {
  thing.looks += 1;
  const { drift } = thing.behaviour;
  if (drift?.afterLooks === thing.looks) thing.spec = { ...thing.spec, [drift.field]: drift.value as Json };
}

function statusOf({ behaviour, createdMs, changedMs, deletingMs }: Thing, now: number): State['status'] {
  if (deletingMs !== undefined) return 'DELETING';
  if (now < createdMs + (behaviour.creatingMs ?? 0)) return 'CREATING';
  return changedMs > createdMs && now < changedMs + (behaviour.updatingMs ?? 0) ? 'UPDATING' : 'ACTIVE';
}

function readinessOf({ behaviour, createdMs, looks }: Thing, status: State['status'], now: number): Readiness {
  if (status === 'DELETING') return notReady('Deleting', 'is being deleted');
  if (status === 'CREATING') return notReady('Creating', 'is being made');
  if (now < createdMs + (behaviour.readyAfterMs ?? 0)) return notReady('Starting', 'is starting');
  return looks <= (behaviour.readyAfterLooks ?? 0) ? notReady('Starting', 'is starting') : ready;
}

// ── create, update, delete ──

async function create(ctx: Call, kind: AnyKind, name: string, spec: JsonObject): Promise<void> {
  const { type, later = [], chosen = {} } = kind;
  const behaviour = (spec['behaviour'] ?? {}) as unknown as Behaviour;
  await send(ctx, { verb: 'create', operation: 'Create', type, name, behaviour }, things => {
    if (alive(ctx.client, type, name) !== undefined) throw fails('AlreadyExists', `fake: ${type} ${name} exists`);
    const now = nowMs(ctx.client.world);
    const stored = structuredClone(pick(spec, field => isStored(kind, field) && !later.includes(field)));
    checkReferences(ctx, kind, stored);
    const thing = {
      type,
      name,
      spec: { ...chosen, ...stored },
      hidden: hiddenOf(kind, spec),
      token: `token-of-${name}`,
      behaviour,
      createdMs: now,
      changedMs: now,
    };
    things.set(`${type} ${name}`, { ...thing, deletingMs: undefined, looks: 0, items: 0 });
  });
}

function checkReferences({ client }: Call, { refersTo }: AnyKind, spec: JsonObject): void {
  for (const address of refersTo?.(spec) ?? []) {
    const [account, family, thing, name] = address.replace('fake://', '').split('/');
    const found = account === client.settings.account && alive(client, `${family}/${thing}`, name ?? '') !== undefined;
    if (!found) throw fails('DependencyMissing', `fake: there is nothing at ${address}`);
  }
}

/** One call for what the making call takes; one for each other field, as services have it. */
async function change(ctx: Call, kind: AnyKind, name: string, update: Update): Promise<void> {
  const fields = [...changedFields(update.changes)];
  const later = fields.filter(field => kind.later?.includes(field));
  const main = fields.filter(field => !later.includes(field));
  if (main.length > 0) await put(ctx, kind, name, 'Update', main, update);
  for (const field of later) await put(ctx, kind, name, `Put${field[0]?.toUpperCase()}${field.slice(1)}`, [field], update);
}

async function put(ctx: Call, kind: AnyKind, name: string, operation: string, fields: readonly string[], update: Update): Promise<void> {
  const { type } = kind;
  const behaviour = alive(ctx.client, type, name)?.behaviour;
  await send(ctx, { verb: 'update', operation, type, name, behaviour }, () => {
    const thing = alive(ctx.client, type, name);
    if (thing === undefined) throw missing(type, name);
    const now = nowMs(ctx.client.world);
    if (statusOf(thing, now) !== 'ACTIVE') throw fails('Busy', `fake: ${type} ${name} is ${statusOf(thing, now)}`);
    const fixed = fields.find(field => behaviourOf(kind, field) === 'immutable');
    if (fixed !== undefined) throw fails('InvalidRequest', `fake: ${fixed} of ${type} ${name} cannot change`);
    const next = withChanges(kind, thing.spec, fields, update);
    checkReferences(ctx, kind, next);
    thing.spec = next;
    thing.hidden = {
      ...thing.hidden,
      ...hiddenOf(
        kind,
        pick(update.spec, field => fields.includes(field)),
      ),
    };
    thing.changedMs = now;
  });
}

/** Only what changes: leaves of the fields named, on top of what is stored by now. */
function withChanges(kind: AnyKind, stored: JsonObject, fields: readonly string[], { changes }: Update): JsonObject {
  const { chosen = {} } = kind;
  const mine = changes.filter(({ path }) => fields.some(field => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`)));
  const next = applied({ seen: { spec: structuredClone(stored) }, changes: mine }) as JsonObject;
  return { ...chosen, ...pick(next, field => isStored(kind, field)) };
}

/** Takes some steps when there is much to remove first; resumable. */
const PURGED_PER_CALL = 100;

async function remove(ctx: Call, kind: AnyKind, name: string, onDelete: JsonObject): Promise<void> {
  const { type } = kind;
  const behaviour = alive(ctx.client, type, name)?.behaviour;
  await send(ctx, { verb: 'delete', operation: 'Delete', type, name, behaviour }, things => {
    const thing = alive(ctx.client, type, name);
    if (thing === undefined) throw missing(type, name);
    if (thing.spec['protect'] === true) throw fails('Protected', `fake: ${type} ${name} is protected`);
    if (thing.items > 0 && kind.holds === 'data' && onDelete['purge'] !== true) throw fails('NotEmpty', `fake: ${type} ${name} holds items`);
    if (kind.holds === 'data') thing.items = Math.max(0, thing.items - PURGED_PER_CALL);
    if (thing.items > 0 && kind.holds === 'data') throw fails('Purging', `fake: ${type} ${name} still holds items`);
    thing.deletingMs ??= nowMs(ctx.client.world);
    if ((thing.behaviour.deletingMs ?? 0) === 0) things.delete(`${type} ${name}`);
  });
}
