/** Ctrl-C and its like: the first asks for an orderly end, the second ends at once. */
import { note } from './output.ts';

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Gives the signals back to Node. */
  dispose(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Listens from now on. `say`: told once that the end is near. */
export function listenForInterrupt(say: (line: string) => void = line => note(`\n${line} (again to stop at once) …`)): Interrupt {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    say('stopping: waiting for the calls that run');
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
