/** One connection to AWS or to something that speaks its language, and the one function through which every call goes. */
import { setMaxListeners } from 'node:events';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { STSClient } from '@aws-sdk/client-sts';
import type { Static, TObject } from '@sinclair/typebox';
import { type Context, EngineError, type Naming, type ResourceType, resourceType } from '../../src/sdk.ts';
import { credentialsOf } from './credentials.ts';
import { classify, type FailedCall, serviceErrorName, subjectOf } from './errors.ts';
import { type AwsSettings, checkSettings, isForeign, parseEndpoint } from './settings.ts';
import type { Sending } from './transport.ts';

interface Sdks {
  readonly sqs: typeof import('@aws-sdk/client-sqs');
  readonly sns: typeof import('@aws-sdk/client-sns');
  readonly s3: typeof import('@aws-sdk/client-s3');
  readonly dynamodb: typeof import('@aws-sdk/client-dynamodb');
  readonly sts: typeof import('@aws-sdk/client-sts');
}
export type Service = keyof Sdks;
type Operation<S extends Service> = {
  [K in keyof Sdks[S]]: K extends `${infer Name}Command` ? (Name extends `$${string}` ? never : Name) : never;
}[keyof Sdks[S]];
type CommandOf<S extends Service, N> = `${N & string}Command` extends keyof Sdks[S] ? Sdks[S][`${N & string}Command`] : never;
type Only<A> = A extends readonly [infer I] ? I : never;
type Input<C> = C extends new (...args: infer A) => unknown ? Only<A> : never;
type Output<C> = C extends new (
  ...args: never[]
) => { resolveMiddleware: (...args: never[]) => (...args: never[]) => Promise<{ output: infer O }> }
  ? O
  : never;

