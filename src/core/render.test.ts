import { Type } from '@sinclair/typebox';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tries } from '../../test/tries.ts';
import { compile } from './composition.ts';
import { NO_ENVIRONMENT } from './environment.ts';
import type { EngineError } from './errors.ts';
import { compileNaming, compileSettings, fill, referralsOf, render, renderSettings, renderText } from './render.ts';
import type { ClaimDefinition, Composition, Json, JsonObject, ReferencedClaim, Rendered, RenderScope, ResourceType, ResourceView } from './types.ts';

const text = Type.Optional(Type.String());
const types = new Map(
  [
    {
      type: 'x/queue',
      spec: Type.Object({
        fifo: Type.Optional(Type.Boolean()),
        delay: Type.Optional(Type.Integer()),
        label: text,
        deadLetter: Type.Optional(Type.Object({ arn: Type.String(), max: Type.Integer() })),
        allow: Type.Optional(Type.Array(Type.String())),
        password: Type.Optional(Type.String({ plinth: 'secret' })),
        users: Type.Optional(Type.Array(Type.Object({ name: Type.String(), password: text }), { plinth: 'secret' })),
      }),
      state: Type.Object({ arn: Type.String(), url: Type.String(), count: Type.Integer(), endpoint: text, parts: Type.Optional(Type.Array(Type.String())) }),
      secrets: ['key', 'extra'],
      mark: { as: 'key' },
    } as unknown as ResourceType,
  ].map(type => [type.type, type]),
);
const string = { type: 'string' };
const definitions = ['Queue', 'Topic'].map(
  kind =>
    ({
      kind,
      schema: {
        type: 'object',
        properties: {
          fifo: { type: 'boolean', default: false },
          topic: string,
          deadLetter: { type: 'object', required: ['max'], properties: { max: { type: 'integer' } } },
          topics: { type: 'array', default: [], items: { type: 'object', required: ['topic'], properties: { topic: string, label: string } } },
        },
      },
      connection: { type: 'x', keys: { uri: { optional: true }, key: { optional: true } } },
      outputs: { type: 'object', properties: { arn: string, url: string }, required: [] },
    }) as unknown as ClaimDefinition,
);
type Resource = Partial<Composition['resources'][number]> & { id: string };
function compiled(resources: readonly Resource[], more: Partial<Composition> = {}): ReturnType<typeof compile> {
  const base = { name: 'test', claim: 'Queue', parameters: { type: 'object', properties: { wait: { type: 'integer', default: 3 } } } };
  const source = {
    ...base,
    references: [],
    connection: {},
    outputs: {},
    resources: resources.map(resource => ({ type: 'x/queue', spec: {}, ...resource })),
    ...more,
  };
  return compile(source as unknown as Composition, definitions, types);
}
const view = (state: JsonObject | undefined, secret = {}): ResourceView => ({ state, ready: true, secret });
const there = (id: string): ResourceView => view({ arn: `arn:${id}`, url: `http://${id}`, count: 1 });
function scope(spec: JsonObject = {}, more: Partial<RenderScope> = {}): RenderScope {
  const full = { fifo: false, topics: [], ...spec };
  const claim = { kind: 'Queue', namespace: 'dev', name: 'orders', spec: full };
  return { claim, class: 'c', parameters: {}, environment: NO_ENVIRONMENT, references: {}, resources: {}, ...more };
}
const topic = (name: string, more: Partial<ReferencedClaim> = {}): ReferencedClaim => ({
  kind: 'Topic',
  name,
  item: { topic: name },
  ready: true,
  outputs: { arn: `arn:${name}` },
  reason: '',
  ...more,
});
const configs = { x: 'config' };
const run = (resources: readonly Resource[], at: RenderScope, more: Partial<Composition> = {}) => render(compiled(resources, more), at, configs);

const DEAD: Resource = { id: 'dead', includeWhen: '${has(claim.spec.deadLetter)}' };
const QUEUE: Resource = {
  id: 'queue',
  main: true,
  spec: { fifo: '${claim.spec.fifo}', deadLetter: { arn: '${dead.state.arn}', max: '${claim.spec.?deadLetter.max}' } },
};

test('none leaves a field out, and a mapping emptied by it', () => {
  const { resources } = run([DEAD, QUEUE], scope());
  expect(resources.map(({ id, value, pending, config }) => ({ id, value, pending, config }))).toEqual([
    { id: 'queue', value: { fifo: false }, pending: [], config: 'config' },
  ]);
});

