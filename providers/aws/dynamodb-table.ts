/** `aws/dynamodb-table`: one DynamoDB table. Settings and limits: DynamoDB API reference, CreateTable, UpdateTable and DescribeTable. */
import { type Static, Type } from '@sinclair/typebox';
import { applied, changedFields, EngineError, isError, mapDelta, type Present, present } from '../../src/sdk.ts';
import { awsType, type Call, dynamodb, endpointOf, keysOf } from './client.ts';
import {
  attributeDefinitions,
  canonicalKeys,
  GlobalIndex,
  Key,
  keySchema,
  LocalIndex,
  throughput,
  toGlobalIndex,
  toLocalIndex,
  Units,
} from './dynamodb-keys.ts';
import { readinessOf, readParts, statusOf, tableFields } from './dynamodb-read.ts';
import { STREAMS, stepsOf, TABLE_CLASSES, type TableFields } from './dynamodb-steps.ts';
import { compact, Tags, tagList } from './values.ts';

const Spec = Type.Object(
  {
    partitionKey: Key('Partition key.', { plinth: 'immutable' }),
    sortKey: Type.Optional(Key('Sort key.', { plinth: 'immutable' })),
    localIndexes: Type.Optional(
      Type.Array(LocalIndex, { plinth: 'immutable', maxItems: 5, description: 'Other sort keys for the same partition key; only at creation.' }),
    ),
    globalIndexes: Type.Optional(
      Type.Array(GlobalIndex, { removable: true, maxItems: 20, description: 'Indexes with keys of their own; made and removed one after the other.' }),
    ),
    billing: Type.Union([Type.Literal('OnDemand'), Type.Literal('Provisioned')], {
      default: 'OnDemand',
      description: 'Pay per request, or for reserved units.',
    }),
    readCapacity: Units('Provisioned only: read units; 1 when left out.'),
    writeCapacity: Units('Provisioned only: write units; 1 when left out.'),
    tableClass: Type.Union([Type.Literal('Standard'), Type.Literal('StandardInfrequentAccess')], { default: 'Standard', description: 'Storage class.' }),
    stream: Type.Optional(
      Type.Union([Type.Literal('KeysOnly'), Type.Literal('NewImage'), Type.Literal('OldImage'), Type.Literal('NewAndOldImages')], {
        removable: true,
        description: 'Stream of changes, and what it shows of an item; none when left out.',
      }),
    ),
    ttlAttribute: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        removable: true,
        description: 'Attribute with the time at which an item is removed. AWS allows one change an hour.',
      }),
    ),
    pointInTimeRecovery: Type.Boolean({ default: false, description: 'Continuous backups: the table can be restored to any second of the last 35 days.' }),
    kmsKey: Type.Optional(
      Type.String({
        pattern: '^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$',
        removable: true,
        description: 'ARN of the KMS key; without it DynamoDB encrypts with its own key. An ARN because that is what AWS answers, whatever it was given.',
      }),
    ),
    deletionProtection: Type.Boolean({ default: false, description: 'The table cannot be deleted while this is on.' }),
    tags: Tags('At most 50.'),
  },
  { additionalProperties: false },
);
type Spec = Static<typeof Spec>;

const State = Type.Object({
  arn: Type.String({ description: 'ARN of the table.' }),
  name: Type.String({ description: 'Name of the table.' }),
  region: Type.String({ description: 'Region of the table.' }),
  status: Type.String({ description: 'TableStatus as AWS says it, e.g. ACTIVE; CHANGING while an index of it is made or removed.' }),
  streamArn: Type.Optional(Type.String({ description: 'ARN of the stream, where there is one.' })),
  endpoint: Type.Optional(Type.String({ description: 'URL of the DynamoDB API; only where it is not AWS.' })),
});
type State = Static<typeof State>;

/** One change an hour, and switched off before another attribute is switched on (UpdateTimeToLive). */
async function updateTtl(call: Call, TableName: string, now: string | undefined, next: string | undefined): Promise<void> {
  const AttributeName = now ?? next;
  if (AttributeName === undefined || now === next) return;
  try {
    await dynamodb(call, 'UpdateTimeToLive', { TableName, TimeToLiveSpecification: { AttributeName, Enabled: now === undefined } });
  } catch (error) {
    // The name of the attribute was checked by the schema: what is left is the rule of one change an hour.
    if (!isError(error, 'InvalidRequest')) throw error;
    throw new EngineError('Busy', `time to live of table ${TableName} was changed within the last hour`, { cause: error, path: 'ttlAttribute' });
  }
  if (now !== undefined && next !== undefined)
    throw new EngineError('Busy', `time to live of table ${TableName} is being switched to another attribute`, { path: 'ttlAttribute' });
}

async function updateTags(call: Call, ResourceArn: string, { set, remove }: ReturnType<typeof mapDelta>): Promise<void> {
  if (Object.keys(set).length > 0) await dynamodb(call, 'TagResource', { ResourceArn, Tags: tagList(set) });
  if (remove.length > 0) await dynamodb(call, 'UntagResource', { ResourceArn, TagKeys: [...remove] });
}

/** The first of what is left for UpdateTable; Busy while there is more, so that the next pass goes on. */
async function updateTable(call: Call, TableName: string, seen: Present<Spec, State>, next: Partial<Spec>): Promise<void> {
  const [step, ...later] = stepsOf(canonicalKeys(seen.spec) as TableFields, canonicalKeys(next) as TableFields);
  if (step === undefined) return;
  const busy = new EngineError('Busy', `DynamoDB makes one change of table ${TableName} at a time, and there are more`);
  if (seen.state.status !== 'ACTIVE') throw busy;
  await dynamodb(call, 'UpdateTable', { TableName, ...step });
  if (later.length > 0) throw busy;
}

