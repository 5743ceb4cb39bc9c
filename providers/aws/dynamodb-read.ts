/** Reads one table as spec, state and readiness (DynamoDB API reference, DescribeTable, DescribeTimeToLive, DescribeContinuousBackups, ListTagsOfResource). */
import type { TableDescription } from '@aws-sdk/client-dynamodb';
import { isError, notReady, type Readiness, ready, type StringMap } from '../../src/sdk.ts';
import { type Call, dynamodb } from './client.ts';
import { keyFields } from './dynamodb-keys.ts';
import { STREAMS, TABLE_CLASSES, type TableFields } from './dynamodb-steps.ts';
import { compact, tagMap } from './values.ts';

/** The fields that cost a call of their own. */
interface PartFields {
  readonly tags?: StringMap;
  readonly ttlAttribute?: string;
  readonly pointInTimeRecovery?: boolean;
}
const PARTS = ['tags', 'ttlAttribute', 'pointInTimeRecovery'] as const;

function nameOf<T extends string>(names: Readonly<Record<T, string>>, answered: string | undefined): T | undefined {
  return (Object.keys(names) as T[]).find(name => names[name] === answered);
}

/** The fields that DescribeTable answers. */
export function tableFields(table: TableDescription): TableFields {
  const { StreamSpecification: stream, SSEDescription: sse } = table;
  return compact({
    ...keyFields(table),
    tableClass: nameOf(TABLE_CLASSES, table.TableClassSummary?.TableClass) ?? 'Standard',
    stream: stream?.StreamEnabled === true ? nameOf(STREAMS, stream.StreamViewType) : undefined,
    kmsKey: sse?.Status === 'ENABLED' || sse?.Status === 'ENABLING' || sse?.Status === 'UPDATING' ? sse.KMSMasterKeyArn : undefined,
    deletionProtection: table.DeletionProtectionEnabled === true,
  });
}

/** A part that is not there yet, on a table that is: left unread. Its "not found" must not say that the table is gone. */
async function part<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isError(error, 'NotFound') || isError(error, 'Busy')) return undefined;
    throw error;
  }
}

/** All tags of a table, page by page. */
async function readTags(call: Call, ResourceArn: string): Promise<StringMap> {
  const tags: StringMap = {};
  for (let NextToken: string | undefined; ; ) {
    const page = await dynamodb(call, 'ListTagsOfResource', { ResourceArn, ...(NextToken === undefined ? {} : { NextToken }) });
    Object.assign(tags, tagMap(page.Tags));
    NextToken = page.NextToken;
    if (!NextToken) return tags;
  }
}

/**
 * A refusal is believed only of a table that is still there: AWS has no other answer for the tags of one that has just gone. Undefined when
 * the table is on its way out. Errors: NotFound when it is gone.
 */
export async function readMarks(call: Call, TableArn: string, TableName: string): Promise<StringMap | undefined> {
  try {
    return await readTags(call, TableArn);
  } catch (error) {
    if (!isError(error, 'AccessDenied')) throw error;
    const { Table } = await dynamodb(call, 'DescribeTable', { TableName });
    if (Table?.TableStatus === 'DELETING') return undefined;
    throw error;
  }
}

async function readTtl(call: Call, TableName: string): Promise<{ readonly ttlAttribute?: string }> {
  const { TimeToLiveDescription: ttl } = await dynamodb(call, 'DescribeTimeToLive', { TableName });
  const on = ttl?.TimeToLiveStatus === 'ENABLED' || ttl?.TimeToLiveStatus === 'ENABLING';
  return compact({ ttlAttribute: on ? ttl.AttributeName : undefined });
}

async function readRecovery(call: Call, TableName: string): Promise<{ readonly pointInTimeRecovery: boolean }> {
  const { ContinuousBackupsDescription: backups } = await dynamodb(call, 'DescribeContinuousBackups', { TableName });
  return { pointInTimeRecovery: backups?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus === 'ENABLED' };
}

/** The fields with a call of their own, and those that could not be read yet. Right after creation only tags can be. */
export async function readParts(call: Call, table: TableDescription, name: string): Promise<{ readonly spec: PartFields; readonly unread: readonly string[] }> {
  if (call.depth === 'quick' || table.TableStatus === 'DELETING') return { spec: {}, unread: PARTS };
  const there = table.TableStatus !== 'CREATING';
  const [tags, ttl, recovery] = await Promise.all([
    part(readMarks(call, table.TableArn ?? '', name)),
    there ? part(readTtl(call, name)) : undefined,
    there ? part(readRecovery(call, name)) : undefined,
  ]);
  const unread = PARTS.filter((_, index) => [tags, ttl, recovery][index] === undefined);
  return { spec: { ...(tags === undefined ? {} : { tags }), ...ttl, ...recovery }, unread };
}

/** Ready while it can be used: a change of settings does not stop a table, an index that is still filled cannot be read. */
export function readinessOf({ TableStatus, GlobalSecondaryIndexes = [] }: TableDescription): Readiness {
  if (TableStatus === 'CREATING') return notReady('Creating', 'the table is being created');
  if (TableStatus === 'DELETING') return notReady('Deleting', 'the table is being deleted');
  if (TableStatus !== 'ACTIVE' && TableStatus !== 'UPDATING')
    return notReady('NotUsable', `the table is ${TableStatus ?? 'in an unknown state'}; check its KMS key`);
  const filling = GlobalSecondaryIndexes.filter(({ IndexStatus }) => IndexStatus === 'CREATING').map(({ IndexName = '' }) => IndexName);
  return filling.length === 0 ? ready : notReady('IndexCreating', `index ${filling.sort().join(', ')} is being filled`);
}

/** TableStatus, or CHANGING while only an index is being made or removed. */
export const statusOf = ({ TableStatus, GlobalSecondaryIndexes = [] }: TableDescription): string =>
  TableStatus === 'ACTIVE' && GlobalSecondaryIndexes.some(({ IndexStatus }) => IndexStatus !== undefined && IndexStatus !== 'ACTIVE')
    ? 'CHANGING'
    : (TableStatus ?? 'UNKNOWN');
