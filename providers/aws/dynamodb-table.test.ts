import { describe, expect, it } from 'vitest';
import type { JsonObject, Present } from '../../src/sdk.ts';
import { miniStack } from '../../test/parts/emulators.ts';
import { dynamodbTable } from './dynamodb-table.ts';
import { answer, failure, look, settle, type Trial, trial } from './trial.ts';

const examples = dynamodbTable.examples as JsonObject[];
const make = (t: Trial, name: string, spec: JsonObject) => dynamodbTable.create(t.context(), name, dynamodbTable.normalise!(spec));
const TABLE = { TableArn: 'arn:t', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }], AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }] };
const seen = (more: Partial<Present> = {}) =>
  ({
    kind: 'present',
    spec: { ...examples[0], ...more.spec },
    state: { arn: 'arn:t', status: 'ACTIVE', ...more.state },
    readiness: { ready: true },
    unread: [],
  }) as Present;
const change = (path: string, desired: unknown) => ({ path, desired, observed: undefined, cause: 'changed' }) as never;

/** A table that DescribeTable answers so. */
async function described(table: JsonObject, parts: (command: string) => unknown = () => ({})) {
  const t = trial('http://127.0.0.1:1');
  const asked = await answer(t, 'dynamodb', command => (command === 'DescribeTable' ? { Table: { ...TABLE, ...table } } : parts(command)));
  return { t, asked };
}

