/** What a type says of itself: fields, examples, and that a case the subject calls impossible really is. */
import { expect, test } from 'vitest';
import { checkValue } from '../../src/core/schema.ts';
import { propertyOf, type Schema, valuesOf } from '../../src/core/schema-types.ts';
import type { JsonObject } from '../../src/core/types.ts';
import type { Subject } from './subject.ts';

export function schemaCases(subject: Subject): void {
  const { type } = subject;
  test('every field is described', () => {
    expect([...undescribed(type.spec, 'spec'), ...undescribed(type.state, 'state')]).toEqual([]);
    expect(type.description).not.toBe('');
  });
  test('the examples are valid, and there is one', () => {
    expect(type.examples.length).toBeGreaterThan(0);
    for (const example of type.examples) expect(checkValue(type.spec as Schema, example as JsonObject, '')).toEqual([]);
  });
  test('the mark has its place in the schema', () => {
    if (type.mark.as === 'key') expect(type.naming.by).toBe('key');
    else expect(propertyOf(type.spec as Schema, type.mark.at)).toBeDefined();
  });
  test('what is said not to exist does not', () => {
    expect(untrue(subject)).toEqual([]);
  });
}

function undescribed(schema: Schema, path: string): string[] {
  const fields = Object.entries(schema.properties ?? {});
  const own = fields.filter(([, inner]) => (inner.description ?? '') === '').map(([field]) => `${path}.${field}`);
  const inner = fields.flatMap(([field, item]) => [...undescribed(item, `${path}.${field}`), ...undescribed(item.items ?? {}, `${path}.${field}[]`)]);
  return [...own, ...inner];
}

/** Reasons of the subject that the schema contradicts. */
function untrue({ type, immutable, unset, part, dangling }: Subject): string[] {
  const fields = Object.entries((type.spec as Schema).properties ?? {});
  const isMark = (field: string): boolean => type.mark.as !== 'key' && type.mark.at === field;
  const isUnsettable = ([field, schema]: [string, Schema]): boolean =>
    !(type.spec.required ?? []).includes(field) && schema.default === undefined && schema.plinth === undefined && !isMark(field);
  const contradicted = (value: unknown, what: string, denies: (field: [string, Schema]) => boolean): string[] =>
    value === 'none' ? fields.filter(denies).map(([field]) => `${field} ${what}`) : [];
  return [
    ...contradicted(immutable, 'is immutable', ([, schema]) => schema.plinth === 'immutable'),
    ...contradicted(unset, 'can be left unset', isUnsettable),
    ...contradicted(part, 'can be taken away', ([, schema]) => schema.removable === true),
    ...contradicted(dangling, 'names another thing', ([, schema]) => namesAnother(schema)),
  ];
}

function namesAnother(schema: Schema): boolean {
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...[valuesOf(schema)].filter(item => item !== undefined),
  ];
  return /\bARN of|\bAddress of/.test(schema.description ?? '') || inner.some(namesAnother);
}
