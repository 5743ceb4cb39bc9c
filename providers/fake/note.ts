/** `fake/note`: its mark is a text, as a comment on a database is. */
import { Type } from '@sinclair/typebox';
import { fakeSpec, fakeType } from './kind.ts';

const Spec = fakeSpec({
  body: Type.String({ default: '', maxLength: 200, description: 'What is noted.' }),
  colour: Type.Optional(Type.Union([Type.Literal('red'), Type.Literal('green')], { removable: true, description: 'How it looks.' })),
  comment: Type.Optional(Type.String({ description: 'Says whose it is; written by the engine.' })),
});

export const note = fakeType({
  type: 'fake/note',
  description: 'A note in memory, marked by its comment.',
  spec: Spec,
  naming: { by: 'template', maxLength: 40, characters: 'a-z0-9_', lowercase: true, unique: 'account' },
  mark: { as: 'text', at: 'comment' },
  holds: 'nothing',
  settleSeconds: 0,
  examples: [{ body: '' }, { body: 'remember', colour: 'red' }],
});
