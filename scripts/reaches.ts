/** Which files a module reaches through its relative imports; what is imported as a type only does not count. */
import { existsSync, readFileSync } from 'node:fs';
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
