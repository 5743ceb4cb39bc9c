/** How claims are named on the command line, and how to name this program. */
import { EngineError } from '../core/errors.ts';
import { suggestion } from '../core/similar.ts';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { keyOf, keyText, metadataOf } from '../engine/objects.ts';
import { allClaims, clusterKinds } from './apply.ts';
import type { Home } from './home.ts';

/** What a person types to run this program again: `plinth`, unless a script that wraps it says otherwise. */
export function command(): string {
  return process.env['PLINTH_COMMAND'] || 'plinth';
}

/** How claims are named in lines: `Kind/name`, with the namespace where it is another one; what belongs to none has no other name. */
export function namesOf(keys: readonly ObjectKey[], namespace: string): Map<string, string> {
  const isBare = (key: ObjectKey): boolean => key.namespace === namespace || key.namespace === '';
  return new Map(keys.map(key => [keyText(key), isBare(key) ? `${key.kind}/${key.name}` : `${key.namespace}/${key.kind}/${key.name}`]));
}

/** The namespace that a bare name means the next time; undefined when this time one was given. */
export function namespaceOfBareNames({ context, namespace }: Pick<Home, 'context' | 'namespace'>): string | undefined {
  return context.globals.namespace === undefined ? namespace : undefined;
}

/** What a person types to let a held change go ahead. `bare`: the namespace that need not be named. */
export function approveCommand({ kind, namespace, name }: ObjectKey, hash: string, bare: string | undefined): string {
  return `${command()} approve ${kind}/${name} --plan ${hash}${namespace === bare || namespace === '' ? '' : ` -n ${namespace}`}`;
}

/** Finds `Kind/name` (kind in any case, plural or short name too). BadUse, NoSuchClaim. */
export async function findClaim(
  project: Pick<Home, 'context' | 'store' | 'namespace'> & { readonly scope?: string | undefined },
  text: string,
): Promise<JsonObject> {
  const { kind, name } = parseClaimName(text);
  const words = await kindWords(project);
  const full = words.get(kind.toLowerCase());
  const isCluster = full !== undefined && (await clusterKinds(project.store)).has(full);
  if (full === undefined) throw new EngineError('NoSuchClaim', `there is no kind ${kind}`, { hint: suggestion(kind, new Set(words.values())) });
  const claims = isCluster ? await project.store.list(full) : await allClaims(project.store, project.scope);
  const namesakes = claims.filter(claim => claim['kind'] === full && metadataOf(claim).name === name);
  const wanted = project.scope ?? project.context.globals.namespace;
  const inPlace = namesakes.filter(claim => [wanted ?? project.namespace, ''].includes(keyOf(claim).namespace));
  const found = inPlace[0] ?? (wanted === undefined && namesakes.length === 1 ? namesakes[0] : undefined);
  if (found !== undefined) return found;
  if (namesakes.length > 1) {
    throw new EngineError('BadUse', `${text} is there in several namespaces: ${namesakes.map(claim => keyOf(claim).namespace).join(', ')}`, {
      hint: 'say which with -n NAMESPACE',
    });
  }
  throw new EngineError('NoSuchClaim', `there is no ${full}/${name}${wanted === undefined || isCluster ? '' : ` in namespace ${wanted}`}`, {
    hint: suggestion(
      `${full}/${name}`,
      claims.map(claim => `${String(claim['kind'])}/${metadataOf(claim).name}`),
    ),
  });
}

/** The two parts of `KIND/NAME`; BadUse when it has others. */
export function parseClaimName(text: string): { readonly kind: string; readonly name: string } {
  const parts = text.split('/');
  const [kind = '', name = ''] = parts;
  if (parts.length !== 2 || kind === '' || name === '') throw new EngineError('BadUse', `${text} is not KIND/NAME`, { hint: 'e.g. Queue/orders' });
  return { kind, name };
}

async function kindWords({ store }: Pick<Home, 'store'>): Promise<Map<string, string>> {
  const words = new Map<string, string>();
  for (const definition of await store.list('ClaimDefinition')) {
    const { kind, plural, shortNames = [] } = definition['spec'] as unknown as { kind: string; plural: string; shortNames?: string[] };
    for (const word of [kind, plural, ...shortNames]) words.set(word.toLowerCase(), kind);
  }
  return words;
}
