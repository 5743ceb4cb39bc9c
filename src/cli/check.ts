/** Whether parsed objects mean something: every problem, in the words that `up` and `validate` share. */
import { configProblems } from '../core/admin-problems.ts';
import { compositionProblems } from '../core/composition.ts';
import { EngineError } from '../core/errors.ts';
import { API_VERSION, isAdminKind } from '../core/kinds.ts';
import { objectProblems, parseComposition, parseConfig, parseDefinition } from '../core/parse.ts';
import { nearest } from '../core/similar.ts';
import type { ClaimDefinition, JsonObject, Provider } from '../core/types.ts';
import { type InputProblem, type ParsedObject, placeOf } from './yaml.ts';
import { type InputWarning, otherReadings } from './yaml-readings.ts';

export interface Known {
  /** Admin objects beside the input: shipped, or from earlier runs. */
  readonly objects: readonly JsonObject[];
  readonly providers: ReadonlyMap<string, Provider>;
}
export interface Checked {
  readonly admin: readonly JsonObject[];
  readonly claims: readonly JsonObject[];
  /** Namespaces (their class label counts) and Secrets that a ProviderConfig of the input names. */
  readonly others: readonly JsonObject[];
  /** `Deployment/web` of what is not Plinth's. */
  readonly ignored: readonly string[];
  readonly problems: readonly InputProblem[];
  /** What kubectl would read otherwise. */
  readonly warnings: readonly InputWarning[];
}

/** Sorts the objects and finds what is wrong with them. */
export function checkObjects(parsed: readonly ParsedObject[], known: Known): Checked {
  const ours = parsed.filter(isOurs);
  const definitions = definitionsOf(ours, known.objects);
  const problems = [...ours.flatMap(item => problemsOf(item, definitions, known)), ...duplicates(ours)];
  const admin = ours.filter(({ value }) => isAdminKind(String(value['kind']))).map(item => item.value);
  const claims = ours.filter(({ value }) => definitions.some(definition => definition.kind === value['kind'])).map(item => item.value);
  const others = parsed.filter(item => !isOurs(item)).map(item => item.value);
  const wanted = secretsOf(admin);
  const isKept = (object: JsonObject): boolean =>
    object['apiVersion'] === 'v1' && (object['kind'] === 'Namespace' || (object['kind'] === 'Secret' && wanted.has(shortName(object))));
  return {
    admin,
    claims,
    others: others.filter(isKept),
    ignored: others.filter(object => !isKept(object)).map(shortName),
    problems,
    warnings: ours.flatMap(otherReadings),
  };
}

/** Of our API group, or so nearly so that it was meant to be; and what says nothing about what it is. */
function isOurs({ value }: ParsedObject): boolean {
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return true;
  return apiVersion.startsWith('plinth.dev/') || nearest(apiVersion, [API_VERSION]) !== undefined;
}

/** `Deployment/web`, with the namespace of a Secret. */
function shortName(object: JsonObject): string {
  const { name = '?', namespace } = (object['metadata'] ?? {}) as { name?: string; namespace?: string };
  return object['kind'] === 'Secret' ? `Secret/${namespace ?? ''}/${name}` : `${String(object['kind'])}/${name}`;
}

function secretsOf(admin: readonly JsonObject[]): Set<string> {
  const names = admin.flatMap(object => {
    const { credentials } = ((object['spec'] as JsonObject | undefined)?.['settings'] ?? {}) as {
      credentials?: { secretRef?: { namespace?: string; name?: string } };
    };
    const reference = credentials?.secretRef;
    return reference === undefined ? [] : [`Secret/${reference.namespace ?? ''}/${reference.name ?? ''}`];
  });
  return new Set(names);
}

/** Those of the input first: they override what is there under the same name. */
function definitionsOf(ours: readonly ParsedObject[], known: readonly JsonObject[]): ClaimDefinition[] {
  const objects = [...ours.map(item => item.value), ...known].filter(object => object['kind'] === 'ClaimDefinition');
  const byName = new Map<string, ClaimDefinition>();
  for (const object of objects) {
    const definition = attempt(() => parseDefinition(object));
    if (definition !== undefined && !byName.has(definition.name)) byName.set(definition.name, definition);
  }
  return [...byName.values()];
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function problemsOf(item: ParsedObject, definitions: readonly ClaimDefinition[], known: Known): InputProblem[] {
  const { value } = item;
  const errors = headErrors(value) ?? objectProblems(value, definitions);
  const found = errors.map(error => located(item, error));
  if (errors.length > 0) return found;
  if (value['kind'] === 'Composition') {
    const types = new Map([...known.providers.values()].flatMap(provider => provider.types.map(type => [type.type, type] as const)));
    return compositionProblems(parseComposition(value), definitions, types).map(error => located(item, error));
  }
  // An endpoint that is left out is filled in: that of the emulator, or --endpoint.
  const filled = { endpoint: 'http://127.0.0.1:1' };
  if (value['kind'] === 'ProviderConfig') return configProblems(parseConfig(value), known.providers, filled).map(error => located(item, error));
  return [];
}

/** An object that does not say what it is gets one problem, not a list that follows from it. */
function headErrors(value: JsonObject): EngineError[] | undefined {
  const missing = ['apiVersion', 'kind'].filter(field => typeof value[field] !== 'string' || value[field] === '');
  if (missing.length === 0) return undefined;
  return [new EngineError('InvalidObject', `the object has no ${missing.join(' and no ')}`, { hint: `write \`apiVersion: ${API_VERSION}\` and a kind` })];
}

function located({ source }: ParsedObject, error: EngineError): InputProblem {
  return { ...placeOf(source, error.path, error.offset), code: error.code, message: error.message, hint: error.hint };
}

function duplicates(ours: readonly ParsedObject[]): InputProblem[] {
  const first = new Map<string, ParsedObject>();
  return ours.flatMap(item => {
    const { name, namespace = '' } = (item.value['metadata'] ?? {}) as { name?: string; namespace?: string };
    if (typeof name !== 'string') return [];
    const key = `${String(item.value['kind'])}/${namespace}/${name}`;
    const before = first.get(key);
    if (before === undefined) {
      first.set(key, item);
      return [];
    }
    const { file, line } = placeOf(before.source, 'metadata.name');
    const message = `${String(item.value['kind'])}/${name} is declared twice: also at ${file}:${line}`;
    return [{ ...placeOf(item.source, 'metadata.name'), code: 'DuplicateObject', message, hint: 'remove one of them' }];
  });
}
