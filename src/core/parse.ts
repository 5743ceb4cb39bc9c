/** Untrusted Kubernetes-shaped objects to typed values: what is wrong is an EngineError with its path, never an exception of ours. */
import { ENVIRONMENT } from './environment.ts';
import { EngineError, type ErrorCode } from './errors.ts';
import { ADMIN_KINDS, ADMIN_NAMES, type AdminKind, isAdminKind, LifecycleBlock } from './kinds.ts';
import { headOf, headProblems, isMap } from './object-head.ts';
import { parseStatus } from './parse-status.ts';
import { compileNaming, compileSettings } from './render.ts';
import { checkValue, type Problem, withDefaults } from './schema.ts';
import { checkSchema } from './schema-meta.ts';
import { checkRules } from './schema-rules.ts';
import type { Schema } from './schema-types.ts';
import { suggestion } from './similar.ts';
import type {
  Claim,
  ClaimDefinition,
  Composition,
  EnvironmentClass,
  Implementation,
  Json,
  JsonObject,
  LifecycleSpec,
  Policy,
  ProviderConfig,
} from './types.ts';

/** Finalizer that a claim bears while the engine has started to own anything for it. */
export const FINALIZER = 'plinth.dev/claim';

const errorOf = (problem: Problem, code: ErrorCode): EngineError =>
  new EngineError(problem.code ?? code, problem.message, { path: problem.path, hint: problem.hint });

function throwFirst(problems: readonly EngineError[]): void {
  if (problems[0] !== undefined) throw problems[0];
}

/**
 * A claim with its defaults, `lifecycle` taken out of the spec. `previous`: the version before, for rules that compare with it.
 * Throws the first of `claimProblems`, unless its deletion is requested.
 */
export function parseClaim(object: JsonObject, definition: ClaimDefinition, previous?: Claim): Claim {
  // Deletion needs nothing of the spec: what no longer fits its schema must still be able to go.
  if (!headOf(object).deletionRequested) throwFirst(claimProblems(object, definition, previous));
  const { annotations, deletionRequested, finalizers, generation, name, namespace, uid, version } = headOf(object);
  const { spec, lifecycle } = specOf(object, definition);
  const status = parseStatus(object['status']);
  const hasFinalizer = finalizers.includes(FINALIZER);
  return { kind: definition.kind, name, namespace, uid, generation, annotations, spec, lifecycle, deletionRequested, hasFinalizer, status, version };
}

function specOf(object: JsonObject, definition: ClaimDefinition): { spec: JsonObject; lifecycle: LifecycleSpec } {
  const { lifecycle = {}, ...spec } = isMap(object['spec']) ? object['spec'] : {};
  return { spec: withDefaults(definition.schema, spec), lifecycle: lifecycle as unknown as LifecycleSpec };
}

