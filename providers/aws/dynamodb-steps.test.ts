import { describe, expect, it } from 'vitest';
import { stepsOf, type TableFields } from './dynamodb-steps.ts';

const base: TableFields = { partitionKey: { name: 'id', type: 'S' }, billing: 'OnDemand', tableClass: 'Standard', deletionProtection: false };
const index = (name: string, more = {}) => ({ name, partitionKey: { name: `${name}-key`, type: 'S' as const }, projection: 'All' as const, ...more });
const units = (readCapacity: number, writeCapacity: number) => ({ readCapacity, writeCapacity });

describe('stepsOf', () => {
  it('is empty for what is there', () => expect(stepsOf(base, { ...base })).toEqual([]));

  it('makes one concern one step, protection first', () => {
    const steps = stepsOf(base, {
      ...base,
      tableClass: 'StandardInfrequentAccess',
      kmsKey: 'k',
      stream: 'KeysOnly',
      deletionProtection: true,
      billing: 'Provisioned',
      ...units(1, 1),
    });
    expect(steps.map(step => Object.keys(step))).toEqual([
      ['DeletionProtectionEnabled'],
      ['BillingMode', 'ProvisionedThroughput'],
      ['StreamSpecification'],
      ['SSESpecification'],
      ['TableClass'],
    ]);
  });

  it('removes indexes before it makes others, one at a time, and makes one anew whose keys changed', () => {
    const steps = stepsOf(
      { ...base, globalIndexes: [index('a'), index('b')] },
      { ...base, globalIndexes: [index('b', { projection: 'KeysOnly' }), index('c')] },
    );
    expect(steps.map(step => step.GlobalSecondaryIndexUpdates?.[0])).toMatchObject([
      { Delete: { IndexName: 'a' } },
      { Delete: { IndexName: 'b' } },
      { Create: { IndexName: 'b' } },
      { Create: { IndexName: 'c' } },
    ]);
  });

  it('declares the attributes of the keys that are and the one that comes', () => {
    const [step] = stepsOf({ ...base, globalIndexes: [index('a')] }, { ...base, globalIndexes: [index('a'), index('b')] });
    expect(step?.AttributeDefinitions?.map(({ AttributeName }) => AttributeName)).toEqual(['a-key', 'b-key', 'id']);
  });

  it('sends only units that change, and all of them when going over to Provisioned', () => {
    const now: TableFields = { ...base, billing: 'Provisioned', ...units(5, 5), globalIndexes: [index('a', units(1, 1)), index('b', units(2, 2))] };
    expect(stepsOf(now, { ...now, globalIndexes: [index('a', units(1, 1)), index('b', units(3, 2))] })).toEqual([
      {
        BillingMode: 'PROVISIONED',
        GlobalSecondaryIndexUpdates: [{ Update: { IndexName: 'b', ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 2 } } }],
      },
    ]);
    const [over] = stepsOf({ ...base, globalIndexes: [index('a'), index('b')] }, now);
    expect(over?.GlobalSecondaryIndexUpdates).toHaveLength(2);
    expect(over?.ProvisionedThroughput).toEqual({ ReadCapacityUnits: 5, WriteCapacityUnits: 5 });
    expect(stepsOf(now, { ...base, globalIndexes: [index('a'), index('b')] })).toEqual([{ BillingMode: 'PAY_PER_REQUEST' }]);
  });

  it('switches a stream off before it shows something else', () => {
    expect(stepsOf({ ...base, stream: 'KeysOnly' }, { ...base, stream: 'NewImage' })).toEqual([
      { StreamSpecification: { StreamEnabled: false } },
      { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' } },
    ]);
  });
});
