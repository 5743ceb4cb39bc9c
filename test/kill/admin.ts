/** The admin objects that Plinth ships, with the account of a test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { JsonObject } from '../../src/core/types.ts';

const ROOT = join(import.meta.dirname, '..', '..', 'compositions');
const ADMIN = new Set(['ClaimDefinition', 'Composition', 'EnvironmentClass', 'ProviderConfig']);

/** Everything below compositions/ but the examples. `settings`: more settings of the ProviderConfig `local`. */
export function shipped(settings: JsonObject): JsonObject[] {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.yaml'))
    .sort();
  const objects = files.flatMap(file => parseAllDocuments(readFileSync(join(ROOT, file), 'utf8')).map(document => document.toJS() as JsonObject));
  return objects.filter(object => ADMIN.has(String(object['kind']))).map(object => (isLocal(object) ? withSettings(object, settings) : object));
}

/** The same with the access key, which emulators take for the account. */
export function adminOf(account: string): JsonObject[] {
  return shipped({ accessKeyId: account });
}

const isLocal = (object: JsonObject): boolean => object['kind'] === 'ProviderConfig' && (object['metadata'] as JsonObject)['name'] === 'local';

function withSettings(object: JsonObject, settings: JsonObject): JsonObject {
  const spec = object['spec'] as JsonObject;
  const { credentials: _, ...before } = spec['settings'] as JsonObject;
  return { ...object, spec: { ...spec, settings: { ...before, ...settings } } };
}
