/** Compiles the parts of a composition: references, resources, connection and outputs. */
import { CLASS_ROOT, claimRoot, claimView, ENVIRONMENT_ROOT, type Outline, outlineOf, PLAIN_ROOTS, RESERVED_IDS, resourceView } from './composition-roots.ts';
import { compileData, mistake, type Piece, type Target } from './composition-target.ts';
import { EngineError, type ErrorCode } from './errors.ts';
import { type Compiled, type Scope, scopeOf, scopeWith } from './expression.ts';
import { misfit } from './fit.ts';
import type { Schema } from './schema-types.ts';
import { listed, suggestion } from './similar.ts';
import type {
  ClaimDefinition,
  CompiledReference,
  CompiledResource,
  Composition,
  Expression,
  Path,
  ResourceTemplate,
  ResourceType,
  Template,
  TypeName,
} from './types.ts';
import { itemOf, type Root, VIEW } from './views.ts';

/** One compilation in progress. `roots` grows while the resources are compiled in their order. */
export interface Build {
  readonly source: Composition;
  readonly definition: ClaimDefinition | undefined;
  readonly definitions: readonly ClaimDefinition[];
  readonly types: ReadonlyMap<TypeName, ResourceType>;
  readonly outlines: ReadonlyMap<string, Outline>;
  /** What each resource needs before it: named in its text, or under dependsOn. */
  readonly needs: ReadonlyMap<string, ReadonlySet<string>>;
  readonly roots: Map<string, Root>;
}
interface Part<T> {
  readonly compiled: T | undefined;
  readonly problems: EngineError[];
}
const BOOLEAN: Schema = { type: 'boolean' };
const LIST: Schema = { type: 'array' };
const TEXT: Schema = { type: 'string' };
const KEY: Schema = { anyOf: [{ type: 'string' }, { type: 'integer' }] };
const ID = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;

/** Sets up the names in scope. */
export function startBuild(source: Composition, definitions: readonly ClaimDefinition[], types: ReadonlyMap<TypeName, ResourceType>): Build {
  const definition = definitions.find(item => item.kind === source.claim);
  const outlines = new Map(source.resources.map(resource => [resource.id, outlineOf(resource)]));
  const ids = new Set(outlines.keys());
  const needs = new Map(
    source.resources.map(({ id, dependsOn = [] }) => [id, new Set([...outlines.get(id)!.names, ...dependsOn].filter(name => ids.has(name)))]),
  );
  const roots = new Map<string, Root>([
    ['claim', claimRoot(definition)],
    ['class', CLASS_ROOT],
    ['environment', ENVIRONMENT_ROOT],
    ['parameters', { schema: source.parameters }],
  ]);
  return { source, definition, definitions, types, outlines, needs, roots };
}

const target = (scope: Scope, problems: EngineError[], of: string, filled: readonly string[] = [], secret = false): Target => ({
  scope,
  problems,
  of,
  filled,
  secret,
});

function idProblems(id: string, at: Path, taken: readonly string[]): EngineError[] {
  if (!ID.test(id)) return [mistake(`${at}.id`, `\`${id}\` cannot be an id`, 'use letters, digits and `_`, a letter first, at most 63')];
  if (RESERVED_IDS.has(id)) return [mistake(`${at}.id`, `\`${id}\` is a reserved name`, 'choose another id')];
  return taken.includes(id) ? [mistake(`${at}.id`, `the id \`${id}\` is used twice`, 'ids of resources and references are unique together')] : [];
}

/** An id that is a reserved name is refused on its own; the library takes no variable of that name. */
function setRoot(roots: Map<string, Root>, id: string, root: Root): void {
  if (!RESERVED_IDS.has(id)) roots.set(id, root);
}

/** Compiles a string that must be one `${…}`. */
function compileOne(text: string, at: Path, schema: Schema, where: Target): (Piece & { readonly compiled: Compiled }) | undefined {
  const piece = compileData(text, at, schema, where);
  if (piece.compiled !== undefined) return { ...piece, compiled: piece.compiled };
  if (piece.template.kind !== 'expression' && where.problems.length === 0)
    where.problems.push(mistake(at, `\`${at}\` must be one expression`, 'write it as `${…}`'));
  return undefined;
}

