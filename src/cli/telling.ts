/** What the process of a cluster logs and counts of one look at a claim. */
import { isError } from '../core/errors.ts';
import type { ClaimKey } from '../core/types.ts';
import type { Engine, Log } from '../engine/engine.ts';
import { countDrift, type Metrics } from './metrics.ts';

/** The engine of one look, with what it tells counted and logged: events, drift, and that the claim has gone. */
export function told(metrics: Metrics, engine: Engine, key: ClaimKey): Engine {
  const { store, log } = engine;
  return {
    ...engine,
    store: {
      ...store,
      write: async write => {
        const stored = await store.write(write);
        if (write.kind === 'status') countDrift(metrics, key.kind, write.claim.status, write.status);
        if (write.kind === 'finalizer' && !write.present) log('info', 'gone: nothing is left to do for the claim', { verb: 'gone' });
        return stored;
      },
      emit: (of, event) => {
        log(event.type === 'Warning' ? 'warn' : 'info', event.message || event.reason, { reason: event.reason });
        store.emit(of, event);
      },
    },
  };
}

/** A failed request to the API server. A kind or a namespace that is not there yet is how every cluster begins, and how some end. */
export function tellFailure(log: Log, error: unknown): void {
  log(isError(error, 'NotFound') ? 'info' : 'warn', error instanceof Error ? error.message : String(error));
}
