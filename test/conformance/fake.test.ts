/** The conformance kit over the types of provider `fake`. */
import fc from 'fast-check';
import { link } from '../../providers/fake/link.ts';
import { note } from '../../providers/fake/note.ts';
import { queue } from '../../providers/fake/queue.ts';
import { store } from '../../providers/fake/store.ts';
import { thing } from '../../providers/fake/thing.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { conformance } from '../conformance.ts';
import { fake, fakeGround } from './fake-ground.ts';

/** The spec with the address of something that is there, where it names anything. */
function refer(spec: JsonObject, field: string, key: string, address: string): JsonObject {
  return spec[field] === undefined ? spec : { ...spec, [field]: { ...(spec[field] as JsonObject), [key]: address } };
}

const none = fc.constant(undefined);

conformance({
  title: 'fake/thing',
  provider: fake,
  type: thing,
  open: () => fakeGround(thing),
  generate: { protect: none },
  mutable: [
    { path: 'size', value: 7, other: 8 },
    { path: 'members', value: ['x'], other: ['y', 'z'] },
  ],
  immutable: { path: 'kind', value: 'special' },
  unset: { path: 'label', value: 'from outside', outcome: 'taken away' },
  part: 'limits.low',
  dangling: 'none',
});

const NOWHERE = 'fake://here/fake/thing/nowhere';
const DEAD_LETTERS = 'fake://here/fake/thing/dead-letters';
conformance({
  title: 'fake/queue',
  provider: fake,
  type: queue,
  open: () => fakeGround(queue, spec => refer(spec, 'deadLetter', 'address', DEAD_LETTERS), ['dead-letters']),
  rich: { visibilityTimeoutSeconds: 60, deadLetter: { address: '', maxReceives: 5 }, tags: { team: 'shop' } },
  mutable: [
    { path: 'delaySeconds', value: 7, other: 8 },
    { path: 'visibilityTimeoutSeconds', value: 77, other: 88 },
  ],
  immutable: { path: 'fifo', value: true },
  unset: { path: 'deadLetter', value: { address: DEAD_LETTERS, maxReceives: 3 }, outcome: 'taken away' },
  part: 'deadLetter',
  dangling: { refused: { deadLetter: { address: NOWHERE, maxReceives: 3 } } },
});

/** Everything takes its time: what was made is not visible, then CREATING, then starting; changes and deletions take a while as well. */
const SLOW = { visibleAfterMs: 60, creatingMs: 120, readyAfterMs: 180, updatingMs: 80, deletingMs: 80, latencyMs: 1 };
conformance({
  title: 'fake/queue, slow',
  provider: fake,
  type: queue,
  open: () => fakeGround(queue, spec => ({ ...refer(spec, 'deadLetter', 'address', DEAD_LETTERS), behaviour: SLOW }), ['dead-letters']),
  runs: 20,
  engineTriedBy: 'fake/queue',
  rich: { visibilityTimeoutSeconds: 60, deadLetter: { address: '', maxReceives: 5 }, tags: { team: 'shop' } },
  mutable: [
    { path: 'delaySeconds', value: 7, other: 8 },
    { path: 'visibilityTimeoutSeconds', value: 77, other: 88 },
  ],
  immutable: { path: 'fifo', value: true },
  unset: { path: 'deadLetter', value: { address: DEAD_LETTERS, maxReceives: 3 }, outcome: 'taken away' },
  part: 'deadLetter',
  dangling: { refused: { deadLetter: { address: NOWHERE, maxReceives: 3 } } },
});

conformance({
  title: 'fake/store',
  provider: fake,
  type: store,
  open: () => fakeGround(store),
  mutable: [
    { path: 'versioned', value: true, other: false },
    { path: 'rules', value: [{ prefix: 'a/', days: 1 }], other: [{ prefix: 'b/', days: 2 }] },
  ],
  immutable: { path: 'region', value: 'there' },
  unset: { path: 'rules', value: [{ prefix: 'x/', days: 3 }], outcome: 'taken away' },
  part: 'rules',
  dangling: 'none',
});

conformance({
  title: 'fake/note',
  provider: fake,
  type: note,
  open: () => fakeGround(note),
  mutable: [
    { path: 'body', value: 'one', other: 'two' },
    { path: 'colour', value: 'green', other: 'red' },
  ],
  immutable: 'none',
  unset: { path: 'colour', value: 'red', outcome: 'taken away' },
  part: 'colour',
  dangling: 'none',
});

const END = 'fake://here/fake/thing/end';
conformance({
  title: 'fake/link',
  provider: fake,
  type: link,
  open: () => fakeGround(link, spec => ({ ...spec, from: END }), ['end']),
  rich: { from: END, to: 'elsewhere', weight: 5, note: 'strong' },
  mutable: [
    { path: 'weight', value: 7, other: 8 },
    { path: 'note', value: 'one', other: 'two' },
  ],
  immutable: { path: 'to', value: 'another' },
  unset: { path: 'note', value: 'from outside', outcome: 'taken away' },
  part: 'note',
  dangling: { refused: { from: NOWHERE } },
});
