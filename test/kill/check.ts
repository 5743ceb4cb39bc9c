/** Whether exactly the right things exist: as a list of what is wrong, empty when all is well. */
import { isDeepStrictEqual } from 'node:util';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { GetQueueUrlCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { DECLARED, type Expected, NAMESPACE, type Phase } from './claims.ts';
import type { Clients, Cloud, Thing } from './cloud.ts';

type Kind = keyof Cloud;
const KINDS: readonly Kind[] = ['queues', 'topics', 'subscriptions', 'buckets', 'tables'];
const parse = (text: unknown): Record<string, unknown> => JSON.parse(typeof text === 'string' && text !== '' ? text : '{}') as Record<string, unknown>;
const last = (address: unknown): string => String(address ?? '').replace(/^.*[/:]/, '');

/**
 * What is wrong with the account after a phase of the declared claims, or of those that are expected: too much, too little, twice, other values, or
 * foreign things that are not as they were.
 */
export function wrongs(cloud: Cloud, foreign: Cloud, phase: Phase, expected: Expected = DECLARED.expected(phase)): string[] {
  return KINDS.flatMap(kind => {
    const others = new Map(foreign[kind].map(thing => [thing.name, thing]));
    const mine = cloud[kind].filter(thing => !others.has(thing.name));
    return [...touched(kind, cloud[kind], others), ...counted(kind, mine, expected), ...mine.flatMap(thing => valueWrongs(kind, thing, expected))];
  });
}

function touched(kind: Kind, now: readonly Thing[], before: ReadonlyMap<string, Thing>): string[] {
  return [...before].flatMap(([name, thing]) => {
    const found = now.find(other => other.name === name);
    if (found === undefined) return [`foreign ${kind} ${name} is gone`];
    return isDeepStrictEqual(found, thing) ? [] : [`foreign ${kind} ${name} was touched: ${JSON.stringify(thing)} is now ${JSON.stringify(found)}`];
  });
}

/** A bucket is known by its mark, as its name is hashed; the others by their name. */
const keyOf = (kind: Kind, thing: Thing): string => (kind === 'buckets' ? (thing.tags['plinth.dev/name'] ?? `unmarked ${thing.name}`) : thing.name);

function counted(kind: Kind, mine: readonly Thing[], expected: Expected): string[] {
  const wanted = Object.keys(expected[kind]).sort();
  const found = mine.map(thing => keyOf(kind, thing)).sort();
  const missing = wanted.filter(name => !found.includes(name)).map(name => `${kind} ${name} is missing`);
  const extra = found.filter(name => !wanted.includes(name)).map(name => `${kind} ${name} is left over`);
  const twice = found.filter((name, index) => found.indexOf(name) !== index).map(name => `${kind} ${name} exists twice`);
  return [...missing, ...extra, ...twice];
}

function valueWrongs(kind: Kind, thing: Thing, expected: Expected): string[] {
  const name = keyOf(kind, thing);
  if (!(name in expected[kind])) return [];
  const wanted = wantedOf(kind, name, expected);
  const found = foundOf(kind, thing);
  const values = isDeepStrictEqual(found, wanted) ? [] : [`${kind} ${name} is ${JSON.stringify(found)} and should be ${JSON.stringify(wanted)}`];
  return kind === 'subscriptions' ? values : [...values, ...markWrongs(kind, name, thing)];
}

function markWrongs(kind: Kind, name: string, { tags }: Thing): string[] {
  const claim = name.replace(/^shop_/, '').replace(/_deadLetter$/, '');
  const id = name.endsWith('_deadLetter') ? 'deadLetter' : kind.slice(0, -1);
  const isMarked = tags['plinth.dev/namespace'] === NAMESPACE && tags['plinth.dev/name'] === claim && tags['plinth.dev/id'] === id;
  return isMarked && tags['plinth.dev/uid'] && tags['plinth.dev/instance'] ? [] : [`${kind} ${name} bears the marks ${JSON.stringify(tags)}`];
}

type Values = Readonly<Record<string, unknown>>;

function wantedOf(kind: Kind, name: string, expected: Expected): Values {
  const value: unknown = expected[kind][name];
  const empty: Readonly<Record<Kind, Values>> = {
    queues: { deadLetter: '', topics: [] },
    topics: {},
    subscriptions: {},
    buckets: { expireDays: 0 },
    tables: { ttl: '', capacity: 0 },
  };
  return typeof value === 'string' ? { filter: value } : { ...empty[kind], ...(value as Values) };
}

function foundOf(kind: Kind, { shown }: Thing): Values {
  switch (kind) {
    case 'queues':
      return { visibility: shown['VisibilityTimeout'], deadLetter: redriveOf(shown['RedrivePolicy']), topics: sendersOf(shown['Policy']) };
    case 'topics':
      return { displayName: shown['DisplayName'] ?? '' };
    case 'subscriptions': {
      const filter = String(shown['FilterPolicy'] ?? '');
      return { filter: filter === '{}' ? '' : filter };
    }
    case 'buckets':
      return bucketValues(shown);
    case 'tables':
      return tableValues(shown);
  }
}

function redriveOf(text: unknown): string {
  const { deadLetterTargetArn, maxReceiveCount } = parse(text);
  return deadLetterTargetArn === undefined ? '' : `${last(deadLetterTargetArn)} ${String(maxReceiveCount)}`;
}

/** The topics that the queue's policy lets send. */
function sendersOf(text: unknown): string[] {
  const statements = (parse(text)['Statement'] ?? []) as { Condition?: Record<string, Record<string, string | string[]>> }[];
  const sources = statements.flatMap(({ Condition = {} }) => Object.values(Condition).flatMap(test => test['aws:SourceArn'] ?? []));
  return sources.map(last).sort();
}

function bucketValues(shown: Values): Values {
  const rules = (shown['lifecycle'] ?? []) as { Expiration?: { Days?: number } }[];
  const guard = Object.values((shown['guard'] ?? {}) as Record<string, boolean>);
  const isGuarded = guard.length === 4 && guard.every(flag => flag);
  return {
    versioning: shown['versioning'] === 'Enabled',
    cors: shown['cors'] !== undefined,
    expireDays: rules.find(rule => rule.Expiration !== undefined)?.Expiration?.Days ?? 0,
    ...(isGuarded ? {} : { guard }),
  };
}

function tableValues(shown: Values): Values {
  const ttl = shown['ttl'] as { TimeToLiveStatus?: string; AttributeName?: string } | undefined;
  const indexes = ((shown['GlobalSecondaryIndexes'] ?? []) as { IndexName?: string }[]).map(({ IndexName }) => IndexName);
  const throughput = shown['ProvisionedThroughput'] as { ReadCapacityUnits?: number } | undefined;
  const isPaidPerRequest = (shown['BillingModeSummary'] as { BillingMode?: string } | undefined)?.BillingMode === 'PAY_PER_REQUEST';
  const capacity = isPaidPerRequest ? 0 : (throughput?.ReadCapacityUnits ?? 0);
  return { ttl: /^ENABL/.test(ttl?.TimeToLiveStatus ?? '') ? (ttl?.AttributeName ?? '') : '', indexes, capacity };
}

// ── what is inside ──

/** Queues that stay through the update: what is put into them must not be lost. */
const FILLED = ['shop_plain-a', 'shop_plain-b', 'shop_plain-c', 'shop_dead-a', 'shop_ear-a'];

/** Puts something into our things, as an application would. `namespace`: of the claims. */
export async function fill({ sqs, s3, dynamodb }: Clients, cloud: Cloud, namespace = NAMESPACE): Promise<void> {
  const buckets = cloud.buckets.filter(thing => isOurs(thing));
  const tables = cloud.tables.filter(thing => isOurs(thing));
  await Promise.all([
    ...FILLED.map(name => name.replace(NAMESPACE, namespace)).map(async QueueName => {
      // Not all of the twenty need be declared.
      if (!cloud.queues.some(({ name }) => name === QueueName)) return;
      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'kept' }));
    }),
    ...buckets.map(({ name }) => s3.send(new PutObjectCommand({ Bucket: name, Key: 'kept', Body: 'kept' }))),
    ...tables.map(({ name }) => dynamodb.send(new PutItemCommand({ TableName: name, Item: { id: { S: 'kept' } } }))),
  ]);
}

const isOurs = ({ tags }: Thing): boolean => tags['plinth.dev/instance'] !== undefined && tags['plinth.dev/instance'] !== 'somebody-else';

/** What `fill` put there and is not there any more: made anew is lost. */
export function losses(cloud: Cloud): string[] {
  const queues = cloud.queues.filter(({ name, shown }) => FILLED.includes(name) && shown['ApproximateNumberOfMessages'] !== '1');
  const buckets = cloud.buckets.filter(thing => isOurs(thing) && (thing.shown['versions'] as unknown[]).length !== 1);
  const tables = cloud.tables.filter(thing => isOurs(thing) && (thing.shown['items'] as unknown[]).length !== 1);
  return [...queues, ...buckets, ...tables].map(({ name }) => `${name} lost what was in it`);
}
