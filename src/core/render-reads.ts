/** Whether what an expression reads is there: known, pending or none, decided from the reads alone and never from a failed evaluation. */
import { PLAIN_ROOTS } from './composition-roots.ts';
import { isUnder, at as valueAt } from './paths.ts';
import type {
  CompiledComposition,
  Expression,
  Json,
  JsonObject,
  Path,
  Pending,
  Read,
  ReferencedClaim,
  RenderScope,
  ResourceId,
  ResourceView,
} from './types.ts';

type Roots = Record<string, Json | undefined>;
/** A resource as it is rendered so far. */
export interface Instance {
  readonly id: ResourceId;
  readonly template: string;
  readonly view: ResourceView | undefined;
  readonly pending: readonly Pending[];
  /** What expressions see: `{id, spec, state}`; `id` only for `fill`. */
  readonly root: JsonObject;
}
/** One rendering in progress. */
export interface Progress {
  readonly compiled: CompiledComposition;
  readonly scope: RenderScope;
  /** JSON of every root that is there; resources are added as they are rendered. */
  readonly roots: Roots;
  /** By template id: its instances. A template that is not here is excluded or undecided. */
  readonly instances: Map<string, readonly Instance[]>;
  readonly undecided: Map<string, { readonly on: string; readonly message: string }>;
  /** What `each` is at the moment. */
  readonly each: 'claim' | 'resource' | 'data' | undefined;
}
/** What is waited for, and the sentence for the owner of the claim. */
export type Wait = Pick<Pending, 'on' | 'message'>;

/** Starts with everything that is there before any resource is rendered. `parameters` with their defaults. */
export function startProgress(compiled: CompiledComposition, scope: RenderScope, parameters: JsonObject): Progress {
  const { name, asleep, config } = scope.environment;
  const roots: Roots = { claim: scope.claim as unknown as JsonObject, class: scope.class, parameters, environment: { name, asleep, config } };
  for (const { id } of compiled.references) {
    const referred = scope.references[id];
    if (referred !== undefined) roots[id] = referred as unknown as Json;
  }
  return { compiled, scope, roots, instances: new Map(), undecided: new Map(), each: undefined };
}

/** `none`: something read plainly does not exist. A wait: something is not there yet. Undefined: everything is there. */
export function standingOf({ reads }: Expression, progress: Progress): 'none' | Wait | undefined {
  let wait: Wait | undefined;
  for (const read of reads) {
    const standing = standingOfRead(read, progress);
    if (standing === 'none') return 'none';
    wait ??= standing;
  }
  return wait;
}

function standingOfRead(read: Read, progress: Progress): 'none' | Wait | undefined {
  const { root } = read;
  if (PLAIN_ROOTS.has(root)) return undefined;
  if (root === 'each') return standingOfEach(read, progress);
  const instances = progress.instances.get(root);
  if (instances !== undefined) return firstWait(instances, read, instanceWait);
  const undecided = progress.undecided.get(root);
  if (undecided !== undefined) return { on: undecided.on, message: `waiting to know whether ${root} is needed: ${undecided.message}` };
  const referred = progress.scope.references[root];
  if (referred === undefined) return isHarmless(read) ? undefined : 'none';
  return firstWait(Array.isArray(referred) ? referred : [referred as ReferencedClaim], read, claimWait);
}

/** Of what does not exist: optional from its first step on, or behind a condition that does not hold (then nothing is taken off its needs). */
const isHarmless = ({ optional, needs, path }: Read): boolean => optional && (needs === '' || needs === path);

function standingOfEach(read: Read, progress: Progress): Wait | undefined {
  const item = progress.roots['each'];
  const needs = read.needs ?? read.path;
  if (progress.each === 'claim') return claimWait(referredTo(item as unknown as ReferencedClaim, progress), needs);
  if (progress.each !== 'resource') return undefined;
  const { id } = item as { id: ResourceId };
  const instance = [...progress.instances.values()].flat().find(one => one.id === id);
  return instance === undefined ? undefined : instanceWait(instance, needs);
}

/** An item of forEach is a copy; the claim itself also knows why it is not ready. */
function referredTo({ kind, name }: ReferencedClaim, { scope }: Progress): ReferencedClaim {
  const all = Object.values(scope.references).flat() as ReferencedClaim[];
  return all.find(claim => claim.kind === kind && claim.name === name)!;
}

const ELEMENT = /^\[(\d*)\]\.?/;

/** `[]` in front of a path stands for every item, `[2]` for one; without either the root is the one thing. */
function firstWait<T>(things: readonly T[], read: Read, waitFor: (thing: T, needs: Path) => Wait | undefined): Wait | undefined {
  const needs = read.needs ?? read.path;
  const element = ELEMENT.exec(needs);
  const inside = element === null ? needs : needs.slice(element[0].length);
  const chosen = element?.[1] ? things.slice(Number(element[1]), Number(element[1]) + 1) : things;
  for (const thing of chosen) {
    const wait = waitFor(thing, inside);
    if (wait !== undefined) return wait;
  }
  return undefined;
}

function claimWait(claim: ReferencedClaim, needs: Path): Wait | undefined {
  if (!isUnder(needs, 'outputs')) return undefined;
  const on = `${claim.kind}/${claim.name}`;
  const isEmpty = !claim.ready && Object.keys(claim.outputs).length === 0;
  if (!isEmpty && isThere(claim as unknown as JsonObject, needs)) return undefined;
  if (claim.ready) return { on, message: `waiting for ${on}, which does not tell \`${needs}\` yet` };
  const { reason } = claim;
  const told = reason.startsWith(`${on} `) ? `, which ${reason.slice(on.length + 1)}` : reason === '' ? '' : `: ${reason}`;
  return { on, message: `waiting for ${on}${told}` };
}

function instanceWait(instance: Instance, needs: Path): Wait | undefined {
  if (needs === '') return undefined;
  const { id, view, root, pending } = instance;
  if (isUnder(needs, 'spec')) {
    const inner = needs.slice('spec.'.length);
    const waiting = pending.find(item => isUnder(item.path, inner) || isUnder(inner, item.path));
    return waiting === undefined || inner === '' ? undefined : { on: waiting.on, message: waiting.message };
  }
  if (view?.state === undefined) return { on: id, message: `waiting for resource ${id} to be there` };
  if (isUnder(needs, 'secret')) {
    return secretIsThere(view, needs) ? undefined : { on: id, message: `waiting for resource ${id} to tell its ${needs.slice('secret.'.length)}` };
  }
  return isThere(root, needs) ? undefined : { on: id, message: `waiting for resource ${id} to tell its ${needs.slice('state.'.length)}` };
}

const secretIsThere = (view: ResourceView, needs: Path): boolean => needs === 'secret' || Object.hasOwn(view.secret, needs.slice('secret.'.length));

/** Up to the first list on the way (`[]`): of its items every one is asked. */
function isThere(value: Json | undefined, path: Path): boolean {
  const [before, ...after] = path.split('[]');
  const here = before === '' ? value : valueAt(value, before!.replace(/^\./, ''));
  if (here === undefined) return false;
  if (after.length === 0 || !Array.isArray(here)) return true;
  const rest = after.join('[]').replace(/^\./, '');
  return rest === '' || here.every(item => isThere(item, rest));
}
