/** The child of the kill test: `plinth up` or `plinth down` as the command line runs them, in a process that may be killed at any moment. */
import { readFileSync } from 'node:fs';
import { providers } from '../../providers/index.ts';
import { runDown } from '../../src/cli/down.ts';
import type { Context } from '../../src/cli/host.ts';
import { newOutput } from '../../src/cli/output.ts';
import { runUp } from '../../src/cli/up.ts';
import { writes } from './counted-disk.ts';
import type { Job, Said } from './job.ts';

/** No requirement: many lives share a busy machine. */
const TIMEOUT_MS = 240_000;

function contextOf(job: Job): Context {
  const { state, endpoint, admin } = job;
  return {
    host: {
      version: 'kill test',
      embedded: async () => admin,
      providers: async () => new Map(providers.map(provider => [provider.name, provider])),
    },
    globals: {
      state,
      endpoint,
      namespace: 'shop',
      pollMs: undefined,
      workers: undefined,
      logLevel: 'warn',
      kubeconfig: undefined,
      context: undefined,
      allNamespaces: false,
      engineNamespace: undefined,
    },
    out: newOutput('table'),
  };
}

async function run(job: Job): Promise<number> {
  const context = contextOf(job);
  if (job.command === 'up') return await runUp(context, [job.claims], { class: 'local', timeoutMs: TIMEOUT_MS });
  return await runDown(context, undefined, { keepData: false, timeoutMs: TIMEOUT_MS });
}

const job = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Job;
const exit = await run(job).catch((error: unknown) => {
  console.error(error instanceof Error ? error.stack : error);
  return 1;
});
process.stdout.write(`${JSON.stringify({ exit, writes: writes() } satisfies Said)}\n`, () => process.exit(exit));
