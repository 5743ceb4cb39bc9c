/**
 * Which replica works which namespace: rendezvous hashing over the members that are alive, so that a member that comes or goes moves only
 * its own share. Pure. What makes a hand-over safe stands with `mayWork`.
 */
import { createHash } from 'node:crypto';

/** The members that one replica goes by, sorted. */
export type View = readonly string[];

/** Another member as last read: what it goes by, as it published it. */
export interface Peer {
  readonly id: string;
  readonly view: View;
}

/** The member of a view that works the namespace; undefined when the view is empty. The namespace '' stands for what has none. */
export function ownerOf(namespace: string, view: View): string | undefined {
  let [owner, highest]: [string | undefined, string] = [undefined, ''];
  for (const member of view) {
    const weight = createHash('sha256').update(`${member}\n${namespace}`).digest('hex');
    if (owner !== undefined && weight <= highest) continue;
    [owner, highest] = [member, weight];
  }
  return owner;
}

/** What a member knows when it asks whether a namespace is its own. */
export interface Standing {
  readonly me: string;
  /** Published, and confirmed by the API server. */
  readonly view: View;
  /** The published view before that; it counts as long as no read was made after `view` was published. */
  readonly viewBefore: View;
  /** What it will publish next: namespaces that it loses by this are let go already. */
  readonly target: View;
  /** Members that are not known to be dead, read after `view` was published. */
  readonly peers: readonly Peer[];
  /** False until the peers were read after `view` was published. */
  readonly isRead: boolean;
}

/**
 * True when the namespace is ours and nobody else's. Each member publishes its view first and reads the others' views after that; it works
 * only what its own view gives it and no other view gives its publisher. Of two who want the same namespace the later one reads the
 * earlier one's view and holds back. A member lets go, waits until its work has ended, and only then publishes the view that says so.
 */
export function mayWork(namespace: string, standing: Standing, owner: typeof ownerOf = ownerOf): boolean {
  const { me, view, viewBefore, target, peers, isRead } = standing;
  if (owner(namespace, view) !== me || owner(namespace, target) !== me) return false;
  if (!isRead && owner(namespace, viewBefore) !== me) return false;
  return peers.every(peer => owner(namespace, peer.view) !== peer.id);
}

/** True when the namespace is given away by going from one view to the other. */
export function isGivenUp(namespace: string, me: string, from: View, to: View): boolean {
  return ownerOf(namespace, from) === me && ownerOf(namespace, to) !== me;
}

/** `ownerOf` that remembers; views are few, namespaces many. */
export function newOwners(): typeof ownerOf {
  const byView = new Map<string, Map<string, string | undefined>>();
  return (namespace, view) => {
    const text = view.join(' ');
    const known = byView.get(text) ?? new Map<string, string | undefined>();
    // Views of the past are never asked for again.
    if (!byView.has(text) && byView.size > 32) byView.clear();
    byView.set(text, known);
    if (!known.has(namespace)) known.set(namespace, ownerOf(namespace, view));
    return known.get(namespace);
  };
}

export const sameView = (a: View, b: View): boolean => a.length === b.length && a.every((member, index) => member === b[index]);