test('what is not there yet is pending, with what it waits for', () => {
  const { resources } = run([DEAD, QUEUE], scope({ deadLetter: { max: 5 } }));
  expect(resources[1]).toMatchObject({
    value: { fifo: false, deadLetter: { max: 5 } },
    pending: [{ path: 'deadLetter.arn', on: 'dead', message: 'waiting for resource dead to be there' }],
    dependsOn: ['dead'],
  });
  const half = run([DEAD, QUEUE], scope({ deadLetter: { max: 5 } }, { resources: { dead: view({ url: 'u' }) } }));
  expect(half.resources[1]!.pending[0]!.message).toBe('waiting for resource dead to tell its arn');
  const whole = run([DEAD, QUEUE], scope({ deadLetter: { max: 5 } }, { resources: { dead: there('dead') } }));
  expect(whole.resources[1]).toMatchObject({ value: { deadLetter: { arn: 'arn:dead', max: 5 } }, pending: [] });
});

test('an optional state field is pending while the thing is not there, and none afterwards', () => {
  const resources = [{ id: 'a' }, { id: 'b', spec: { label: '${a.state.?endpoint}' } }];
  expect(run(resources, scope()).resources[1]!.pending).toHaveLength(1);
  expect(run(resources, scope({}, { resources: { a: there('a') } })).resources[1]).toMatchObject({ value: {}, pending: [] });
});

test('optional reads of what is excluded see nothing; plain ones make the whole none', () => {
  const spec = { label: '${dead.?state.arn.orValue("no")}', delay: '${has(claim.spec.deadLetter) ? dead.state.count : 7}', allow: ['${dead.state.arn}', 'k'] };
  expect(run([DEAD, { id: 'q', spec }], scope()).resources[0]!.value).toEqual({ label: 'no', delay: 7, allow: ['k'] });
});

test('a list with a pending item is pending as a whole', () => {
  const { pending, value } = run([{ id: 'a' }, { id: 'b', spec: { allow: ['x', '${a.state.arn}'] } }], scope()).resources[1]!;
  expect({ pending: pending.map(item => item.path), value }).toEqual({ pending: ['allow'], value: {} });
});

const REFERENCES = { references: [{ id: 'topics', claim: 'Topic', forEach: '${claim.spec.topics}', name: '${each.topic}' }] };
const LINK: Resource = { id: 'link', forEach: '${topics}', key: '${each.name}', spec: { label: '${each.item.?label}', allow: ['${each.outputs.?arn}'] } };

test('forEach over referred claims: ids carry the key', () => {
  const at = scope(
    {},
    { references: { topics: [topic('a', { item: { topic: 'a', label: 'l' } }), topic('b', { ready: false, outputs: {}, reason: 'Topic/b does not exist' })] } },
  );
  const { resources } = run([LINK], at, REFERENCES);
  expect(resources.map(resource => resource.id)).toEqual(['link[a]', 'link[b]']);
  expect(resources[0]!.value).toEqual({ label: 'l', allow: ['arn:a'] });
  expect(resources[1]!.pending).toEqual([{ path: 'allow', on: 'Topic/b', message: 'waiting for Topic/b, which does not exist' }]);
});

test('referred claims in an expression of their own', () => {
  const spec = { allow: '${topics.filter(t, has(t.outputs.arn)).map(t, t.outputs.arn)}', label: '${topics.map(t, t.name).join(",")}' };
  const at = scope({}, { references: { topics: [topic('a'), topic('b', { ready: false, outputs: {}, reason: '' })] } });
  const { value, pending } = run([{ id: 'q', spec }], at, REFERENCES).resources[0]!;
  expect({ value, pending }).toEqual({ value: { label: 'a,b' }, pending: [{ path: 'allow', on: 'Topic/b', message: 'waiting for Topic/b' }] });
  const ready = run([{ id: 'q', spec: { allow: '${topics.filter(t, t.ready).map(t, t.outputs.?arn.orValue(""))}' } }], at, REFERENCES).resources[0]!;
  expect(ready.value).toEqual({ allow: ['arn:a'] });
});

test('an undecided condition or list keeps what exists', () => {
  const resources: Resource[] = [
    { id: 'a' },
    { id: 'b', includeWhen: '${a.state.count > 1}' },
    { id: 'c', forEach: '${a.state.?parts.orValue([])}', key: '${each}' },
    { id: 'd', spec: { label: '${b.state.arn}' } },
  ];
  const { undecided, resources: done } = run(resources, scope());
  expect(undecided).toEqual([
    { id: 'b', on: 'a', message: 'waiting for resource a to be there' },
    { id: 'c', on: 'a', message: 'waiting for resource a to be there' },
  ]);
  expect(done.map(one => one.id)).toEqual(['a', 'd']);
  expect(done[1]!.pending[0]).toEqual({ path: 'label', on: 'a', message: 'waiting to know whether b is needed: waiting for resource a to be there' });
  const known = run(resources, scope({}, { resources: { a: view({ arn: 'x', url: 'y', count: 1, parts: ['p', 'q'] }) } }));
  expect(known.undecided).toEqual([]);
  expect(known.resources.map(one => one.id)).toEqual(['a', 'c[p]', 'c[q]', 'd']);
  expect(known.resources[3]).toMatchObject({ value: {}, pending: [] });
});

