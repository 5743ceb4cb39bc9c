/** What the admins of the simulation write: three claim kinds on the fake provider, with variants, mistakes and policies. */
import type { JsonObject } from '../../src/core/types.ts';
import { object } from '../support.ts';

export const NAMESPACE = 'dev';
export const PASSWORD = 'sekret-of-the-admin';
export const WORLD = 'simulation';

export type Kind = 'Line' | 'Topic' | 'Shelf';
export const KINDS: readonly Kind[] = ['Line', 'Topic', 'Shelf'];

const address = { type: 'string', description: 'Address.' };

function definition(kind: Kind, properties: JsonObject, keys: JsonObject, outputs: readonly string[]): JsonObject {
  return object('ClaimDefinition', `${kind.toLowerCase()}s.plinth.dev`, {
    kind,
    plural: `${kind.toLowerCase()}s`,
    schema: { type: 'object', properties },
    connection: { type: kind.toLowerCase(), keys },
    outputs: { type: 'object', required: [...outputs], properties: Object.fromEntries(outputs.map(name => [name, address])) },
  });
}

export const DEFINITIONS: readonly JsonObject[] = [
  definition(
    'Line',
    {
      fifo: { type: 'boolean', default: false },
      visibility: { type: 'integer', minimum: 0, maximum: 100 },
      deadLetter: { type: 'object', required: ['maxReceives'], properties: { maxReceives: { type: 'integer', minimum: 1, maximum: 1000 } } },
      topics: { type: 'array', default: [], items: { type: 'string' } },
      weight: { type: 'integer', default: 1, minimum: 0, maximum: 100 },
    },
    { uri: {}, token: {} },
    ['address'],
  ),
  definition(
    'Topic',
    {
      size: { type: 'integer', default: 1, minimum: 0, maximum: 1000 },
      sort: { type: 'string', enum: ['plain', 'special'], default: 'plain' },
      label: { type: 'string', minLength: 1, maxLength: 20 },
      notes: { type: 'array', default: [], items: { type: 'string' } },
    },
    { uri: {} },
    ['address', 'name'],
  ),
  definition('Shelf', { region: { type: 'string', default: 'here', maxLength: 20 }, versioned: { type: 'boolean', default: false } }, { uri: {}, token: {} }, [
    'address',
  ]),
];

/** How things behave; taken when they are made. */
const PACES: Readonly<Record<Pace, JsonObject>> = {
  quick: {},
  slow: { creatingMs: 3_000, updatingMs: 2_000, deletingMs: 4_000 },
  late: { visibleAfterMs: 1_500, readyAfterMs: 4_000 },
};
export type Pace = 'quick' | 'slow' | 'late';
/** base · renamed: ids moved by `formerly` · cut: other ids without `formerly` · more: one resource more · broken: does not compile */
export type Shape = 'base' | 'renamed' | 'cut' | 'more' | 'broken';
export const SHAPES: readonly Shape[] = ['base', 'renamed', 'cut', 'more', 'broken'];
export interface Variant {
  readonly shape: Shape;
  readonly pace: Pace;
}

/** The id a template of the base goes by in a shape. */
export function idIn(shape: Shape, id: string): string {
  if (id === 'deadLetter' && (shape === 'renamed' || shape === 'cut')) return shape === 'renamed' ? 'dead' : 'rest';
  if (id === 'note' && (shape === 'renamed' || shape === 'cut')) return shape === 'renamed' ? 'remark' : 'memo';
  return id;
}

const extra = (behaviour: JsonObject): JsonObject => ({ id: 'extra', type: 'fake/thing', spec: { size: 7, behaviour } });

function lineSpec({ shape, pace }: Variant): JsonObject {
  const behaviour = PACES[pace];
  const dead = idIn(shape, 'deadLetter');
  const formerly = shape === 'renamed' ? { formerly: ['deadLetter', 'rest'] } : shape === 'base' || shape === 'more' ? { formerly: ['dead'] } : {};
  const spec = {
    fifo: '${claim.spec.fifo}',
    visibilityTimeoutSeconds: '${claim.spec.?visibility}',
    delaySeconds: '${parameters.delay}',
    deadLetter: { address: `\${${dead}.state.address}`, maxReceives: '${claim.spec.?deadLetter.maxReceives}' },
    behaviour,
    ...(shape === 'broken' ? { nonsense: 1 } : {}),
  };
  return {
    claim: 'Line',
    parameters: { type: 'object', properties: { delay: { type: 'integer', default: 0, minimum: 0, maximum: 900 } } },
    references: [{ id: 'topics', claim: 'Topic', forEach: '${claim.spec.topics}', name: '${each}' }],
    resources: [
      { id: dead, type: 'fake/queue', includeWhen: '${has(claim.spec.deadLetter)}', ...formerly, spec: { fifo: '${claim.spec.fifo}', behaviour } },
      { id: 'queue', main: true, type: 'fake/queue', spec },
      {
        id: 'link',
        forEach: '${topics}',
        key: '${each.name}',
        type: 'fake/link',
        spec: { from: '${queue.state.address}', to: '${each.outputs.name}', weight: '${claim.spec.weight}' },
      },
      ...(shape === 'more' ? [extra(behaviour)] : []),
    ],
    connection: { uri: '${queue.state.address}', token: '${queue.secret.token}' },
    outputs: { address: '${queue.state.address}' },
  };
}

