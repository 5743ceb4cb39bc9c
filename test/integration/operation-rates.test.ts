/** Calls that AWS bounds more tightly than the rest of their service, counted where they arrive. */
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { aws } from '../../providers/aws/index.ts';
import { newBudgets } from '../../src/engine/budget.ts';
import { connect, contextFor, newConnections } from '../../src/engine/clients.ts';
import { realClock } from '../../src/engine/clock.ts';
import { account, miniStack, part } from '../parts/emulators.ts';
import { clients, TABLE } from '../parts/proxy/test-clients.ts';
import { startProxy } from '../parts/proxy.ts';

describe.skipIf(!part('ministack').available)('the tag calls of DynamoDB', () => {
  test('30 whole looks at once read the tags no faster than ten times a second', async () => {
    const proxy = await startProxy((await miniStack()).endpoint);
    const accessKeyId = account();
    await clients(proxy.endpoint, accessKeyId).dynamodb.send(new CreateTableCommand({ ...TABLE, TableName: 'orders' }));
    const settings = { region: 'us-east-1', endpoint: proxy.endpoint, credentials: { from: 'Static', accessKeyId, secretAccessKey: 'test' } };
    const connection = await connect(
      newConnections(realClock),
      { name: 'aws', provider: 'aws', settings, lifetime: 'Cluster', allowedNamespaces: undefined },
      aws,
    );
    const context = contextFor(connection, {
      signal: AbortSignal.timeout(30_000),
      depth: 'full',
      log: () => undefined,
      budgets: newBudgets(realClock),
    });
    const type = connection.types.get('aws/dynamodb-table')!;
    await Promise.all(Array.from({ length: 30 }, () => type.observe(context, 'orders')));
    const arrived = proxy.calls.filter(call => call.operation === 'ListTagsOfResource').map(call => call.startedAt);
    expect(arrived).toHaveLength(30);
    // At nine a second and no burst, less what the way of the first call took longer than that of the last.
    expect(Math.max(...arrived) - Math.min(...arrived)).toBeGreaterThan(2_700);
    await aws.close(connection.client as never);
    await proxy.close();
  });
});
