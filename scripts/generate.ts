/**
 * `npm run generate`: what is made from other files and kept in the repository. With --check nothing is written and a stale file is an error.
 * src/generated/embedded.json: the admin objects under compositions/, which the bundle carries; crds/: the CustomResourceDefinitions of the admin
 * kinds and of Environment; of the Helm chart what does not depend on values (chart.ts); and the reference pages (reference.ts).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { adminCrds, claimCrd } from '../src/core/crd.ts';
import { isClusterKind } from '../src/core/install/defaults.ts';
import { parseDefinition } from '../src/core/parse.ts';
import type { JsonObject } from '../src/core/types.ts';
import { chartFiles, yamlText } from './chart.ts';
import { referenceFiles } from './reference.ts';

const ROOT = join(import.meta.dirname, '..');
const ADMIN = new Set(['ClaimDefinition', 'Composition', 'EnvironmentClass', 'ProviderConfig']);

/** Every file that is generated, with its text. */
export function generated(root: string = ROOT): Map<string, string> {
  const objects = adminObjects(join(root, 'compositions'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const embedded = `${JSON.stringify(objects, null, 2)}\n`;
  const crds = crdFiles(version, objects);
  return new Map([['src/generated/embedded.json', embedded], ...crds, ...chartFiles(objects, crds), ...Object.entries(referenceFiles(root))]);
}

/** The admin kinds, and of the claim kinds those of the platform: who administers a cluster finds them all in one place. */
function crdFiles(version: string, objects: readonly JsonObject[]): [string, string][] {
  const claims = objects.filter(isClusterKind).map(object => claimCrd(parseDefinition(object), version));
  return [...adminCrds(version), ...claims].map(crd => [`crds/${(crd['metadata'] as JsonObject)['name'] as string}.yaml`, yamlText([crd])]);
}

function adminObjects(folder: string): JsonObject[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.yaml') && !name.includes('.golden.'))
    .map(name => name.replaceAll('\\', '/'))
    .sort();
  const objects = files.flatMap(name => {
    const documents = parseAllDocuments(readFileSync(join(folder, name), 'utf8'));
    return (Array.isArray(documents) ? documents : []).map(document => {
      if (document.errors[0] !== undefined) throw new Error(`compositions/${name}: ${document.errors[0].message}`);
      return document.toJS() as JsonObject | null;
    });
  });
  return objects.filter(object => object !== null).filter(object => ADMIN.has(String(object['kind'])));
}

function main(check: boolean): void {
  const stale: string[] = [];
  for (const [path, text] of generated()) {
    const full = join(ROOT, path);
    if (existsSync(full) && readFileSync(full, 'utf8') === text) continue;
    stale.push(path);
    if (check) continue;
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
  if (check && stale.length > 0) {
    console.error(`not up to date: ${stale.join(', ')}; run \`npm run generate\``);
    process.exitCode = 1;
  } else console.log(stale.length === 0 ? 'generated files are up to date' : `written: ${stale.join(', ')}`);
}

if (process.argv[1] === import.meta.filename) main(process.argv.includes('--check'));