/** Everything wrong with a claim: InvalidObject for its head, InvalidClaim for its spec, ImmutableField for a rule on `previous` that fails. */
export function claimProblems(object: JsonObject, definition: ClaimDefinition, previous?: Claim): EngineError[] {
  const head = headProblems(object, definition.scope !== 'Cluster');
  if (definition.scope === 'Cluster') head.push(...clusterNameProblems(object));
  if (object['kind'] !== definition.kind) head.push(kindProblem(object['kind'], [definition.kind]));
  const given = object['spec'];
  if (!isMap(given) || (previous === undefined && sound.get(given) === definition)) return head;
  const { lifecycle, ...rest } = given;
  const block = lifecycle === undefined ? [] : checkValue(LifecycleBlock, lifecycle, 'spec.lifecycle');
  const spec = withDefaults(definition.schema, rest);
  const value = checkValue(namingLifecycle(definition.schema), spec, 'spec');
  const rules = value.length > 0 ? [] : checkRules(definition.schema, spec, previous?.spec, 'spec');
  const problems = [...value, ...rules, ...block];
  if (previous === undefined && problems.length === 0 && Object.isFrozen(given)) sound.set(given, definition);
  return [...head, ...problems.map(problem => errorOf(problem, 'InvalidClaim'))];
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** What belongs to no namespace may make one of its own name. */
function clusterNameProblems(object: JsonObject): EngineError[] {
  const name = isMap(object['metadata']) ? object['metadata']['name'] : undefined;
  if (typeof name !== 'string' || LABEL.test(name)) return [];
  const message = `\`metadata.name\` ${JSON.stringify(name)} cannot be the name of a namespace`;
  return [new EngineError('InvalidObject', message, { path: 'metadata.name', hint: 'use lower-case letters, digits and `-`, at most 63' })];
}

const named = new WeakMap<Schema, Schema>();

/** The schema of a claim's own fields, in which `lifecycle` is known by name: it is checked apart, but a near miss is told. */
function namingLifecycle(schema: Schema): Schema {
  const known = named.get(schema);
  if (known !== undefined) return known;
  const whole = { ...schema, properties: { ...schema.properties, lifecycle: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } } as Schema;
  named.set(schema, whole);
  return whole;
}

/** Specs that a store keeps, frozen, and the definition under which nothing was wrong with them: each is read in every pass, and after every write. */
const sound = new WeakMap<JsonObject, ClaimDefinition>();

function kindProblem(kind: Json | undefined, known: readonly string[]): EngineError {
  const shown = typeof kind === 'string' ? `\`${kind}\`` : 'that is left out';
  return new EngineError('UnknownKind', `the kind ${shown} is not known here`, { path: 'kind', hint: suggestion(String(kind ?? ''), known) });
}

/** Everything wrong with an admin object or, when a definition makes its kind, with a claim. Compositions are compiled elsewhere. */
export function objectProblems(object: JsonObject, definitions: readonly ClaimDefinition[]): EngineError[] {
  const { kind } = object;
  const definition = definitions.find(item => item.kind === kind);
  if (definition !== undefined) return claimProblems(object, definition);
  if (typeof kind !== 'string' || !isAdminKind(kind)) return [kindProblem(kind, [...Object.keys(ADMIN_KINDS), ...definitions.map(item => item.kind)])];
  return adminProblems(object, kind);
}

function adminProblems(object: JsonObject, kind: AdminKind): EngineError[] {
  const head = headProblems(object, false);
  if (object['kind'] !== kind) head.push(kindProblem(object['kind'], [kind]));
  if (!isMap(object['spec'])) return head;
  const schema: Schema = ADMIN_KINDS[kind];
  const form = checkValue(schema, withDefaults(schema, object['spec']), 'spec').map(problem => errorOf(problem, 'InvalidObject'));
  const problems = [...head, ...form];
  return problems.length > 0 ? problems : MEANING[kind](withDefaults(schema, object['spec']), object);
}

/** What a schema cannot say; asked only when the form is right. */
const MEANING: Readonly<Record<AdminKind, (spec: JsonObject, object: JsonObject) => EngineError[]>> = {
  ClaimDefinition: definitionProblems,
  Composition: spec => checkSchema(spec['parameters']!, 'spec.parameters').map(problem => errorOf(problem, 'InvalidObject')),
  EnvironmentClass: spec => [...attempt(() => (spec['naming'] === '' ? undefined : compileNaming(spec['naming'] as string))), ...misplacedProblems(spec)],
  ProviderConfig: spec => attempt(() => compileSettings(spec['settings'] as JsonObject)),
};

function attempt(action: () => unknown): EngineError[] {
  try {
    action();
    return [];
  } catch (error) {
    if (error instanceof EngineError) return [error];
    throw error;
  }
}

/** There is one place for it, so that there is one answer. */
function misplacedProblems({ implementations }: JsonObject): EngineError[] {
  const index = (implementations as { claim: string }[]).findIndex(({ claim }) => claim === ENVIRONMENT);
  if (index < 0) return [];
  const hint = 'move it to `spec.environment`, without `claim`';
  return [new EngineError('InvalidObject', 'how an Environment is made stands in `spec.environment`', { path: `spec.implementations[${index}]`, hint })];
}

const KEY = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

function definitionProblems(spec: JsonObject, object: JsonObject): EngineError[] {
  const { kind, plural, scope, schema, outputs, connection } = spec as {
    kind: string;
    plural: string;
    scope: string;
    schema: JsonObject;
    outputs: JsonObject;
    connection?: JsonObject;
  };
  const wrong = (path: string, message: string, hint: string): EngineError => new EngineError('InvalidObject', message, { path, hint });
  const problems = [...checkSchema(schema, 'spec.schema'), ...checkSchema(outputs, 'spec.outputs')].map(problem => errorOf(problem, 'InvalidObject'));
  const name = `${plural}.plinth.dev`;
  if (headOf(object).name !== name)
    problems.push(wrong('metadata.name', `the definition of ${kind} must be named ${name}`, `write \`metadata: {name: ${name}}\``));
  if (isAdminKind(kind)) problems.push(wrong('spec.kind', `${kind} is a kind of Plinth itself`, 'choose another kind'));
  if (Object.values(ADMIN_NAMES).some(names => names.plural === plural)) {
    problems.push(wrong('spec.plural', `${plural} is a kind of Plinth itself`, 'choose another plural'));
  }
  if (isMap(schema['properties']) && schema['properties']['lifecycle'] !== undefined) {
    problems.push(wrong('spec.schema.properties.lifecycle', '`lifecycle` is in every claim already', 'remove it'));
  }
  const keys = Object.keys((connection?.['keys'] ?? {}) as JsonObject);
  if (scope === 'Cluster' && keys.length > 0) {
    const message = `a ${kind} belongs to no namespace, so there is none for a connection Secret`;
    return [...problems, wrong('spec.connection', message, 'remove it, or let the kind be Namespaced')];
  }
  if (scope === 'Namespaced' && connection === undefined) problems.push(wrong('spec.connection', 'it is missing', 'write what an application gets'));
  for (const key of keys) {
    const path = `spec.connection.keys[${JSON.stringify(key)}]`;
    if (!KEY.test(key)) problems.push(wrong(path, `\`${key}\` cannot be a key of a Secret`, 'use lower-case letters, digits, `-` and `.`'));
    if (key === 'type' || key === 'provider') problems.push(wrong(path, `\`${key}\` is in every connection Secret already`, 'remove it'));
  }
  return problems;
}

function parseAdmin(object: JsonObject, kind: AdminKind): { readonly name: string; readonly spec: JsonObject } {
  throwFirst(adminProblems(object, kind));
  return { name: headOf(object).name, spec: withDefaults(ADMIN_KINDS[kind] as Schema, object['spec'] as JsonObject) };
}

/** Throws EngineError InvalidObject, or InvalidExpression for a rule. */
export function parseDefinition(object: JsonObject): ClaimDefinition {
  const { name, spec } = parseAdmin(object, 'ClaimDefinition');
  const { kind, plural, shortNames, scope, schema, connection, outputs } = spec as unknown as Omit<ClaimDefinition, 'name'>;
  return { name, kind, plural, shortNames, scope, schema, connection: connection ?? { type: '', keys: {} }, outputs };
}

/** The form only; `compile` finds what it means. Throws EngineError InvalidObject. */
export function parseComposition(object: JsonObject): Composition {
  const { name, spec } = parseAdmin(object, 'Composition');
  const { claim, parameters, references, resources, connection, outputs } = spec as unknown as Omit<Composition, 'name'>;
  return { name, claim, parameters, references, resources, connection, outputs };
}

interface ClassSpec extends Pick<EnvironmentClass, 'implementations' | 'allow'> {
  readonly policies: Omit<Policy, 'naming'>;
  readonly naming: string;
  readonly environment?: Omit<Implementation, 'claim'> & { readonly ttl?: string };
}

/** Throws EngineError InvalidObject, or what is wrong with the naming. */
export function parseClass(object: JsonObject): EnvironmentClass {
  const { name, spec } = parseAdmin(object, 'EnvironmentClass');
  const { implementations, policies, naming, allow, environment } = spec as unknown as ClassSpec;
  const isDefault = spec['default'] === true;
  const policy = { ...policies, naming };
  if (environment === undefined) return { name, isDefault, implementations, ttl: '', policy, allow };
  const { ttl = '', ...block } = environment;
  return { name, isDefault, implementations: [...implementations, { claim: ENVIRONMENT, ...block }], ttl, policy, allow };
}

/** Throws EngineError InvalidObject, or what is wrong with an expression in the settings. The provider checks the settings themselves. */
export function parseConfig(object: JsonObject): ProviderConfig {
  const { name, spec } = parseAdmin(object, 'ProviderConfig');
  const { provider, settings, lifetime, allowedNamespaces } = spec as unknown as Omit<ProviderConfig, 'name'>;
  return { name, provider, settings, lifetime, allowedNamespaces };
}