function topicSpec({ shape, pace }: Variant): JsonObject {
  const behaviour = PACES[pace];
  const note = idIn(shape, 'note');
  const formerly = shape === 'renamed' ? { formerly: ['note', 'memo'] } : shape === 'base' || shape === 'more' ? { formerly: ['remark'] } : {};
  return {
    claim: 'Topic',
    resources: [
      {
        id: 'topic',
        main: true,
        type: 'fake/thing',
        spec: { size: '${claim.spec.size}', kind: '${claim.spec.sort}', label: '${claim.spec.?label}', password: '${vault.secret.token}', behaviour },
      },
      { id: 'vault', type: 'fake/thing', spec: { size: shape === 'broken' ? 'big' : 2 } },
      { id: note, forEach: '${claim.spec.notes}', key: '${each}', type: 'fake/note', ...formerly, spec: { body: '${each}' } },
      ...(shape === 'more' ? [extra(behaviour)] : []),
    ],
    connection: { uri: '${topic.state.address}' },
    outputs: { address: '${topic.state.address}', name: '${topic.state.name}' },
  };
}

function shelfSpec({ shape, pace }: Variant): JsonObject {
  const behaviour = PACES[pace];
  return {
    claim: 'Shelf',
    resources: [
      {
        id: 'store',
        main: true,
        type: 'fake/store',
        spec: { region: '${claim.spec.region}', versioned: '${claim.spec.versioned}', behaviour, ...(shape === 'broken' ? { regon: 'x' } : {}) },
      },
      ...(shape === 'more' ? [extra(behaviour)] : []),
    ],
    connection: { uri: '${store.state.address}', token: '${store.secret.token}' },
    outputs: { address: '${store.state.address}' },
  };
}

/** The composition of a kind, in a variant. */
export function composition(kind: Kind, variant: Variant): JsonObject {
  const spec = { Line: lineSpec, Topic: topicSpec, Shelf: shelfSpec }[kind](variant);
  return object('Composition', kind.toLowerCase(), spec);
}

export interface Policies {
  readonly swap: 'Approve' | 'Automatic' | 'Refuse';
  readonly reclaim: 'Conflict' | 'Reuse';
  readonly graceSeconds: number;
  readonly deletion: 'Delete' | 'Retain';
  readonly drift: 'Correct' | 'Report';
  readonly purgeOnDelete: boolean;
  readonly recreateLost: boolean;
}
export const GOOD: Policies = {
  swap: 'Approve',
  reclaim: 'Conflict',
  graceSeconds: 5,
  deletion: 'Delete',
  drift: 'Correct',
  purgeOnDelete: true,
  recreateLost: false,
};

/** The one default class. `without`: a kind it does not implement. */
export function environmentClass(policies: Policies, delay: number, without?: Kind): JsonObject {
  const implementations = KINDS.filter(kind => kind !== without).map(kind => ({
    claim: kind,
    composition: kind.toLowerCase(),
    configs: { fake: 'cloud' },
    parameters: kind === 'Line' ? { delay } : {},
  }));
  return object('EnvironmentClass', 'std', { default: true, implementations, policies: { ...policies } });
}

/** A second class that is marked default, by mistake. */
export const RIVAL: JsonObject = object('EnvironmentClass', 'rival', { default: true, implementations: [] });

/** Where the things are. */
export function providerConfig(account: string): JsonObject {
  return object('ProviderConfig', 'cloud', { provider: 'fake', settings: { world: WORLD, account, password: PASSWORD } });
}

/** A claim as a service owner writes it. */
export function claimObject(kind: Kind, name: string, spec: JsonObject): JsonObject {
  return object(kind, name, spec, NAMESPACE);
}
