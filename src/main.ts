/** The composition root: the only file that knows everything. What is heavy is loaded when a command asks for it. */

import type { Host } from './cli/host.ts';
import { run } from './cli.ts';
import type { JsonObject } from './core/types.ts';
import { keepHeapSmall } from './engine/heap.ts';

/** Put in by the bundler. */
declare const PLINTH_VERSION: string | undefined;

const host: Host = {
  version: typeof PLINTH_VERSION === 'string' ? PLINTH_VERSION : '0.0.0-dev',
  embedded: async () => (await import('./generated/embedded.json', { with: { type: 'json' } })).default as unknown as JsonObject[],
  providers: async () => new Map((await import('../providers/index.ts')).providers.map(provider => [provider.name, provider])),
};

keepHeapSmall();
process.exit(await run(process.argv.slice(2), host));
