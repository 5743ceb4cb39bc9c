/** How a request leaves this process: at once or not at all, and never past its fence. */
import type { Dispatcher } from 'undici';

export type Undici = typeof import('undici');
/** Loading it takes a twentieth of a second: only a process that sends something waits for it. A bundle has all of a CommonJS package in `default`. */
export function undici(): Promise<Undici> {
  // Kept: an import costs as much as the request that waits for it, even of what is loaded.
  loading ??= import('undici').then(loaded => loaded.default as unknown as Undici);
  return loading;
}
let loading: Promise<Undici> | undefined;

export interface Outgoing extends Omit<Dispatcher.RequestOptions, 'signal'> {
  readonly signal: AbortSignal;
  /** Asked right before the request is written, on a connection that stands; what it throws is the error, and nothing is sent. */
  readonly fence?: (() => void) | undefined;
}

/** The dispatcher, heeding fences. A request may wait for its connection while the whole process stands still: only then it is late enough to ask. */
export function fenced({ DecoratorHandler }: Pick<Undici, 'DecoratorHandler'>, dispatcher: Dispatcher): Dispatcher {
  return dispatcher.compose(dispatch => (options, handler) => {
    const { fence, signal } = options as Outgoing;
    if (fence === undefined) return dispatch(options, handler);
    const own: Dispatcher.DispatchHandler = {
      onRequestStart: (controller, context) => {
        // Thrown, the connection is good for the next request; left to undici, what was aborted while it waited would end it.
        signal.throwIfAborted();
        fence();
        handler.onRequestStart?.(controller, context);
      },
      // More than one comes where hints (103) go before the answer; DecoratorHandler would take that for a mistake.
      onResponseStart: (...answer) => handler.onResponseStart?.(...answer),
    };
    return dispatch(options, Object.assign(new DecoratorHandler(handler), own));
  });
}

/** Sends a request. Rejects with AbortError at once when the signal is aborted: while undici connects it heeds none, so an answer may come late. */
export function leave(dispatcher: Dispatcher, outgoing: Outgoing): Promise<Dispatcher.ResponseData> {
  return orAborted(dispatcher.request(outgoing), outgoing.signal);
}

/** An answer that comes after the signal is thrown away. */
export function orAborted(answer: Promise<Dispatcher.ResponseData>, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new DOMException('aborted', 'AbortError'));
      answer.then(
        late => late.body.destroy(),
        () => undefined,
      );
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
