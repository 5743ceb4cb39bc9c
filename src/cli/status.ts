/** `plinth status`: all claims at a glance. Reads the state folder, or the cluster, and nothing else. */
import type { JsonObject } from '../core/types.ts';
import { keyOf } from '../engine/objects.ts';
import { visibleClaims } from './apply.ts';
import { type Home, isCluster } from './home.ts';
import type { Context, ExitCode } from './host.ts';
import { approveCommand, command, namespaceOfBareNames } from './names.ts';
import { openHome } from './open-home.ts';
import { columns, complain, tell } from './output.ts';
import { statusOf } from './standing.ts';
import { driftText } from './summary.ts';
import { type ClaimView, viewOf } from './view.ts';

/** Runs the command. Errors: those of openHome. */
export async function runStatus(context: Context): Promise<ExitCode> {
  const home = await openHome(context);
  try {
    const claims = await visibleClaims(home.store, home.scope);
    const views = claims.map(viewOf);
    await tell(context.out, { claims: views }, () => human(home, claims, views));
    for (const problem of home.problems()) complain(context.out, problem);
    const open = claims.some(isOpen);
    return home.problems().length > 0 ? 1 : open ? 3 : 0;
  } finally {
    await home.close();
  }
}

/** A person has to decide: a change waits for approval, or what was changed outside is not mended. */
function isOpen(claim: JsonObject): boolean {
  const { drift, pendingPlan } = statusOf(claim);
  return pendingPlan !== undefined || drift.some(row => row.correctedAt === undefined);
}

function human(home: Home, claims: readonly JsonObject[], views: readonly ClaimView[]): string[] {
  const { out, globals } = home.context;
  if (views.length === 0) return [isCluster(globals) ? 'no claims here; -A looks at every namespace' : `no claims here; \`${command()} up PATH\` makes some`];
  const several = globals.allNamespaces || new Set(views.map(view => view.namespace)).size > 1;
  const head = [...(several ? ['NAMESPACE'] : []), 'CLAIM', 'READY', 'CLASS', 'IMPLEMENTATION', 'RESOURCES', 'SAYS'];
  const { green, red, dim } = out.colours;
  const rows = views.map(view => [
    ...(several ? [view.namespace] : []),
    `${view.kind}/${view.name}`,
    view.ready ? green('yes') : red('no'),
    view.class,
    view.composition,
    `${view.resources.filter(resource => resource.ready).length}/${view.resources.length}`,
    view.ready && view.message === '' ? view.reason : `${view.reason}${view.message === '' ? '' : `: ${view.message}`}`,
  ]);
  return [...columns([head, ...rows], dim), ...notes(claims, namespaceOfBareNames(home), several).map(out.colours.yellow)];
}

function notes(claims: readonly JsonObject[], bare: string | undefined, several: boolean): string[] {
  return claims.flatMap(claim => {
    const { kind, namespace, name } = keyOf(claim);
    const shown = `${several ? `${namespace}/` : ''}${kind}/${name}`;
    const { drift, pendingPlan } = statusOf(claim);
    const held = pendingPlan === undefined ? [] : [`${shown}: a change waits: ${approveCommand(keyOf(claim), pendingPlan.hash, bare)}`];
    return [...drift.map(row => `drift: ${driftText(shown, row)}`), ...held];
  });
}
