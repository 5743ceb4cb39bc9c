/** `plinth trace`: one claim from top to bottom. Reads the state folder, or the cluster, and nothing else. */
import { isOwned } from '../core/match.ts';
import type { InventoryEntry, JsonObject } from '../core/types.ts';
import { keyOf } from '../engine/objects.ts';
import type { Home } from './home.ts';
import type { Context, ExitCode } from './host.ts';
import { approveCommand, findClaim, namespaceOfBareNames, parseClaimName } from './names.ts';
import { openHome } from './open-home.ts';
import { type Colours, columns, shown, tell } from './output.ts';
import { statusOf } from './standing.ts';
import { driftText } from './summary.ts';
import { viewOf } from './view.ts';

const EVENTS = 10;

/** Runs the command. Errors: those of openHome; BadUse, NoSuchClaim. */
export async function runTrace(context: Context, text: string): Promise<ExitCode> {
  parseClaimName(text);
  const home = await openHome(context);
  try {
    await tellTrace(home, await findClaim(home, text));
    return 0;
  } finally {
    await home.close();
  }
}

/** Prints a claim with everything under it. */
export async function tellTrace(home: Home, claim: JsonObject): Promise<void> {
  const { out } = home.context;
  const events = await home.events(keyOf(claim));
  const data = {
    ...viewOf(claim),
    status: statusOf(claim),
    events: events.slice(-EVENTS).map(({ at, type, reason, message }) => ({ at, type, reason, message })),
  };
  await tell(out, data, () => [
    ...head(claim, out.colours),
    ...resources(claim, out.colours),
    ...rest(home, claim, out.colours),
    ...(events.length === 0
      ? []
      : ['events:', ...events.slice(-EVENTS).map(event => `  ${event.at}  ${event.reason}${event.message === '' ? '' : `: ${event.message}`}`)]),
  ]);
}

function head(claim: JsonObject, { bold, green, red, dim }: Colours): string[] {
  const { kind, name, namespace, ready, reason, message } = viewOf(claim);
  const { class: className, composition, revision, conditions } = statusOf(claim);
  const lines = conditions.map(item => [`  ${item.type}`, item.status, item.reason, item.message]);
  return [
    `${bold(`${kind}/${name}`)}${namespace === '' ? '' : ` in ${namespace}`}: ${ready ? green('ready') : red(`not ready: ${reason}${message === '' ? '' : `: ${message}`}`)}`,
    dim(`  class ${className || '–'}, implementation ${composition || '–'}, revision ${revision.slice(0, 12) || '–'}`),
    'conditions:',
    ...columns(lines),
  ];
}

function resources(claim: JsonObject, { green, yellow, dim }: Colours): string[] {
  const entries = statusOf(claim).resources;
  if (entries.length === 0) return ['resources: none yet'];
  const rows = entries.map(entry => [
    `  ${entry.ready ? green('✓') : yellow('…')} ${entry.id}`,
    entry.type,
    isOwned(entry) ? entry.name : '–',
    entry.phase,
    entry.message !== '' ? entry.message : waitsFor(entry),
  ]);
  const scopes = [...new Set(entries.filter(isOwned).map(entry => entry.scope))];
  return ['resources:', ...columns(rows), dim(`  in ${scopes.join(', ')}`)];
}

function waitsFor(entry: InventoryEntry): string {
  return entry.ready || entry.dependsOn.length === 0 ? '' : `after ${entry.dependsOn.join(', ')}`;
}

function rest(home: Home, claim: JsonObject, { yellow }: Colours): string[] {
  const { kind, name, namespace } = viewOf(claim);
  const { drift, outputs, binding, pendingPlan } = statusOf(claim);
  const rows = drift.map(row => yellow(`  ${driftText(`${kind}/${name}`, row)} (${row.correctedAt ?? row.detectedAt})`));
  const places = binding === undefined ? [] : home.connection(namespace, binding.name);
  return [
    ...(rows.length === 0 ? [] : ['drift:', ...rows]),
    ...(Object.keys(outputs).length === 0 ? [] : ['outputs:', ...columns(Object.entries(outputs).map(([key, value]) => [`  ${key}`, shown(value)]))]),
    ...(places.length === 0 ? [] : ['connection:', ...places.map(place => `  ${place}`)]),
    ...(pendingPlan === undefined
      ? []
      : [
          'waits for approval:',
          ...pendingPlan.summary.map(line => `  ${line}`),
          yellow(`  ${approveCommand(keyOf(claim), pendingPlan.hash, namespaceOfBareNames(home))}`),
        ]),
  ];
}
