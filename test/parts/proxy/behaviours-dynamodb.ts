import { type Answer, errorAnswer, jsonAnswer, jsonOf, withJson } from './answers.ts';
import type { Context, Handler } from './behaviours.ts';
import { askJson, isDone, recall, remember } from './memory.ts';

type Fields = Record<string, unknown>;

export const tableNotFoundYet: Handler = {
  before: context => {
    if (!['DescribeTable', 'ListTagsOfResource'].includes(context.call.operation) || !recall(context)) return undefined;
    return errorAnswer(context.call, 400, 'ResourceNotFoundException', `Requested resource not found: Table: ${context.call.target} not found`);
  },
  after: (context, answer) => {
    if (context.call.operation === 'CreateTable' && isDone(answer)) remember(context);
    return answer;
  },
};

/** Kept: status, the table as it was before (for DELETING and for indexes that go), and the names of indexes in the making. */
export const tableStatus: Handler = {
  before: async context => {
    const now = recall(context);
    const { operation, target } = context.call;
    if (now && isRefusedMeanwhile(operation, now.kept['status'])) return refusal(context, operation, String(now.kept['status']));
    if (now && operation === 'DescribeTable' && now.kept['status'] === 'DELETING') {
      return jsonAnswer({ Table: { ...fieldsOf(now.kept['table']), TableStatus: 'DELETING' } });
    }
    if (operation !== 'UpdateTable' && operation !== 'DeleteTable') return undefined;
    const before = await askJson(context, 'DescribeTable', { TableName: target });
    if (isDone(before)) context.memory.set(beforeKey(context), { until: Number.POSITIVE_INFINITY, kept: fieldsOf(jsonOf(before)['Table']) });
    return undefined;
  },
  after: (context, answer) => {
    const status = { CreateTable: 'CREATING', UpdateTable: 'UPDATING', DeleteTable: 'DELETING' }[context.call.operation];
    const table = context.memory.get(beforeKey(context))?.kept;
    context.memory.delete(beforeKey(context));
    if (!isDone(answer)) return answer;
    if (status) remember(context, { status, table, ...indexChanges(context.call.operation, context.call.input) });
    return withStatus(context, answer);
  },
};

function isRefusedMeanwhile(operation: string, status: unknown): boolean {
  if (['UpdateTable', 'DeleteTable', 'UpdateTimeToLive'].includes(operation)) return true;
  return operation === 'CreateTable' ? status === 'DELETING' : operation === 'UpdateContinuousBackups' && status === 'CREATING';
}

function refusal(context: Context, operation: string, status: string): Answer {
  const { call } = context;
  if (operation === 'UpdateContinuousBackups') {
    const message = `Backups are being enabled for the table: ${call.target}. Please retry later`;
    return errorAnswer(call, 400, 'ContinuousBackupsUnavailableException', message);
  }
  return errorAnswer(call, 400, 'ResourceInUseException', `Attempt to change a resource which is still in use: Table is being ${status}: ${call.target}`);
}

/** Names of the indexes that a call makes or removes. */
function indexChanges(operation: string, input: Fields): { creating: string[]; deleting: string[] } {
  if (operation === 'CreateTable') return { creating: listOf(input['GlobalSecondaryIndexes']).map(indexName), deleting: [] };
  const updates = listOf(input['GlobalSecondaryIndexUpdates']);
  return {
    creating: updates.filter(update => update['Create']).map(update => indexName(fieldsOf(update['Create']))),
    deleting: updates.filter(update => update['Delete']).map(update => indexName(fieldsOf(update['Delete']))),
  };
}

function withStatus(context: Context, answer: Answer): Answer {
  const kept = recall(context)?.kept;
  const field = context.call.operation === 'DescribeTable' ? 'Table' : 'TableDescription';
  const table = fieldsOf(jsonOf(answer)[field]);
  if (!kept || table['TableName'] === undefined) return answer;
  const indexes = withIndexStatus(listOf(table['GlobalSecondaryIndexes']), kept);
  const changed = { ...table, TableStatus: kept['status'], ...(indexes.length > 0 ? { GlobalSecondaryIndexes: indexes } : {}) };
  return withJson(answer, { ...jsonOf(answer), [field]: changed });
}

function withIndexStatus(indexes: Fields[], kept: Readonly<Fields>): Fields[] {
  const [creating, deleting] = [kept['creating'] as string[], kept['deleting'] as string[]];
  const present = indexes.map(index => (creating.includes(indexName(index)) ? { ...index, IndexStatus: 'CREATING' } : index));
  const going = listOf(fieldsOf(kept['table'])['GlobalSecondaryIndexes']).filter(index => deleting.includes(indexName(index)));
  const gone = going.filter(index => !present.some(other => indexName(other) === indexName(index)));
  return [...present, ...gone.map(index => ({ ...index, IndexStatus: 'DELETING' }))];
}

export const oneIndexChange: Handler = {
  before: ({ call }) => {
    const updates = call.operation === 'UpdateTable' ? listOf(call.input['GlobalSecondaryIndexUpdates']) : [];
    if (updates.filter(update => update['Create'] || update['Delete']).length < 2) return undefined;
    const message = 'Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table';
    return errorAnswer(call, 400, 'LimitExceededException', message);
  },
};

export const ttlChangedTwice: Handler = {
  before: context => {
    if (context.call.operation !== 'UpdateTimeToLive' || !recall(context)) return undefined;
    return errorAnswer(context.call, 400, 'ValidationException', 'Time to live has been modified multiple times within a fixed interval');
  },
  after: (context, answer) => {
    if (context.call.operation === 'UpdateTimeToLive' && isDone(answer)) remember(context);
    return answer;
  },
};

function beforeKey(context: Context): string {
  return `before:${context.call.index}`;
}

function indexName(index: Fields): string {
  return String(index['IndexName']);
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? (value as Fields[]) : [];
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
