/** The import rules of src/README.md, as data, and the reading of import lines. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export interface Import {
  /** Path of the importing file, relative to the root, with forward slashes. */
  readonly from: string;
  /** Path of what is imported, relative to the root; a package by its name, a Node module as `node:x`. */
  readonly to: string;
}

const KUBERNETES_FILES = ['src/kube/config.ts', 'src/kube/kubeconfig.ts'];
/** What of the engine may speak to an API server. */
const KUBERNETES_ENGINE = /^src\/engine\/(store-kubernetes|kube-|lease|shards|definitions|runtime)[^/]*\.ts$/;

/** Which files an area may import, first match wins. `packages`: the npm packages and Node modules it may use; undefined: any. */
interface Rule {
  readonly area: RegExp;
  readonly files: readonly RegExp[];
  readonly packages?: readonly RegExp[];
}

const RULES: readonly Rule[] = [
  { area: /^src\/core\/digest\.ts$/, files: [/^src\/core\//], packages: [/^node:crypto$/] },
  { area: /^src\/core\//, files: [/^src\/core\//], packages: [/^@sinclair\/typebox/, /^@marcbachmann\/cel-js/, /^re2js$/, /^ajv/] },
  { area: /^src\/sdk\.ts$/, files: [/^src\/core\//], packages: [/^@sinclair\/typebox/] },
  { area: /^src\/outgoing\.ts$/, files: [], packages: [/^undici$/] },
  { area: /^src\/kube\//, files: [/^src\/(core|kube)\//, /^src\/outgoing\.ts$/], packages: [/^node:/, /^undici$/, /^@kubernetes\/client-node$/, /^yaml$/] },
  { area: KUBERNETES_ENGINE, files: [/^src\/(core|engine|kube)\//], packages: [/^node:/] },
  { area: /^src\/engine\//, files: [/^src\/core\//, /^src\/engine\//], packages: [/^node:/] },
  { area: /^src\/cli(\.ts|\/)/, files: [/^src\/(core|engine|kube|cli|generated)\//, /^providers\/index\.ts$/] },
  { area: /^src\/main\.ts$/, files: [/^src\//, /^providers\/index\.ts$/] },
  { area: /^src\/generated\//, files: [] },
  { area: /^providers\/index\.ts$/, files: [/^src\/sdk\.ts$/, /^providers\/[^/]+\/index\.ts$/] },
];

/** The rules a provider lives under: the sdk, how requests leave, its own folder, its vendor's SDK. */
function providerRule(file: string): Rule {
  const [, name] = file.split('/');
  const own = new RegExp(`^providers/${name}/`);
  const sibling = name === 'localstack' ? [/^providers\/aws\/index\.ts$/] : name === 'kubernetes' ? [/^src\/kube\//] : [];
  return {
    area: own,
    files: [/^src\/(sdk|outgoing)\.ts$/, own, ...sibling],
    packages: [/^@sinclair\/typebox/, /^node:/, /^undici$/, /^@aws-sdk\//, /^@smithy\//],
  };
}

/** Every breach, as one sentence each; empty when the rules hold. */
export function breaches(imports: readonly Import[]): string[] {
  return [...imports.flatMap(breachOf), ...cycles(imports)].sort();
}

function breachOf({ from, to }: Import): string[] {
  if (/\.(test|contract)\.ts$|\/test-[^/]+\.ts$/.test(from)) return [];
  const rule = /^providers\/[^/]+\//.test(from) ? providerRule(from) : RULES.find(candidate => candidate.area.test(from));
  if (rule === undefined) return [];
  const isFile = /^(src|providers|test|scripts)\//.test(to);
  if (isFile) return rule.files.some(allowed => allowed.test(to)) ? [] : [`${from} must not import ${to}`];
  if (to.startsWith('@kubernetes/') && !KUBERNETES_FILES.includes(from))
    return [`${from} must not import ${to}: only src/kube/config.ts and kubeconfig.ts may`];
  return rule.packages === undefined || rule.packages.some(allowed => allowed.test(to)) ? [] : [`${from} must not import ${to}`];
}

/** Cycles among files, each named once by its smallest member first. */
function cycles(imports: readonly Import[]): string[] {
  const next = group(imports);
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) found.add(named(trail.slice(at)));
    if (at >= 0 || done.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return [...found];
}

function group(imports: readonly Import[]): Map<string, string[]> {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);
  return next;
}

function named(loop: readonly string[]): string {
  const start = loop.indexOf([...loop].sort()[0]!);
  return `cycle: ${[...loop.slice(start), ...loop.slice(0, start + 1)].join(' → ')}`;
}

/** Every import line under the folders, tests left out. Type-only imports count: a type is a dependency of the reader too. */
export function readImports(root: string, folders: readonly string[]): Import[] {
  return folders.flatMap(folder => sources(join(root, folder))).flatMap(path => importsOf(root, path));
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name));
}

const IMPORT = /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s+['"]([^'"]+)['"]/g;

function importsOf(root: string, path: string): Import[] {
  const from = relative(root, path).replaceAll('\\', '/');
  return [...readFileSync(path, 'utf8').matchAll(IMPORT)].map(match => {
    const target = match[1] ?? match[2] ?? match[3] ?? '';
    return { from, to: target.startsWith('.') ? relative(root, join(dirname(path), target)).replaceAll('\\', '/') : target };
  });
}