/** Compiles one reference; its name becomes a root. */
export function compileReference(work: Build, index: number): Part<CompiledReference> {
  const { id, claim, forEach, name } = work.source.references[index]!;
  const at = `spec.references[${index}]`;
  const problems = idProblems(
    id,
    at,
    work.source.references.slice(0, index).map(reference => reference.id),
  );
  const definition = work.definitions.find(item => item.kind === claim);
  const kinds = work.definitions.map(item => item.kind);
  if (definition === undefined) problems.push(mistake(`${at}.claim`, `no ClaimDefinition makes the kind \`${claim}\``, suggestion(claim, kinds)));
  const roots = new Map([...work.roots].filter(([root]) => PLAIN_ROOTS.has(root)));
  const over = forEach === undefined ? undefined : compileOne(forEach, `${at}.forEach`, LIST, target(scopeOf(roots), problems, 'forEach'));
  const item = over === undefined ? undefined : itemOf(over.compiled.view).schema;
  if (forEach !== undefined) roots.set('each', { schema: item });
  const text = compileData(name, `${at}.name`, TEXT, target(scopeOf(roots), problems, 'the name of a claim'));
  const view = claimView(definition, item);
  const root: Root = forEach === undefined ? { schema: view, ...(text.mayBeNone ? { conditions: [] } : {}) } : { schema: { type: 'array', items: view } };
  setRoot(work.roots, id, root);
  return { compiled: { id, claim, forEach: over?.compiled.expression, name: text.template }, problems };
}

/** Compiles one resource; its name becomes a root for those after it. */
export function compileResource(work: Build, index: number): Part<CompiledResource> {
  const resource = work.source.resources[index]!;
  const at = `spec.resources[${index}]`;
  const problems = headProblems(work, resource, index, at);
  const type = work.types.get(resource.type);
  const outline = work.outlines.get(resource.id)!;
  const scope = scopeOf(rootsFor(work, resource));
  const included =
    resource.includeWhen === undefined ? undefined : compileOne(resource.includeWhen, `${at}.includeWhen`, BOOLEAN, target(scope, problems, 'includeWhen'));
  const known = scopeWith(scope, included?.compiled.facts ?? []);
  const loop = loopOf(resource, at, known, problems);
  const inner = loop?.scope ?? known;
  const name = resource.name === undefined ? undefined : compileData(resource.name, `${at}.name`, TEXT, target(inner, problems, 'the name of a resource'));
  const filled = type === undefined || type.mark.as === 'key' ? [] : [type.mark.at];
  const spec = compileData(resource.spec, `${at}.spec`, type?.spec, target(inner, problems, resource.type, filled));
  const view = resourceView(type, spec);
  const readyWhen = compileReadyWhen(resource, view, at, problems);
  setRoot(work.roots, resource.id, rootOf(resource, view, outline));
  const { id, formerly = [], main = false } = resource;
  const templates = [name?.template, spec.template].filter(template => template !== undefined);
  const expressions = [included?.compiled.expression, loop?.forEach?.over, loop?.forEach?.key, ...templates.flatMap(expressionsOf)];
  const compiled: CompiledResource = {
    id,
    type: resource.type,
    main,
    includeWhen: included?.compiled.expression,
    forEach: loop?.forEach,
    name: name?.template,
    spec: spec.template,
    readyWhen,
    dependsOn: needed(work, resource, expressions),
    formerly,
  };
  return { compiled, problems };
}

function rootOf(resource: ResourceTemplate, view: Schema, outline: Outline): Root {
  const schema: Schema = resource.forEach === undefined ? view : { type: 'array', items: view };
  return outline.conditions === undefined ? { schema } : { schema, conditions: outline.conditions };
}

/** Resources that are not compiled yet (a circle) are in scope too, so that the circle is what is reported. */
function rootsFor(work: Build, own: ResourceTemplate): Map<string, Root> {
  const roots = new Map(work.roots);
  for (const resource of work.source.resources) {
    if (roots.has(resource.id) || (resource.id !== own.id && !work.needs.get(own.id)!.has(resource.id))) continue;
    setRoot(roots, resource.id, rootOf(resource, resourceView(work.types.get(resource.type), undefined), work.outlines.get(resource.id)!));
  }
  return roots;
}

