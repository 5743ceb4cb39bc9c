import { Type } from '@sinclair/typebox';
import { expect, test } from 'vitest';
import { type AdminObjects, adminProblems } from './admin-problems.ts';
import { parseDefinition } from './parse.ts';
import type { JsonObject, Provider, ResourceType } from './types.ts';

const admin = (kind: string, name: string, spec: JsonObject): JsonObject => ({ apiVersion: 'plinth.dev/v1alpha1', kind, metadata: { name }, spec });
const definition = parseDefinition(
  admin('ClaimDefinition', 'things.plinth.dev', {
    kind: 'Thing',
    plural: 'things',
    schema: { type: 'object', properties: { size: { type: 'integer', default: 1 } } },
    connection: { type: 'thing', keys: {} },
    outputs: { type: 'object' },
  }),
);
const type = {
  type: 'acme/thing',
  spec: Type.Object({ size: Type.Optional(Type.Integer()), tags: Type.Optional(Type.Record(Type.String(), Type.String())) }),
  state: Type.Object({}),
  secrets: [],
  mark: { as: 'map', at: 'tags' },
} as unknown as ResourceType;
const provider = {
  name: 'acme',
  settings: Type.Object({ region: Type.String(), endpoint: Type.Optional(Type.String()) }),
  types: [type],
} as unknown as Provider;
const composition = (spec: JsonObject = {}, name = 'thing') =>
  admin('Composition', name, { claim: 'Thing', resources: [{ id: 'it', main: true, type: 'acme/thing', spec: { size: '${claim.spec.size}' } }], ...spec });
const config = (spec: JsonObject = {}) => admin('ProviderConfig', 'here', { provider: 'acme', settings: { region: 'r' }, ...spec });
const line = { claim: 'Thing', composition: 'thing', configs: { acme: 'here' } };
const environmentClass = (spec: JsonObject = {}, name = 'dev') => admin('EnvironmentClass', name, { implementations: [line], ...spec });

function told(...objects: JsonObject[]): string[] {
  const of = (kind: string) => objects.filter(object => object['kind'] === kind);
  const all: AdminObjects = {
    definitions: [definition],
    compositions: of('Composition'),
    classes: of('EnvironmentClass'),
    configs: of('ProviderConfig'),
    providers: new Map([['acme', provider]]),
  };
  return [...adminProblems(all)].flatMap(([object, problems]) => problems.map(({ code, message }) => `${object['kind'] as string} ${code}: ${message}`));
}

test('nothing is said of what is right', () => {
  expect(told(composition(), config(), environmentClass())).toEqual([]);
  expect(told(config({ settings: { region: '${claim.namespace}' } }))).toEqual([]);
});

test.each<[string, JsonObject[], string[]]>([
  ['a form that is wrong', [composition({ resources: [] })], ['Composition InvalidObject: `spec.resources` must have at least 1 items, not 0']],
  [
    'a field that does not exist',
    [composition({ resources: [{ id: 'it', main: true, type: 'acme/thing', spec: { size: '${claim.spec.sise}' } }] })],
    [expect.stringContaining('Composition InvalidExpression')],
  ],
  [
    'a composition that does not exist',
    [config(), environmentClass()],
    ['EnvironmentClass NoComposition: the class `dev` names composition `thing`, which does not exist'],
  ],
  [
    'a composition of another kind',
    [composition({ claim: 'Other' }), config(), environmentClass()],
    [expect.stringContaining('Composition '), 'EnvironmentClass InvalidComposition: composition `thing` is not for Thing'],
  ],
  [
    'a config that does not exist',
    [composition(), environmentClass()],
    ['EnvironmentClass NoProviderConfig: the class `dev` names ProviderConfig `here`, which does not exist'],
  ],
  [
    'a kind twice',
    [composition(), config(), environmentClass({ implementations: [line, line] })],
    ['EnvironmentClass AmbiguousImplementation: the class `dev` implements Thing more than once'],
  ],
  [
    'two defaults',
    [composition(), config(), environmentClass({ default: true }), environmentClass({ default: true }, 'other')],
    ['dev', 'other'].map(() => 'EnvironmentClass TwoDefaultClasses: more than one EnvironmentClass is marked default: `dev`, `other`'),
  ],
  [
    'a provider that does not exist',
    [config({ provider: 'acne' })],
    ['ProviderConfig UnknownProvider: ProviderConfig here names provider `acne`, which does not exist'],
  ],
  ['settings that are wrong', [config({ settings: {} })], ['ProviderConfig InvalidObject: `spec.settings.region` is missing']],
])('says: %s', (_, objects, expected) => {
  expect(told(...objects)).toEqual(expected);
});
