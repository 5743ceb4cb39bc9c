/** Keys, indexes and throughput of a table in Plinth's shape and in DynamoDB's (DynamoDB API reference, CreateTable). */
import type {
  AttributeDefinition,
  GlobalSecondaryIndexDescription,
  KeySchemaElement,
  LocalSecondaryIndexDescription,
  Projection,
  ProvisionedThroughput,
  TableDescription,
} from '@aws-sdk/client-dynamodb';
import { type Static, Type } from '@sinclair/typebox';
import { compact } from './values.ts';

/** A key attribute; other attributes of items need no declaration. */
export function Key(description: string, options: object = {}) {
  return Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 255, description: 'Name of the attribute.' }),
      type: Type.Union([Type.Literal('S'), Type.Literal('N'), Type.Literal('B')], { description: 'S text, N number, B bytes.' }),
    },
    { additionalProperties: false, description, ...options },
  );
}
type Key = Static<ReturnType<typeof Key>>;

export const Units = (description: string) => Type.Optional(Type.Integer({ minimum: 1, description }));
const indexFields = {
  name: Type.String({ minLength: 3, maxLength: 255, pattern: '^[A-Za-z0-9_.-]+$', description: 'Name of the index.' }),
  projection: Type.Optional(
    Type.Union([Type.Literal('All'), Type.Literal('KeysOnly'), Type.Literal('Include')], {
      description: 'Which attributes the index holds; All when left out.',
    }),
  ),
  include: Type.Optional(Type.Array(Type.String(), { maxItems: 100, description: 'With Include: these attributes beside the keys.' })),
};
export const GlobalIndex = Type.Object(
  {
    ...indexFields,
    partitionKey: Key('Partition key of the index.'),
    sortKey: Type.Optional(Key('Sort key of the index.')),
    readCapacity: Units('Provisioned only: read units of the index; those of the table when left out.'),
    writeCapacity: Units('Provisioned only: write units of the index; those of the table when left out.'),
  },
  { additionalProperties: false },
);
export type GlobalIndex = Static<typeof GlobalIndex>;
export const LocalIndex = Type.Object({ ...indexFields, sortKey: Key('Sort key of the index.') }, { additionalProperties: false });
export type LocalIndex = Static<typeof LocalIndex>;

/** The part of a table's spec that CreateTable and UpdateTable take as keys, indexes and throughput. */
export interface KeyFields {
  readonly partitionKey: Key;
  readonly sortKey?: Key;
  readonly globalIndexes?: readonly GlobalIndex[];
  readonly localIndexes?: readonly LocalIndex[];
  readonly billing?: 'OnDemand' | 'Provisioned';
  readonly readCapacity?: number;
  readonly writeCapacity?: number;
}

const PROJECTIONS = { All: 'ALL', KeysOnly: 'KEYS_ONLY', Include: 'INCLUDE' } as const;
const toProjection = ({ projection = 'All', include }: Pick<GlobalIndex, 'projection' | 'include'>): Projection =>
  compact({ ProjectionType: PROJECTIONS[projection], NonKeyAttributes: include });

function fromProjection(answered: Projection | undefined): Pick<GlobalIndex, 'projection' | 'include'> {
  const found = Object.entries(PROJECTIONS).find(([, name]) => name === answered?.ProjectionType);
  return compact({ projection: (found?.[0] ?? 'All') as keyof typeof PROJECTIONS, include: answered?.NonKeyAttributes });
}

/** HASH and RANGE elements. */
export function keySchema(partitionKey: Pick<Key, 'name'>, sortKey: Pick<Key, 'name'> | undefined): KeySchemaElement[] {
  const sort = sortKey === undefined ? [] : [{ AttributeName: sortKey.name, KeyType: 'RANGE' as const }];
  return [{ AttributeName: partitionKey.name, KeyType: 'HASH' }, ...sort];
}

/** Exactly the attributes that keys name: DynamoDB refuses one too many and one too few. */
export function attributeDefinitions({ partitionKey, sortKey, globalIndexes = [], localIndexes = [] }: KeyFields): AttributeDefinition[] {
  const keys = [partitionKey, sortKey, ...globalIndexes.flatMap(index => [index.partitionKey, index.sortKey]), ...localIndexes.map(index => index.sortKey)];
  const types = new Map(keys.filter(key => key !== undefined).map(key => [key.name, key.type]));
  return [...types].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })).sort((a, b) => (a.AttributeName < b.AttributeName ? -1 : 1));
}

/** Units a provisioned table has when nothing is said; the smallest there is. */
const FEWEST_UNITS = 1;

/** Throughput of a table or an index; none on demand. */
export function throughput(
  billing: KeyFields['billing'],
  units: Pick<KeyFields, 'readCapacity' | 'writeCapacity'>,
): { ProvisionedThroughput?: ProvisionedThroughput } {
  if (billing !== 'Provisioned') return {};
  return { ProvisionedThroughput: { ReadCapacityUnits: units.readCapacity ?? FEWEST_UNITS, WriteCapacityUnits: units.writeCapacity ?? FEWEST_UNITS } };
}