function headProblems(work: Build, resource: ResourceTemplate, index: number, at: Path): EngineError[] {
  const { references, resources } = work.source;
  const ids = resources.map(item => item.id);
  const { id, type, dependsOn = [], formerly = [], main, forEach, key } = resource;
  const problems = idProblems(id, at, [...references.map(reference => reference.id), ...ids.slice(0, index)]);
  if (!work.types.has(type)) problems.push(mistake(`${at}.type`, `there is no resource type \`${type}\``, suggestion(type, work.types.keys())));
  if (main === true && resources.findIndex(item => item.main === true) < index) {
    problems.push(mistake(`${at}.main`, 'two resources are marked main', 'keep one: its name carries no id'));
  }
  if (main === true && forEach !== undefined)
    problems.push(mistake(`${at}.main`, 'a resource with forEach cannot be main', 'all of its items would have one name'));
  if (forEach !== undefined && key === undefined)
    problems.push(mistake(`${at}.key`, 'forEach needs `key`', 'give a unique text per item, e.g. `${each.name}`'));
  if (forEach === undefined && key !== undefined) problems.push(mistake(`${at}.key`, '`key` needs forEach', 'remove it'));
  for (const [position, need] of dependsOn.entries()) {
    if (!ids.includes(need)) problems.push(mistake(`${at}.dependsOn[${position}]`, `there is no resource \`${need}\``, suggestion(need, ids)));
  }
  for (const [position, old] of formerly.entries()) {
    const taken = ids.includes(old) || resources.some((item, other) => other !== index && item.formerly?.includes(old) === true);
    if (taken) problems.push(mistake(`${at}.formerly[${position}]`, `\`${old}\` is in use`, 'name an id that no resource has any more'));
  }
  return problems;
}

interface Loop {
  readonly scope: Scope;
  readonly forEach: CompiledResource['forEach'];
}

function loopOf(resource: ResourceTemplate, at: Path, scope: Scope, problems: EngineError[]): Loop | undefined {
  const { forEach, key } = resource;
  if (forEach === undefined) return undefined;
  const over = compileOne(forEach, `${at}.forEach`, LIST, target(scope, problems, 'forEach'));
  const schema = over === undefined ? undefined : itemOf(over.compiled.view).schema;
  const inner = scopeWith(scopeOf(new Map(scope.roots).set('each', { schema })), [...scope.facts, ...eachFacts(over?.compiled)]);
  if (key === undefined || over === undefined) return { scope: inner, forEach: undefined };
  const piece = compileData(key, `${at}.key`, KEY, target(inner, problems, 'key'));
  if (piece.mayBeNone) problems.push(mistake(`${at}.key`, 'the key may have no value', 'use a field that every item has'));
  const each = { claim: 'claim', resource: 'resource' }[String(schema?.[VIEW])] ?? 'data';
  return { scope: inner, forEach: { over: over.compiled.expression, key: asExpression(piece.template), each: each as 'claim' | 'resource' | 'data' } };
}

/** What a filter in forEach proved of every item holds for `each`. */
const eachFacts = (over: Compiled | undefined): string[] => (over?.view.itemFacts ?? []).map(fact => fact.replace(' #', ' each'));

/** A template of one text as an expression, so that `key: ${each.a}-${each.b}` can be evaluated as one. */
function asExpression(template: Template): Expression {
  if (template.kind === 'expression') return template.expression;
  const parts = template.kind === 'text' ? template.parts : [String(template.kind === 'literal' ? template.value : '')];
  const expressions = parts.filter(part => typeof part !== 'string');
  return {
    source: parts.map(part => (typeof part === 'string' ? part : `\${${part.source}}`)).join(''),
    at: expressions[0]?.at ?? '',
    reads: expressions.flatMap(expression => expression.reads),
    secret: false,
    run: roots => parts.map(part => (typeof part === 'string' ? part : String(part.run(roots)))).join(''),
  };
}

