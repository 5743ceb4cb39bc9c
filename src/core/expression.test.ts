import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpuMsOf } from '../../test/cpu-time.ts';
import { tries } from '../../test/tries.ts';
import { EngineError } from './errors.ts';
import { type Compiled, compileExpression, scopeOf, scopeWith } from './expression.ts';
import type { Schema } from './schema-types.ts';
import type { Json } from './types.ts';
import { type Root, VIEW } from './views.ts';

const topic: Schema = {
  type: 'object',
  [VIEW]: 'claim',
  required: ['name', 'ready', 'outputs'],
  properties: {
    name: { type: 'string' },
    ready: { type: 'boolean' },
    outputs: { type: 'object', required: ['arn'], properties: { arn: { type: 'string' }, url: { type: 'string' } } },
  },
};
const queue: Schema = {
  type: 'object',
  [VIEW]: 'resource',
  required: ['state', 'spec', 'secret'],
  properties: {
    spec: { type: 'object', properties: { delay: { type: 'integer' } } },
    state: { type: 'object', required: ['arn'], properties: { arn: { type: 'string' }, endpoint: { type: 'string' } } },
    secret: { type: 'object', 'x-plinth-secret': true, required: ['key'], properties: { key: { type: 'string' } } },
  },
};
const claim: Schema = {
  type: 'object',
  required: ['name', 'namespace', 'spec'],
  properties: {
    name: { type: 'string' },
    namespace: { type: 'string' },
    spec: {
      type: 'object',
      properties: {
        fifo: { type: 'boolean', default: false },
        size: { type: 'integer', default: 3 },
        ratio: { type: 'number', default: 0.5 },
        mode: { type: 'string', enum: ['a', 'b'] },
        deadLetter: { type: 'object', required: ['maxReceives'], properties: { maxReceives: { type: 'integer' }, why: { type: 'string' } } },
        labels: { type: 'object', additionalProperties: { type: 'string' }, default: {} },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        tags: { type: 'array', items: { type: 'string' }, default: [] },
      },
    },
  },
};
const roots = new Map<string, Root>([
  ['claim', { schema: claim }],
  ['topics', { schema: { type: 'array', items: topic } }],
  ['queue', { schema: queue }],
  ['deadLetter', { schema: queue, conditions: ['has(claim.spec.deadLetter)'] }],
]);
const scope = scopeOf(roots);

function compile(source: string, at = scope): Compiled | EngineError {
  const problems: EngineError[] = [];
  return compileExpression(source, 'spec.x', 2, at, problems) ?? problems[0]!;
}
const good = (source: string): Compiled => {
  const result = compile(source);
  if (result instanceof Error) throw result;
  return result;
};

test.each([
  ['claim.name', ['claim name']],
  ['claim.spec.?mode', ['claim spec.mode? spec']],
  ['claim.spec.?deadLetter.maxReceives', ['claim spec.deadLetter.maxReceives? spec']],
  ['topics.map(t, t.outputs.arn)', ['topics [].outputs.arn']],
  ['topics.map(t, t.name).join(",")', ['topics [].name']],
  ['size(topics)', ['topics ']],
  ['topics.map(t, 1)', ['topics ']],
  ['topics.filter(t, t.ready).map(t, t.outputs.arn)', ['topics [].ready', 'topics [].outputs.arn? []']],
  ['queue.state.arn', ['queue state.arn']],
  ['queue.state.?endpoint', ['queue state.endpoint? state']],
  ['queue.?state.arn', ['queue state.arn? ']],
  ['has(queue.state.endpoint) ? queue.state.endpoint : "x"', ['queue state.endpoint? state']],
  ['topics[0].outputs.arn', ['topics [0].outputs.arn']],
  ['topics[?0].outputs.arn', ['topics [0].outputs.arn? ']],
  ['claim.spec.labels[?"a"]', ['claim spec.labels.a? spec.labels']],
  ['claim.spec.free.x.y', undefined],
  ['cel.bind(d, claim.spec.?deadLetter, d.maxReceives)', ['claim spec.deadLetter.maxReceives? spec']],
  ['claim.spec.?deadLetter.orValue(dyn({"maxReceives": 1}))', ['claim spec.deadLetter? spec']],
])('reads of %s', (source, expected) => {
  const result = compile(source);
  if (expected === undefined) return expect(result).toBeInstanceOf(Error);
  if (result instanceof Error) throw result;
  expect(result.expression.reads.map(r => `${r.root} ${r.path}${r.optional ? `? ${r.needs}` : ''}`)).toEqual(expected);
});

