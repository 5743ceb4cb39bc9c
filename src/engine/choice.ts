/** Which revision serves a claim: the newest that compiles, else the last good one. Revisions are kept by content. */
import { compile } from '../core/composition.ts';
import { canonical, hash } from '../core/digest.ts';
import { EngineError } from '../core/errors.ts';
import { ownClass } from '../core/own-class.ts';
import { compileNaming } from '../core/render.ts';
import { effectiveLifecycle, select } from '../core/selection.ts';
import type { Claim, CompiledComposition, Composition, Json, JsonObject, Lifecycle, Policy, Selection, Template } from '../core/types.ts';
import { allTypes, loadClasses, loadComposition, loadDefinitions } from './catalogue.ts';
import type { Engine } from './engine.ts';
import type { Store } from './store.ts';

/** One revision, ready to render. */
export interface Served {
  readonly selection: Selection;
  readonly compiled: CompiledComposition;
  readonly lifecycle: Lifecycle;
  /** Content hash of composition and class values. */
  readonly revision: string;
  /** Undefined: the built-in rule. */
  readonly naming: Template | undefined;
}
/** `newest` is missing when it cannot be had, and `error` says why; `last` is what the claim was served with, when that is another one. */
export interface Choice {
  readonly newest: Served | undefined;
  readonly last: Served | undefined;
  readonly error: EngineError | undefined;
}

export async function choose(engine: Engine, claim: Claim): Promise<Choice> {
  try {
    const newest = await chooseNewest(engine, claim);
    const isNew = claim.status.revision !== newest.revision;
    const last = isNew && claim.status.revision !== '' ? await loadLast(engine, claim) : undefined;
    return { newest, last, error: undefined };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { newest: undefined, last: claim.status.revision === '' ? undefined : await loadLast(engine, claim), error };
  }
}

async function chooseNewest(engine: Engine, claim: Claim): Promise<Served> {
  const [classes, namespaceClass] = await Promise.all([loadClasses(engine.store), classFor(engine, claim)]);
  const selection = select(claim, classes, namespaceClass);
  const source = await loadComposition(engine.store, selection.composition);
  if (source.claim !== claim.kind) throw new EngineError('InvalidComposition', `composition ${source.name} is for ${source.claim}, not for ${claim.kind}`);
  const served = serve(claim, selection, await compiledOf(engine, source));
  await keepRevision(engine, served.revision, { composition: source, selection } as unknown as JsonObject);
  return served;
}

/** By the engine's memory, which lives as long as the engine and its store: by name, since when it is known to be kept, ms. */
const kept = new WeakMap<Engine['memory'], Map<string, { readonly sinceMs: number; readonly done: Promise<void> }>>();
/** Well below the age at which a revision that no claim names is taken away, ms. */
const KEPT_MS = 30 * 60_000;

/** Written when it is missing, which is asked at most every half hour: at rest nothing is written, and what went missing comes back. */
async function keepRevision({ store, memory, clock }: Engine, name: string, data: JsonObject): Promise<void> {
  const names = kept.get(memory) ?? new Map();
  kept.set(memory, names);
  const known = names.get(name);
  if (known !== undefined && clock.ms() - known.sinceMs < KEPT_MS) return await known.done;
  // Of the many claims that choose it at once, one writes it and the others wait for that.
  const done = writeIfMissing(store, name, data);
  names.set(name, { sinceMs: clock.ms(), done });
  done.catch(() => names.delete(name));
  await done;
}

async function writeIfMissing(store: Store, name: string, data: JsonObject): Promise<void> {
  if ((await store.get({ kind: 'Revision', namespace: '', name })) === undefined) await store.write({ kind: 'revision', name, data });
}

/** The class that is named for a claim: by the label of its namespace, or by what belongs to none itself. Undefined: the default serves it. */
export async function classFor(engine: Engine, { namespace, spec }: Pick<Claim, 'namespace' | 'spec'>): Promise<string | undefined> {
  return namespace === '' ? ownClass({ namespace, spec }) : await classOfNamespace(engine, namespace);
}

/** What the label of the namespace says; undefined when it has none. */
async function classOfNamespace(engine: Engine, namespace: string): Promise<string | undefined> {
  const object = (await engine.store.list('Namespace')).find(item => (item['metadata'] as JsonObject)['name'] === namespace);
  const labels = (object?.['metadata'] as JsonObject | undefined)?.['labels'] as JsonObject | undefined;
  return labels?.['plinth.dev/class'] as string | undefined;
}

function serve(claim: Claim, selection: Selection, compiled: CompiledComposition): Served {
  return {
    selection,
    compiled,
    lifecycle: effectiveLifecycle(claim, selection.policy),
    revision: hash([compiled.revision, selection as unknown as Json]),
    naming: namingOf(selection.policy),
  };
}

const namings = new WeakMap<Policy, Template>();

function namingOf(policy: Policy): Template | undefined {
  if (policy.naming === '') return undefined;
  const known = namings.get(policy) ?? compileNaming(policy.naming);
  namings.set(policy, known);
  return known;
}

/** Undefined when it is not kept any more or does not compile any more: then nothing can be served. */
async function loadLast(engine: Engine, claim: Claim): Promise<Served | undefined> {
  const object = await engine.store.get({ kind: 'Revision', namespace: '', name: claim.status.revision });
  if (object === undefined) return undefined;
  const { composition, selection } = object['data'] as unknown as { composition: Composition; selection: Selection };
  try {
    return { ...serve(claim, selection, await compiledOf(engine, composition)), revision: claim.status.revision };
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

const sourceTexts = new WeakMap<object, string>();

/** Cached by content of the composition and of all definitions; a mistake is cached too. */
async function compiledOf(engine: Engine, source: Composition): Promise<CompiledComposition> {
  const definitions = await loadDefinitions(engine.store);
  const key = [source, ...definitions].map(textOf).join('\n');
  const known = engine.compiled.get(key) ?? compileOnce(source, definitions, engine);
  engine.compiled.set(key, known);
  if (known instanceof EngineError) throw known;
  return known;
}

function textOf(value: object): string {
  const known = sourceTexts.get(value);
  if (known !== undefined) return known;
  const text = hash(canonical(value as unknown as Json), 16);
  sourceTexts.set(value, text);
  return text;
}

function compileOnce(source: Composition, definitions: Parameters<typeof compile>[1], engine: Engine): CompiledComposition | EngineError {
  try {
    return compile(source, definitions, allTypes(engine.providers));
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
}
