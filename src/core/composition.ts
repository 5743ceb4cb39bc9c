/** Compiles a composition: every mistake an administrator can make is found here, before anything is rendered. */

import { circleOf, orderOf } from './composition-order.ts';
import { type Build, compileReference, compileResource, compileTexts, startBuild } from './composition-parts.ts';
import { mistake } from './composition-target.ts';
import { hash } from './digest.ts';
import { EngineError } from './errors.ts';
import { checkSchema } from './schema-meta.ts';
import { suggestion } from './similar.ts';
import type { ClaimDefinition, CompiledComposition, CompiledResource, Composition, Json, ResourceType, TypeName } from './types.ts';

const MAX_RESOURCES = 100;
const MAX_TEXT = 262_144;

/**
 * Compiles against the schemas of its claim kind, of the claims it refers to and of the resource types. Throws the first EngineError:
 * InvalidComposition, InvalidExpression, Cycle, MissingConnectionKey, SecretMisuse or TooComplex, with path and offset.
 */
export function compile(source: Composition, definitions: readonly ClaimDefinition[], types: ReadonlyMap<TypeName, ResourceType>): CompiledComposition {
  const { compiled, problems } = build(source, definitions, types);
  if (problems[0] !== undefined) throw problems[0];
  return compiled;
}

/** All mistakes of a composition, in the order of the document; circles come last. */
export function compositionProblems(source: Composition, definitions: readonly ClaimDefinition[], types: ReadonlyMap<TypeName, ResourceType>): EngineError[] {
  return build(source, definitions, types).problems;
}

interface Built {
  readonly compiled: CompiledComposition;
  readonly problems: EngineError[];
}

function build(source: Composition, definitions: readonly ClaimDefinition[], types: ReadonlyMap<TypeName, ResourceType>): Built {
  const { name, claim, parameters } = source;
  const work = startBuild(source, definitions, types);
  const limits = limitProblems(source);
  const head = headProblems(source, definitions, work);
  const references = limits.length > 0 ? [] : source.references.map((_, index) => compileReference(work, index));
  const order = orderOf(
    source.resources.map(resource => resource.id),
    work.needs,
  );
  const resources = limits.length > 0 ? [] : inOrder(work, order);
  const { connection, outputs, problems: texts } = compileTexts(work);
  const problems = [
    ...limits,
    ...head,
    ...references.flatMap(reference => reference.problems),
    ...resources.toSorted((a, b) => a.index - b.index).flatMap(resource => resource.problems),
    ...texts,
    ...circleProblems(work),
  ];
  const done = resources.flatMap(resource => resource.compiled ?? []);
  const compiled: CompiledComposition = {
    name,
    claim,
    revision: hash(source as unknown as Json),
    parameters,
    references: references.flatMap(reference => reference.compiled ?? []),
    resources: done,
    connection,
    outputs,
  };
  return { compiled, problems };
}

function inOrder(work: Build, order: readonly string[]): { index: number; compiled: CompiledResource | undefined; problems: EngineError[] }[] {
  const rank = (id: string): number => order.indexOf(id);
  return work.source.resources
    .map((resource, index) => ({ id: resource.id, index }))
    .sort((a, b) => rank(a.id) - rank(b.id) || a.index - b.index)
    .map(({ index }) => ({ index, ...compileResource(work, index) }));
}

function limitProblems(source: Composition): EngineError[] {
  if (source.resources.length > MAX_RESOURCES) {
    const message = `the composition has ${source.resources.length} resources; at most ${MAX_RESOURCES} are allowed`;
    return [new EngineError('TooComplex', message, { path: 'spec.resources' })];
  }
  if (JSON.stringify(source).length > MAX_TEXT)
    return [new EngineError('TooComplex', `the composition is larger than ${MAX_TEXT} characters`, { path: 'spec' })];
  return [];
}

function headProblems(source: Composition, definitions: readonly ClaimDefinition[], work: Build): EngineError[] {
  const schema = checkSchema(source.parameters as Json, 'spec.parameters').map(problem => mistake(problem.path, problem.message, problem.hint));
  if (work.definition !== undefined) return schema;
  const kinds = definitions.map(definition => definition.kind);
  return [mistake('spec.claim', `no ClaimDefinition makes the kind \`${source.claim}\``, suggestion(source.claim, kinds)), ...schema];
}

function circleProblems({ source, needs }: Build): EngineError[] {
  const ids = source.resources.map(resource => resource.id);
  const circle = circleOf(ids, needs);
  if (circle === undefined) return [];
  const path = `spec.resources[${ids.indexOf(circle[0]!)}]`;
  if (circle.length === 2) {
    const hint = 'what a resource needs of its own state is computed by its type; readyWhen may read it';
    return [new EngineError('Cycle', `resource \`${circle[0]}\` reads itself`, { path, hint })];
  }
  return [new EngineError('Cycle', `resources need each other in a circle: ${circle.join(' → ')}`, { path })];
}
