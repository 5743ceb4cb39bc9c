/** What others do: foreign things with our names, edits and deletions outside, and changes that would cost data. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deleteQueue, deleteTable, editQueue, everything, makeQueue, queue } from './cloud.ts';
import { type Cloudy, plinth, sharedWorkplace, status, write } from './plinth.ts';

const claim = (kind: string, spec: string, name = 'orders'): string =>
  `apiVersion: plinth.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const TABLE = claim('Table', '{key: {partition: {name: id}}}', 'customers');
/** As the class local, but careful as the cloud is: what holds something goes only with approval, and nothing is forgotten. */
const CAREFUL = `apiVersion: plinth.dev/v1alpha1
kind: EnvironmentClass
metadata: {name: careful}
spec:
  implementations:
    - {claim: Queue, composition: queue-sqs, configs: {aws: local}}
    - {claim: Table, composition: table-dynamodb, configs: {aws: local}}
    - {claim: Topic, composition: topic-sns, configs: {aws: local}}
  policies: {swap: Approve, graceSeconds: 0}
`;

/** A workplace of the careful class, on an emulator that is said not to forget. */
async function careful(claims: string): Promise<Cloudy> {
  const place = await sharedWorkplace();
  write(place, 'class.yaml', CAREFUL);
  write(
    place,
    'config.yaml',
    `apiVersion: plinth.dev/v1alpha1\nkind: ProviderConfig\nmetadata: {name: local}\nspec:\n  provider: localstack\n  settings: {forgets: false, credentials: {from: Static, accessKeyId: "${place.account}", secretAccessKey: test}}\n`,
  );
  write(place, 'claims.yaml', claims);
  return place;
}
const up = (place: Cloudy, ...args: string[]): ReturnType<typeof plinth> =>
  plinth(place, ['up', 'class.yaml', 'config.yaml', 'claims.yaml', '--class', 'careful', ...args]);

test('a foreign queue with our name: a conflict, the way out, nothing touched, others go on', async () => {
  const place = await careful(`${claim('Queue', '{}')}---\n${claim('Topic', '{}', 'fine')}`);
  await makeQueue(place, 'shop_orders');
  const { code, stdout } = await up(place);
  expect(stdout).toMatch(
    /Queue\/orders: queue: aws\/sqs-queue shop_orders exists and bears no marks of ours; rename the claim, remove the thing, or .* \(Conflict\)/,
  );
  expect(code).toBe(1);
  expect((await queue(place, 'shop_orders'))['VisibilityTimeout']).toBe('77');
  expect((await status(place))['Topic/fine']!.ready).toBe(true);
  expect((await plinth(place, ['down'])).code).toBe(0);
  expect(await everything(place)).toEqual(['queue shop_orders']);
});

test('an immutable field changed: held with the plan; approved, the new one comes first and the old one goes', async () => {
  const place = await careful(claim('Queue', '{}'));
  expect((await up(place)).code).toBe(0);

  write(place, 'claims.yaml', claim('Queue', '{fifo: true}'));
  const plan = await plinth(place, ['plan', 'class.yaml', 'config.yaml', 'claims.yaml']);
  expect(plan.stdout).toMatch(/shop_orders would be replaced by shop_orders_1\.fifo: fifo cannot change \(it holds a backlog\) \(SwapPending\)/);
  expect(plan.code).toBe(3);

  const held = await up(place);
  expect(held.code).toBe(3);
  expect((await plinth(place, ['status'])).code).toBe(3);
  const [, hash] = /approve Queue\/orders --plan ([0-9a-f]+)/.exec(held.stdout) ?? [];
  expect(plan.stdout).toContain(`approve Queue/orders --plan ${hash}`);
  expect((await status(place))['Queue/orders']).toMatchObject({ ready: true, reason: 'SwapPending' });
  expect(await everything(place)).toEqual(['queue shop_orders']);

  const wrong = await plinth(place, ['approve', 'Queue/orders', '--plan', '123abc']);
  expect(wrong.stderr).toContain(`the plan that waits now is ${hash}`);
  expect(wrong.code).toBe(2);

  const approved = await plinth(place, ['approve', 'Queue/orders', '--plan', hash!]);
  expect(approved.stdout).toContain('Queue/orders: ready');
  expect(approved.code).toBe(0);
  expect(await everything(place)).toEqual([expect.stringMatching(/^queue shop_orders.*\.fifo$/)]);
  expect((await up(place)).stdout).toContain('Nothing changed');
});

