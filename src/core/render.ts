/** Renders a compiled composition over what is known now: desired resources, connection and outputs. Pure. */

import { compileData } from './composition-target.ts';
import { EngineError } from './errors.ts';
import { scopeOf } from './expression.ts';
import { type Instance, type Progress, standingOf, startProgress, type Wait } from './render-reads.ts';
import { evaluatePlain, renderMap, renderValue } from './render-template.ts';
import { checkValue, withDefaults } from './schema.ts';
import type { Schema } from './schema-types.ts';
import type {
  CompiledComposition,
  CompiledReference,
  CompiledResource,
  DesiredResource,
  Expression,
  Json,
  JsonObject,
  Rendering,
  RenderScope,
  ResourceId,
  StringMap,
  Template,
  TypeName,
} from './types.ts';

export { fill } from './render-template.ts';

const MAX_RESOURCES = 100;

/**
 * Renders every resource in order, then connection and outputs. `configs`: family to ProviderConfig name. Throws EngineError
 * EvaluationFailed (an expression fails, a duplicate or missing key), TooComplex (more than 100 resources), NoProviderConfig (no config
 * for a family), InvalidComposition (parameters that do not fit).
 */
export function render(compiled: CompiledComposition, scope: RenderScope, configs: Readonly<StringMap>): Rendering {
  const progress = startProgress(compiled, scope, parametersOf(compiled, scope.parameters));
  const resources = compiled.resources.flatMap(resource => renderResource(resource, progress, configs));
  if (resources.length > MAX_RESOURCES) {
    throw new EngineError('TooComplex', `the claim needs ${resources.length} resources; at most ${MAX_RESOURCES} are allowed`);
  }
  return {
    resources,
    undecided: [...progress.undecided].map(([id, wait]) => ({ id, ...wait })),
    connection: renderMap({ kind: 'map', entries: compiled.connection }, progress),
    outputs: renderMap({ kind: 'map', entries: compiled.outputs }, progress),
  };
}

const defaulted = new WeakMap<JsonObject, { readonly schema: object; readonly value: JsonObject }>();

function parametersOf({ name, parameters: schema }: CompiledComposition, given: JsonObject): JsonObject {
  const known = defaulted.get(given);
  if (known?.schema === schema) return known.value;
  const value = withDefaults(schema, given);
  const [problem] = checkValue(schema, value, 'parameters');
  if (problem !== undefined) {
    const message = `${problem.message} (composition ${name})`;
    throw new EngineError('InvalidComposition', message, {
      path: problem.path,
      hint: `${problem.hint}; parameters come from the class, or the claim's lifecycle`,
    });
  }
  defaulted.set(given, { schema, value });
  return value;
}

function renderResource(resource: CompiledResource, progress: Progress, configs: Readonly<StringMap>): DesiredResource[] {
  const included = decide(resource.includeWhen, progress);
  if (typeof included === 'object') return postpone(resource, progress, included);
  if (included === false) return [];
  const items = resource.forEach === undefined ? [undefined] : itemsOf(resource, resource.forEach.over, progress);
  if ('on' in items) return postpone(resource, progress, items);
  const loops: { readonly id: ResourceId; readonly progress: Progress }[] = [];
  for (const item of items) {
    const inner = item === undefined ? progress : { ...progress, each: resource.forEach?.each ?? 'data', roots: { ...progress.roots, each: item } };
    const id = item === undefined ? resource.id : idOf(resource, inner);
    if (typeof id === 'object') return postpone(resource, progress, id);
    loops.push({ id, progress: inner });
  }
  refuseDuplicates(
    resource,
    loops.map(loop => loop.id),
  );
  const done = loops.map(loop => renderOne(resource, loop.id, loop.progress, configs));
  const instances = done.map(one => one.instance);
  progress.instances.set(resource.id, instances);
  progress.roots[resource.id] = resource.forEach === undefined ? instances[0]?.root : instances.map(instance => instance.root);
  return done.map(one => one.desired);
}

function postpone(resource: CompiledResource, progress: Progress, wait: Wait): [] {
  progress.undecided.set(resource.id, { on: wait.on, message: wait.message });
  return [];
}

/** None is "no". */
function decide(condition: Expression | undefined, progress: Progress): boolean | Wait {
  if (condition === undefined) return true;
  const standing = standingOf(condition, progress);
  if (standing === 'none') return false;
  return standing ?? condition.run(progress.roots) === true;
}

/** None is no items. */
function itemsOf(resource: CompiledResource, over: Expression, progress: Progress): readonly Json[] | Wait {
  const standing = standingOf(over, progress);
  if (standing === 'none') return [];
  if (standing !== undefined) return standing;
  const items = over.run(progress.roots) ?? [];
  if (Array.isArray(items)) return items;
  throw new EngineError('EvaluationFailed', `forEach of resource ${resource.id} gives no list`, { path: over.at });
}

function idOf(resource: CompiledResource, progress: Progress): ResourceId | Wait {
  const { key } = resource.forEach!;
  const standing = standingOf(key, progress);
  if (standing !== undefined && standing !== 'none') return standing;
  const value = standing === 'none' ? undefined : key.run(progress.roots);
  if (typeof value === 'number' || (typeof value === 'string' && value !== '')) return `${resource.id}[${value}]`;
  throw new EngineError('EvaluationFailed', `an item of resource ${resource.id} has no key`, {
    path: key.at,
    hint: 'the key must be a text that is not empty',
  });
}

