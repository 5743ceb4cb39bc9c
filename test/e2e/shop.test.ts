/** The story of the README: from nothing to a shop, and back to nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isProcessAlive } from '../../src/cli/emulator.ts';
import { editQueue, everything, queue, WHOLE_SHOP } from './cloud.ts';
import { copyShop, emulatorOf, plinth, status, workplace } from './plinth.ts';

test('up, up again, an edit outside, down', async () => {
  const place = workplace('shop');
  copyShop(place);

  const first = await plinth(place, ['up', 'shop', '--class', 'local']);
  expect(first.stderr).toMatch(/started an AWS emulator at http:\/\/127\.0\.0\.1:\d+/);
  expect(first.stdout).toMatch(/Queue\/orders +queue-sqs +shop_orders +yes +\.plinth\/env\/shop\/orders-queue\.env +\.plinth\/bindings\/shop\/orders-queue/);
  expect(first.stdout).toContain('4 of 4 claims ready.');
  expect(first.stdout).toContain('plinth down');
  expect(first.code).toBe(0);

  const emulator = emulatorOf(place);
  const cloud = { endpoint: emulator.endpoint, account: 'test' };
  expect(await everything(cloud)).toEqual(WHOLE_SHOP);
  expect(readFileSync(join(place.folder, '.plinth/env/shop/orders-queue.env'), 'utf8')).toContain(
    `ORDERS_QUEUE_URI=${emulator.endpoint}/000000000000/shop_orders\n`,
  );
  expect(readFileSync(join(place.folder, '.plinth/bindings/shop/orders-queue/type'), 'utf8')).toBe('sqs');

  const second = await plinth(place, ['up', 'shop']);
  expect(second.stdout).toContain('Nothing changed: 4 of 4 claims ready, everything only read.');
  expect(second.stderr).toBe('');
  expect(second.code).toBe(0);

  await editQueue(cloud, 'shop_orders', { VisibilityTimeout: '45' });
  const third = await plinth(place, ['up', 'shop']);
  expect(third.stderr).toContain('drift: Queue/orders queue.visibilityTimeoutSeconds: 45 found, 60 declared; put back');
  expect(third.code).toBe(0);
  expect((await queue(cloud, 'shop_orders'))['VisibilityTimeout']).toBe('60');
  expect((await status(place))['Queue/orders']!.drift).toEqual([{ resource: 'queue', path: 'visibilityTimeoutSeconds', desired: 60, observed: 45 }]);

  const down = await plinth(place, ['down']);
  expect(down.code).toBe(0);
  expect(down.stdout).toContain('removed Bucket/invoices, Queue/orders, Table/customers, Topic/order-events');
  expect(isProcessAlive(emulator.pid, emulator.startTime)).toBe(false);
  expect(existsSync(join(place.folder, '.plinth'))).toBe(false);
  expect((await plinth(place, ['down'])).stdout).toContain('nothing to take down');
});

test('the machine-readable status is a stable interface', async () => {
  const place = workplace('shop');
  copyShop(place);
  await plinth(place, ['up', 'shop', '--class', 'local']);
  const { stdout } = await plinth(place, ['status', '--output', 'json']);
  const { claims } = JSON.parse(stdout) as { claims: Record<string, unknown>[] };
  const orders = claims.find(claim => claim['name'] === 'orders')!;
  expect(Object.keys(orders)).toEqual(['kind', 'namespace', 'name', 'ready', 'reason', 'message', 'class', 'composition', 'resources', 'drift']);
  expect(orders).toMatchObject({
    kind: 'Queue',
    namespace: 'shop',
    ready: true,
    reason: 'Available',
    message: '',
    class: 'local',
    composition: 'queue-sqs',
    drift: [],
  });
  const [deadLetter] = orders['resources'] as object[];
  expect(deadLetter).toEqual({
    id: 'deadLetter',
    type: 'aws/sqs-queue',
    name: 'shop_orders_deadLetter',
    scope: expect.stringMatching(/^emulator:[0-9a-f]{10}:000000000000\/us-east-1$/) as string,
    phase: 'Present',
    ready: true,
  });
});
