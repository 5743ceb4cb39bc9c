/** What UpdateTable is to be told, one concern a call, as DynamoDB demands (DynamoDB API reference, UpdateTable). */
import type { UpdateTableCommandInput } from '@aws-sdk/client-dynamodb';
import { attributeDefinitions, type GlobalIndex, type KeyFields, throughput, toGlobalIndex } from './dynamodb-keys.ts';

/** The fields of a table that UpdateTable changes. */
export interface TableFields extends KeyFields {
  readonly deletionProtection?: boolean;
  readonly tableClass?: 'Standard' | 'StandardInfrequentAccess';
  readonly stream?: 'KeysOnly' | 'NewImage' | 'OldImage' | 'NewAndOldImages';
  readonly kmsKey?: string;
}
export const STREAMS = { KeysOnly: 'KEYS_ONLY', NewImage: 'NEW_IMAGE', OldImage: 'OLD_IMAGE', NewAndOldImages: 'NEW_AND_OLD_IMAGES' } as const;
export const TABLE_CLASSES = { Standard: 'STANDARD', StandardInfrequentAccess: 'STANDARD_INFREQUENT_ACCESS' } as const;
type Step = Omit<UpdateTableCommandInput, 'TableName'>;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
/** What makes an index another index: everything but its throughput. */
const shape = ({ readCapacity: _, writeCapacity: _w, ...index }: GlobalIndex): string =>
  JSON.stringify(Object.entries(index).sort(([a], [b]) => (a < b ? -1 : 1)));

function billingStep(now: TableFields, next: TableFields): Step | undefined {
  const units = (table: TableFields) => (table.globalIndexes ?? []).map(index => [index.name, index.readCapacity, index.writeCapacity]);
  const kept = (next.globalIndexes ?? []).filter(index => now.globalIndexes?.some(other => other.name === index.name && shape(other) === shape(index)));
  const before = units({ ...now, globalIndexes: (now.globalIndexes ?? []).filter(index => kept.some(other => other.name === index.name)) });
  const tableSame = now.billing === next.billing && now.readCapacity === next.readCapacity && now.writeCapacity === next.writeCapacity;
  if (tableSame && same(before, units({ ...next, globalIndexes: kept }))) return undefined;
  if (next.billing !== 'Provisioned') return { BillingMode: 'PAY_PER_REQUEST' };
  const switched = now.billing !== 'Provisioned';
  // Units that stay the same are refused; going over to Provisioned, every index of the table needs its own.
  const indexes = switched ? (now.globalIndexes ?? []).map(index => next.globalIndexes?.find(other => other.name === index.name) ?? index) : kept;
  const moved = indexes.filter(
    index =>
      switched ||
      !same(
        [index],
        now.globalIndexes?.filter(other => other.name === index.name),
      ),
  );
  return {
    BillingMode: 'PROVISIONED',
    ...(tableSame ? {} : throughput('Provisioned', next)),
    ...(moved.length > 0
      ? {
          GlobalSecondaryIndexUpdates: moved.map(index => ({
            Update: { IndexName: index.name, ProvisionedThroughput: throughput('Provisioned', index).ProvisionedThroughput },
          })),
        }
      : {}),
  };
}

/** One index at a time: first what goes, then what comes; one whose keys changed does both. */
function indexSteps(now: TableFields, next: TableFields): Step[] {
  const old = now.globalIndexes ?? [];
  const wanted = next.globalIndexes ?? [];
  const kept = old.filter(index => wanted.some(other => other.name === index.name && shape(other) === shape(index)));
  const gone = old.filter(index => !kept.includes(index));
  const fresh = wanted.filter(index => !kept.some(other => other.name === index.name));
  return [
    ...gone.map(({ name }) => ({ GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: name } }] })),
    ...fresh.map(index => ({
      AttributeDefinitions: attributeDefinitions({ ...next, globalIndexes: [...kept, index] }),
      GlobalSecondaryIndexUpdates: [{ Create: toGlobalIndex(index, next.billing) }],
    })),
  ];
}

/** Another view of the same stream needs it off in between. */
function streamSteps(now: TableFields, next: TableFields): Step[] {
  if (now.stream === next.stream) return [];
  return [
    ...(now.stream === undefined ? [] : [{ StreamSpecification: { StreamEnabled: false } }]),
    ...(next.stream === undefined ? [] : [{ StreamSpecification: { StreamEnabled: true, StreamViewType: STREAMS[next.stream] } }]),
  ];
}

const encryption = (kmsKey: string | undefined) =>
  kmsKey === undefined ? { Enabled: false } : { Enabled: true, SSEType: 'KMS' as const, KMSMasterKeyId: kmsKey };

/** The calls that are left from `now` to `next`; the first can be made now. Deletion protection comes first: on, it guards what follows. */
export function stepsOf(now: TableFields, next: TableFields): Step[] {
  const steps: (Step | undefined)[] = [
    now.deletionProtection === next.deletionProtection ? undefined : { DeletionProtectionEnabled: next.deletionProtection ?? false },
    billingStep(now, next),
    ...indexSteps(now, next),
    ...streamSteps(now, next),
    now.kmsKey === next.kmsKey ? undefined : { SSESpecification: encryption(next.kmsKey) },
    now.tableClass === next.tableClass ? undefined : { TableClass: TABLE_CLASSES[next.tableClass ?? 'Standard'] },
  ];
  return steps.filter(step => step !== undefined);
}