test.each([
  ['claim.spec.fifoo', 'no field `fifoo`', 'did you mean `fifo`?'],
  ['claims.name', 'nothing is called `claims`', 'did you mean `claim`?'],
  ['claim.spec.mode', '`claim.spec.mode` may be absent', '.?mode'],
  ['claim.spec.deadLetter.maxReceives', '`claim.spec.deadLetter` may be absent', '.?deadLetter'],
  ['queue.state.endpoint', 'may be absent', '.?endpoint'],
  ['topics.map(t, t.outputs.url)', '`topics[].outputs.url` may be absent', '.?url'],
  ['topics.map(t, t.outputs.arm)', 'no field `arm`', 'did you mean `arn`?'],
  ['topics.outputs', 'no field `outputs`', ''],
  ['claim.spec.?nope', 'no field `nope`', ''],
  ['claim.spec.?deadLetter.nope', 'no field `nope`', ''],
  ['has(claim.spec.nope)', 'no field `nope`', ''],
  ['claim.spec.size + "a"', 'no such overload: int + string', ''],
  ['claim.spec.?size.value()', '.value()', 'orValue'],
  ['claim.spec.labels["a"]', 'may be absent', '[?"a"]'],
  ['queue', 'a whole resource', '.state'],
  ['queue.secret.key == "a"', 'a secret is used in a comparison', ''],
  ['queue.secret.key == "a" ? 1 : 2', 'a secret is used in a comparison', ''],
  ['1 +', 'The expression is wrong', ''],
  ['namespace', 'Reserved identifier', ''],
  ['claim.spec.tags.map(a, claim.spec.tags.map(b, claim.spec.tags.map(c, 1)))', 'nested 2 deep', ''],
  [`"${'a'.repeat(3_000)}"`, 'at most 2000', ''],
  ['claim.name.matches(claim.namespace)', 'must be written out', ''],
  ['claim.name.matches("(?=a)")', 'The pattern cannot be used', 'RE2'],
  ['matches(claim.name, claim.namespace)', 'must be written out', ''],
  ['claim.spec.?tags.map(t, t)', 'cannot be range', ''],
])('mistake in %s', (source, message, hint) => {
  const result = compile(source);
  expect(result).toBeInstanceOf(Error);
  expect((result as EngineError).message).toContain(message);
  expect((result as EngineError).hint).toContain(hint);
  expect((result as EngineError).path).toBe('spec.x');
});

test('a mistake has its offset in the scalar', () => {
  expect((compile('claim.spec.fifoo') as EngineError).offset).toBe(2 + 'claim.spec.'.length);
  expect((compile('1 + claims.x') as EngineError).offset).toBe(2 + 4);
});

test.each([
  'has(claim.spec.mode) ? claim.spec.mode : "x"',
  'has(claim.spec.mode) && claim.spec.mode == "a"',
  '!has(claim.spec.mode) || claim.spec.mode == "a"',
  '!(has(claim.spec.mode) && has(claim.spec.deadLetter)) ? "" : claim.spec.mode',
  'has(claim.spec.deadLetter) && has(claim.spec.deadLetter.why) ? claim.spec.deadLetter.why : "x"',
  'topics.map(t, has(t.outputs.url), t.outputs.url)',
  'topics.filter(t, has(t.outputs.url)).map(u, u.outputs.url)',
  'topics.filter(t, has(t.outputs.url)).filter(v, v.ready).map(u, u.outputs.url)',
  'topics.all(t, has(t.outputs.url) && t.outputs.url != "")',
])('guarded: %s', source => {
  expect(compile(source)).not.toBeInstanceOf(Error);
});

test('a guard in one loop says nothing about another', () => {
  expect(compile('topics.exists(t, has(t.outputs.url)) ? topics.map(t, t.outputs.url) : []')).toBeInstanceOf(Error);
});

test('facts of a condition that holds anyway', () => {
  const included = scopeWith(scope, good('has(claim.spec.deadLetter)').facts);
  expect(compile('claim.spec.deadLetter.maxReceives', included)).not.toBeInstanceOf(Error);
  expect((compile('deadLetter.state.arn', included) as Compiled).mayBeNone).toBe(false);
  expect(good('deadLetter.state.arn').mayBeNone).toBe(true);
  expect(good('deadLetter.?state.arn.orValue("")').mayBeNone).toBe(false);
  expect(good('has(claim.spec.deadLetter) ? deadLetter.state.arn : "x"').mayBeNone).toBe(false);
});

