/** Evaluates templates: values that are known and public, and beside them what is pending and what is secret. */

import { expressionsOf } from './composition-parts.ts';
import { hash } from './digest.ts';
import { join, put, at as valueAt } from './paths.ts';
import { type Progress, standingOf, type Wait } from './render-reads.ts';
import type { Expression, Json, JsonObject, Path, Pending, Rendered, SecretLeaf, StringMap, Template } from './types.ts';

/** One evaluated template. `later`: left out for now (pending or secret), so that its mapping is not taken for empty. */
type Result = { readonly kind: 'value'; readonly value: Json } | { readonly kind: 'none' } | { readonly kind: 'later' };
const NONE: Result = { kind: 'none' };
const LATER: Result = { kind: 'later' };

interface Output {
  readonly pending: Pending[];
  readonly secrets: SecretLeaf[];
}

/** Renders a mapping of templates. Throws EngineError EvaluationFailed. */
export function renderMap(template: Template, progress: Progress): Rendered {
  const output: Output = { pending: [], secrets: [] };
  const result = evaluate(template, '', progress, output);
  return { value: result.kind === 'value' ? (result.value as JsonObject) : {}, ...output };
}

/** Evaluates one template whose value is all that counts: undefined is none, a wait is pending. */
export function renderValue(template: Template, progress: Progress): { readonly value: Json | undefined } | Wait {
  const output: Output = { pending: [], secrets: [] };
  const result = evaluate(template, '', progress, output);
  return output.pending[0] ?? { value: result.kind === 'value' ? result.value : undefined };
}

function evaluate(template: Template, path: Path, progress: Progress, output: Output): Result {
  switch (template.kind) {
    case 'literal':
      return { kind: 'value', value: template.value };
    case 'expression':
      return evaluateWhole([template.expression], template, path, progress, output, ([value]) => value);
    case 'text':
      return evaluateText(template, path, progress, output);
    case 'list':
      return evaluateList(template, path, progress, output);
    case 'map':
      return evaluateMap(template.entries, path, progress, output);
  }
}

/** Everything that is one leaf: nothing of it is used before all of it is known. */
function evaluateWhole(
  expressions: readonly Expression[],
  template: Template,
  path: Path,
  progress: Progress,
  output: Output,
  combine: (values: readonly (Json | undefined)[]) => Json | undefined,
): Result {
  for (const expression of expressions) {
    const standing = standingOf(expression, progress);
    if (standing === 'none') return NONE;
    if (standing !== undefined) {
      output.pending.push({ path, ...standing });
      return LATER;
    }
  }
  if (expressions.some(expression => expression.secret)) return evaluateSecret(expressions, template, path, progress, output);
  const value = combine(expressions.map(expression => expression.run(progress.roots)));
  return value === undefined ? NONE : { kind: 'value', value };
}

function evaluateText(template: Template & { kind: 'text' }, path: Path, progress: Progress, output: Output): Result {
  const expressions = template.parts.filter(part => typeof part !== 'string');
  return evaluateWhole(expressions, template, path, progress, output, values => {
    const rest = [...values];
    const texts = template.parts.map(part => (typeof part === 'string' ? part : rest.shift()));
    return texts.some(text => text === undefined) ? undefined : texts.map(String).join('');
  });
}

/** A list is one leaf; none in it is dropped. */
function evaluateList(template: Template & { kind: 'list' }, path: Path, progress: Progress, output: Output): Result {
  const expressions = expressionsOf(template);
  const secrets = expressions.filter(expression => expression.secret);
  if (secrets.length > 0) return evaluateSecret(expressions, template, path, progress, output);
  const inner: Output = { pending: [], secrets: [] };
  const results = template.items.map((item, index) => evaluate(item, join(path, index), progress, inner));
  if (inner.pending[0] !== undefined) {
    output.pending.push({ ...inner.pending[0], path });
    return LATER;
  }
  return { kind: 'value', value: results.filter(result => result.kind === 'value').map(result => result.value) };
}

function evaluateMap(entries: Readonly<Record<string, Template>>, path: Path, progress: Progress, output: Output): Result {
  const value: JsonObject = {};
  let isLater = false;
  let isEmpty = true;
  for (const [field, template] of Object.entries(entries)) {
    const result = evaluate(template, join(path, field), progress, output);
    if (result.kind === 'later') isLater = true;
    if (result.kind !== 'value') continue;
    value[field] = result.value;
    isEmpty = false;
  }
  if (!isEmpty || Object.keys(entries).length === 0) return { kind: 'value', value };
  return isLater ? LATER : NONE;
}

