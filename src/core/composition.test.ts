import { Type } from '@sinclair/typebox';
import { expect, test } from 'vitest';
import { compile, compositionProblems } from './composition.ts';
import type { ClaimDefinition, Composition, Json, ResourceType } from './types.ts';

const thing = (type: string, spec: ResourceType['spec'], state: ResourceType['state'], secrets: string[] = []): ResourceType =>
  ({ type, spec, state, secrets, mark: { as: 'map', at: 'tags' } }) as unknown as ResourceType;
const types = new Map(
  [
    thing(
      'x/queue',
      Type.Object({
        fifo: Type.Boolean({ default: false }),
        delay: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
        mode: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
        deadLetter: Type.Optional(Type.Object({ arn: Type.String(), max: Type.Integer() })),
        allow: Type.Optional(Type.Array(Type.String())),
        password: Type.Optional(Type.String({ plinth: 'secret' })),
        tags: Type.Record(Type.String(), Type.String()),
      }),
      Type.Object({ arn: Type.String(), url: Type.String(), endpoint: Type.Optional(Type.String()) }),
      ['key'],
    ),
    thing(
      'x/link',
      Type.Object({ from: Type.String(), to: Type.String(), tags: Type.Record(Type.String(), Type.String(), { default: {} }) }),
      Type.Object({ id: Type.String() }),
    ),
  ].map(type => [type.type, type]),
);
const definition = (kind: string, outputs: Json): ClaimDefinition =>
  ({
    name: `${kind.toLowerCase()}s.plinth.dev`,
    kind,
    plural: '',
    shortNames: [],
    schema: {
      type: 'object',
      properties: {
        fifo: { type: 'boolean', default: false },
        delay: { type: 'integer' },
        topic: { type: 'string' },
        text: { type: 'string', default: 'x' },
        word: { type: 'string', enum: ['a', 'c'], default: 'a' },
        deadLetter: { type: 'object', required: ['max'], properties: { max: { type: 'integer' } } },
        topics: {
          type: 'array',
          default: [],
          items: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, more: { type: 'string' } } },
        },
      },
    },
    connection: { type: 'x', keys: { uri: { optional: false }, extra: { optional: true } } },
    outputs,
  }) as unknown as ClaimDefinition;
const outputs = { type: 'object', required: ['arn'], properties: { arn: { type: 'string' }, url: { type: 'string' } } };
const definitions = [definition('Queue', outputs), definition('Topic', outputs)];

type Part = Omit<Partial<Composition>, 'resources'> & { readonly resources?: readonly (Partial<Composition['resources'][number]> & { id: string })[] };
const QUEUE = { id: 'queue', type: 'x/queue', spec: {} };
function source(part: Part): Composition {
  const { resources = [QUEUE], ...rest } = part;
  return {
    name: 'test',
    claim: 'Queue',
    parameters: { type: 'object', properties: { wait: { type: 'integer', default: 3 }, opt: { type: 'string' } } } as unknown as Composition['parameters'],
    references: [],
    resources: resources.map(resource => ({ type: 'x/queue', spec: {}, ...resource })),
    connection: { uri: '${queue.state.url}' },
    outputs: { arn: '${queue.state.arn}' },
    ...rest,
  };
}
const told = (part: Part): string[] => compositionProblems(source(part), definitions, types).map(error => `${error.code} ${error.path}: ${error.message}`);
const spec = (value: Json, more: Part = {}): Part => ({ resources: [{ ...QUEUE, spec: value as never }], ...more });

test('a good one compiles', () => {
  const references = [{ id: 'topics', claim: 'Topic', forEach: '${claim.spec.topics}', name: '${each.name}' }];
  const resources = [
    { id: 'link', type: 'x/link', forEach: '${topics}', key: '${each.name}', spec: { from: '${each.outputs.arn}', to: '${queue.state.arn}' } },
    {
      ...QUEUE,
      main: true,
      spec: {
        fifo: '${claim.spec.fifo}',
        deadLetter: { arn: '${dead.state.arn}', max: '${claim.spec.?deadLetter.max}' },
        allow: '${topics.map(t, t.outputs.arn)}',
      },
    },
    { id: 'dead', includeWhen: '${has(claim.spec.deadLetter)}', spec: { delay: '${claim.spec.deadLetter.max}' } },
  ];
  const compiled = compile(source({ references, resources, connection: { uri: '${queue.state.url}', extra: '${dead.state.url}' } }), definitions, types);
  expect(compiled.resources.map(({ id, dependsOn, main }) => ({ id, dependsOn, main }))).toEqual([
    { id: 'dead', dependsOn: [], main: false },
    { id: 'queue', dependsOn: ['dead'], main: true },
    { id: 'link', dependsOn: ['queue'], main: false },
  ]);
  expect(compiled.revision).toMatch(/^[0-9a-f]{12}$/);
  expect(compiled.resources[2]!.forEach!.each).toBe('claim');
});

