import { type Answer, errorAnswer, jsonAnswer } from './answers.ts';
import type { Context, Handler } from './behaviours.ts';
import { isDone, recall, remember } from './memory.ts';

const CREATES = ['CreateQueue', 'CreateTopic', 'CreateTable', 'CreateBucket'];
const TAG_READS = ['ListQueueTags', 'ListTagsForResource', 'ListTagsOfResource', 'GetBucketTagging'];

export const tagsNotThereYet: Handler = {
  before: context => {
    if (!TAG_READS.includes(context.call.operation) || !recall(context)) return undefined;
    return noTags(context);
  },
  after: (context, answer) => {
    // A repeated create of what was already seen here made nothing.
    const isNew = CREATES.includes(context.call.operation) && isDone(answer) && !context.memory.has(`seen:${context.thing}`);
    if (isNew) {
      context.memory.set(`seen:${context.thing}`, { until: Number.POSITIVE_INFINITY, kept: {} });
      remember(context);
    }
    if (context.call.operation.startsWith('Delete')) context.memory.delete(`seen:${context.thing}`);
    return answer;
  },
};

function noTags({ call }: Context): Answer {
  if (call.service === 's3') return errorAnswer(call, 404, 'NoSuchTagSet', 'The TagSet does not exist');
  if (call.service !== 'sns') return jsonAnswer(call.service === 'sqs' ? {} : { Tags: [] });
  const body = '<ListTagsForResourceResponse><ListTagsForResourceResult><Tags/></ListTagsForResourceResult></ListTagsForResourceResponse>';
  return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
}

export const nameNotReleased: Handler = {
  before: context => {
    if (context.call.operation !== 'CreateBucket' || !recall(context)) return undefined;
    const message = 'A conflicting conditional operation is currently in progress against this resource. Please try again.';
    return errorAnswer(context.call, 409, 'OperationAborted', message);
  },
  after: (context, answer) => {
    if (context.call.operation === 'DeleteBucket' && isDone(answer)) remember(context);
    return answer;
  },
};

/** Kept: the answer that readers still get. */
export const versioningNotThereYet: Handler = {
  before: async context => {
    const kept = recall(context)?.kept['answer'] as Answer | undefined;
    if (context.call.operation === 'GetBucketVersioning') return kept;
    if (context.call.operation !== 'PutBucketVersioning') return undefined;
    const { authorization, host } = context.outgoing.headers;
    const old = await context.ask({
      method: 'GET',
      headers: { ...(authorization ? { authorization } : {}), ...(host ? { host } : {}) },
      body: Buffer.alloc(0),
    });
    if (isDone(old)) remember(context, { answer: kept ?? old });
    return undefined;
  },
  after: (context, answer) => {
    if (context.call.operation === 'DeleteBucket' || (context.call.operation === 'PutBucketVersioning' && !isDone(answer)))
      context.memory.delete(context.thing);
    return answer;
  },
};

const BLOCKS = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'];
const BLOCK_ALL = `<PublicAccessBlockConfiguration>${BLOCKS.map(name => `<${name}>true</${name}>`).join('')}</PublicAccessBlockConfiguration>`;

export const secureBucketDefaults: Handler = {
  before: async context => {
    if (context.call.operation !== 'CreateBucket') return undefined;
    const head = await context.ask({ method: 'HEAD', body: Buffer.alloc(0) });
    if (head.status === 404) context.memory.set(`new:${context.call.index}`, { until: Number.POSITIVE_INFINITY, kept: {} });
    return undefined;
  },
  after: async (context, answer) => {
    const isNew = context.memory.delete(`new:${context.call.index}`);
    if (!isNew || !isDone(answer)) return answer;
    const ownership = String(context.outgoing.headers['x-amz-object-ownership'] ?? 'BucketOwnerEnforced');
    await putPart(context, 'publicAccessBlock', BLOCK_ALL);
    await putPart(context, 'ownershipControls', `<OwnershipControls><Rule><ObjectOwnership>${ownership}</ObjectOwnership></Rule></OwnershipControls>`);
    return answer;
  },
};

async function putPart(context: Context, part: string, xml: string): Promise<void> {
  const { authorization, host } = context.outgoing.headers;
  const answer = await context.ask({
    method: 'PUT',
    path: `/${context.call.target}?${part}`,
    // Not the checksum headers: they are of the other body.
    headers: { ...(authorization ? { authorization } : {}), ...(host ? { host } : {}), 'content-type': 'application/xml' },
    body: Buffer.from(xml),
  });
  if (!isDone(answer)) throw new Error(`the emulator refuses ${part}: ${answer.status} ${answer.body.toString('utf8').slice(0, 300)}`);
}

/** An edit that broke off (the emulator died) is not taken for running for ever. */
const RUNNING_MS = 60_000;

/** Remembered while an edit runs, and for the time of the behaviour from its start. */
export const concurrentTagEdits: Handler = {
  before: context => {
    if (!['TagResource', 'UntagResource'].includes(context.call.operation)) return undefined;
    if (recall(context) || recall(context, runningKey(context))) {
      return errorAnswer(
        context.call,
        400,
        'ConcurrentAccess',
        "Can't perform multiple operations on a tag simultaneously. Perform the operations sequentially.",
      );
    }
    context.memory.set(runningKey(context), { until: context.now() + RUNNING_MS, kept: {} });
    remember(context);
    return undefined;
  },
  after: (context, answer) => {
    if (['TagResource', 'UntagResource'].includes(context.call.operation)) context.memory.delete(runningKey(context));
    return answer;
  },
};

function runningKey(context: Context): string {
  return `running:${context.thing}`;
}