test('a queue deleted outside is made again, and that is named', async () => {
  const place = await careful(claim('Queue', '{}'));
  await up(place);
  await deleteQueue(place, 'shop_orders');
  const { code, said } = await up(place);
  expect(said).toContain('drift: Queue/orders queue: removed outside, made again');
  expect(code).toBe(0);
  expect(await everything(place)).toEqual(['queue shop_orders']);
});

test('a table deleted outside is reported and not silently made again; recreate does', async () => {
  const place = await careful(TABLE);
  await up(place);
  await deleteTable(place, 'shop_customers');
  const { code, said } = await up(place);
  expect(said).toMatch(/Table\/customers: table: aws\/dynamodb-table shop_customers held data and is gone; .*plinth recreate.* \(Lost\)/);
  expect(code).toBe(1);
  expect(await everything(place)).toEqual([]);
  const again = await plinth(place, ['recreate', 'Table/customers']);
  expect(again.stdout).toContain('Table/customers: ready');
  expect(again.code).toBe(0);
  expect(await everything(place)).toEqual(['table shop_customers']);
});

test('with drift: Report an edit outside is shown with both values, exit code 3, and left', async () => {
  const place = await careful(claim('Queue', '{visibilityTimeoutSeconds: 60, lifecycle: {drift: Report}}'));
  await up(place);
  await editQueue(place, 'shop_orders', { VisibilityTimeout: '45' });
  const { code, stderr } = await up(place);
  expect(stderr).toContain('drift: Queue/orders queue.visibilityTimeoutSeconds: 45 found, 60 declared; only reported');
  expect(code).toBe(3);
  expect((await plinth(place, ['status'])).code).toBe(3);
  expect((await queue(place, 'shop_orders'))['VisibilityTimeout']).toBe('45');
});

test('a bad composition is refused; the claims on it go on with the last good one, also after a restart', async () => {
  const place = await careful(claim('Queue', '{}'));
  await up(place);
  write(
    place,
    'class.yaml',
    `${CAREFUL}---\napiVersion: plinth.dev/v1alpha1\nkind: Composition\nmetadata: {name: queue-sqs}\nspec:\n  claim: Queue\n  resources: [{id: queue, type: aws/sqs-queue, spec: {nonsense: 1}}]\n`,
  );
  const bad = await up(place);
  expect(bad.stderr).toMatch(/^class\.yaml:\d+:\d+: .*nonsense.*\(InvalidComposition\)$/m);
  expect(bad.code).toBe(1);
  expect((await status(place))['Queue/orders']!.ready).toBe(true);
  write(place, 'class.yaml', CAREFUL);
  expect((await up(place)).stdout).toContain('Nothing changed');
});

test('down keeps data when asked to; what is kept is an orphan that later runs name', async () => {
  const place = await careful(`${TABLE}---\n${claim('Queue', '{}')}`);
  await up(place);
  const { code, stdout } = await plinth(place, ['down', '--keep-data']);
  expect(stdout).toContain('removed Queue/orders, Table/customers');
  expect(stdout).toContain('kept, marked as retained: aws/dynamodb-table shop_customers');
  expect(code).toBe(0);
  expect(await everything(place)).toEqual(['table shop_customers']);
  const orphans = await plinth(place, ['orphans']);
  expect(orphans.stdout).toMatch(/aws\/dynamodb-table +shop_customers +Table\/customers/);
  expect(orphans.code).toBe(3);
});

test('one claim down, and abandoning one whose cloud cannot be reached', async () => {
  const place = await careful(`${claim('Queue', '{}')}---\n${claim('Topic', '{}', 'events')}`);
  await up(place);
  expect((await plinth(place, ['down', 'topic/events'])).stdout).toContain('removed Topic/events');
  expect(await everything(place)).toEqual(['queue shop_orders']);
  rmSync(join(place.folder, '.plinth', 'objects', 'ProviderConfig', 'local.json'));
  const { code, stdout } = await plinth(place, ['abandon', 'Queue/orders']);
  expect(stdout).toContain('Queue/orders is gone');
  expect(code).toBe(0);
  expect(await everything(place)).toEqual(['queue shop_orders']);
});
