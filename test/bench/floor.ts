/**
 * Child: the cloud calls of the same claims in the same order, with the same client settings and as many claims at once, and no engine.
 * With a cluster, its writes as well; bare: nothing but the two calls that create.
 */
import { CreateQueueCommand, GetQueueAttributesCommand, GetQueueUrlCommand, ListQueueTagsCommand, QueueDoesNotExist, SQSClient } from '@aws-sdk/client-sqs';
import { configOf, connect } from '../../providers/aws/client.ts';
import { eachOf, numbers } from '../at-once.ts';
import { inputOf, takeTurns } from './child.ts';
import { type ClusterWriter, createClaim, openWriter, publish, takeUp } from './cluster-writer.ts';
import { WORKERS } from './world.ts';

export interface FloorInput {
  readonly endpoint: string;
  readonly account: string;
  readonly perTurn: number;
  /** Claims at once; as the engine on a laptop by default. */
  readonly workers?: number;
  /** Its API server also gets the claims, and what an engine writes for them. */
  readonly kubeconfig?: string;
  readonly bare?: boolean;
}
export interface FloorOutput {
  readonly calls: number;
}

interface Floor {
  readonly client: SQSClient;
  readonly base: string;
  calls: number;
}
const COMMON = { VisibilityTimeout: '60', MessageRetentionPeriod: '345600', DelaySeconds: '0', MaximumMessageSize: '1048576' };
const tagsOf = (name: string, id: string): Record<string, string> => ({
  'plinth.dev/instance': 'bench-000001',
  'plinth.dev/kind': 'Queue',
  'plinth.dev/namespace': 'bench',
  'plinth.dev/name': name,
  'plinth.dev/id': id,
  'plinth.dev/uid': crypto.randomUUID(),
});

/** One call, counted. */
function call<T>(floor: Floor, run: (client: SQSClient) => Promise<T>): Promise<T> {
  floor.calls += 1;
  return run(floor.client);
}

async function isAbsent(floor: Floor, QueueName: string): Promise<void> {
  try {
    await call(floor, client => client.send(new GetQueueUrlCommand({ QueueName })));
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return;
    throw error;
  }
  throw new Error(`${QueueName} exists`);
}

async function create(floor: Floor, QueueName: string, id: string, more: Record<string, string>): Promise<string> {
  const Attributes = { ...COMMON, ReceiveMessageWaitTimeSeconds: '20', ...more };
  const { QueueUrl = '' } = await call(floor, client => client.send(new CreateQueueCommand({ QueueName, Attributes, tags: tagsOf(QueueName, id) })));
  const url = new URL(new URL(QueueUrl).pathname, floor.base).href;
  const [{ Attributes: seen = {} }] = await Promise.all([
    call(floor, client => client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }))),
    call(floor, client => client.send(new ListQueueTagsCommand({ QueueUrl: url }))),
  ]);
  return seen['QueueArn'] ?? '';
}

/** Only makes both. */
async function bareClaim(floor: Floor, index: number): Promise<void> {
  const make = async (QueueName: string): Promise<void> => void (await call(floor, client => client.send(new CreateQueueCommand({ QueueName }))));
  await make(`bench_orders-${index}_deadLetter`);
  await make(`bench_orders-${index}`);
}

/** Look for both, make the dead letter and look at it, make the queue and look at it. */
async function claim(floor: Floor, index: number): Promise<void> {
  const name = `bench_orders-${index}`;
  await Promise.all([isAbsent(floor, `${name}_deadLetter`), isAbsent(floor, name)]);
  const deadLetterTargetArn = await create(floor, `${name}_deadLetter`, 'deadLetter', {});
  await create(floor, name, 'queue', { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 5 }) });
}

/** The same with a claim in a cluster: taken up and recorded before, its Secret, status and Event after. */
async function clusterClaim(floor: Floor, writer: ClusterWriter, index: number): Promise<void> {
  const object = await createClaim(writer, index);
  await takeUp(writer, object);
  await claim(floor, index);
  await publish(writer, object);
}

const { endpoint, account, perTurn, workers = WORKERS, kubeconfig, bare } = inputOf<FloorInput>();
const writer = kubeconfig === undefined ? undefined : await openWriter(kubeconfig);
const work = (index: number): Promise<void> =>
  bare === true ? bareClaim(floor, index) : writer === undefined ? claim(floor, index) : clusterClaim(floor, writer, index);
const connection = connect({ region: 'us-east-1', endpoint, credentials: { from: 'Static', accessKeyId: account, secretAccessKey: 'test' } });
const floor: Floor = { client: new SQSClient(await configOf(connection)), base: endpoint, calls: 0 };

takeTurns(
  index => eachOf(numbers(perTurn, index * perTurn), workers, work),
  async (): Promise<FloorOutput> => ({ calls: floor.calls }),
);
