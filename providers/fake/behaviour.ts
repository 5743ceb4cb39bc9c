/** How a fake thing behaves, chosen by a field of its spec: data, so that a demo or a test needs no code. */
import { type Static, Type } from '@sinclair/typebox';

const milliseconds = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000, description }));
const looks = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000, description }));

const Failure = Type.Object(
  {
    verb: Type.Union([Type.Literal('observe'), Type.Literal('create'), Type.Literal('update'), Type.Literal('delete')], {
      description: 'The verb that fails.',
    }),
    code: Type.String({ description: 'What it fails with: a code of docs/reference/errors.md, e.g. Throttled.', pattern: '^[A-Z][A-Za-z]{1,40}$' }),
    times: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'How often; for ever when left out.' })),
    afterWork: Type.Optional(Type.Boolean({ description: 'The work is done and only the answer fails.' })),
  },
  { additionalProperties: false, description: 'One way to fail.' },
);

export const Behaviour = Type.Optional(
  Type.Object(
    {
      latencyMs: milliseconds('How long each call takes.'),
      readyAfterMs: milliseconds('How long it is not ready after it was made.'),
      readyAfterLooks: looks('How many looks see it not ready.'),
      visibleAfterMs: milliseconds('How long a look finds nothing after it was made.'),
      creatingMs: milliseconds('How long it says CREATING; it takes no change meanwhile.'),
      updatingMs: milliseconds('How long it says UPDATING after a change; it takes no other meanwhile.'),
      deletingMs: milliseconds('How long it says DELETING before it is gone.'),
      failures: Type.Optional(Type.Array(Failure, { maxItems: 10, description: 'Calls that fail.' })),
      drift: Type.Optional(
        Type.Object(
          {
            field: Type.String({ description: 'The field that moves.', pattern: '^[a-zA-Z]+$' }),
            value: Type.Unknown({ description: 'Where it moves to.' }),
            afterLooks: Type.Integer({ minimum: 1, maximum: 1_000, description: 'At which look it moves, once.' }),
          },
          { additionalProperties: false, description: 'A field that somebody else seems to change.' },
        ),
      ),
    },
    { plinth: 'create-only', additionalProperties: false, description: 'Latency, failures, readiness, states and drift; taken when the thing is made.' },
  ),
);
export type Behaviour = NonNullable<Static<typeof Behaviour>>;