test('dependsOn names every item of a forEach', () => {
  const at = scope({ topics: [{ topic: 'x' }, { topic: 'y' }] });
  const many: Resource = { id: 'many', forEach: '${claim.spec.topics}', key: '${each.topic}-${claim.name}' };
  const { resources } = run([many, { id: 'all', spec: { allow: '${many.map(m, m.state.arn)}' } }], at);
  expect(resources[2]).toMatchObject({ dependsOn: ['many[x-orders]', 'many[y-orders]'], pending: [{ on: 'many[x-orders]' }] });
});

test.each([
  [[{ topic: 'x' }, { topic: 'x' }], 'two items of resource many have the key x'],
  [[{ topic: '' }], 'an item of resource many has no key'],
])('keys %j', (topics, message) => {
  const many: Resource = { id: 'many', forEach: '${claim.spec.topics}', key: '${each.topic}' };
  expect(() => run([many], scope({ topics: topics as Json }))).toThrow(message);
});

test('claim values are data, never templates', () => {
  const { value } = run([{ id: 'q', spec: { label: '${claim.spec.?topic}' } }], scope({ topic: '${claim.name} $${x}' })).resources[0]!;
  expect(value).toEqual({ label: '${claim.name} $${x}' });
});

test('the spec of an earlier resource can be read, pending included', () => {
  const resources: Resource[] = [
    { id: 'a' },
    { id: 'b', spec: { delay: 4, label: '${a.state.arn}' } },
    { id: 'c', spec: { delay: '${b.spec.delay + 1}', label: '${b.spec.label}' } },
  ];
  expect(run(resources, scope()).resources[2]).toMatchObject({ value: { delay: 5 }, pending: [{ path: 'label', on: 'a' }] });
});

test('readyWhen looks at the resource itself', () => {
  const ready = [{ id: 'a', readyWhen: ['${a.state.count > 1}'] }];
  const told = (state: JsonObject | undefined): string => run(ready, scope({}, { resources: { a: view(state) } })).resources[0]!.notReady;
  expect(told(undefined)).toBe('waiting for resource a to be there');
  expect(told({ count: 1 })).toBe('waiting until `a.state.count > 1`');
  expect(told({ count: 2 })).toBe('');
});

const SECRETS: Partial<Composition> = { connection: { uri: 'x://u:${a.secret.key}@${a.state.url}', key: '${a.secret.?extra}' } };

test('secrets never enter: a digest stands for them, and fill puts them in', () => {
  const at = scope({}, { resources: { a: { ...there('a'), secret: { key: 'd1' } } } });
  const { connection, resources } = run(
    [{ id: 'a' }, { id: 'b', spec: { password: '${a.secret.key}', users: [{ name: 'n', password: '${a.secret.key}' }] } }],
    at,
    SECRETS,
  );
  expect(connection.value).toEqual({});
  expect(connection.secrets.map(leaf => leaf.path)).toEqual(['uri']);
  expect(resources[1]!.secrets.map(leaf => [leaf.path, leaf.digest === 'd1'])).toEqual([
    ['password', true],
    ['users', false],
  ]);
  const secretsOf = (id: string) => ({ key: `secret-of-${id}` });
  expect(fill(connection, secretsOf)).toEqual({ uri: 'x://u:secret-of-a@http://a' });
  expect(fill(resources[1]!, secretsOf)).toEqual({ password: 'secret-of-a', users: [{ name: 'n', password: 'secret-of-a' }] });
  expect(JSON.stringify(resources)).not.toContain('secret-of');
});

test('a digest changes with the secret and with what stands beside it', () => {
  const digest = (secret: string, url: string): string =>
    run([{ id: 'a' }], scope({}, { resources: { a: { ...view({ arn: '', url, count: 1 }), secret: { key: secret } } } }), SECRETS).connection.secrets[0]!
      .digest;
  expect(digest('d1', 'u')).toBe(digest('d1', 'u'));
  expect(new Set([digest('d1', 'u'), digest('d2', 'u'), digest('d1', 'v')]).size).toBe(3);
});

test('a secret that is not told yet is pending; an optional one is left out once the thing is there', () => {
  const told = (views: RenderScope['resources']): Rendered => run([{ id: 'a' }], scope({}, { resources: views }), SECRETS).connection;
  expect(told({}).pending.map(item => item.path)).toEqual(['uri', 'key']);
  expect(told({ a: there('a') }).pending).toEqual([{ path: 'uri', on: 'a', message: 'waiting for resource a to tell its key' }]);
  expect(told({ a: { ...there('a'), secret: { key: 'k', extra: 'e' } } }).secrets).toHaveLength(2);
});

