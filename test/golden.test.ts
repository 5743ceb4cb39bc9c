/** Every shipped composition renders its example as the golden file beside it says. `UPDATE_GOLDEN=1` rewrites them. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { types as awsTypes } from '../providers/aws/index.ts';
import { fake } from '../providers/fake/index.ts';
import { kubernetes } from '../providers/kubernetes/index.ts';
import { compile } from '../src/core/composition.ts';
import { NO_ENVIRONMENT } from '../src/core/environment.ts';
import { objectProblems, parseClaim, parseClass, parseComposition, parseConfig, parseDefinition } from '../src/core/parse.ts';
import { referralsOf, render } from '../src/core/render.ts';
import { checkValue, withDefaults } from '../src/core/schema.ts';
import type { Schema } from '../src/core/schema-types.ts';
import { select } from '../src/core/selection.ts';
import type { Claim, ClaimDefinition, Json, JsonObject, ReferencedClaim, Rendered, Rendering, RenderScope, ResourceType } from '../src/core/types.ts';

const ROOT = join(import.meta.dirname, '..', 'compositions');
const load = (...path: string[]): JsonObject => parse(readFileSync(join(ROOT, ...path), 'utf8')) as JsonObject;
const inFolder = (folder: string): string[] => readdirSync(join(ROOT, folder)).filter(name => name.endsWith('.yaml'));
const FOLDERS = readdirSync(ROOT).filter(folder => existsSync(join(ROOT, folder, 'claim.yaml')));
const definitions = FOLDERS.map(folder => parseDefinition(load(folder, 'claim.yaml')));
const types = new Map<string, ResourceType>([...awsTypes, ...fake.types, ...kubernetes.types].map(type => [type.type, type]));
const CONFIGS = { aws: 'aws', fake: 'fake', kubernetes: 'cluster' };
const variants = FOLDERS.flatMap(folder =>
  inFolder(folder)
    .filter(name => name !== 'claim.yaml' && name !== 'example.yaml')
    .map(name => [folder, name] as const),
);

/** A value for every required field, telling where it comes from. */
function sample(schema: Schema, path: string): Json {
  if (schema.type === 'object') {
    const required = schema.required ?? [];
    return Object.fromEntries(required.map(field => [field, sample(schema.properties![field]!, path === '' ? field : `${path}.${field}`)]));
  }
  if (schema.type === 'integer' || schema.type === 'number') return 1;
  if (schema.type === 'boolean') return true;
  return /arn$/i.test(path) ? `arn:<${path}>` : `<${path}>`;
}

function referred(definition: ClaimDefinition, kind: string, name: string, item: Json): ReferencedClaim {
  const outputs = sample(definition.outputs, `${kind}/${name}`) as JsonObject;
  return { kind, name, item, ready: true, outputs, reason: '' };
}

function scopeFor(claim: Claim, compiled: ReturnType<typeof compile>, parameters: JsonObject, isThere: boolean): RenderScope {
  const base = { claim, class: 'aws', parameters, environment: NO_ENVIRONMENT };
  const referrals = referralsOf(compiled, base);
  const references = Object.fromEntries(
    compiled.references.map(({ id, claim: kind, forEach }) => {
      const definition = definitions.find(item => item.kind === kind)!;
      const found = referrals.filter(referral => referral.id === id).map(({ name, item }) => referred(definition, kind, name, item));
      return [id, forEach === undefined ? found[0]! : found];
    }),
  );
  const first = render(compiled, { ...base, references, resources: {} }, CONFIGS);
  const views = first.resources.map(({ id, type }) => [id, { state: sample(types.get(type)!.state, id) as JsonObject, ready: true, secret: {} }] as const);
  return { ...base, references, resources: isThere ? Object.fromEntries(views) : {} };
}

const shown = ({ value, pending, secrets }: Rendered): Json => ({
  value,
  ...(pending.length > 0 ? { pending: pending.map(({ path, message }) => `${path}: ${message}`) } : {}),
  ...(secrets.length > 0 ? { secrets: secrets.map(({ path }) => path) } : {}),
});

function shownRendering({ resources, undecided, connection, outputs }: Rendering): Json {
  const told = resources.map(one => [one.id, { type: one.type, config: one.config, dependsOn: [...one.dependsOn], ...(shown(one) as JsonObject) }]);
  return {
    resources: Object.fromEntries(told) as JsonObject,
    ...(undecided.length > 0 ? { undecided: undecided.map(item => item.message) } : {}),
    connection: shown(connection),
    outputs: shown(outputs),
  };
}

test.each(variants)('%s/%s renders its example', (folder, name) => {
  const definition = definitions[FOLDERS.indexOf(folder)]!;
  const composition = parseComposition(load(folder, name));
  const compiled = compile(composition, definitions, types);
  const claim = parseClaim(load(folder, 'example.yaml'), definition);
  const classes = inFolder('classes').map(file => parseClass(load('classes', file)));
  const serving = classes.find(({ implementations }) => implementations.some(item => item.composition === compiled.name))!;
  const { parameters } = select({ ...claim, lifecycle: {} }, classes, { class: serving.name, environment: NO_ENVIRONMENT });
  const states = [false, true].map(isThere =>
    render(compiled, scopeFor({ ...claim, namespace: definition.scope === 'Cluster' ? '' : 'shop' }, compiled, parameters, isThere), CONFIGS),
  );
  for (const { id, type, value } of states[1]!.resources) {
    const schema = types.get(type)!.spec;
    expect(checkValue(schema, withDefaults(schema, value), id)).toEqual([]);
  }
  const text = `${JSON.stringify({ 'nothing is there yet': shownRendering(states[0]!), 'everything is there': shownRendering(states[1]!) }, null, 2)}\n`;
  const golden = join(ROOT, folder, name.replace('.yaml', '.golden.json'));
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, text);
  expect(text).toBe(readFileSync(golden, 'utf8'));
});

test.each(['classes', 'configs'])('%s are sane and name what is shipped', folder => {
  const names = variants.map(([kind, name]) => parseComposition(load(kind, name)).name);
  for (const name of inFolder(folder)) {
    const object = load(folder, name);
    expect(objectProblems(object, definitions)).toEqual([]);
    if (folder === 'configs') expect(parseConfig(object).name).toBe(name.replace('.yaml', ''));
    else for (const { composition } of parseClass(object).implementations) expect(names).toContain(composition);
  }
});

function undescribed(schema: Schema, path: string): string[] {
  const fields = Object.entries(schema.properties ?? {});
  const own = fields.filter(([, inner]) => inner.description === undefined).map(([field]) => `${path}.${field}`);
  const items = schema.items === undefined ? [] : undescribed(schema.items, `${path}[]`);
  return [...own, ...items, ...fields.flatMap(([field, inner]) => undescribed(inner, `${path}.${field}`))];
}

test.each(definitions.map(definition => [definition.kind, definition] as const))('every field of %s is described', (kind, { schema, outputs, connection }) => {
  expect(undescribed(schema, kind)).toEqual([]);
  expect(undescribed(outputs, kind)).toEqual([]);
  for (const key of Object.values(connection.keys)) expect(key.description).toBeDefined();
});

test.each(variants)('every parameter of %s/%s is described', (folder, name) => {
  expect(undescribed(parseComposition(load(folder, name)).parameters, name)).toEqual([]);
});
