import { type Answer, errorAnswer, jsonAnswer, jsonOf, withJson } from './answers.ts';
import type { Context, Handler } from './behaviours.ts';
import { askJson, isDone, recall, remember } from './memory.ts';

const READS = ['GetQueueUrl', 'GetQueueAttributes', 'ListQueueTags'];

export const deletedRecently: Handler = {
  before: context => {
    if (context.call.operation !== 'CreateQueue' || !recall(context)) return undefined;
    return errorAnswer(
      context.call,
      400,
      'QueueDeletedRecently',
      'You must wait 60 seconds after deleting a queue before you can create another with the same name.',
    );
  },
  after: (context, answer) => {
    if (context.call.operation === 'DeleteQueue' && isDone(answer)) remember(context);
    return answer;
  },
};

const isRetention = (attribute: string): boolean => attribute === 'MessageRetentionPeriod';
/** All attributes but the one that takes longer. */
export const attributesNotThereYet = notThereYet(attribute => !isRetention(attribute));
export const retentionNotThereYet = notThereYet(isRetention);

/** Kept: for each attribute meant that was set, the value readers still see (null: none). */
function notThereYet(isMeant: (attribute: string) => boolean): Handler {
  return {
    before: async context => {
      if (context.call.operation !== 'SetQueueAttributes') return undefined;
      const answer = await askJson(context, 'GetQueueAttributes', { QueueUrl: context.call.input['QueueUrl'], AttributeNames: ['All'] });
      if (!isDone(answer)) return undefined;
      const old = attributesOf(answer);
      const changed = Object.keys(recordOf(context.call.input['Attributes'])).filter(isMeant);
      if (changed.length === 0) return undefined;
      const visible = Object.fromEntries(changed.map(name => [name, old[name] ?? null]));
      remember(context, { ...visible, ...recall(context)?.kept });
      return undefined;
    },
    after: (context, answer) => {
      if (context.call.operation === 'SetQueueAttributes' && !isDone(answer)) context.memory.delete(context.thing);
      const old = recall(context)?.kept;
      if (context.call.operation !== 'GetQueueAttributes' || !old || !isDone(answer)) return answer;
      return withJson(answer, { ...jsonOf(answer), Attributes: withOldValues(context, attributesOf(answer), old) });
    },
  };
}

function withOldValues(context: Context, attributes: Record<string, unknown>, old: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const asked = context.call.input['AttributeNames'];
  const isAsked = (name: string) => Array.isArray(asked) && (asked.includes('All') || asked.includes(name));
  const hidden = Object.keys(old);
  const unchanged = Object.entries(attributes).filter(([name]) => !hidden.includes(name));
  const shown = Object.entries(old).filter(([name, value]) => value !== null && isAsked(name));
  return Object.fromEntries([...unchanged, ...shown]);
}

/** Kept: the answers of the three reads as they were before the delete. */
export const readAfterDelete: Handler = {
  before: async context => {
    const { operation, input, target } = context.call;
    const kept = recall(context)?.kept;
    if (kept && operation === 'GetQueueAttributes') {
      const attributes = Object.entries(recordOf(kept['Attributes']));
      const asked = Array.isArray(input['AttributeNames']) ? input['AttributeNames'] : [];
      return jsonAnswer({ Attributes: Object.fromEntries(attributes.filter(([name]) => asked.includes('All') || asked.includes(name))) });
    }
    if (kept && operation === 'GetQueueUrl') return jsonAnswer({ QueueUrl: kept['QueueUrl'] });
    if (kept && operation === 'ListQueueTags') return jsonAnswer({ Tags: kept['Tags'] });
    if (operation !== 'DeleteQueue') return undefined;
    const attributes = await askJson(context, 'GetQueueAttributes', { QueueUrl: input['QueueUrl'], AttributeNames: ['All'] });
    const tags = await askJson(context, 'ListQueueTags', { QueueUrl: input['QueueUrl'] });
    const url = await askJson(context, 'GetQueueUrl', { QueueName: target });
    if (!isDone(attributes) || !isDone(url)) return undefined;
    remember(context, { Attributes: attributesOf(attributes), QueueUrl: jsonOf(url)['QueueUrl'], Tags: jsonOf(tags)['Tags'] ?? {} });
    return undefined;
  },
  after: (context, answer) => {
    const { operation } = context.call;
    if ((operation === 'DeleteQueue' && !isDone(answer)) || (operation === 'CreateQueue' && isDone(answer))) context.memory.delete(context.thing);
    return answer;
  },
};

/** Remembered under `new:…` between the two halves of one CreateQueue: the queue was not there before. */
export const queueNotFoundYet: Handler = {
  before: async context => {
    const { operation, target } = context.call;
    if (operation === 'CreateQueue' && !isDone(await askJson(context, 'GetQueueUrl', { QueueName: target }))) {
      context.memory.set(newKey(context), { until: Number.POSITIVE_INFINITY, kept: {} });
    }
    if (![...READS, 'SetQueueAttributes'].includes(operation) || !recall(context)) return undefined;
    return errorAnswer(context.call, 400, 'QueueDoesNotExist', 'The specified queue does not exist.');
  },
  after: (context, answer) => {
    if (context.call.operation === 'CreateQueue' && context.memory.delete(newKey(context)) && isDone(answer)) remember(context);
    return answer;
  },
};

function newKey(context: Context): string {
  return `new:${context.call.index}`;
}

function attributesOf(answer: Answer): Record<string, unknown> {
  return recordOf(jsonOf(answer)['Attributes']);
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
