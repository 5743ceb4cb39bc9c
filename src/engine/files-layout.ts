/** What lies where in a state folder. Every part of a path was checked to be a plain name before it gets here. */
import { join } from 'node:path';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { checkedKey } from './objects.ts';

/** Folders with objects. Namespaced ones lie two folders deep, below kind and namespace. */
export const OBJECT_FOLDERS = ['claims', 'objects', 'revisions', 'secrets'] as const;
/** Folders with what follows from the Secrets. */
export const DERIVED_FOLDERS = ['env', 'bindings'] as const;

/** The file of an object; InvalidObject when a part of its key is not a safe file name. */
export function pathOf(key: ObjectKey): string {
  const { kind, namespace, name } = checkedKey(key);
  if (kind === 'Secret') return join('secrets', namespace, `${name}.json`);
  if (kind === 'Revision') return join('revisions', `${name}.json`);
  return namespace === '' ? join('objects', kind, `${name}.json`) : join('claims', kind, namespace, `${name}.json`);
}

/** The key of the object that belongs at a path; undefined for other files. */
export function keyAt(path: string): ObjectKey | undefined {
  if (!path.endsWith('.json')) return undefined;
  const [top, ...parts] = path.slice(0, -'.json'.length).split('/');
  const [a = '', b = '', c = ''] = parts;
  if (top === 'secrets' && parts.length === 2) return { kind: 'Secret', namespace: a, name: b };
  if (top === 'revisions' && parts.length === 1) return { kind: 'Revision', namespace: '', name: a };
  if (top === 'objects' && parts.length === 2) return { kind: a, namespace: '', name: b };
  if (top === 'claims' && parts.length === 3) return { kind: a, namespace: b, name: c };
  return undefined;
}

/** The text of a file that holds an object. */
export function textOf(object: JsonObject): string {
  return `${JSON.stringify(object, null, 2)}\n`;
}