test.each<[string, Part, string]>([
  ['unknown claim kind', { claim: 'Queu' }, 'InvalidComposition spec.claim: no ClaimDefinition makes the kind `Queu`'],
  ['unknown type', { resources: [{ ...QUEUE, type: 'x/quue' }] }, 'InvalidComposition spec.resources[0].type: there is no resource type `x/quue`'],
  ['unknown field', spec({ fifoo: true }), 'InvalidComposition spec.resources[0].spec.fifoo: `spec.resources[0].spec.fifoo` is not a known field (x/queue)'],
  [
    'unknown field beside an expression',
    spec({ fifoo: '${claim.spec.fifo}' }),
    'InvalidComposition spec.resources[0].spec.fifoo: x/queue has no field `fifoo`',
  ],
  [
    'literal of a wrong type',
    spec({ delay: 'x' }),
    'InvalidComposition spec.resources[0].spec.delay: `spec.resources[0].spec.delay` must be an integer, not "x" (x/queue)',
  ],
  [
    'literal out of bounds',
    spec({ delay: 10, fifo: '${claim.spec.fifo}' }),
    'InvalidComposition spec.resources[0].spec.delay: `spec.resources[0].spec.delay` must be at most 9, not 10 (x/queue)',
  ],
  [
    'expression of a wrong type',
    spec({ delay: '${claim.name}' }),
    'InvalidComposition spec.resources[0].spec.delay: `claim.name` is a text, but an integer is needed (x/queue)',
  ],
  [
    'text for an integer',
    spec({ delay: 'a${claim.name}' }),
    'InvalidComposition spec.resources[0].spec.delay: the text at `spec.resources[0].spec.delay` is a text, but an integer is needed (x/queue)',
  ],
  [
    'a word that the field does not know',
    spec({ mode: '${claim.spec.word}' }),
    'InvalidComposition spec.resources[0].spec.mode: `claim.spec.word` may be `c`, but only `a`, `b` is allowed (x/queue)',
  ],
  [
    'wrong items',
    spec({ allow: '${[1]}' }),
    'InvalidComposition spec.resources[0].spec.allow: `[1]` has items of which one is an integer, but a text is needed (x/queue)',
  ],
  ['wrong field of state', spec({}, { outputs: { arn: '${queue.state.am}' } }), 'InvalidExpression spec.outputs.arn: `queue.state` has no field `am`'],
  ['unknown root', spec({ fifo: '${clam.spec.fifo}' }), 'InvalidExpression spec.resources[0].spec.fifo: nothing is called `clam` here'],
  ['unknown parameter', spec({ delay: '${parameters.wiat}' }), 'InvalidExpression spec.resources[0].spec.delay: `parameters` has no field `wiat`'],
  [
    'plain dot through an optional',
    spec({ delay: '${claim.spec.delay}' }),
    'InvalidExpression spec.resources[0].spec.delay: `claim.spec.delay` may be absent, and a plain dot does not allow that',
  ],
  [
    'none inside text',
    spec({ mode: 'a-${claim.spec.?topic}' }),
    'InvalidExpression spec.resources[0].spec.mode: `claim.spec.?topic` may have no value, and stands inside text',
  ],
  [
    'a list inside text',
    spec({ mode: 'a-${claim.spec.topics}' }),
    'InvalidExpression spec.resources[0].spec.mode: `claim.spec.topics` stands inside text, but it is no text or number',
  ],
  [
    'half a mapping may be none',
    spec({ deadLetter: { arn: 'x', max: '${claim.spec.?delay}' } }),
    'InvalidComposition spec.resources[0].spec.deadLetter.max: x/queue needs `max`, but its expression may have no value',
  ],
  [
    'a required field is missing',
    { resources: [QUEUE, { id: 'link', type: 'x/link', spec: { from: 'a' } }] },
    'InvalidComposition spec.resources[1].spec.to: `spec.resources[1].spec.to` is missing (x/link)',
  ],
  [
    '… beside an expression',
    { resources: [QUEUE, { id: 'link', type: 'x/link', spec: { from: '${claim.name}' } }] },
    'InvalidComposition spec.resources[1].spec.to: x/link needs `to`, which is not set',
  ],
  ['reads itself', spec({ mode: '${queue.state.arn}' }), 'Cycle spec.resources[0]: resource `queue` reads itself'],
  ['no connection key', { connection: {} }, 'MissingConnectionKey spec.connection: the connection lacks `uri`, which every Queue promises'],
  [
    'a key that may be none',
    { connection: { uri: '${queue.state.?endpoint}' } },
    'MissingConnectionKey spec.connection.uri: `uri` may have no value, but every Queue promises it',
  ],
  ['unknown connection key', { connection: { uri: 'x', extr: 'y' } }, 'InvalidComposition spec.connection.extr: `extr` is no connection key of Queue'],
  ['missing output', { outputs: {} }, 'InvalidComposition spec.outputs.arn: `spec.outputs.arn` is missing (the outputs of Queue)'],
  [
    'unknown output',
    { outputs: { arn: '${queue.state.arn}', x: '${queue.state.arn}' } },
    'InvalidComposition spec.outputs.x: the outputs of Queue has no field `x`',
  ],
  [
    'a secret in outputs',
    { outputs: { arn: '${queue.secret.key}' } },
    'SecretMisuse spec.outputs.arn: `queue.secret.key` is secret, and `spec.outputs.arn` is not a place for secrets',
  ],
  [
    'a secret in a plain field',
    { resources: [QUEUE, { id: 'two', spec: { mode: '${queue.secret.key}' } }] },
    'SecretMisuse spec.resources[1].spec.mode: `queue.secret.key` is secret, and `spec.resources[1].spec.mode` is not a place for secrets',
  ],
  [
    'a secret in a condition',
    { resources: [QUEUE, { id: 'two', includeWhen: '${queue.secret.key == "a"}' }] },
    'SecretMisuse spec.resources[1].includeWhen: a secret is used in a comparison',
  ],
  [
    'a secret in a name',
    { resources: [QUEUE, { id: 'two', name: '${queue.secret.key}' }] },
    'SecretMisuse spec.resources[1].name: `queue.secret.key` is secret, and `spec.resources[1].name` is not a place for secrets',
  ],
  ['duplicate id', { resources: [QUEUE, QUEUE] }, 'InvalidComposition spec.resources[1].id: the id `queue` is used twice'],
  ['reserved id', { resources: [QUEUE, { id: 'claim' }] }, 'InvalidComposition spec.resources[1].id: `claim` is a reserved name'],
  [
    'an id that is a reserved word of CEL',
    { resources: [QUEUE, { id: 'namespace' }, { id: 'next', spec: { size: '${int(queue.state.size)}' } }] },
    'InvalidComposition spec.resources[1].id: `namespace` is a reserved name',
  ],
  ['no identifier', { resources: [QUEUE, { id: 'a-b' }] }, 'InvalidComposition spec.resources[1].id: `a-b` cannot be an id'],
  [
    'two mains',
    {
      resources: [
        { ...QUEUE, main: true },
        { id: 'two', main: true },
      ],
    },
    'InvalidComposition spec.resources[1].main: two resources are marked main',
  ],
  [
    'forEach without key',
    { resources: [QUEUE, { id: 'two', forEach: '${claim.spec.topics}' }] },
    'InvalidComposition spec.resources[1].key: forEach needs `key`',
  ],
  [
    'a key that may be none',
    { resources: [QUEUE, { id: 'two', forEach: '${claim.spec.topics}', key: '${each.?more}' }] },
    'InvalidComposition spec.resources[1].key: the key may have no value',
  ],
  [
    'forEach over no list',
    { resources: [QUEUE, { id: 'two', forEach: '${claim.name}', key: 'k' }] },
    'InvalidComposition spec.resources[1].forEach: `claim.name` is a text, but a list is needed (forEach)',
  ],
  [
    'includeWhen without ${}',
    { resources: [QUEUE, { id: 'two', includeWhen: 'has(claim.spec.topic)' }] },
    'InvalidComposition spec.resources[1].includeWhen: `spec.resources[1].includeWhen` must be true or false, not "has(claim.spec.topic)" (includeWhen)',
  ],
  [
    'includeWhen that is no condition',
    { resources: [QUEUE, { id: 'two', includeWhen: '${claim.name}' }] },
    'InvalidComposition spec.resources[1].includeWhen: `claim.name` is a text, but true or false is needed (includeWhen)',
  ],
  [
    'readyWhen reads another',
    { resources: [{ ...QUEUE, readyWhen: ['${claim.name == ""}'] }] },
    'InvalidExpression spec.resources[0].readyWhen[0]: nothing is called `claim` here',
  ],
  ['unknown dependsOn', { resources: [{ ...QUEUE, dependsOn: ['quue'] }] }, 'InvalidComposition spec.resources[0].dependsOn[0]: there is no resource `quue`'],
  ['formerly in use', { resources: [QUEUE, { id: 'two', formerly: ['queue'] }] }, 'InvalidComposition spec.resources[1].formerly[0]: `queue` is in use'],
  [
    'unknown referred kind',
    { references: [{ id: 't', claim: 'Topik', name: 'x' }] },
    'InvalidComposition spec.references[0].claim: no ClaimDefinition makes the kind `Topik`',
  ],
  [
    'a reference cannot read resources',
    { references: [{ id: 't', claim: 'Topic', name: '${queue.state.arn}' }] },
    'InvalidExpression spec.references[0].name: nothing is called `queue` here',
  ],
  ['not closed', spec({ mode: '${claim.name' }), 'InvalidExpression spec.resources[0].spec.mode: `${` is not closed'],
  [
    'spec of another that may be unset',
    { resources: [QUEUE, { id: 'two', spec: { delay: '${queue.spec.delay}' } }] },
    'InvalidExpression spec.resources[1].spec.delay: `queue.spec.delay` may be absent, and a plain dot does not allow that',
  ],
  [
    'a secret through spec',
    {
      resources: [
        { ...QUEUE, spec: { password: '${"x"}' } },
        { id: 'two', spec: { mode: '${queue.spec.password}' } },
      ],
    },
    'SecretMisuse spec.resources[1].spec.mode: `password` holds a secret, which cannot be read through `.spec`',
  ],
])('mistake: %s', (_, part, expected) => {
  expect(told(part)[0]).toBe(expected);
});

