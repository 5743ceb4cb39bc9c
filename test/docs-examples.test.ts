/** The compositions that the docs show compile, and render as the golden file beside them says. `UPDATE_GOLDEN=1` rewrites it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { providers } from '../providers/index.ts';
import { compile } from '../src/core/composition.ts';
import { NO_ENVIRONMENT } from '../src/core/environment.ts';
import { parseClaim, parseComposition, parseDefinition } from '../src/core/parse.ts';
import { render } from '../src/core/render.ts';
import type { JsonObject, ResourceType } from '../src/core/types.ts';
import { object } from './support.ts';

const ROOT = join(import.meta.dirname, '..');
const EXAMPLES = join(ROOT, 'docs', 'examples');
const load = (...path: string[]): JsonObject => parse(readFileSync(join(ROOT, ...path), 'utf8')) as JsonObject;
const types = new Map<string, ResourceType>(providers.flatMap(provider => provider.types).map(type => [type.type, type]));
const definition = parseDefinition(load('compositions', 'queue', 'claim.yaml'));
const claim = parseClaim(object('Queue', 'orders', { visibilityTimeoutSeconds: 60 }, 'shop', { uid: 'u', generation: 1, resourceVersion: '1' }), definition);
const queue = { state: { url: 'https://queue', arn: 'arn:queue', name: 'shop_orders', region: 'eu-west-1' }, ready: true, secret: {} };
const settings = { state: { name: 'orders-settings', namespace: 'shop', uid: 'u', object: {} }, ready: true, secret: {} };

test.each(readdirSync(EXAMPLES).filter(name => name.endsWith('.yaml')))('%s renders', name => {
  const compiled = compile(parseComposition(load('docs', 'examples', name)), [definition], types);
  const scope = { claim, class: 'dev', parameters: {}, environment: NO_ENVIRONMENT, references: {} };
  const configs = { aws: 'aws', kubernetes: 'cluster' };
  const states = [{}, { queue }, { queue, settings }].map(resources => {
    const rendering = render(compiled, { ...scope, resources }, configs);
    const told = rendering.resources.map(({ id, value, pending, dependsOn }) => ({ id, value, pending: pending.map(item => item.message), dependsOn }));
    return { resources: told, outputs: rendering.outputs.value };
  });
  const text = `${JSON.stringify({ 'nothing is there yet': states[0], 'the queue is there': states[1], 'everything is there': states[2] }, null, 2)}\n`;
  const golden = join(EXAMPLES, name.replace('.yaml', '.golden.json'));
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, text);
  expect(text).toBe(readFileSync(golden, 'utf8'));
});
