/** SQS and SNS answer a flat map of texts: one row per spec field says how it is read, written and taken away. */
import { document, documentText } from './values.ts';

/** How one attribute stands in the spec. `read` gives undefined for what means "not set". */
export interface Codec<V> {
  readonly read: (text: string) => V | undefined;
  readonly write: (value: V) => string;
}
/** Field to [attribute, codec, text that takes it away]. Without the third the field cannot be unset. */
export type Attributes<Spec> = { readonly [K in keyof Spec]?: readonly [attribute: string, codec: Codec<NonNullable<Spec[K]>>, unset?: string] };
type Row = readonly [attribute: string, codec: Codec<unknown>, unset?: string];

export const flag: Codec<boolean> = { read: text => (text === '' ? undefined : text.toLowerCase() === 'true'), write: String };
export const number: Codec<number> = { read: text => (text === '' ? undefined : Number(text)), write: String };
/** Text, one of a fixed set where `T` says so. */
export function text<T extends string = string>(): Codec<T> {
  return { read: value => (value === '' ? undefined : (value as T)), write: value => value };
}
/** A JSON document; an empty one means "not set". */
export function json<T>(): Codec<T> {
  return {
    read: value => {
      const parsed = document(value);
      return typeof parsed === 'object' && Object.keys(parsed).length > 0 ? (parsed as T) : undefined;
    },
    write: documentText,
  };
}

const rows = <Spec>(table: Attributes<Spec>) => Object.entries(table) as unknown as [string, Row][];

/** The spec fields that the attributes hold. */
export function read<Spec>(table: Attributes<Spec>, attributes: Readonly<Record<string, string>>): Partial<Spec> {
  const fields = rows(table).map(([field, [attribute, codec]]) => {
    const value = attributes[attribute];
    return [field, value === undefined ? undefined : codec.read(value)] as const;
  });
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined)) as Partial<Spec>;
}

/** The attributes to send: of every field that is set, or of the changed ones only, where an absent field is taken away. */
export function write<Spec>(table: Attributes<Spec>, spec: Partial<Spec>, changed?: ReadonlySet<string>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [field, [attribute, codec, unset]] of rows(table)) {
    if (changed !== undefined && !changed.has(field)) continue;
    const value = spec[field as keyof Spec];
    if (value !== undefined) result[attribute] = codec.write(value);
    else if (changed !== undefined && unset !== undefined) result[attribute] = unset;
  }
  return result;
}