describe('aws/dynamodb-table', () => {
  it.each([0, 1, 2])('example %i goes to everything else and back, one change at a time', async n => {
    const t = trial((await miniStack()).endpoint);
    const spec = examples[n]!;
    await make(t, 'orders', spec);
    await settle(dynamodbTable, t, 'orders', spec);
    t.counted();
    await look(dynamodbTable, t, 'orders');
    expect(t.counted()).toBe(4);
    await look(dynamodbTable, t, 'orders', 'quick');
    expect(t.counted()).toBe(1);
    const { partitionKey, sortKey, localIndexes } = spec;
    const other = {
      partitionKey,
      ...(sortKey === undefined ? {} : { sortKey, localIndexes }),
      billing: spec['billing'] === 'OnDemand' ? 'Provisioned' : 'OnDemand',
      globalIndexes: [{ name: 'new-a', partitionKey: { name: 'a', type: 'S' } }],
      tableClass: 'Standard',
      stream: 'KeysOnly',
      ttlAttribute: 'until',
      pointInTimeRecovery: true,
      kmsKey: 'arn:aws:kms:us-east-1:111122223333:key/mine',
      deletionProtection: true,
      tags: { x: 'y' },
    } as JsonObject;
    expect(await settle(dynamodbTable, t, 'orders', other, 30)).toBeGreaterThan(1);
    expect(await settle(dynamodbTable, t, 'orders', spec, 30)).toBeGreaterThan(1);
  });

  it('is not ready while it is made, and its tags can be read already', async () => {
    const { t } = await described({ TableStatus: 'CREATING' }, () => ({ Tags: [{ Key: 'a', Value: 'b' }] }));
    expect(await look(dynamodbTable, t, 'orders')).toMatchObject({
      readiness: { ready: false, reason: 'Creating' },
      unread: ['ttlAttribute', 'pointInTimeRecovery'],
      spec: { tags: { a: 'b' } },
    });
  });

  it('is there although one of its parts cannot be found yet', async () => {
    const { t } = await described({ TableStatus: 'ACTIVE' }, command => {
      throw failure(command === 'DescribeContinuousBackups' ? 'TableNotFoundException' : 'ResourceNotFoundException');
    });
    expect(await look(dynamodbTable, t, 'orders')).toMatchObject({ kind: 'present', unread: ['tags', 'ttlAttribute', 'pointInTimeRecovery'] });
  });

  it.each(['gone', 'DELETING'])('has tags that could not be read when it is %s by the time they are refused', async then => {
    let looks = 0;
    const t = trial('http://127.0.0.1:1');
    await answer(t, 'dynamodb', command => {
      if (command === 'ListTagsOfResource') throw failure('AccessDeniedException');
      if (command !== 'DescribeTable') return {};
      if (++looks > 1 && then === 'gone') throw failure('ResourceNotFoundException');
      return { Table: { ...TABLE, TableStatus: looks > 1 ? then : 'ACTIVE' } };
    });
    expect(await look(dynamodbTable, t, 'orders')).toMatchObject({ kind: 'present', unread: ['tags'] });
  });

  it('cannot be told when its tags may not be read', async () => {
    const { t } = await described({ TableStatus: 'ACTIVE' }, command => {
      if (command === 'ListTagsOfResource') throw failure('AccessDeniedException');
      return {};
    });
    await expect(look(dynamodbTable, t, 'orders')).rejects.toMatchObject({ code: 'AccessDenied' });
  });

  it.each([
    [{ TableStatus: 'DELETING' }, 'Deleting'],
    [{ TableStatus: 'INACCESSIBLE_ENCRYPTION_CREDENTIALS' }, 'NotUsable'],
    [{ TableStatus: 'UPDATING', GlobalSecondaryIndexes: [{ IndexName: 'a', IndexStatus: 'CREATING', KeySchema: TABLE.KeySchema }] }, 'IndexCreating'],
  ])('%j is not ready', async (table, reason) => {
    const { t } = await described(table as JsonObject);
    expect(await look(dynamodbTable, t, 'orders')).toMatchObject({ readiness: { ready: false, reason } });
  });

  it('can be used while its settings change; an index that goes is gone already', async () => {
    const { t } = await described({
      TableStatus: 'UPDATING',
      GlobalSecondaryIndexes: [{ IndexName: 'a', IndexStatus: 'DELETING', KeySchema: TABLE.KeySchema }],
    });
    const found = (await look(dynamodbTable, t, 'orders')) as Present;
    expect(found.readiness).toEqual({ ready: true });
    expect(found.spec['globalIndexes']).toBeUndefined();
  });

  it('waits while the table changes, but does at once what does not need it', async () => {
    const { t, asked } = await described({});
    const changes = [change('deletionProtection', true), change('tags.a', 'b'), change('pointInTimeRecovery', true)];
    const busy = { code: 'Busy', message: 'DynamoDB makes one change of table orders at a time, and there are more' };
    await expect(
      dynamodbTable.update(t.context(), 'orders', { spec: examples[0]!, seen: seen({ state: { status: 'UPDATING' } }), changes }),
    ).rejects.toMatchObject(busy);
    expect(asked).toEqual(['TagResource', 'UpdateContinuousBackups']);
  });

  it('says Busy where time to live was changed within the hour, and between two attributes', async () => {
    const { t } = await described({}, () => {
      throw failure('ValidationException');
    });
    const update = (trialled: Trial, now: Present, ...changes: never[]) =>
      dynamodbTable.update(trialled.context(), 'orders', { spec: examples[0]!, seen: now, changes });
    await expect(update(t, seen(), change('ttlAttribute', 'until'))).rejects.toMatchObject({ code: 'Busy', path: 'ttlAttribute' });
    const { t: other, asked } = await described({});
    await expect(update(other, seen({ spec: { ttlAttribute: 'old' } }), change('ttlAttribute', 'new'))).rejects.toMatchObject({ code: 'Busy' });
    expect(asked).toEqual(['UpdateTimeToLive']);
  });

  it('is not deleted while protected, changing, or on its way out', async () => {
    const { t, asked } = await described({}, () => {
      throw failure('ValidationException');
    });
    const remove = (what: Partial<Present>) => dynamodbTable.delete(t.context(), 'orders', seen(what), {});
    await expect(remove({ spec: { deletionProtection: true } })).rejects.toMatchObject({ code: 'Protected' });
    await expect(remove({ state: { status: 'CREATING' } })).rejects.toMatchObject({ code: 'Busy' });
    await remove({ state: { status: 'DELETING' } });
    expect(asked).toEqual([]);
    await expect(remove({})).rejects.toMatchObject({ code: 'Protected' });
  });
});
