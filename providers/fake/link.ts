/** `fake/link`: named by what it joins; it carries no mark of its own. */
import { Type } from '@sinclair/typebox';
import type { JsonObject } from '../../src/sdk.ts';
import { fakeSpec, fakeType } from './kind.ts';

const Spec = fakeSpec({
  from: Type.String({ minLength: 1, plinth: 'immutable', description: 'Address of the one end.' }),
  to: Type.String({ minLength: 1, maxLength: 40, plinth: 'immutable', description: 'Any name for the other end.' }),
  weight: Type.Integer({ minimum: 0, maximum: 100, default: 1, description: 'How strong it is.' }),
  note: Type.Optional(Type.String({ minLength: 1, maxLength: 40, removable: true, description: 'Any text.' })),
});

export const link = fakeType({
  type: 'fake/link',
  description: 'A link between two things in memory.',
  spec: Spec,
  naming: { by: 'key', key: ({ from, to }) => (from === undefined || to === undefined ? undefined : `${from}=>${to}`) },
  mark: { as: 'key' },
  holds: 'nothing',
  settleSeconds: 0,
  refersTo: (spec: JsonObject) => [String(spec['from'])],
  examples: [{ from: 'fake://main/fake/thing/shop_one', to: 'elsewhere', weight: 1 }],
});