/** Never evaluated here: what it reads is digested, and `fill` evaluates it with the values. */
function evaluateSecret(expressions: readonly Expression[], template: Template, path: Path, progress: Progress, output: Output): Result {
  const names = new Set(expressions.flatMap(expression => expression.reads.map(read => read.root)));
  const roots = Object.fromEntries([...names].filter(name => progress.roots[name] !== undefined).map(name => [name, progress.roots[name]]));
  const read = expressions.flatMap(expression => expression.reads.map(({ root, path: inside }) => [root, inside, readDigest(root, inside, progress)] as const));
  const only = template.kind === 'expression' && read.length === 1 ? read[0] : undefined;
  if (only !== undefined && (only[2] ?? null) === null) return NONE;
  const isPassedOn = only !== undefined && expressions[0]!.source.replaceAll('?', '') === `${only[0]}.${only[1]}`;
  const digest = isPassedOn ? String(only[2]) : hash([shapeOf(template), ...read.map(([root, inside, value]) => [root, inside, value ?? null])] as Json);
  output.secrets.push({ path, digest, template, roots });
  return LATER;
}

/** A template as text; where it stands in the composition does not matter. */
function shapeOf(template: Template): Json {
  switch (template.kind) {
    case 'literal':
      return template.value;
    case 'expression':
      return [template.expression.source];
    case 'text':
      return template.parts.map(part => (typeof part === 'string' ? part : [part.source]));
    case 'list':
      return template.items.map(shapeOf);
    case 'map':
      return Object.fromEntries(Object.entries(template.entries).map(([field, item]) => [field, shapeOf(item)]));
  }
}

/** The digest of a secret, or the public value, at the place that is read. */
function readDigest(root: string, path: Path, progress: Progress): Json | undefined {
  const inside = path.replace(/^\[\d*\]\.?/, '');
  if (inside !== 'secret' && !inside.startsWith('secret.')) return valueAt(progress.roots[root], path.split('[]')[0]!.replace(/\.$/, ''));
  const ids = root === 'each' ? [(progress.roots['each'] as { id: string }).id] : (progress.instances.get(root) ?? []).map(instance => instance.id);
  const digests = ids.map(id => progress.scope.resources[id]?.secret ?? {});
  const name = inside.slice('secret.'.length);
  const found = digests.map(secrets => (name === '' ? { ...secrets } : (secrets[name] ?? null)));
  return found.length === 1 ? found[0] : found;
}

/**
 * The value with its secrets in it: right before a verb, or in the Secret's write. `secretsOf` gives the secret outputs of a resource
 * by id. A secret that turns out to be none is left out.
 */
export function fill(rendered: Rendered, secretsOf: (resourceId: string) => StringMap): JsonObject {
  let value = rendered.value;
  for (const { path, template, roots } of rendered.secrets) {
    const known = Object.fromEntries(Object.entries(roots).map(([name, root]) => [name, withSecrets(root, secretsOf)]));
    const item = evaluateFilled(template, known);
    if (item !== undefined) value = put(value, path, item);
  }
  return value;
}

function withSecrets(root: Json | undefined, secretsOf: (resourceId: string) => StringMap): Json | undefined {
  if (Array.isArray(root)) return root.map(item => withSecrets(item, secretsOf) ?? null);
  const isInstance = root !== null && typeof root === 'object' && typeof root['id'] === 'string' && 'spec' in root;
  return isInstance ? { ...root, secret: secretsOf(root['id'] as string) } : root;
}

function evaluateFilled(template: Template, roots: Readonly<Record<string, Json | undefined>>): Json | undefined {
  switch (template.kind) {
    case 'literal':
      return template.value;
    case 'expression':
      return template.expression.run(roots);
    case 'text': {
      const parts = template.parts.map(part => (typeof part === 'string' ? part : part.run(roots)));
      return parts.some(part => part === undefined) ? undefined : parts.map(String).join('');
    }
    case 'list':
      return template.items.map(item => evaluateFilled(item, roots)).filter(item => item !== undefined);
    case 'map':
      return Object.fromEntries(
        Object.entries(template.entries).flatMap(([field, item]) => {
          const value = evaluateFilled(item, roots);
          return value === undefined ? [] : [[field, value]];
        }),
      );
  }
}

/** Evaluates a template over plain roots; undefined when it is none. Throws EngineError EvaluationFailed. */
export function evaluatePlain(template: Template, roots: Readonly<Record<string, Json | undefined>>): Json | undefined {
  return evaluateFilled(template, roots);
}