type AnyClient = SQSClient | SNSClient | S3Client | DynamoDBClient | STSClient;
interface Loaded {
  readonly sdk: Sdks[Service];
  readonly client: AnyClient;
}
/** Who the credentials are: the account, and the partition of its ARNs (`aws`, `aws-cn`, …). */
export interface Account {
  readonly id: string;
  readonly partition: string;
}
/** A connection. `remembered` holds what a look found and later looks would ask for again: queue URLs, subscription ARNs. */
export interface AwsClient {
  readonly settings: AwsSettings;
  readonly region: string;
  /** Set when what is connected is not AWS. */
  readonly foreign: { readonly endpoint: string; readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly loaded: Map<Service, Promise<Loaded>>;
  readonly remembered: Map<string, string>;
  readonly credentials: ReturnType<typeof credentialsOf>;
  account: Promise<Account> | undefined;
}
/** What a verb of an AWS type gets. */
export type Call = Context<AwsClient>;

/** What compatible servers take for an account when they have no STS. */
const NO_ACCOUNT = '000000000000';
const READS = /^(Get|List|Describe|Head)/;
const DROPPED = new Set(['ECONNRESET', 'EPIPE']);
/** As the SDK's own standard mode, which would repeat writes as well. */
const READ_ATTEMPTS = 3;
/** Failures that are likely to be over with the next call. */
const PASSING: ReadonlySet<string> = new Set(['ServiceError', 'Throttled']);

/** Checks the settings; opens nothing yet. */
export function connect(settings: AwsSettings): AwsClient {
  checkSettings(settings);
  const { accessKeyId = 'test', secretAccessKey = 'test' } = settings.credentials ?? {};
  const foreign = isForeign(settings) ? { endpoint: settings.endpoint!, accessKeyId, secretAccessKey } : undefined;
  return {
    settings,
    region: settings.region,
    foreign,
    loaded: new Map(),
    remembered: new Map(),
    credentials: credentialsOf(settings),
    account: undefined,
  };
}

/** Ends the connection and its sockets. */
export async function close(client: AwsClient): Promise<void> {
  const opened = await Promise.allSettled(client.loaded.values());
  for (const result of opened) if (result.status === 'fulfilled') result.value.client.destroy();
  client.loaded.clear();
}

/** What every SDK client of a connection is made with. */
export async function configOf({ settings, credentials }: AwsClient) {
  const { openHandler } = await import('./transport.ts');
  const endpoint = settings.endpoint === undefined ? {} : { endpoint: settings.endpoint };
  return { region: settings.region, ...endpoint, credentials, maxAttempts: 1, requestHandler: openHandler() };
}

async function load(client: AwsClient, service: Service): Promise<Loaded> {
  // Node 20 still works; the SDK would say on every start that it will not for long.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  const config = await configOf(client);
  switch (service) {
    case 'sqs': {
      const sdk = await import('@aws-sdk/client-sqs');
      return { sdk, client: new sdk.SQSClient(config) };
    }
    case 'sns': {
      const sdk = await import('@aws-sdk/client-sns');
      return { sdk, client: new sdk.SNSClient(config) };
    }
    case 's3': {
      const sdk = await import('@aws-sdk/client-s3');
      const compatible = { forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } as const;
      // undici does not wait for a 100 Continue, and no body here is worth one.
      const base = { ...config, expectContinueHeader: false };
      return { sdk, client: new sdk.S3Client({ ...base, ...(client.foreign === undefined ? {} : compatible) }) };
    }
    case 'dynamodb': {
      const sdk = await import('@aws-sdk/client-dynamodb');
      return { sdk, client: new sdk.DynamoDBClient(config) };
    }
    case 'sts': {
      const sdk = await import('@aws-sdk/client-sts');
      return { sdk, client: new sdk.STSClient(config) };
    }
  }
}

function open(client: AwsClient, service: Service): Promise<Loaded> {
  const known = client.loaded.get(service);
  if (known !== undefined) return known;
  const loading = load(client, service);
  client.loaded.set(service, loading);
  return loading;
}

/** What a call is about, from its input, as people know it. */
function thingOf(input: Readonly<Record<string, unknown>>): string {
  const { QueueName, Name, Bucket, TableName, QueueUrl, TopicArn, SubscriptionArn, ResourceArn } = input;
  const address = [QueueName, Name, Bucket, TableName, QueueUrl, TopicArn, SubscriptionArn, ResourceArn].find(value => typeof value === 'string');
  return String(address ?? '').replace(/^.*[/:](?=[^/:]+$)/, '');
}

/** Why a call that was cut off ended: the engine's own reason, its deadline, or the end of the run. */
function interrupted(signal: AbortSignal, call: FailedCall): EngineError | undefined {
  if (!signal.aborted) return undefined;
  const reason: unknown = signal.reason;
  if (reason instanceof EngineError) return reason;
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  return new EngineError(late ? 'Timeout' : 'Aborted', `${subjectOf(call)}: ${late ? 'no answer in time' : 'given up'}`, {
    cause: reason,
  });
}

/** One request: within the budget, ended by the signal, its failure translated. A read that was dropped, throttled or failed on the other side is sent again. */
async function send<S extends Service, N extends Operation<S>>(
  ctx: Call,
  service: S,
  command: N,
  input: Input<CommandOf<S, N>>,
): Promise<Output<CommandOf<S, N>>> {
  const call = { service, command: String(command), thing: thingOf(input as Readonly<Record<string, unknown>>) };
  // Many requests of one verb share its signal, and the SDK listens several times for each; that is no leak.
  setMaxListeners(0, ctx.signal);
  for (let attempt = 1; ; attempt++) {
    await ctx.budget(service, call.command);
    try {
      const { sdk, client } = await open(ctx.client, service);
      const make = (sdk as unknown as Record<string, new (input: unknown) => object>)[`${call.command}Command`]!;
      const raw = client as unknown as { send(command: object, sending: Sending): Promise<Output<CommandOf<S, N>>> };
      return await raw.send(new make(input), { abortSignal: ctx.signal, fence: ctx.fence });
    } catch (error) {
      const known = classify(error, call);
      // A look is many reads, and one that fails spoils them all: without this a service that fails now and then is never seen whole.
      const again = attempt < READ_ATTEMPTS && READS.test(call.command) && (DROPPED.has(serviceErrorName(error)) || PASSING.has(known.code));
      if (!again || ctx.signal.aborted) throw interrupted(ctx.signal, call) ?? known;
    }
  }
}

type Sender<S extends Service> = <N extends Operation<S>>(ctx: Call, command: N, input: Input<CommandOf<S, N>>) => Promise<Output<CommandOf<S, N>>>;
/** One SQS request. */
export const sqs: Sender<'sqs'> = (ctx, command, input) => send(ctx, 'sqs', command, input);
/** One SNS request. */
export const sns: Sender<'sns'> = (ctx, command, input) => send(ctx, 'sns', command, input);
/** One S3 request. */
export const s3: Sender<'s3'> = (ctx, command, input) => send(ctx, 's3', command, input);
/** One DynamoDB request. */
export const dynamodb: Sender<'dynamodb'> = (ctx, command, input) => send(ctx, 'dynamodb', command, input);

/** Bound of a call outside a verb: connecting and answering have their own within. */
const PLAIN_MS = 25_000;

/** A context for calls outside a verb: when the connection is asked who it is. */
function plainContext(client: AwsClient): Call {
  return { client, signal: AbortSignal.timeout(PLAIN_MS), depth: 'full', log: () => {}, budget: async () => {}, fence: () => {} };
}

/** Codes that say nothing about who we are: the question is asked again later. */
const UNDECIDED = new Set(['Unreachable', 'Timeout', 'Throttled', 'ServiceError', 'Aborted', 'InvalidCredentials', 'AccessDenied']);

async function askAccount(client: AwsClient): Promise<Account> {
  try {
    const { Account = NO_ACCOUNT, Arn = 'arn:aws:' } = await send(plainContext(client), 'sts', 'GetCallerIdentity', {});
    return { id: Account, partition: Arn.split(':')[1] || 'aws' };
  } catch (error) {
    const known = classify(error);
    // DynamoDB Local, ElasticMQ and versitygw have no STS; there is one account there.
    if (client.foreign === undefined || UNDECIDED.has(known.code)) throw known;
    return { id: NO_ACCOUNT, partition: 'aws' };
  }
}

/** The account of the credentials; asked once per connection. */
export async function accountOf(client: AwsClient): Promise<Account> {
  client.account ??= askAccount(client);
  try {
    return await client.account;
  } catch (error) {
    client.account = undefined;
    throw error;
  }
}

/** `aws:<account>/<region>`, `@host:port` where it is not AWS; `emulator:<instance>:…` for one that Plinth started, whatever its port. */
export async function scopeOf(client: AwsClient): Promise<string> {
  const place = `${(await accountOf(client)).id}/${client.region}`;
  const { instance } = client.settings;
  if (instance !== undefined) return `emulator:${instance}:${place}`;
  return client.foreign === undefined ? `aws:${place}` : `aws:${place}@${parseEndpoint(client.foreign.endpoint).host}`;
}

/** Test credentials as secret outputs; none on AWS, where the pod has an identity of its own. */
export function keysOf({ foreign }: AwsClient): { readonly accessKeyId?: string; readonly secretAccessKey?: string } {
  return foreign === undefined ? {} : { accessKeyId: foreign.accessKeyId, secretAccessKey: foreign.secretAccessKey };
}

/** `{endpoint}` where it is not AWS; the AWS SDK of the application finds AWS by region. */
export function endpointOf({ foreign }: AwsClient): { readonly endpoint?: string } {
  return foreign === undefined ? {} : { endpoint: foreign.endpoint };
}

/** Names of the secret outputs of every AWS type. */
const SECRETS = ['accessKeyId', 'secretAccessKey'] as const;

/** A resource type of this provider. */
export function awsType<S extends TObject, T extends TObject>(
  type: Omit<ResourceType<Static<S>, Static<T>, AwsClient>, 'spec' | 'state' | 'naming' | 'secrets'> & {
    readonly spec: S;
    readonly state: T;
    readonly naming: Naming<Static<S>>;
  },
): ResourceType {
  return resourceType<S, T, AwsClient>({ ...type, secrets: SECRETS });
}