function refuseDuplicates(resource: CompiledResource, ids: readonly ResourceId[]): void {
  const twice = ids.find((id, index) => ids.indexOf(id) < index);
  if (twice === undefined) return;
  const message = `two items of resource ${resource.id} have the key ${twice.slice(resource.id.length + 1, -1)}`;
  throw new EngineError('EvaluationFailed', message, { path: resource.forEach!.key.at, hint: 'keys must be unique; remove the duplicate from the claim' });
}

function renderOne(
  resource: CompiledResource,
  id: ResourceId,
  progress: Progress,
  configs: Readonly<StringMap>,
): { desired: DesiredResource; instance: Instance } {
  const rendered = renderMap(resource.spec, progress);
  const named = resource.name === undefined ? { value: undefined } : renderValue(resource.name, progress);
  const waits = 'on' in named ? [{ path: 'name', on: named.on, message: named.message }] : [];
  const view = progress.scope.resources[id];
  const root: JsonObject = view?.state === undefined ? { id, spec: rendered.value } : { id, spec: rendered.value, state: view.state };
  const instance: Instance = { id, template: resource.id, view, pending: rendered.pending, root };
  const desired: DesiredResource = {
    ...rendered,
    pending: [...rendered.pending, ...waits],
    id,
    template: resource.id,
    type: resource.type,
    config: configOf(resource.type, configs),
    main: resource.main,
    name: 'value' in named && typeof named.value === 'string' ? named.value : undefined,
    dependsOn: resource.dependsOn.flatMap(need => (progress.instances.get(need) ?? []).map(one => one.id)),
    formerly: resource.forEach === undefined ? resource.formerly : resource.formerly.map(old => `${old}${id.slice(resource.id.length)}`),
    notReady: notReady(resource, instance, progress),
  };
  return { desired, instance };
}

function configOf(type: TypeName, configs: Readonly<StringMap>): string {
  const family = type.slice(0, type.indexOf('/'));
  const config = Object.hasOwn(configs, family) ? configs[family] : undefined;
  if (config !== undefined) return config;
  throw new EngineError('NoProviderConfig', `the class names no ProviderConfig for \`${family}\``, {
    hint: `add \`configs: {${family}: …}\` to the implementation`,
  });
}

function notReady(resource: CompiledResource, instance: Instance, progress: Progress): string {
  if (resource.readyWhen.length === 0) return '';
  const instances = new Map([[resource.id, [instance]]]);
  const own: Progress = { ...progress, instances, roots: { [resource.id]: instance.root } };
  for (const condition of resource.readyWhen) {
    const answer = decide(condition, own);
    if (answer === false) return `waiting until \`${condition.source}\``;
    if (typeof answer === 'object') return answer.message;
  }
  return '';
}

/** A claim that a composition refers to. `item`: what the reference was made from. */
export interface Referral {
  /** Id of the reference. */
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly item: Json;
}

/** The claims a claim refers to, per reference in order; what to load before `render`. Throws EngineError EvaluationFailed. */
export function referralsOf(compiled: CompiledComposition, scope: Pick<RenderScope, 'claim' | 'class' | 'parameters' | 'environment'>): Referral[] {
  const parameters = parametersOf(compiled, scope.parameters);
  const progress = startProgress({ ...compiled, references: [] }, { ...scope, references: {}, resources: {} }, parameters);
  return compiled.references.flatMap(reference => referralsTo(reference, progress));
}

function referralsTo({ id, claim, forEach, name }: CompiledReference, progress: Progress): Referral[] {
  const items = forEach === undefined ? [undefined] : ((forEach.run(progress.roots) ?? []) as Json[]);
  return items.flatMap(item => {
    const roots = item === undefined ? progress.roots : { ...progress.roots, each: item };
    const value = evaluatePlain(name, roots);
    return typeof value === 'string' && value !== '' ? [{ id, kind: claim, name: value, item: item ?? null }] : [];
  });
}

const TEXT: Schema = { type: 'string' };
const OPEN: Schema = { type: 'object', additionalProperties: true };
const claimSchema: Schema = {
  type: 'object',
  required: ['name', 'namespace', 'kind', 'spec'],
  properties: { name: TEXT, namespace: TEXT, kind: TEXT, spec: OPEN },
};
const settingRoots = new Map([['claim', { schema: claimSchema }]]);
const namingRoots = new Map([
  ...settingRoots,
  ['class', { schema: TEXT }],
  ['parameters', { schema: OPEN }],
  ['id', { schema: TEXT }],
  ['instance', { schema: TEXT }],
]);

function compileAlone(value: Json, at: string, schema: Schema | undefined, roots: Parameters<typeof scopeOf>[0]): Template {
  const problems: EngineError[] = [];
  const { template } = compileData(value, at, schema, { scope: scopeOf(roots), problems, secret: false, of: at, filled: [] });
  if (problems[0] !== undefined) throw problems[0];
  return template;
}

/** Compiles a class's naming; roots: `claim`, `class`, `parameters`, `id`, `instance`. Throws the first EngineError. */
export function compileNaming(text: string): Template {
  return compileAlone(text, 'spec.naming', TEXT, namingRoots);
}

/** Compiles the settings of a ProviderConfig; the one root is `claim`. Throws the first EngineError. */
export function compileSettings(settings: JsonObject): Template {
  return compileAlone(settings, 'spec.settings', undefined, settingRoots);
}

/** A text; undefined when it is none. Throws EngineError EvaluationFailed. */
export function renderText(template: Template, roots: Readonly<Record<string, Json | undefined>>): string | undefined {
  const value = evaluatePlain(template, roots);
  return value === undefined ? undefined : String(value);
}

/** The settings with their expressions replaced. Throws EngineError EvaluationFailed. */
export function renderSettings(template: Template, roots: { readonly claim: JsonObject }): JsonObject {
  return (evaluatePlain(template, roots) ?? {}) as JsonObject;
}
