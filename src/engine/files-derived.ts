/** What applications read of a Secret on a laptop: an `.env` file and a folder as the Service Binding Specification mounts it. */
import { lstatSync, renameSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError } from '../core/errors.ts';
import type { JsonObject, ObjectKey, StringMap } from '../core/types.ts';
import { assertOurs, type Disk, diskError, entriesOf, inFolder, readText, replaceFile, writeNew } from './files-disk.ts';

const DATA_KEY = /^(?!\.\.)[-._A-Za-z0-9]{1,200}$/;
const PLAIN_VALUE = /^[A-Za-z0-9_@%+=:,./-]*$/;

/** Throws InvalidObject when a key of the data cannot be a file name. */
export function assertDataKeys(name: string, data: Readonly<StringMap>): void {
  const bad = Object.keys(data).find(key => !DATA_KEY.test(key) || key === '.');
  if (bad !== undefined) throw new EngineError('InvalidObject', `Secret ${name}: ${JSON.stringify(bad)} is not a key; use letters, digits, -, _ and .`);
}

/** `ORDERS_QUEUE_URI` for key `uri` of the Secret `orders-queue`. */
export function variableName(secret: string, key: string): string {
  const name = `${secret}_${key}`.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

/** The data as lines `NAME=value`, sorted, quoted so that a shell reads each value exactly as it is. */
export function envText(secret: string, data: Readonly<StringMap>): string {
  const lines = Object.entries(data).map(([key, value]) => `${variableName(secret, key)}=${quoted(value)}\n`);
  return lines.sort().join('');
}

function quoted(value: string): string {
  return PLAIN_VALUE.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}

/** Makes both follow the Secret, the `.env` file last: where it fits, the folder does. A file of the folder is never half written. */
export async function derive(disk: Disk, key: ObjectKey, secret: JsonObject): Promise<void> {
  const data = (secret['data'] ?? {}) as StringMap;
  await deriveBinding(disk, bindingFolder(key), data);
  await replaceFile(disk, envPath(key), envText(key.name, data), { durable: false });
}

/** True when both were made from this Secret. */
export function isDerived(disk: Disk, key: ObjectKey, secret: JsonObject): boolean {
  const data = (secret['data'] ?? {}) as StringMap;
  return entriesOf(disk, bindingFolder(key)).length === Object.keys(data).length && readText(disk, envPath(key))?.text === envText(key.name, data);
}

/** Removes both. */
export function underive(disk: Disk, key: ObjectKey): void {
  rmSync(join(disk.root, envPath(key)), { force: true });
  rmSync(join(disk.root, bindingFolder(key)), { recursive: true, force: true });
}

/** Which Secrets the derived files tell of, e.g. to remove what is left of Secrets that are gone. */
export function derivedKeys(disk: Disk): ObjectKey[] {
  const names = (folder: string, ending: string) =>
    entriesOf(disk, folder).flatMap(({ name: namespace }) =>
      entriesOf(disk, join(folder, namespace))
        .filter(entry => entry.name.endsWith(ending))
        .map(entry => ({ kind: 'Secret', namespace, name: entry.name.slice(0, entry.name.length - ending.length) })),
    );
  return [...names('env', '.env'), ...names('bindings', '')];
}

function envPath(key: ObjectKey): string {
  return join('env', key.namespace, `${key.name}.env`);
}

function bindingFolder(key: ObjectKey): string {
  return join('bindings', key.namespace, key.name);
}

/** A folder of plain files, made whole and put in place by a rename: it can be copied or mounted by itself. */
async function deriveBinding(disk: Disk, folder: string, data: Readonly<StringMap>): Promise<void> {
  const path = join(disk.root, folder);
  const fresh = `${path}.${++disk.temporary}.tmp`;
  try {
    assertOurs(disk);
    await inFolder(disk, dirname(folder), false, () => mkdir(fresh, { mode: 0o700 }));
    const written = await Promise.allSettled(Object.entries(data).map(([key, value]) => writeNew(join(fresh, key), value)));
    const failed = written.find(result => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    // The files took their time: the folder may have changed hands meanwhile.
    assertOurs(disk);
    putInPlace(fresh, path);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw diskError(error, path);
  }
}

/** A folder that holds something cannot be renamed over: for a moment of an update there is none. */
function putInPlace(fresh: string, path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    renameSync(fresh, path);
    return;
  }
  const old = `${fresh}.old.tmp`;
  renameSync(path, old);
  renameSync(fresh, path);
  rmSync(old, { recursive: true, force: true });
}