test('secrets of every item of a forEach', () => {
  const many: Resource = { id: 'many', forEach: '${claim.spec.topics}', key: '${each.topic}' };
  const views = Object.fromEntries(['many[x]', 'many[y]'].map(id => [id, { ...there(id), secret: { key: `d-${id}` } }]));
  const { connection } = run([many], scope({ topics: [{ topic: 'x' }, { topic: 'y' }] }, { resources: views }), {
    connection: { key: '${many.map(m, m.secret.key).join("+")}' },
  });
  expect(fill(connection, id => ({ key: id }))).toEqual({ key: 'many[x]+many[y]' });
});

test('numbers in the connection become text', () => {
  const { connection } = run([{ id: 'a' }], scope({}, { resources: { a: there('a') } }), { connection: { uri: '${a.state.count}', key: 'k' } });
  expect(connection.value).toEqual({ uri: '1', key: 'k' });
});

test('a name, a config that is missing, parameters that do not fit', () => {
  expect(run([{ id: 'a', name: 'n-${claim.name}' }], scope()).resources[0]!.name).toBe('n-orders');
  expect(run([{ id: 'b' }, { id: 'a', name: '${b.state.arn}' }], scope()).resources[1]).toMatchObject({
    name: undefined,
    pending: [{ path: 'name', on: 'b' }],
  });
  expect(() => render(compiled([{ id: 'a' }]), scope(), {})).toThrow('the class names no ProviderConfig for `x`');
  const delay: Resource = { id: 'a', spec: { delay: '${parameters.wait}' } };
  expect(run([delay], scope()).resources[0]!.value).toEqual({ delay: 3 });
  expect(() => run([delay], scope({}, { parameters: { wait: 'x' } }))).toThrow('`parameters.wait` must be an integer, not "x" (composition test)');
});

test('which claims are referred to', () => {
  const references = [...REFERENCES.references, { id: 'one', claim: 'Topic', name: '${claim.spec.?topic}' }];
  const composition = compiled([{ id: 'a', spec: { label: '${one.outputs.?arn}' } }], { references } as Partial<Composition>);
  expect(referralsOf(composition, scope({ topics: [{ topic: 'x', label: 'l' }] }))).toEqual([
    { id: 'topics', kind: 'Topic', name: 'x', item: { topic: 'x', label: 'l' } },
  ]);
  expect(referralsOf(composition, scope({ topic: 't' }))).toEqual([{ id: 'one', kind: 'Topic', name: 't', item: null }]);
  expect(render(composition, scope(), configs).resources[0]!.value).toEqual({});
});

test('naming and settings', () => {
  const roots = { claim: { name: 'orders', namespace: 'dev', kind: 'Queue', spec: {} }, class: 'c', parameters: {}, id: 'queue', instance: 'i' };
  expect(renderText(compileNaming('${claim.namespace}-${class}-${id}'), roots)).toBe('dev-c-queue');
  expect(() => compileNaming('${claim.nam}')).toThrow('no field `nam`');
  const settings = compileSettings({ endpoint: 'http://x.${claim.namespace}:80', region: 'r', credentials: { from: 'Static' } });
  expect(renderSettings(settings, { claim: roots.claim })).toEqual({ endpoint: 'http://x.dev:80', region: 'r', credentials: { from: 'Static' } });
  expect(() => compileSettings({ a: '${parameters.x}' })).toThrow('nothing is called `parameters`');
});

test('an expression that fails says where', () => {
  try {
    run([{ id: 'a', spec: { delay: '${1 / size(claim.spec.topics)}' } }], scope());
    expect.unreachable();
  } catch (error) {
    expect(error as EngineError).toMatchObject({ code: 'EvaluationFailed', path: 'spec.resources[0].spec.delay', offset: 2 });
  }
});

test('nothing but known, pending and none: every state of the resources renders', () => {
  const composition = compiled([DEAD, QUEUE, { id: 'c', spec: { label: '${queue.state.?endpoint}', delay: '${dead.?state.count}' } }], {
    connection: { uri: '${dead.state.url}' },
  });
  const state = fc.option(fc.record({ arn: fc.string(), url: fc.string(), count: fc.integer(), endpoint: fc.string() }, { requiredKeys: [] }), {
    nil: undefined,
  });
  fc.assert(
    fc.property(state, state, fc.boolean(), (dead, queue, has) => {
      const at = scope(has ? { deadLetter: { max: 1 } } : {}, {
        resources: { dead: view(dead as JsonObject | undefined), queue: view(queue as JsonObject | undefined) },
      });
      const once = render(composition, at, configs);
      expect(render(composition, at, configs)).toEqual(once);
      expect(once.undecided).toEqual([]);
      for (const { value, pending } of once.resources) for (const { path } of pending) expect(value).not.toHaveProperty(path);
    }),
    tries(),
  );
});
