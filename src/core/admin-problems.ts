/** What is wrong with what admins wrote, each object by itself and with what it names. Pure. */
import { compositionProblems } from './composition.ts';
import { ENVIRONMENT } from './environment.ts';
import { EngineError, isError } from './errors.ts';
import { objectProblems, parseClass, parseComposition, parseConfig } from './parse.ts';
import { checkValue, withDefaults } from './schema.ts';
import { listed, suggestion } from './similar.ts';
import type { ClaimDefinition, EnvironmentClass, Implementation, JsonObject, Provider, ProviderConfig, ResourceType, TypeName } from './types.ts';

/** All there is: what is judged, and what it is judged by. */
export interface AdminObjects {
  readonly definitions: readonly ClaimDefinition[];
  readonly compositions: readonly JsonObject[];
  readonly classes: readonly JsonObject[];
  readonly configs: readonly JsonObject[];
  readonly providers: ReadonlyMap<string, Provider>;
}

/** Every problem of each Composition, EnvironmentClass and ProviderConfig, in the order of importance; an empty list: it can be used. */
export function adminProblems(all: AdminObjects): Map<JsonObject, EngineError[]> {
  const types = new Map([...all.providers.values()].flatMap(provider => provider.types.map(type => [type.type, type] as const)));
  return new Map([
    ...all.compositions.map(object => [object, problemsOf(object, () => compositionProblemsOf(object, all, types))] as const),
    ...all.classes.map(object => [object, problemsOf(object, () => classProblems(parseClass(object), all))] as const),
    ...all.configs.map(object => [object, problemsOf(object, () => configProblems(parseConfig(object), all.providers))] as const),
  ]);
}

/** The form first: what an object means is asked only when that is right. */
function problemsOf(object: JsonObject, meaning: () => EngineError[]): EngineError[] {
  const form = objectProblems(object, []);
  if (form.length > 0) return form;
  try {
    return meaning();
  } catch (error) {
    if (isError(error)) return [error];
    throw error;
  }
}

function compositionProblemsOf(object: JsonObject, { definitions }: AdminObjects, types: ReadonlyMap<TypeName, ResourceType>): EngineError[] {
  return compositionProblems(parseComposition(object), definitions, types);
}

function classProblems({ name, isDefault, implementations }: EnvironmentClass, all: AdminObjects): EngineError[] {
  const kinds = implementations.map(({ claim }) => claim);
  const twice = [...new Set(kinds.filter((kind, index) => kinds.indexOf(kind) !== index))];
  const defaults = all.classes.filter(object => (object['spec'] as { default?: boolean } | undefined)?.default === true).map(nameOf);
  return [
    ...implementations.flatMap((implementation, index) => implementationProblems(name, implementation, index, all)),
    ...twice.map(kind => new EngineError('AmbiguousImplementation', `the class \`${name}\` implements ${kind} more than once`)),
    ...(isDefault && defaults.length > 1
      ? [new EngineError('TwoDefaultClasses', `more than one EnvironmentClass is marked default: ${listed(defaults.sort())}`)]
      : []),
  ];
}

function implementationProblems(name: string, { claim, composition, configs }: Implementation, index: number, all: AdminObjects): EngineError[] {
  const path = claim === ENVIRONMENT ? 'spec.environment' : `spec.implementations[${index}]`;
  const found = all.compositions.find(object => nameOf(object) === composition);
  const problems: EngineError[] = [];
  if (found === undefined) {
    const hint = suggestion(composition, all.compositions.map(nameOf));
    problems.push(new EngineError('NoComposition', `the class \`${name}\` names composition \`${composition}\`, which does not exist`, { path, hint }));
  } else if ((found['spec'] as { claim?: string } | undefined)?.claim !== claim) {
    problems.push(new EngineError('InvalidComposition', `composition \`${composition}\` is not for ${claim}`, { path, hint: 'name one that is' }));
  }
  const known = all.configs.map(nameOf);
  for (const config of new Set(Object.values(configs))) {
    if (known.includes(config)) continue;
    const message = `the class \`${name}\` names ProviderConfig \`${config}\`, which does not exist`;
    problems.push(new EngineError('NoProviderConfig', message, { path, hint: suggestion(config, known) }));
  }
  return problems;
}

const nameOf = (object: JsonObject): string => (object['metadata'] as { name: string }).name;

/**
 * Whether the provider exists, and the settings by its own schema; what an expression makes of them is checked when they are used. `filled`:
 * settings that are put in if they are left out, as a laptop does with the endpoint of its emulator.
 */
export function configProblems({ name, provider, settings }: ProviderConfig, providers: AdminObjects['providers'], filled: JsonObject = {}): EngineError[] {
  const found = providers.get(provider);
  if (found === undefined) {
    const message = `ProviderConfig ${name} names provider \`${provider}\`, which does not exist`;
    return [new EngineError('UnknownProvider', message, { path: 'spec.provider', hint: suggestion(provider, providers.keys()) })];
  }
  if (JSON.stringify(settings).includes('${')) return [];
  const known = Object.fromEntries(Object.entries(filled).filter(([field]) => found.settings.properties[field] !== undefined));
  const problems = checkValue(found.settings, withDefaults(found.settings, { ...known, ...settings }), 'spec.settings');
  return problems.map(({ path, message, hint }) => new EngineError('InvalidObject', message, { path, hint }));
}
