/** The test files there are, and which files a module reaches through its relative imports; what is imported as a type only does not count. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const IMPORT = /(?:^|\n)\s*(?:import|export)\s+(?!type\b)[^;]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/g;

/** True when `file`, or a module it imports, lies below `folder`. */
export function reaches(file: string, folder: string, seen: Set<string> = new Set()): boolean {
  if (file.startsWith(folder)) return true;
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(IMPORT)].some(([, from, lazy]) => reaches(join(dirname(file), from ?? lazy ?? ''), folder, seen));
}

/** Every test file of the repository, relative to its root, sorted. */
export function testFiles(root: string): string[] {
  const inFolder = (folder: string): string[] => {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    return names.filter(name => name.endsWith('.test.ts')).map(name => join(folder, name).replaceAll('\\', '/'));
  };
  return ['src', 'providers', 'test'].flatMap(inFolder).sort();
}
