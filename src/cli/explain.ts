/** `plinth explain`: why a claim is provided the way it is. Reads the state folder, or the cluster, and nothing else. */
import { EngineError, isError } from '../core/errors.ts';
import { ownClass } from '../core/own-class.ts';
import { parseClaim } from '../core/parse.ts';
import { effectiveLifecycle, select } from '../core/selection.ts';
import type { Claim, EnvironmentClass, JsonObject, Selection } from '../core/types.ts';
import { loadClasses, loadDefinition } from '../engine/catalogue.ts';
import { keyOf, metadataOf } from '../engine/objects.ts';
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
    const label = await labelOf(home, claim);
    await explain(home, claim, object, classes, label);
    return 0;
  } finally {
    await home.close();
  }
}

/** Who may not read namespaces is told by what the claim was served with. */
async function labelOf({ store }: Home, claim: Claim): Promise<string | undefined> {
  const { namespace, status } = claim;
  if (namespace === '') return ownClass(claim);
  try {
    const object = await store.get({ kind: 'Namespace', namespace: '', name: namespace });
    return object === undefined ? undefined : metadataOf(object).labels?.['plinth.dev/class'];
  } catch (error) {
    if (!isError(error, 'AccessDenied')) throw error;
    return status.class === '' ? undefined : status.class;
  }
}

async function explain({ context }: Home, claim: Claim, object: JsonObject, classes: readonly EnvironmentClass[], label: string | undefined): Promise<void> {
  const { out } = context;
  const selection = choose(claim, classes, label);
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
        classReason(selection, namespace, label, isCluster(context.globals) ? 'its label plinth.dev/class' : 'set with `up --class`'),
      ],
      [
        '  composition',
        selection.composition,
        selection.because === 'claim'
          ? 'chosen by the claim (lifecycle.composition), which the class allows'
          : `the class ${selection.class} provides ${kind} this way`,
      ],
      ...Object.entries(selection.configs).map(([family, config]) => [`  config for ${family}/…`, config, `the class ${selection.class} says so`]),
      ...parameterRows(claim, selection),
      ['  policy', policyText(selection), `of the class ${selection.class}`],
      ['  lifecycle', lifecycleText(claim, selection), 'the claim over its class'],
      ['  may choose', allowText(chosen), 'what the class lets its claims decide'],
    ]),
  ]);
}

function choose(claim: Claim, classes: readonly EnvironmentClass[], label: string | undefined): Selection {
  try {
    return select(claim, classes, label);
  } catch (error) {
    if (isError(error)) throw new EngineError(error.code, `${claim.kind}/${claim.name} cannot be provided: ${error.message}`, { hint: error.hint });
    throw error;
  }
}

const reason = ({ because }: Selection, namespace: string): string =>
  because === 'claim'
    ? 'the claim chooses it and the class allows it'
    : because === 'class'
      ? namespace === ''
        ? 'it names the class'
        : `namespace ${namespace} has the class`
      : 'the class is marked default';

const classReason = ({ because }: Selection, namespace: string, label: string | undefined, how: string): string =>
  label !== undefined && namespace === ''
    ? 'named by it (spec.class)'
    : label !== undefined
      ? `namespace ${namespace} has it (${how})`
      : because === 'default class' || because === 'claim'
        ? 'it is marked default'
        : '';

function parameterRows(claim: Claim, { parameters, class: className }: Selection): string[][] {
  const own = claim.lifecycle.parameters ?? {};
  return Object.entries(parameters).map(([name, value]) => [
    `  parameter ${name}`,
    shown(value),
    Object.hasOwn(own, name) ? 'set by the claim' : `set by the class ${className}`,
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
