/** How the image starts Plinth; the Dockerfile is the only place where that is written down. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCKERFILE = join(import.meta.dirname, '..', '..', 'Dockerfile');

/** Its `ENTRYPOINT`: node, options of node, the bundle. */
export function entrypoint(): string[] {
  const [, command] = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(DOCKERFILE, 'utf8'))!;
  return JSON.parse(command!) as string[];
}

/** The options of node alone. */
export function nodeOptions(): string[] {
  return entrypoint().slice(1, -1);
}
