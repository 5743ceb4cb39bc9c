/** Finds out which emulator answers at an endpoint. */
import { EngineError } from '../../src/sdk.ts';
import type { Kind } from './limits.ts';

const TIMEOUT_MS = 5_000;

/** Paths that only one of them has. MiniStack answers LocalStack's health path as well, so it is asked first. */
const PATHS: readonly (readonly [Kind, string])[] = [
  ['ministack', '/_ministack/health'],
  ['localstack', '/_localstack/info'],
];

async function answers(endpoint: string, path: string): Promise<boolean> {
  try {
    const response = await fetch(new URL(path, endpoint), { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'manual' });
    await response.body?.cancel();
    return response.status === 200;
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    throw new EngineError(late ? 'Timeout' : 'Unreachable', `nothing answers at ${new URL(endpoint).origin}`, { cause: error });
  }
}

/** The emulator's kind; throws Unreachable or Timeout when nothing answers. */
export async function detect(endpoint: string): Promise<Kind> {
  for (const [kind, path] of PATHS) if (await answers(endpoint, path)) return kind;
  return 'unknown';
}
