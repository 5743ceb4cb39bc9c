/** The service of the node story: reads its binding and sends one message a second through the real queue. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

const ROOT = process.env['SERVICE_BINDING_ROOT'] ?? '/bindings';
const EVERY_MS = 1_000;

/** A binding is a folder with a file for each key. */
function binding(name: string): Record<string, string> {
  const folder = join(ROOT, name);
  const keys = readdirSync(folder).filter(key => !key.startsWith('.'));
  return Object.fromEntries(keys.map(key => [key, readFileSync(join(folder, key), 'utf8')]));
}

async function send(count: number): Promise<void> {
  const { uri, region, endpoint, 'access-key-id': accessKeyId = '', 'secret-access-key': secretAccessKey = '' } = binding('orders-queue');
  const own = endpoint === undefined ? {} : { endpoint, credentials: { accessKeyId, secretAccessKey } };
  const sqs = new SQSClient({ ...(region === undefined ? {} : { region }), ...own });
  await sqs.send(new SendMessageCommand({ QueueUrl: uri, MessageBody: `order ${count}` }));
  console.log(`sent order ${count} to ${uri}`);
}

let count = 0;
setInterval(() => {
  count += 1;
  send(count).catch(error => console.error(`order ${count}: ${error}`));
}, EVERY_MS);
process.once('SIGTERM', () => process.exit(0));
