/** The API server hears of roles and policies a moment after they are made: who goes by them waits here first. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunOptions, runTool } from './tools.ts';

const PATIENCE_MS = 120_000;

/** Waits until whoever the kubeconfig is of may do all of that. Each: words of `kubectl auth can-i`, one blank between two. */
export async function untilMay(kubeconfig: string, ...asks: readonly string[]): Promise<void> {
  for (const ask of asks) {
    const may = async (): Promise<string> => (await runTool('kubectl', { kubeconfig }, ['auth', 'can-i', ...ask.split(' ')])).stdout;
    await until(async () => (await may()).trim() === 'yes', `nobody allows to ${ask}`);
  }
}

/** Waits until this is refused with that text. It must change nothing where it is not refused yet. */
export async function untilRefused(options: RunOptions, args: readonly string[], text: string): Promise<void> {
  await until(async () => (await runTool('kubectl', options, args)).stderr.includes(text), `nobody refuses to ${args.join(' ')}`);
}

/** What the engine of this namespace needs, by each of the roles it is bound to; of kinds that are there before it runs. */
export function engineNeeds(namespace: string): string[] {
  const ofClaims = 'delete customresourcedefinitions.apiextensions.k8s.io/queues.plinth.dev';
  return ['list claimdefinitions.plinth.dev -A', ofClaims, `update leases.coordination.k8s.io -n ${namespace}`];
}

async function until(isSo: () => Promise<boolean>, otherwise: string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await isSo()); await sleep(100)) if (Date.now() > end) throw new Error(otherwise);
}
