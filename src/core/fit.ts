/** Whether every value of one schema is welcome under another: the static check of an expression against its target. */
import { fieldsOf, isAnything, isOpen, literalsOf, propertyOf, type Schema, unionOf, valuesOf } from './schema-types.ts';
import { listed, suggestion } from './similar.ts';
import type { Json } from './types.ts';

/** Why a value of `from` does not fit `to`, as the end of a sentence that begins with the value; '' when it fits or nothing is known. */
export function misfit(from: Schema | undefined, to: Schema | undefined): string {
  if (from === undefined || to === undefined || isAnything(from) || isAnything(to)) return '';
  const branches = unionOf(from);
  if (branches !== undefined && literalsOf(from) === undefined) return firstOf(branches.map(branch => misfit(branch, to)));
  const wanted = unionOf(to);
  if (wanted !== undefined && literalsOf(to) === undefined) {
    const complaints = wanted.map(branch => misfit(from, branch));
    return complaints.includes('') ? '' : firstOf(complaints);
  }
  return typeMisfit(from, to) || literalMisfit(from, to) || insideMisfit(from, to);
}

const firstOf = (complaints: readonly string[]): string => complaints.find(complaint => complaint !== '') ?? '';

function typesOf(schema: Schema): Set<string> | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) return new Set(['integer', 'string']);
  if (schema.type !== undefined) return new Set([schema.type]);
  const literals = literalsOf(schema);
  if (literals !== undefined) return new Set(literals.map(typeOfLiteral));
  return schema.properties === undefined ? undefined : new Set(['object']);
}

function typeOfLiteral(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  object: 'a mapping',
  array: 'a list',
  null: 'null',
};
const wordsFor = (types: Set<string>): string => [...types].map(type => WORDS[type] ?? type).join(' or ');

function typeMisfit(from: Schema, to: Schema): string {
  const given = typesOf(from);
  const wanted = typesOf(to);
  if (given === undefined || wanted === undefined) return '';
  const fits = (type: string): boolean => wanted.has(type) || (type === 'integer' && wanted.has('number')) || (type === 'null' && to.nullable === true);
  return [...given].every(fits) ? '' : `is ${wordsFor(given)}, but ${wordsFor(wanted)} is needed`;
}

function literalMisfit(from: Schema, to: Schema): string {
  const given = literalsOf(from);
  const wanted = literalsOf(to);
  if (given === undefined || wanted === undefined) return '';
  const strange = given.filter(word => !wanted.includes(word)).map(String);
  return strange.length === 0 ? '' : `may be ${listed(strange)}, but only ${listed(wanted.map(String))} is allowed`;
}

function insideMisfit(from: Schema, to: Schema): string {
  if (from.type === 'array') {
    const inside = misfit(from.items, to.items);
    return inside === '' ? '' : `has items of which one ${inside}`;
  }
  return from.type === 'object' ? objectMisfit(from, to) : '';
}

function objectMisfit(from: Schema, to: Schema): string {
  for (const field of fieldsOf(from)) {
    const target = propertyOf(to, field);
    if (target === undefined) return `has a field \`${field}\`, which is not known there (${suggestion(field, fieldsOf(to))})`;
    const inside = misfit(propertyOf(from, field)?.schema, target.schema);
    if (inside !== '') return `has a field \`${field}\` that ${inside}`;
  }
  if (isOpen(from)) {
    const inside = misfit(valuesOf(from), valuesOf(to));
    return inside === '' ? '' : `has values of which one ${inside}`;
  }
  const missing = requiredOf(to).find(field => propertyOf(from, field)?.present !== true);
  return missing === undefined ? '' : `may lack the field \`${missing}\``;
}

/** The fields that must be given: required ones without a default. */
export function requiredOf(schema: Schema): string[] {
  return (schema.required ?? []).filter(field => schema.properties?.[field]?.default === undefined);
}
