/** Which implementation serves a claim, and how its things are treated: total, deterministic, explained. */
import { EngineError } from './errors.ts';
import { listed, suggestion } from './similar.ts';
import type { Claim, EnvironmentClass, Implementation, JsonObject, Lifecycle, Override, Place, Policy, Selection } from './types.ts';

/**
 * The claim's own choice if its class allows it, else that of its Environment, else the class's implementation for its kind; parameters
 * are merged in the other order. Without a class in `place` it is the class marked default. Throws EngineError NoClass, TwoDefaultClasses,
 * AmbiguousImplementation, NoImplementation or NotAllowed, which name the candidates.
 */
export function select(claim: Claim, classes: readonly EnvironmentClass[], place: Place): Selection {
  const chosen = classFor(classes, place.class);
  const implementation = implementationFor(claim, chosen);
  const choices = choicesOf(claim, place);
  const choice = choices.find(({ composition }) => composition !== undefined);
  const isChoice = choice !== undefined && isAllowed(choice, chosen, implementation);
  for (const { parameters, by, path } of choices) refuseParameters(parameters, by, path, chosen);
  return {
    class: chosen.name,
    composition: isChoice ? choice.composition! : implementation.composition,
    configs: implementation.configs,
    parameters: Object.assign({}, implementation.parameters, ...choices.map(({ parameters }) => parameters).reverse()),
    policy: chosen.policy,
    adoptable: chosen.allow.adopt,
    because: isChoice ? choice.because : place.class === undefined ? 'default class' : 'class',
  };
}

/** What is chosen over the class, first what counts most. */
interface Choice extends Omit<Override, 'claim'> {
  readonly because: 'claim' | 'environment';
  /** Who chooses, for messages. */
  readonly by: string;
  readonly path: string;
}

const names = (classes: readonly EnvironmentClass[]): string[] => classes.map(item => item.name).sort();

/** The class of that name; undefined: the one marked default. Throws EngineError NoClass or TwoDefaultClasses. */
export function classFor(classes: readonly EnvironmentClass[], label: string | undefined): EnvironmentClass {
  if (label !== undefined) {
    const named = classes.find(item => item.name === label);
    if (named !== undefined) return named;
    throw new EngineError('NoClass', `the EnvironmentClass \`${label}\` does not exist`, { hint: suggestion(label, names(classes)) });
  }
  const defaults = classes.filter(item => item.isDefault);
  if (defaults.length > 1) throw new EngineError('TwoDefaultClasses', `more than one EnvironmentClass is marked default: ${listed(names(defaults))}`);
  if (defaults[0] !== undefined) return defaults[0];
  const there = classes.length === 0 ? 'there is no EnvironmentClass at all' : `there are ${listed(names(classes))}`;
  throw new EngineError('NoClass', `the namespace names no EnvironmentClass and none is marked default; ${there}`);
}

function implementationFor(claim: Claim, { name, implementations }: EnvironmentClass): Implementation {
  const found = implementations.filter(item => item.claim === claim.kind);
  if (found.length > 1) {
    const candidates = listed(found.map(item => item.composition).sort());
    throw new EngineError('AmbiguousImplementation', `the class \`${name}\` implements ${claim.kind} more than once: ${candidates}`);
  }
  if (found[0] !== undefined) return found[0];
  const kinds = [...new Set(implementations.map(item => item.claim))].sort();
  const there = kinds.length === 0 ? 'nothing' : `only ${listed(kinds)}`;
  throw new EngineError('NoImplementation', `the class \`${name}\` does not implement ${claim.kind}; it implements ${there}`);
}

function choicesOf(claim: Claim, { environment }: Place): Choice[] {
  const { composition, parameters = {} } = claim.lifecycle;
  const own: Choice = { because: 'claim', by: 'a claim', path: 'spec.lifecycle', parameters, ...(composition === undefined ? {} : { composition }) };
  const index = environment.overrides.findIndex(item => item.claim === claim.kind);
  if (index < 0) return [own];
  const by = `the Environment \`${environment.name}\``;
  return [own, { ...environment.overrides[index]!, because: 'environment', by, path: `Environment.spec.overrides[${index}]` }];
}

/** False when it names what the class provides anyway. */
function isAllowed({ composition = '', by, path }: Choice, { name, allow }: EnvironmentClass, implementation: Implementation): boolean {
  if (allow.compositions.includes(composition)) return true;
  if (composition === implementation.composition) return false;
  const allowed = allow.compositions.length === 0 ? 'it allows no choice' : `it allows ${listed([...allow.compositions].sort())}`;
  throw new EngineError('NotAllowed', `the class \`${name}\` does not let ${by} choose the composition \`${composition}\`; ${allowed}`, {
    path: `${path}.composition`,
  });
}

function refuseParameters(given: JsonObject, by: string, path: string, { name, allow }: EnvironmentClass): void {
  const refused = Object.keys(given)
    .filter(parameter => !allow.parameters.includes(parameter))
    .sort();
  if (refused.length === 0) return;
  const allowed = allow.parameters.length === 0 ? 'it allows none' : `it allows ${listed([...allow.parameters].sort())}`;
  throw new EngineError('NotAllowed', `the class \`${name}\` does not let ${by} set the parameters ${listed(refused)}; ${allowed}`, {
    path: `${path}.parameters.${refused[0]}`,
  });
}

/** The claim's `lifecycle` block over the policy of its class. */
export function effectiveLifecycle(claim: Claim, policy: Policy): Lifecycle {
  const { deletion, drift, management, ignore, adopt } = claim.lifecycle;
  return {
    deletion: deletion ?? policy.deletion,
    drift: drift ?? policy.drift,
    management: management ?? 'Full',
    ignore: ignore ?? {},
    adopt: adopt ?? {},
  };
}
