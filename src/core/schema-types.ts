/** What Plinth reads of a JSON Schema: TypeBox and Kubernetes-structural schemas both fit. */
import type { FieldBehaviour, Json } from './types.ts';

/** One item of `x-kubernetes-validations`: a CEL rule over `self` and `oldSelf`. */
export interface Rule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}
/** A JSON Schema, untyped keywords included. Undefined in the place of a schema means "anything". */
export interface Schema {
  readonly type?: string | undefined;
  readonly description?: string | undefined;
  readonly default?: Json | undefined;
  readonly enum?: readonly Json[] | undefined;
  readonly const?: Json | undefined;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly patternProperties?: Readonly<Record<string, Schema>> | undefined;
  readonly additionalProperties?: boolean | Schema | undefined;
  readonly required?: readonly string[] | undefined;
  readonly items?: Schema | undefined;
  readonly anyOf?: readonly Schema[] | undefined;
  readonly oneOf?: readonly Schema[] | undefined;
  readonly allOf?: readonly Schema[] | undefined;
  readonly nullable?: boolean | undefined;
  readonly pattern?: string | undefined;
  readonly plinth?: FieldBehaviour | undefined;
  readonly removable?: boolean | undefined;
  readonly settleSeconds?: number | undefined;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean | undefined;
  readonly 'x-kubernetes-int-or-string'?: boolean | undefined;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map' | undefined;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[] | undefined;
  readonly 'x-kubernetes-validations'?: readonly Rule[] | undefined;
  readonly [keyword: string]: unknown;
}

/** A field as its parent sees it. `present`: required or with a default, so it is there once defaults are applied. */
export interface Property {
  readonly schema: Schema | undefined;
  readonly present: boolean;
}

/** True for an object schema that takes fields it does not name. */
export function isOpen(schema: Schema): boolean {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return true;
  return schema.additionalProperties !== undefined ? schema.additionalProperties !== false : schema.patternProperties !== undefined;
}

/** Schema of the values of a map: additionalProperties, or TypeBox's one pattern; undefined is anything. */
export function valuesOf(schema: Schema): Schema | undefined {
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties;
  return Object.values(schema.patternProperties ?? {})[0];
}

/** The forms of a union; undefined for a schema that says its type itself (its branches then only ask for more). */
export function unionOf(schema: Schema): readonly Schema[] | undefined {
  return schema.type === undefined && schema.properties === undefined ? (schema.anyOf ?? schema.oneOf) : undefined;
}

/** Looks a field up in a schema; `undefined` when the schema is closed and does not know it. Of a union, every branch that knows it counts. */
export function propertyOf(schema: Schema | undefined, field: string): Property | undefined {
  if (schema === undefined || isAnything(schema)) return { schema: undefined, present: false };
  const branches = unionOf(schema);
  if (branches !== undefined) {
    const found = branches.map(branch => propertyOf(branch, field));
    const known = found.filter(property => property !== undefined);
    if (known.length === 0) return undefined;
    return { schema: known[0]!.schema, present: known.length === found.length && known.every(property => property.present) };
  }
  const own = schema.properties !== undefined && Object.hasOwn(schema.properties, field) ? schema.properties[field] : undefined;
  if (own !== undefined) return { schema: own, present: own.default !== undefined || (schema.required ?? []).includes(field) };
  if (schema.type !== undefined && schema.type !== 'object') return undefined;
  return isOpen(schema) ? { schema: valuesOf(schema), present: false } : undefined;
}

/** The field names a schema knows. */
export function fieldsOf(schema: Schema | undefined): string[] {
  if (schema === undefined) return [];
  const branches = unionOf(schema) ?? [];
  return [...Object.keys(schema.properties ?? {}), ...branches.flatMap(fieldsOf)];
}

/** True for a schema that says nothing about the type of the value. */
export function isAnything(schema: Schema | undefined): boolean {
  if (schema === undefined) return true;
  if (schema.type !== undefined || schema.properties !== undefined || schema.enum !== undefined || schema.const !== undefined) return false;
  return schema.anyOf === undefined && schema.oneOf === undefined && schema.allOf === undefined && schema['x-kubernetes-int-or-string'] !== true;
}

/** The words of a union of literals or an enum; undefined when the schema is neither. */
export function literalsOf(schema: Schema): readonly Json[] | undefined {
  if (schema.enum !== undefined) return schema.enum;
  if (schema.const !== undefined) return [schema.const];
  const branches = unionOf(schema);
  if (branches === undefined || branches.length === 0) return undefined;
  const inner = branches.map(literalsOf);
  return inner.every(literals => literals !== undefined) ? inner.flat() : undefined;
}
