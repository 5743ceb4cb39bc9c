/** Resource policies in one canonical form, so that what was written reads back equal (IAM user guide, "Grammar of the IAM JSON policy language"). */
import type { Json, JsonObject } from '../../src/sdk.ts';
import { document } from './values.ts';

const ROOT = /^arn:[^:]+:iam::(\d{12}):root$/;
const byText = (a: Json, b: Json): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** One value stands for itself, several as a sorted list without doubles: AWS treats both alike and some services answer either. */
function oneOrMany(value: Json, each: (item: Json) => Json): Json {
  if (!Array.isArray(value)) return each(value);
  const items = [...new Map(value.map(item => [JSON.stringify(each(item)), each(item)])).values()].sort(byText);
  return items.length === 1 ? items[0]! : items;
}

const isMap = (value: Json | undefined): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value);

function mapOf(value: Json, each: (item: Json) => Json): Json {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, each(item)]),
  );
}

/** An account and its root user are the same principal, and so are everybody and every AWS principal. */
function principal(value: Json): Json {
  const accounts = mapOf(value, item => oneOrMany(item, one => (typeof one === 'string' ? one.replace(ROOT, '$1') : one)));
  return isMap(accounts) && Object.keys(accounts).length === 1 && accounts['AWS'] === '*' ? '*' : accounts;
}

/** Action prefixes are not case-sensitive; consoles write `SQS:`. */
const action = (value: Json): Json => (typeof value === 'string' ? value.replace(/^[^:]+:/, prefix => prefix.toLowerCase()) : value);
const scalar = (value: Json): Json => (typeof value === 'boolean' || typeof value === 'number' ? String(value) : value);

const FIELDS: Readonly<Record<string, (value: Json) => Json>> = {
  Principal: principal,
  NotPrincipal: principal,
  Action: value => oneOrMany(value, action),
  NotAction: value => oneOrMany(value, action),
  Resource: value => oneOrMany(value, item => item),
  NotResource: value => oneOrMany(value, item => item),
  Condition: value => mapOf(value, test => mapOf(test, operands => oneOrMany(operands, scalar))),
};

function statement(value: Json, resource: Json | undefined): Json {
  if (!isMap(value)) return value;
  const own = value['Resource'] === undefined && value['NotResource'] === undefined && resource !== undefined ? { Resource: resource } : {};
  const whole: JsonObject = { ...value, ...own };
  return Object.fromEntries(
    Object.keys(whole)
      .sort()
      .map(key => [key, FIELDS[key]?.(whole[key]!) ?? whole[key]!]),
  );
}

/**
 * The policy in canonical form; JSON text becomes an object. A statement without Resource is about the thing itself: `resource`, when it is
 * known. The order of statements means nothing, so they are sorted. Pure and idempotent; a policy without statements is none.
 */
export function canonicalPolicy(policy: unknown, resource?: string | readonly string[]): JsonObject | string | undefined {
  const whole = document(policy);
  if (whole === undefined || typeof whole === 'string') return whole;
  const list = Array.isArray(whole['Statement']) ? whole['Statement'] : whole['Statement'] === undefined ? [] : [whole['Statement']];
  if (list.length === 0) return undefined;
  const own = resource === undefined || typeof resource === 'string' ? resource : [...resource];
  const Statement = list.map(item => statement(item, own)).sort(byText);
  return { ...whole, Version: whole['Version'] ?? '2008-10-17', Statement };
}

/** Sid of the one statement of a queue's policy that `allowSendFrom` stands for. */
const SEND_SID = 'PlinthAllowSend';

function sendStatement(queueArn: string, sources: readonly string[]): JsonObject {
  const SourceArn = oneOrMany([...sources], item => item);
  return statement(
    {
      Sid: SEND_SID,
      Effect: 'Allow',
      Principal: { Service: 'sns.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource: queueArn,
      Condition: { ArnEquals: { 'aws:SourceArn': SourceArn } },
    },
    undefined,
  ) as JsonObject;
}

function sourcesOf(item: Json): readonly string[] {
  if (!isMap(item) || item['Sid'] !== SEND_SID || !isMap(item['Condition']) || !isMap(item['Condition']['ArnEquals'])) return [];
  const sources = item['Condition']['ArnEquals']['aws:SourceArn'];
  return (Array.isArray(sources) ? sources : [sources]).filter(source => typeof source === 'string');
}

/** A queue's policy as its two fields: topics that may send, and the rest. A send statement that was tampered with belongs to the rest. */
export function splitPolicy(policy: unknown, queueArn: string): { readonly allowSendFrom?: string[]; readonly policy?: JsonObject } {
  const whole = canonicalPolicy(policy);
  if (whole === undefined || typeof whole === 'string') return {};
  const statements = whole['Statement'] as Json[];
  const ours = statements.find(item => {
    const sources = sourcesOf(item);
    return sources.length > 0 && JSON.stringify(item) === JSON.stringify(sendStatement(queueArn, sources));
  });
  const rest = canonicalPolicy({ ...whole, Statement: statements.filter(item => item !== ours) });
  return { ...(ours === undefined ? {} : { allowSendFrom: [...sourcesOf(ours)].sort() }), ...(typeof rest === 'object' ? { policy: rest } : {}) };
}

/** The text of the two fields as one policy; '' when both are empty, which takes the policy away. Least privilege: `aws:SourceArn` (SNS guide, "Subscribing a queue"). */
export function joinPolicy(policy: unknown, allowSendFrom: readonly string[] | undefined, queueArn: string): string {
  const whole = canonicalPolicy(policy, queueArn);
  if (typeof whole === 'string') return whole;
  if (allowSendFrom === undefined || allowSendFrom.length === 0) return whole === undefined ? '' : JSON.stringify(whole);
  const own = whole ?? { Version: '2012-10-17', Statement: [] };
  return JSON.stringify({ ...own, Statement: [...(own['Statement'] as Json[]), sendStatement(queueArn, allowSendFrom)] });
}
