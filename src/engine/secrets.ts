/** The connection Secret: one per claim, written only when the claim works, never over somebody else's. */
import { digest } from '../core/digest.ts';
import { EngineError, isError } from '../core/errors.ts';
import { API_VERSION } from '../core/kinds.ts';
import { fill } from '../core/render.ts';
import type { Claim, ClaimDefinition, DriftRow, JsonObject, Rendering, StringMap } from '../core/types.ts';
import type { Engine } from './engine.ts';
import { metadataOf, type ObjectReference } from './objects.ts';
import type { Write } from './store.ts';

export interface Binding {
  readonly name: string;
  readonly error: EngineError | undefined;
  /** Keys that were edited by hand and put back. */
  readonly drift: readonly DriftRow[];
}

/** `orders-queue`: claim name and kind, so that claims of two kinds may share a name. */
export function bindingName(claim: Pick<Claim, 'kind' | 'name'>): string {
  return `${claim.name}-${claim.kind.toLowerCase()}`;
}

/** Writes the Secret if it is missing or differs, in one write; undefined where there is no namespace for one. `secretsOf`: by resource id. `provider`: the composition, as the binding's provider. */
export async function writeBinding(
  engine: Engine,
  claim: Claim,
  definition: ClaimDefinition,
  rendering: Rendering,
  provider: string,
  secretsOf: (id: string) => StringMap,
): Promise<Binding | undefined> {
  if (definition.scope === 'Cluster') return undefined;
  const name = bindingName(claim);
  const filled = fill(rendering.connection, secretsOf);
  const values = Object.fromEntries(Object.entries(filled).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]));
  const data: StringMap = { provider, ...values, type: definition.connection.type };
  const type = `servicebinding.io/${definition.connection.type}`;
  const annotations = { [WRITTEN]: digest(engine.instance.key, data) };
  // Of a claim that nothing was told of yet there is hardly ever one: making it says whether there is, and costs no read.
  const isFirst = claim.status.conditions.length === 0;
  if (isFirst && (await isMade(engine, { kind: 'secret', claim, name, type, data, annotations, version: undefined })))
    return { name, error: undefined, drift: [] };
  const found = await engine.store.get({ kind: 'Secret', namespace: claim.namespace, name });
  if (found !== undefined && !isOurs(found, claim)) {
    const error = new EngineError('Conflict', `Secret ${name} exists and is not ours`, { hint: 'remove or rename that Secret' });
    return { name, error, drift: [] };
  }
  const before = (found?.['data'] ?? {}) as StringMap;
  const differing = Object.keys(data).filter(key => before[key] !== data[key]);
  const stale = Object.keys(before).filter(key => data[key] === undefined && ourKeys(definition).has(key));
  if (found !== undefined && ownerOf(found)?.uid === claim.uid && differing.length === 0 && stale.length === 0) return { name, error: undefined, drift: [] };
  const drift = found === undefined ? [] : handEdits(engine, claim, found, data, differing);
  const kept = Object.fromEntries(Object.entries(before).filter(([key]) => data[key] === undefined && !stale.includes(key)));
  const version = (found?.['metadata'] as JsonObject | undefined)?.['resourceVersion'] as string | undefined;
  await engine.store.write({ kind: 'secret', claim, name, type, data: { ...kept, ...data }, annotations, version });
  return { name, error: undefined, drift };
}

/** False when something stands there already. */
async function isMade({ store }: Engine, write: Write): Promise<boolean> {
  try {
    await store.write(write);
    return true;
  } catch (error) {
    if (isError(error, 'StoreConflict')) return false;
    throw error;
  }
}

/** Annotation with the digest of what we wrote last, so that an edit by hand can be told from a change of ours. */
const WRITTEN = 'plinth.dev/written';

function ourKeys(definition: ClaimDefinition): Set<string> {
  return new Set([...Object.keys(definition.connection.keys), 'type', 'provider']);
}

function ownerOf(secret: JsonObject): ObjectReference | undefined {
  return metadataOf(secret).ownerReferences?.[0];
}

/** Also what a claim of this name left that is gone: a cluster collects it a while later, and its successor cannot wait for that. */
function isOurs(secret: JsonObject, claim: Claim): boolean {
  const owner = ownerOf(secret);
  return owner?.uid === claim.uid || (owner?.kind === claim.kind && owner.name === claim.name && owner.apiVersion === API_VERSION);
}

/** Rows for keys changed by hand: what was there no longer has the digest that we wrote. Values are secret: the rows hold none. */
function handEdits(engine: Engine, claim: Claim, found: JsonObject, data: StringMap, differing: readonly string[]): DriftRow[] {
  const written = ((found['metadata'] as JsonObject)['annotations'] as StringMap | undefined)?.[WRITTEN];
  const before = found['data'] as StringMap;
  const mine = Object.fromEntries(Object.entries(before).filter(([key]) => data[key] !== undefined));
  if (written === undefined || written === digest(engine.instance.key, mine) || claim.status.revision === '') return [];
  const at = engine.clock.now();
  return differing.map(key => ({ resource: 'connection', path: key, detectedAt: at, correctedAt: at }));
}
