/** The troubleshooting pages name what there is. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { METRICS } from '../src/cli/metric-names.ts';

const docs = join(import.meta.dirname, '..', 'docs');
const pages = ['troubleshooting.md', 'metrics.md', 'controller.md'];
const read = (page: string): string => readFileSync(join(docs, page), 'utf8');
const anchors = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(match =>
    match[1]!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );

test.each(pages)('links of %s lead somewhere', page => {
  for (const [, target] of read(page).matchAll(/\]\(([^)]+)\)/g)) {
    const [path = '', anchor] = target!.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    expect(existsSync(join(docs, file)), target).toBe(true);
    if (anchor !== undefined) expect(anchors(file), target).toContain(anchor);
  }
});

test.each(pages)('metrics named in %s exist', page => {
  const names = [...read(page).matchAll(/\b(plinth_[a-z_]+)/g)].map(match => match[1]!);
  for (const name of names) expect(Object.keys(METRICS)).toContain(name);
});