test('a circle is named', () => {
  const resources = [QUEUE, { id: 'a', spec: { mode: '${b.state.arn}' } }, { id: 'b', spec: { mode: '${c.state.arn}' } }, { id: 'c', dependsOn: ['a'] }];
  expect(told({ resources })).toEqual(['Cycle spec.resources[1]: resources need each other in a circle: a → b → c → a']);
});

test('all mistakes at once, in the order of the document', () => {
  const resources = [
    { id: 'a', spec: { mode: '${queue.state.nope}', fifoo: '${claim.name}' } },
    { ...QUEUE, spec: { fifo: '${nope}' } },
  ];
  const problems = told({ resources, connection: {}, outputs: {} });
  expect(problems.map(problem => problem.split(':')[0])).toEqual([
    'InvalidExpression spec.resources[0].spec.mode',
    'InvalidComposition spec.resources[0].spec.fifoo',
    'InvalidExpression spec.resources[1].spec.fifo',
    'MissingConnectionKey spec.connection',
    'InvalidComposition spec.outputs.arn',
  ]);
});

test('what the same condition includes may be read plainly', () => {
  const dead = { id: 'dead', includeWhen: '${has(claim.spec.deadLetter) && claim.spec.fifo}' };
  const same = {
    id: 'same',
    includeWhen: '${claim.spec.fifo && has(claim.spec.deadLetter)}',
    spec: { mode: 'x-${dead.state.arn}', delay: '${claim.spec.deadLetter.max}' },
  };
  expect(told({ resources: [QUEUE, dead, same] })).toEqual([]);
  const other = { ...same, includeWhen: '${claim.spec.fifo}' };
  expect(told({ resources: [QUEUE, dead, other] })).toHaveLength(2);
});

test('a variable of a loop may bear the name of a resource', () => {
  const resources = [{ ...QUEUE, spec: { allow: '${claim.spec.topics.map(queue, queue.name)}' } }];
  expect(told({ resources })).toEqual([]);
});

test('the revision is the content', () => {
  const one = compile(source({}), definitions, types).revision;
  expect(compile(source({}), definitions, types).revision).toBe(one);
  expect(compile(source(spec({ fifo: true })), definitions, types).revision).not.toBe(one);
});

test('too many resources', () => {
  const resources = Array.from({ length: 101 }, (_, index) => ({ id: `r${index}` }));
  expect(told({ resources })[0]).toContain('TooComplex spec.resources');
});
