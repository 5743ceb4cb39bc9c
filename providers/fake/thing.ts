/** `fake/thing`: every behaviour a field can have, and nothing worth keeping. */
import { Type } from '@sinclair/typebox';
import { fakeSpec, fakeType, Tags } from './kind.ts';

const Spec = fakeSpec({
  size: Type.Integer({ minimum: 0, maximum: 1_000, default: 1, description: 'A number with a default.' }),
  kind: Type.Union([Type.Literal('plain'), Type.Literal('special')], { default: 'plain', plinth: 'immutable', description: 'Cannot change.' }),
  label: Type.Optional(Type.String({ minLength: 1, maxLength: 100, removable: true, description: 'Leaving it out takes it away.' })),
  title: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Cannot be taken away again; an outside one is reported.' })),
  zone: Type.Optional(Type.String({ minLength: 1, maxLength: 20, plinth: 'left-alone-unset', description: 'Chosen by the service when left out.' })),
  members: Type.Array(Type.String({ maxLength: 20 }), { default: [], maxItems: 10, description: 'A list; it is compared as a whole.' }),
  limits: Type.Optional(
    Type.Object(
      {
        low: Type.Optional(Type.Integer({ minimum: 0, maximum: 10, description: 'Lower limit.' })),
        high: Type.Optional(Type.Integer({ minimum: 10, maximum: 100, description: 'Upper limit.' })),
      },
      { removable: true, additionalProperties: false, description: 'A mapping; its leaves are compared one by one.' },
    ),
  ),
  protect: Type.Boolean({ default: false, description: 'Deletion is refused while it is true.' }),
  password: Type.Optional(Type.String({ plinth: 'secret', description: 'Written, never read back.' })),
  seed: Type.Optional(Type.String({ maxLength: 100, plinth: 'create-only', description: 'Used when it is made.' })),
  purge: Type.Optional(Type.Boolean({ plinth: 'delete-only', description: 'Used when it is deleted.' })),
  tags: Tags,
});

export const thing = fakeType({
  type: 'fake/thing',
  description: 'A thing in memory with every kind of field.',
  spec: Spec,
  naming: { by: 'template', maxLength: 60, characters: 'A-Za-z0-9_-', unique: 'account' },
  mark: { as: 'map', at: 'tags' },
  holds: 'nothing',
  settleSeconds: 2,
  costly: ['tags'],
  chosen: { zone: 'zone-a' },
  examples: [
    { size: 1, kind: 'plain', members: [], protect: false, tags: {} },
    { size: 3, kind: 'special', label: 'blue', title: 'A thing', members: ['b', 'a'], limits: { low: 1, high: 20 }, protect: false, tags: { team: 'shop' } },
  ],
});