/** A global index as CreateTable and UpdateTable take it. */
export function toGlobalIndex(index: GlobalIndex, billing: KeyFields['billing']) {
  return { IndexName: index.name, KeySchema: keySchema(index.partitionKey, index.sortKey), Projection: toProjection(index), ...throughput(billing, index) };
}

/** A local index as CreateTable takes it. */
export function toLocalIndex(index: LocalIndex, partitionKey: Key) {
  return { IndexName: index.name, KeySchema: keySchema(partitionKey, index.sortKey), Projection: toProjection(index) };
}

function keyOf(types: ReadonlyMap<string, string>, schema: readonly KeySchemaElement[] | undefined, kind: 'HASH' | 'RANGE'): Key | undefined {
  const name = schema?.find(element => element.KeyType === kind)?.AttributeName;
  return name === undefined ? undefined : { name, type: (types.get(name) ?? 'S') as Key['type'] };
}

function unitsOf(billing: KeyFields['billing'], answered: { ReadCapacityUnits?: number | undefined; WriteCapacityUnits?: number | undefined } | undefined) {
  if (billing !== 'Provisioned') return {};
  return { readCapacity: answered?.ReadCapacityUnits ?? FEWEST_UNITS, writeCapacity: answered?.WriteCapacityUnits ?? FEWEST_UNITS };
}

/** Billing as the table answers it; the summary is missing on tables that always were provisioned, and on DynamoDB Local. */
export function billingOf({ BillingModeSummary, ProvisionedThroughput }: TableDescription): 'OnDemand' | 'Provisioned' {
  if (BillingModeSummary?.BillingMode !== undefined) return BillingModeSummary.BillingMode === 'PAY_PER_REQUEST' ? 'OnDemand' : 'Provisioned';
  return (ProvisionedThroughput?.ReadCapacityUnits ?? 0) > 0 ? 'Provisioned' : 'OnDemand';
}

/** Keys, indexes and throughput as the table answers them. An index that is being deleted is gone already. */
export function keyFields(table: TableDescription): KeyFields {
  const types = new Map((table.AttributeDefinitions ?? []).map(({ AttributeName = '', AttributeType = 'S' }) => [AttributeName, AttributeType]));
  const billing = billingOf(table);
  const global = ({ IndexName = '', KeySchema, Projection, ProvisionedThroughput }: GlobalSecondaryIndexDescription): GlobalIndex =>
    compact({
      name: IndexName,
      partitionKey: keyOf(types, KeySchema, 'HASH')!,
      sortKey: keyOf(types, KeySchema, 'RANGE'),
      ...fromProjection(Projection),
      ...unitsOf(billing, ProvisionedThroughput),
    });
  const local = ({ IndexName = '', KeySchema, Projection }: LocalSecondaryIndexDescription): LocalIndex => ({
    name: IndexName,
    sortKey: keyOf(types, KeySchema, 'RANGE')!,
    ...fromProjection(Projection),
  });
  return compact({
    partitionKey: keyOf(types, table.KeySchema, 'HASH')!,
    sortKey: keyOf(types, table.KeySchema, 'RANGE'),
    globalIndexes: table.GlobalSecondaryIndexes?.filter(({ IndexStatus }) => IndexStatus !== 'DELETING').map(global),
    localIndexes: table.LocalSecondaryIndexes?.map(local),
    billing,
    ...unitsOf(billing, table.ProvisionedThroughput),
  });
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

function canonicalIndex<T extends Pick<GlobalIndex, 'projection' | 'include'>>(index: T): T {
  const include = index.include === undefined || index.include.length === 0 ? undefined : [...new Set(index.include)].sort();
  return compact({ ...index, projection: index.projection ?? 'All', include }) as T;
}

/** Indexes sorted by name with everything filled in, units only where they count; no empty lists. */
export function canonicalKeys<T extends Partial<KeyFields>>(spec: T): T {
  const { globalIndexes = [], localIndexes = [], billing, readCapacity: read, writeCapacity: write, ...rest } = spec;
  const provisioned = billing === 'Provisioned';
  const units = { readCapacity: read ?? FEWEST_UNITS, writeCapacity: write ?? FEWEST_UNITS };
  const globals = globalIndexes
    .map(({ readCapacity, writeCapacity, ...index }) =>
      canonicalIndex({
        ...index,
        ...(provisioned ? { readCapacity: readCapacity ?? units.readCapacity, writeCapacity: writeCapacity ?? units.writeCapacity } : {}),
      }),
    )
    .sort(byName);
  const locals = localIndexes.map(index => canonicalIndex(index)).sort(byName);
  return compact({
    ...rest,
    billing,
    ...(provisioned ? units : {}),
    globalIndexes: globals.length === 0 ? undefined : globals,
    localIndexes: locals.length === 0 ? undefined : locals,
  }) as unknown as T;
}
