/** A bound on calls into code that may never answer. */
import { setMaxListeners } from 'node:events';
import { EngineError } from '../core/errors.ts';
import type { Clock } from './clock.ts';

/**
 * Runs with a signal that is aborted when `ms` milliseconds are over or the parent's is. Rejects at that very moment, with Timeout or
 * Aborted, whether or not `run` heeds its signal; what it answers later is dropped.
 */
export function withDeadline<T>(clock: Clock, ms: number, parent: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (parent.aborted) return Promise.reject(gaveUp());
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const end = (error: EngineError): void => {
      // First the answer, then the signal: else the callee's own complaint about the abort would win.
      reject(error);
      finish();
      controller.abort(error);
    };
    const onAbort = (): void => end(gaveUp());
    const cancel = clock.after(ms, () => end(new EngineError('Timeout', `no answer within ${ms / 1000} s`)));
    const finish = (): void => {
      cancel();
      parent.removeEventListener('abort', onAbort);
    };
    // Many calls share the signal of a run; that is no leak.
    setMaxListeners(0, parent);
    parent.addEventListener('abort', onAbort, { once: true });
    Promise.resolve()
      .then(() => run(controller.signal))
      .then(resolve, reject)
      .finally(finish);
  });
}

function gaveUp(): EngineError {
  return new EngineError('Aborted', 'given up because the run ended');
}
