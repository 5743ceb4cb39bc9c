import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tries } from '../../test/tries.ts';
import { isGivenUp, mayWork, newOwners, ownerOf, type View } from './shards.ts';

const members = (count: number): View => Array.from({ length: count }, (_, n) => `plinth-${n}-${'abcdefgh'[n % 8]}`).sort();
const namespaces = (count: number, word: string): string[] => Array.from({ length: count }, (_, n) => `${word}-${n}`);

describe('rendezvous hashing', () => {
  test('every namespace has one owner, whatever the order of the members', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 8 }),
        fc.string({ maxLength: 63 }),
        (view, namespace) => {
          const owner = ownerOf(namespace, view);
          expect(view).toContain(owner);
          expect(ownerOf(namespace, [...view].reverse())).toBe(owner);
          expect(newOwners()(namespace, view)).toBe(owner);
        },
      ),
      tries(),
    );
    expect(ownerOf('dev', [])).toBeUndefined();
  });

  test('a member that goes moves only its own namespaces; one that comes takes only what becomes its own', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.nat(7), fc.stringMatching(/^[a-z]{1,8}$/), (count, index, word) => {
        const before = members(count);
        const gone = before[index % count]!;
        const after = before.filter(member => member !== gone);
        for (const namespace of namespaces(50, word)) {
          const owner = ownerOf(namespace, before);
          if (owner === gone) expect(isGivenUp(namespace, gone, before, after)).toBe(true);
          else expect(ownerOf(namespace, after)).toBe(owner);
        }
      }),
      tries(),
    );
  });

  test.each([1_000, 2_000, 4_000])('4 replicas share 4,000 claims in %i namespaces: no shard is more than 1.3 times the mean', count => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
        fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{5,10}$/), { minLength: 4, maxLength: 4 }),
        (word, ids) => {
          const shards = new Map<string, number>();
          for (const namespace of namespaces(count, word)) {
            const owner = ownerOf(namespace, ids)!;
            shards.set(owner, (shards.get(owner) ?? 0) + 4_000 / count);
          }
          expect(Math.max(...shards.values())).toBeLessThanOrEqual(1.3 * 1_000);
        },
      ),
      { ...tries(10), seed: 1 },
    );
  });
});

describe('who may work a namespace', () => {
  const pair = ['a', 'b'];
  const [ofA, ofB] = (['a', 'b'] as const).map(member => namespaces(100, 'n').find(namespace => ownerOf(namespace, pair) === member)!);
  const settled = { me: 'a', view: pair, viewBefore: pair, target: pair, peers: [{ id: 'b', view: pair }], isRead: true };

  test('when all go by the same view, its owner', () => {
    expect(mayWork(ofA!, settled)).toBe(true);
    expect(mayWork(ofB!, settled)).toBe(false);
    expect(mayWork(ofB!, { ...settled, me: 'b', peers: [{ id: 'a', view: pair }] })).toBe(true);
  });

  test.each([
    ['nothing by an empty view', { view: [], viewBefore: [] }],
    ['nothing that is about to be given away', { target: ['b'] }],
    ['nothing that is new before the others were read', { viewBefore: [], isRead: false }],
    ['nothing that another takes for its own', { peers: [{ id: 'b', view: ['b'] }] }],
  ])('%s', (_, change) => {
    expect(mayWork(ofA!, { ...settled, ...change })).toBe(false);
  });

  test('what stays ours is worked on while a new view is published', () => {
    expect(mayWork(ofA!, { ...settled, viewBefore: pair, isRead: false })).toBe(true);
  });

  test('two members never both, whatever they go by, when each read the other after it published', () => {
    const view = fc.subarray(['a', 'b', 'c']);
    fc.assert(
      fc.property(view, view, view, view, fc.stringMatching(/^[a-z]{1,6}$/), (a, b, aTarget, bTarget, namespace) => {
        const ofFirst = mayWork(namespace, { me: 'a', view: a, viewBefore: a, target: aTarget, peers: [{ id: 'b', view: b }], isRead: true });
        const ofSecond = mayWork(namespace, { me: 'b', view: b, viewBefore: b, target: bTarget, peers: [{ id: 'a', view: a }], isRead: true });
        expect(ofFirst && ofSecond).toBe(false);
      }),
      tries(),
    );
  });
});
