/** `fake/queue`: a queue in memory; it holds a backlog. */
import { Type } from '@sinclair/typebox';
import type { JsonObject } from '../../src/sdk.ts';
import { fakeSpec, fakeType, Tags } from './kind.ts';

const Spec = fakeSpec({
  fifo: Type.Boolean({ default: false, plinth: 'immutable', description: 'First in, first out; the name then ends in .fifo.' }),
  visibilityTimeoutSeconds: Type.Integer({ minimum: 0, maximum: 43_200, default: 30, description: 'How long a received message stays hidden.' }),
  delaySeconds: Type.Integer({ minimum: 0, maximum: 900, default: 0, description: 'How long a new message stays hidden.' }),
  deadLetter: Type.Optional(
    Type.Object(
      {
        address: Type.String({ description: 'Address of the queue that takes what could not be handled.' }),
        maxReceives: Type.Integer({ minimum: 1, maximum: 1_000, description: 'Receives after which a message is moved.' }),
      },
      { removable: true, additionalProperties: false, description: 'Where messages go that were received too often.' },
    ),
  ),
  tags: Tags,
});

export const queue = fakeType({
  type: 'fake/queue',
  description: 'A queue in memory; it holds a backlog.',
  spec: Spec,
  naming: { by: 'template', maxLength: 80, characters: 'A-Za-z0-9_-', unique: 'account', suffix: ({ fifo }) => (fifo ? '.fifo' : '') },
  mark: { as: 'map', at: 'tags' },
  holds: 'backlog',
  settleSeconds: 5,
  costly: ['tags'],
  refersTo: spec => (spec['deadLetter'] === undefined ? [] : [String((spec['deadLetter'] as JsonObject)['address'])]),
  examples: [
    { fifo: false, visibilityTimeoutSeconds: 30, delaySeconds: 0, tags: {} },
    { fifo: true, visibilityTimeoutSeconds: 60, delaySeconds: 5, tags: { team: 'shop' } },
  ],
});
