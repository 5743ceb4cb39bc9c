/** `plinth explain`: why a claim is provided the way it is. Reads the state folder, or the cluster, and nothing else. */
import { NO_ENVIRONMENT } from '../core/environment.ts';
import { EngineError, isError } from '../core/errors.ts';
import { parseClaim } from '../core/parse.ts';
import { effectiveLifecycle, select } from '../core/selection.ts';
import type { Claim, EnvironmentClass, JsonObject, Place, Selection } from '../core/types.ts';
import { loadClasses, loadDefinition } from '../engine/catalogue.ts';
import { keyOf } from '../engine/objects.ts';
import { placeOf } from '../engine/place.ts';
import { type Home, isCluster } from './home.ts';
import type { Context, ExitCode } from './host.ts';
import { findClaim, parseClaimName } from './names.ts';
import { openHome } from './open-home.ts';
import { columns, shown, tell } from './output.ts';
import { statusOf } from './standing.ts';

/** Runs the command. Errors: those of openHome; BadUse, NoSuchClaim; what keeps a class from being chosen. */
export async function runExplain(context: Context, text: string): Promise<ExitCode> {
  parseClaimName(text);
  const home = await openHome(context);
  try {
    const object = await findClaim(home, text);
    const definition = await loadDefinition(home.store, String(object['kind']));
    if (definition === undefined) throw new EngineError('NoDefinition', `no ClaimDefinition makes the kind ${String(object['kind'])}`);
    const claim = parseClaim(object, definition);
    const classes = await loadClasses(home.store);
    await explain(home, claim, object, classes, await standingOf(home, claim));
    return 0;
  } finally {
    await home.close();
  }
}

/** Who may not read namespaces or Environments is told by what the claim was served with. */
async function standingOf({ store }: Home, claim: Claim): Promise<Place> {
  try {
    return await placeOf(store, claim);
  } catch (error) {
    if (!isError(error, 'AccessDenied')) throw error;
    return { class: claim.status.class === '' ? undefined : claim.status.class, environment: NO_ENVIRONMENT };
  }
}

async function explain({ context }: Home, claim: Claim, object: JsonObject, classes: readonly EnvironmentClass[], place: Place): Promise<void> {
  const { out } = context;
  const selection = choose(claim, classes, place);
  const { kind, name, namespace } = keyOf(object);
  const data = {
    kind,
    namespace,
    name,
    ...selection,
    because: reason(selection, namespace),
    lifecycle: effectiveLifecycle(claim, selection.policy),
    served: statusOf(object).composition,
  };
  const chosen = classes.find(item => item.name === selection.class)!;
  await tell(out, data, () => [
    `${out.colours.bold(`${kind}/${name}`)}${namespace === '' ? '' : ` in ${namespace}`}`,
    ...columns([
      [
        '  class',
        selection.class,
        classReason(selection, namespace, place.class, isCluster(context.globals) ? 'its label plinth.dev/class' : 'set with `up --class`'),
      ],
      [
        '  composition',
        selection.composition,
        selection.because === 'claim'
          ? 'chosen by the claim (lifecycle.composition), which the class allows'
          : selection.because === 'environment'
            ? `chosen by the Environment ${place.environment.name} (overrides), which the class allows`
            : `the class ${selection.class} provides ${kind} this way`,
      ],
      ...Object.entries(selection.configs).map(([family, config]) => [`  config for ${family}/…`, config, `the class ${selection.class} says so`]),
      ...parameterRows(claim, selection, place),
      ['  policy', policyText(selection), `of the class ${selection.class}`],
      ['  lifecycle', lifecycleText(claim, selection), 'the claim over its class'],
      ['  may choose', allowText(chosen), 'what the class lets its claims decide'],
    ]),
  ]);
}

function choose(claim: Claim, classes: readonly EnvironmentClass[], place: Place): Selection {
  try {
    return select(claim, classes, place);
  } catch (error) {
    if (isError(error)) throw new EngineError(error.code, `${claim.kind}/${claim.name} cannot be provided: ${error.message}`, { hint: error.hint });
    throw error;
  }
}

const reason = ({ because }: Selection, namespace: string): string =>
  because === 'claim'
    ? 'the claim chooses it and the class allows it'
    : because === 'environment'
      ? `the Environment ${namespace} chooses it and the class allows it`
      : because === 'class'
        ? namespace === ''
          ? 'it names the class'
          : `namespace ${namespace} has the class`
        : 'the class is marked default';

const classReason = ({ because }: Selection, namespace: string, label: string | undefined, how: string): string => {
  if (label !== undefined) return namespace === '' ? 'named by it (spec.class)' : `namespace ${namespace} has it (${how})`;
  return because === 'class' ? '' : 'it is marked default';
};

function parameterRows(claim: Claim, { parameters, class: className }: Selection, { environment }: Place): string[][] {
  const own = claim.lifecycle.parameters ?? {};
  const override = environment.overrides.find(item => item.claim === claim.kind)?.parameters ?? {};
  return Object.entries(parameters).map(([name, value]) => [
    `  parameter ${name}`,
    shown(value),
    Object.hasOwn(own, name)
      ? 'set by the claim'
      : Object.hasOwn(override, name)
        ? `set by the Environment ${environment.name}`
        : `set by the class ${className}`,
  ]);
}

const policyText = ({ policy }: Selection): string => `swap ${policy.swap}, reclaim ${policy.reclaim}, grace ${policy.graceSeconds} s`;

function lifecycleText(claim: Claim, { policy }: Selection): string {
  const { deletion, drift, management } = effectiveLifecycle(claim, policy);
  return `deletion ${deletion}, drift ${drift}, management ${management}`;
}

function allowText({ allow }: EnvironmentClass): string {
  const parts = [
    ...allow.compositions.map(item => `composition ${item}`),
    ...allow.parameters.map(item => `parameter ${item}`),
    ...allow.adopt.map(item => `adopt ${item.type} ${item.name}`),
  ];
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}
