/** `fake/store`: it holds data, its name is global, and most of its fields take a call of their own. */
import { Type } from '@sinclair/typebox';
import { fakeSpec, fakeType, Tags } from './kind.ts';

const Rule = Type.Object(
  {
    prefix: Type.String({ maxLength: 20, description: 'What the rule is for.' }),
    days: Type.Integer({ minimum: 1, maximum: 365, description: 'After how many days.' }),
  },
  { additionalProperties: false, description: 'One rule.' },
);
const Spec = fakeSpec({
  region: Type.String({ default: 'here', maxLength: 20, plinth: 'immutable', description: 'Where it is made.' }),
  versioned: Type.Boolean({ default: false, description: 'Old versions are kept.' }),
  rules: Type.Optional(Type.Array(Rule, { minItems: 1, maxItems: 5, removable: true, description: 'What happens to old data.' })),
  purge: Type.Optional(Type.Boolean({ plinth: 'delete-only', description: 'What it holds is removed with it.' })),
  tags: Tags,
});

export const store = fakeType({
  type: 'fake/store',
  description: 'A store in memory; it holds data.',
  spec: Spec,
  naming: { by: 'template', minLength: 3, maxLength: 63, characters: 'a-z0-9-', lowercase: true, unique: 'global' },
  mark: { as: 'map', at: 'tags' },
  holds: 'data',
  settleSeconds: 10,
  costly: ['tags', 'rules'],
  later: ['versioned', 'rules'],
  chosen: { versioned: false },
  examples: [
    { region: 'here', versioned: false, tags: {} },
    { region: 'there', versioned: true, rules: [{ prefix: 'tmp/', days: 7 }], tags: { team: 'shop' } },
  ],
});
