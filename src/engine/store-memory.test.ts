import { describe, expect, test } from 'vitest';
import { realClock } from './clock.ts';
import { metadataOf } from './objects.ts';
import { queueObject, storeContract } from './store.contract.ts';
import { memoryStore } from './store-memory.ts';

describe('the memory store keeps the contract', () => {
  storeContract(async () => {
    const store = memoryStore(realClock);
    return { store, events: async () => store.events(), close: async () => undefined };
  });
});

test('ids come from where they are said to, and the dump holds everything in order', async () => {
  let n = 0;
  const store = memoryStore(realClock, { uid: () => `uid-${++n}` });
  expect(metadataOf(await store.put(queueObject())).uid).toBe('uid-1');
  await store.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dev' } });
  expect(store.dump().map(object => object['kind'])).toEqual(['Namespace', 'Queue']);
});