export const dynamodbTable = awsType({
  type: 'aws/dynamodb-table',
  description: 'A DynamoDB table with its indexes.',
  spec: Spec,
  state: State,
  naming: { by: 'template', minLength: 3, maxLength: 255, characters: 'A-Za-z0-9_.-', unique: 'account' },
  mark: { as: 'map', at: 'tags' },
  holds: 'data',
  settleSeconds: 30,
  examples: [
    {
      partitionKey: { name: 'id', type: 'S' },
      billing: 'OnDemand',
      tableClass: 'Standard',
      pointInTimeRecovery: false,
      deletionProtection: false,
      tags: { team: 'orders' },
    },
    {
      partitionKey: { name: 'customer', type: 'S' },
      sortKey: { name: 'placed', type: 'N' },
      localIndexes: [{ name: 'by-total', sortKey: { name: 'total', type: 'N' }, projection: 'KeysOnly' }],
      globalIndexes: [
        {
          name: 'by-state',
          partitionKey: { name: 'state', type: 'S' },
          sortKey: { name: 'placed', type: 'N' },
          projection: 'Include',
          include: ['total', 'note'],
        },
      ],
      billing: 'OnDemand',
      tableClass: 'StandardInfrequentAccess',
      stream: 'NewAndOldImages',
      ttlAttribute: 'expires',
      pointInTimeRecovery: true,
      deletionProtection: false,
      tags: {},
    },
    {
      partitionKey: { name: 'id', type: 'B' },
      globalIndexes: [{ name: 'by-day', partitionKey: { name: 'day', type: 'S' }, readCapacity: 2, writeCapacity: 3 }],
      billing: 'Provisioned',
      readCapacity: 5,
      writeCapacity: 4,
      tableClass: 'Standard',
      pointInTimeRecovery: false,
      deletionProtection: false,
      tags: {},
    },
  ],

  normalise: spec => canonicalKeys(spec as TableFields) as Spec,
  async observe(call, name) {
    const { Table = {} } = await dynamodb(call, 'DescribeTable', { TableName: name });
    const parts = await readParts(call, Table, name);
    const stream = Table.StreamSpecification?.StreamEnabled === true ? Table.LatestStreamArn : undefined;
    const state = compact({
      arn: Table.TableArn ?? '',
      name,
      region: call.client.region,
      status: statusOf(Table),
      streamArn: stream,
      ...endpointOf(call.client),
    });
    return present<Spec, State>(
      { ...(tableFields(Table) as Partial<Spec>), ...parts.spec },
      state,
      readinessOf(Table),
      compact({ secrets: { ...keysOf(call.client) }, unread: parts.unread, createdAt: Table.CreationDateTime?.toISOString() }),
    );
  },
  async create(call, name, spec) {
    const { localIndexes = [], globalIndexes = [], stream, kmsKey, billing } = spec;
    await dynamodb(call, 'CreateTable', {
      TableName: name,
      KeySchema: keySchema(spec.partitionKey, spec.sortKey),
      AttributeDefinitions: attributeDefinitions(spec),
      BillingMode: billing === 'Provisioned' ? 'PROVISIONED' : 'PAY_PER_REQUEST',
      ...throughput(billing, spec),
      ...(localIndexes.length > 0 ? { LocalSecondaryIndexes: localIndexes.map(index => toLocalIndex(index, spec.partitionKey)) } : {}),
      ...(globalIndexes.length > 0 ? { GlobalSecondaryIndexes: globalIndexes.map(index => toGlobalIndex(index, billing)) } : {}),
      TableClass: TABLE_CLASSES[spec.tableClass],
      DeletionProtectionEnabled: spec.deletionProtection,
      ...(stream === undefined ? {} : { StreamSpecification: { StreamEnabled: true, StreamViewType: STREAMS[stream] } }),
      ...(kmsKey === undefined ? {} : { SSESpecification: { Enabled: true, SSEType: 'KMS', KMSMasterKeyId: kmsKey } }),
      Tags: tagList(spec.tags),
    });
  },
  async update(call, name, update) {
    const { seen, changes } = update;
    const next = applied(update);
    const changed = changedFields(changes);
    if (changed.has('tags')) await updateTags(call, seen.state.arn, mapDelta(changes, 'tags'));
    if (changed.has('pointInTimeRecovery')) {
      const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: next.pointInTimeRecovery ?? false };
      await dynamodb(call, 'UpdateContinuousBackups', { TableName: name, PointInTimeRecoverySpecification });
    }
    // Time to live may have to wait an hour: it goes last, so that nothing waits for it.
    await updateTable(call, name, seen, next);
    if (changed.has('ttlAttribute')) await updateTtl(call, name, seen.spec.ttlAttribute, next.ttlAttribute);
  },
  async delete(call, name, { spec, state }) {
    if (state.status === 'DELETING') return;
    if (spec.deletionProtection === true) throw new EngineError('Protected', `deletion protection of table ${name} is on`);
    if (state.status === 'CREATING' || state.status === 'UPDATING')
      throw new EngineError('Busy', `table ${name} is being changed; it can be deleted afterwards`);
    try {
      await dynamodb(call, 'DeleteTable', { TableName: name });
    } catch (error) {
      // A valid request without any choice can only be refused because the protection was switched on since the look.
      if (isError(error, 'InvalidRequest')) throw new EngineError('Protected', `deletion protection of table ${name} is on`, { cause: error });
      throw error;
    }
  },
});