test.each([
  ['claim.spec.size', { type: 'integer', default: 3 }],
  ['claim.spec.size + 1', { type: 'integer' }],
  ['claim.spec.?mode', { type: 'string', enum: ['a', 'b'] }],
  ['topics.map(t, t.outputs.arn)', { type: 'array', items: { type: 'string' } }],
  [
    '{"a": claim.spec.size, "b": claim.name}',
    { type: 'object', properties: { a: { type: 'integer', default: 3 }, b: { type: 'string' } }, required: ['a', 'b'] },
  ],
  ['claim.spec.tags + ["x"]', { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'string', enum: ['x'] }] } }],
  ['claim.name + "x"', { type: 'string' }],
  ['claim.spec.labels.merge({"a": "b"})', { type: 'object', additionalProperties: { type: 'string' } }],
])('type of %s', (source, schema) => {
  expect(good(source).schema).toEqual(schema);
});

const values: Record<string, Json> = {
  claim: { name: 'orders', namespace: 'dev', spec: { fifo: true, size: 3, ratio: 2, tags: ['b', 'a', 'b'], labels: { x: 'y' } } },
  topics: [{ name: 'one', ready: true, outputs: { arn: 'arn:1' } }],
};
test.each<[string, Json | undefined]>([
  ['claim.spec.size + 1', 4],
  ['claim.spec.size / 2', 1],
  ['claim.spec.ratio * 1.5', 3],
  ['claim.spec.?mode', undefined],
  ['claim.spec.?mode.orValue("z")', 'z'],
  ['[claim.spec.?mode, "k"]', ['k']],
  ['{"a": claim.spec.?mode, "b": 1}', { b: 1 }],
  ['topics.map(t, t.outputs.arn)', ['arn:1']],
  ['claim.name.matches("^(a+)+$")', false],
  ['claim.name.replace("r", "R").upperAscii()', 'ORDERS'],
  ['claim.spec.tags.sort().distinct()', ['a', 'b']],
  ['json({"b": claim.spec.size, "a": [1.5, true, null]})', '{"a":[1.5,true,null],"b":3}'],
  ['fromJson("{\\"n\\": 1}").n + 1', 2],
  ['base64.encode("hé")', 'aMOp'],
  ['string(base64.decode("aMOp"))', 'hé'],
  ['math.least(claim.spec.size, 2)', 2],
  ['math.greatest(1.5, 2.5)', 2.5],
  ['[[1], [2, 3]].flatten()', [1, 2, 3]],
  ['claim.spec.labels.merge({"a": "b"})', { x: 'y', a: 'b' }],
  ['claim.spec.fifo ? claim.name + ".fifo" : claim.name', 'orders.fifo'],
  ['{"a": "}"}["a"]', '}'],
])('value of %s', (source, expected) => {
  expect(good(source).expression.run(values)).toEqual(expected);
});

test('a failing evaluation says where', () => {
  expect(() => good('claim.spec.size / 0').expression.run(values)).toThrow(/failed: division by zero/);
});

test('a regular expression that would hang JavaScript does not', () => {
  const evil = { claim: { name: `${'a'.repeat(40)}!`, namespace: 'x', spec: {} } };
  const { expression } = good('claim.name.matches("^(a+)+$")');
  expect(cpuMsOf(() => expect(expression.run(evil)).toBe(false))).toBeLessThan(200);
});

test('a growing text is stopped', () => {
  const long = { claim: { name: 'a'.repeat(10_000), namespace: 'x', spec: {} } };
  expect(() => good('claim.name.replace("a", claim.name)').expression.run(long)).toThrow(/longer than/);
});

const WORDS = [
  'claim',
  '.',
  '.?',
  'spec',
  'name',
  'tags',
  'topics',
  'map',
  '(',
  ')',
  't',
  ',',
  '[',
  ']',
  '0',
  '+',
  '==',
  '&&',
  '?',
  ':',
  'has',
  '!',
  '"x"',
  'queue',
  'secret',
  'key',
  '{',
  '}',
  ' ',
];
test('any text either compiles or is an EngineError at a place inside it', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.constantFrom(...WORDS), { maxLength: 14 }).map(words => words.join('')),
      ),
      source => {
        const problems: EngineError[] = [];
        const result = compileExpression(source, 'p', 0, scope, problems);
        expect(result === undefined).toBe(problems.length > 0);
        for (const problem of problems) {
          expect(problem).toBeInstanceOf(EngineError);
          expect(problem.offset).toBeLessThanOrEqual(source.length);
          expect(problem.message).not.toContain('\n');
        }
      },
    ),
    tries(1_000),
  );
});