function compileReadyWhen(resource: ResourceTemplate, view: Schema, at: Path, problems: EngineError[]): Expression[] {
  const { id, readyWhen = [] } = resource;
  if (readyWhen.length === 0) return [];
  const scope = scopeOf(new Map([[id, { schema: view }]]));
  return readyWhen.flatMap((text, index) => {
    const own: EngineError[] = [];
    const one = compileOne(text, `${at}.readyWhen[${index}]`, BOOLEAN, target(scope, own, 'readyWhen'));
    problems.push(...own);
    return one?.compiled.expression ?? [];
  });
}

/** Every expression of a template. */
export function expressionsOf(template: Template): Expression[] {
  switch (template.kind) {
    case 'literal':
      return [];
    case 'expression':
      return [template.expression];
    case 'text':
      return template.parts.filter(part => typeof part !== 'string');
    case 'list':
      return template.items.flatMap(expressionsOf);
    case 'map':
      return Object.values(template.entries).flatMap(expressionsOf);
  }
}

function needed(work: Build, resource: ResourceTemplate, expressions: readonly (Expression | undefined)[]): string[] {
  const read = new Set(expressions.flatMap(expression => expression?.reads.map(({ root }) => root) ?? []));
  const explicit = new Set(resource.dependsOn);
  return work.source.resources.map(({ id }) => id).filter(id => id !== resource.id && (read.has(id) || explicit.has(id)));
}

/** Compiles connection and outputs against the contract of the claim kind. */
export function compileTexts(work: Build): { connection: Record<string, Template>; outputs: Record<string, Template>; problems: EngineError[] } {
  const problems: EngineError[] = [];
  const scope = scopeOf(work.roots);
  const connection = Object.fromEntries(Object.entries(work.source.connection).map(([key, text]) => [key, connectionKey(work, key, text, scope, problems)]));
  const missing = Object.entries(work.definition?.connection.keys ?? {}).filter(([key, { optional }]) => !optional && connection[key] === undefined);
  if (missing.length > 0) {
    const keys = listed(missing.map(([key]) => key));
    problems.push(problem('MissingConnectionKey', 'spec.connection', `the connection lacks ${keys}, which every ${work.source.claim} promises`, 'add it'));
  }
  const outputs = compileData(work.source.outputs, 'spec.outputs', work.definition?.outputs, target(scope, problems, `the outputs of ${work.source.claim}`));
  return { connection, outputs: fieldsOfTemplate(outputs.template), problems };
}

const problem = (code: ErrorCode, path: Path, message: string, hint: string): EngineError => new EngineError(code, message, { path, hint });

function fieldsOfTemplate(template: Template): Record<string, Template> {
  if (template.kind === 'map') return { ...template.entries };
  const value = template.kind === 'literal' && template.value !== null && typeof template.value === 'object' ? template.value : {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, { kind: 'literal', value: item }]));
}

function connectionKey(work: Build, key: string, text: string, scope: Scope, problems: EngineError[]): Template {
  const at = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key) ? `spec.connection.${key}` : `spec.connection[${JSON.stringify(key)}]`;
  const keys = work.definition?.connection.keys ?? {};
  if (key === 'type') problems.push(mistake(at, 'the key `type` is written by the engine', 'remove it'));
  else if (work.definition !== undefined && key !== 'provider' && !Object.hasOwn(keys, key)) {
    problems.push(mistake(at, `\`${key}\` is no connection key of ${work.source.claim}`, suggestion(key, [...Object.keys(keys), 'provider'])));
  }
  const piece = compileData(text, at, undefined, target(scope, problems, 'the connection', [], true));
  const { template, mayBeNone, compiled } = piece;
  if (mayBeNone && Object.hasOwn(keys, key) && !keys[key]!.optional) {
    problems.push(
      problem('MissingConnectionKey', at, `\`${key}\` may have no value, but every ${work.source.claim} promises it`, 'give it a value in every case'),
    );
  }
  if (compiled === undefined) return template;
  const complaint = misfit(compiled.schema, { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] });
  if (complaint !== '') problems.push(mistake(at, `\`${compiled.expression.source}\` ${complaint} (a connection key)`, 'turn it into text'));
  return compiled.schema?.type === 'string' ? template : { kind: 'text', parts: [compiled.expression] };
}
