/** `plinth render`: the resources that claims become, without contacting anything. */
import { isOwned } from '../core/match.ts';
import { put } from '../core/paths.ts';
import type { JsonObject, Rendered } from '../core/types.ts';
import { keyOf, keyText } from '../engine/objects.ts';
import { type Preview, preview } from '../engine/preview.ts';
import type { Context, ExitCode } from './host.ts';
import { load, refuse, tellAside } from './load.ts';
import { namesOf } from './names.ts';
import { complain, tell, yamlText } from './output.ts';
import { type Overlay, overlay } from './overlay.ts';

/** Runs the command. Errors: those of loading. */
export async function runRender(context: Context, paths: readonly string[], className: string | undefined): Promise<ExitCode> {
  const loaded = await load(context, paths);
  tellAside(context, loaded);
  if (loaded.problems.length > 0) {
    await refuse(context.out, loaded.problems);
    return 1;
  }
  const over = await overlay(context, loaded, className, false);
  const names = namesOf(over.claims.map(keyOf), over.namespace);
  const claims: JsonObject[] = [];
  let isWrong = false;
  for (const claim of over.claims) {
    const name = names.get(keyText(keyOf(claim)))!;
    const found = await renderOne(over, claim);
    if (found.error !== undefined) {
      isWrong = true;
      complain(context.out, found.error);
    }
    claims.push(dataOf(name, found));
  }
  const texts = context.out.format === 'table' ? await Promise.all(claims.map(yamlText)) : [];
  await tell(context.out, { claims }, () => texts.map(text => `---\n${text.trimEnd()}`));
  return isWrong ? 1 : 0;
}

async function renderOne({ engine, definitions }: Overlay, claim: JsonObject): Promise<Preview> {
  const definition = definitions.find(item => item.kind === claim['kind'])!;
  // As if nothing had ever been made: what is there does not matter offline.
  const { status: _, ...fresh } = claim;
  return await preview(engine, fresh, definition);
}

function dataOf(claim: string, { rendering, selection, plan }: Preview): JsonObject {
  const names = new Map((plan?.inventory ?? []).filter(isOwned).map(entry => [entry.id, entry.name]));
  const resources = (rendering?.resources ?? []).map(resource => {
    const name = names.get(resource.id);
    return { id: resource.id, type: resource.type, config: resource.config, ...(name === undefined ? {} : { name }), spec: filled(resource) };
  });
  const undecided = (rendering?.undecided ?? []).map(({ id, message }) => ({ id, message }));
  return {
    claim,
    class: selection?.class ?? '',
    composition: selection?.composition ?? '',
    resources,
    ...(undecided.length === 0 ? {} : { undecided }),
    connection: rendering === undefined ? {} : filled(rendering.connection),
    outputs: rendering === undefined ? {} : filled(rendering.outputs),
  };
}

/** The value with a word in each place that only a running service can fill. */
function filled({ value, pending, secrets }: Rendered): JsonObject {
  const open = pending
    .filter(item => item.path !== 'name' && !item.path.includes('['))
    .reduce((spec, item) => put(spec, item.path, `<known after ${item.on}>`), value);
  return secrets.filter(item => !item.path.includes('[')).reduce((spec, item) => put(spec, item.path, '<secret>'), open);
}
