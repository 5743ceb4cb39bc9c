import { expect, test } from 'vitest';
import { EngineError } from '../core/errors.ts';
import { identityKey } from '../core/match.ts';
import { marksOf } from '../core/ownership.ts';
import type { JsonObject, Mark, Observation, OwnedEntry } from '../core/types.ts';
import { observeAll, type Sight } from './observe.ts';
import { callingEngine, connectionsTo } from './test-calls.ts';
import { testClock } from './test-clock.ts';

const MARKS = marksOf({ instance: 'i', kind: 'Queue', namespace: 'dev', name: 'orders', id: 'queue', uid: 'u' });
const ENTRY = { phase: 'Present', origin: 'Created', name: 'dev_orders', config: 'c', type: 't/thing', scope: 's' } as unknown as OwnedEntry;

function seen(tags: JsonObject, unread: readonly string[] = []): Observation {
  return { kind: 'present', spec: { tags }, state: {}, secrets: {}, readiness: { ready: true }, unread } as unknown as Observation;
}

/** Looks once at the entry, of a type that answers each look in turn; undefined: not found. */
async function look(entry: OwnedEntry, answers: readonly (Observation | undefined)[], mark: Mark = { as: 'map', at: 'tags' }) {
  let looks = 0;
  const observe = async (): Promise<Observation> => {
    const answer = answers[looks++];
    if (answer === undefined) throw new EngineError('NotFound', 'no such thing');
    return answer;
  };
  const sight: Sight = { observed: new Map(), secrets: new Map() };
  await observeAll(callingEngine(testClock()), connectionsTo({ mark, observe }), [entry], 'full', sight);
  return { looks, observed: sight.observed.get(identityKey(entry)) };
}

test('a thing that is gone by the time its tags are read was not robbed of its marks', async () => {
  expect(await look(ENTRY, [seen({}), undefined])).toEqual({ looks: 2, observed: { kind: 'absent' } });
});

test('a thing that comes between the look for its tags and the one for itself is not a stranger', async () => {
  expect(await look({ ...ENTRY, phase: 'Intended' }, [seen({}), seen(MARKS)])).toMatchObject({ looks: 2, observed: { spec: { tags: MARKS } } });
});

test('marks that are gone at the second look as well are gone; what others wrote is still seen', async () => {
  expect(await look(ENTRY, [seen({ team: 'a' }), seen({ team: 'a' })])).toMatchObject({
    looks: 2,
    observed: { kind: 'present', spec: { tags: { team: 'a' } } },
  });
});

test.each<{ readonly when: string; readonly entry?: OwnedEntry; readonly answer: Observation; readonly mark?: Mark }>([
  { when: 'it bears marks', answer: seen(MARKS) },
  { when: 'it bears one mark, and so those of somebody else', answer: seen({ 'plinth.dev/uid': 'other' }) },
  { when: 'it was not asked for its tags', answer: seen({}, ['tags']) },
  { when: 'its type carries no marks', answer: seen({}), mark: { as: 'key' } },
  { when: 'it is only watched', answer: seen({}), entry: { ...ENTRY, origin: 'Observed' } },
])('a thing is looked at once when $when', async ({ entry = ENTRY, answer, mark }) => {
  expect(await look(entry, [answer, undefined], mark)).toMatchObject({ looks: 1, observed: { kind: 'present' } });
});
