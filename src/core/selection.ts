/** Which implementation serves a claim, and how its things are treated: total, deterministic, explained. */
import { EngineError } from './errors.ts';
import { listed, suggestion } from './similar.ts';
import type { Claim, EnvironmentClass, Implementation, JsonObject, Lifecycle, Policy, Selection } from './types.ts';

/**
 * The claim's own choice if its class allows it, else the class's implementation for its kind. `namespaceClass`: the label of the
 * namespace; undefined: the class marked default. Throws EngineError NoClass, TwoDefaultClasses, AmbiguousImplementation,
 * NoImplementation or NotAllowed, which name the candidates.
 */
export function select(claim: Claim, classes: readonly EnvironmentClass[], namespaceClass: string | undefined): Selection {
  const chosen = classFor(classes, namespaceClass);
  const implementation = implementationFor(claim, chosen);
  const composition = compositionFor(claim, chosen, implementation);
  return {
    class: chosen.name,
    composition: composition ?? implementation.composition,
    configs: implementation.configs,
    parameters: parametersFor(claim, chosen, implementation),
    policy: chosen.policy,
    adoptable: chosen.allow.adopt,
    because: composition !== undefined ? 'claim' : namespaceClass === undefined ? 'default class' : 'class',
  };
}

const names = (classes: readonly EnvironmentClass[]): string[] => classes.map(item => item.name).sort();

function classFor(classes: readonly EnvironmentClass[], label: string | undefined): EnvironmentClass {
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

function compositionFor(claim: Claim, { name, allow }: EnvironmentClass, implementation: Implementation): string | undefined {
  const { composition } = claim.lifecycle;
  if (composition === undefined) return undefined;
  if (allow.compositions.includes(composition)) return composition;
  if (composition === implementation.composition) return undefined;
  const allowed = allow.compositions.length === 0 ? 'it allows no choice' : `it allows ${listed([...allow.compositions].sort())}`;
  throw new EngineError('NotAllowed', `the class \`${name}\` does not let a claim choose the composition \`${composition}\`; ${allowed}`, {
    path: 'spec.lifecycle.composition',
  });
}

function parametersFor(claim: Claim, { name, allow }: EnvironmentClass, implementation: Implementation): JsonObject {
  const own = claim.lifecycle.parameters ?? {};
  const refused = Object.keys(own)
    .filter(parameter => !allow.parameters.includes(parameter))
    .sort();
  if (refused.length === 0) return { ...implementation.parameters, ...own };
  const allowed = allow.parameters.length === 0 ? 'it allows none' : `it allows ${listed([...allow.parameters].sort())}`;
  throw new EngineError('NotAllowed', `the class \`${name}\` does not let a claim set the parameters ${listed(refused)}; ${allowed}`, {
    path: `spec.lifecycle.parameters.${refused[0]}`,
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
