import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tries } from '../../test/tries.ts';
import type { EngineError } from './errors.ts';
import { parseTemplate } from './template.ts';

const shape = (value: string): unknown => {
  const raw = parseTemplate(value, 'a');
  if (raw.kind === 'literal') return raw.value;
  if (raw.kind === 'expression') return [raw.expression.source];
  return raw.kind === 'text' ? raw.parts.map(part => (typeof part === 'string' ? part : [part.source, part.offset])) : raw.kind;
};

test.each<[string, unknown]>([
  ['plain', 'plain'],
  ['${a}', ['a']],
  ['${a}\n', ['a']],
  ['x-${a}', ['x-', ['a', 4]]],
  [
    '${a}${b}',
    [
      ['a', 2],
      ['b', 6],
    ],
  ],
  ['$${a}', '${a}'],
  ['$$${a}', '$${a}'],
  ['a$b', 'a$b'],
  ['${{"a": "}"}["a"]}', ['{"a": "}"}["a"]']],
  ["${'}' + '\\'}'}", ["'}' + '\\'}'"]],
  ['${"""a"}b"""}', ['"""a"}b"""']],
  ['${a // } comment\n + b}', ['a // } comment\n + b']],
  ['${r"\\d}"}', ['r"\\d}"']],
])('splits %s', (text, expected) => {
  expect(shape(text)).toEqual(expected);
});

test.each([
  ['${a', 'not closed', 0],
  ['x ${"a}', 'not closed', 2],
  ['${ }', 'nothing between', 2],
])('refuses %s', (text, message, offset) => {
  try {
    parseTemplate(text, 'a.b');
    expect.unreachable();
  } catch (error) {
    expect((error as EngineError).message).toContain(message);
    expect((error as EngineError).offset).toBe(offset);
    expect((error as EngineError).path).toBe('a.b');
  }
});

test('maps and lists without expressions are one literal', () => {
  expect(parseTemplate({ a: [1, { b: 'x' }] }, '')).toEqual({ kind: 'literal', at: '', value: { a: [1, { b: 'x' }] } });
  expect(parseTemplate({ a: [1, '${x}'] }, 's')).toMatchObject({
    kind: 'map',
    entries: { a: { kind: 'list', items: [{ kind: 'literal' }, { at: 's.a[1]' }] } },
  });
  expect(() => parseTemplate({ '${a}': 1 }, '')).toThrow('only values may');
});

test('text without ${ comes back as it is, and $${ stands for ${', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const plain = text.split('${').join(' ');
      expect(shape(plain)).toBe(plain);
      expect(shape(`$\${${plain}`)).toBe(`\${${plain}`);
    }),
    tries(),
  );
});

test('a string literal in an expression may hold anything', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const source = JSON.stringify(text);
      expect(shape(`\${${source}}`)).toEqual([source]);
    }),
    tries(),
  );
});
