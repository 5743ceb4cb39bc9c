/** The arguments of `npm test`. */
import { DEPTH, type Depth } from '../depth.ts';

/** How a run is asked for. */
export interface Asked {
  readonly depth: Depth;
  /** Where the results are kept; undefined: nowhere. */
  readonly json: string | undefined;
  /** For vitest: with any of them that alone runs, without `npm run check`. */
  readonly rest: readonly string[];
  /** Another configuration of vitest, for a test of this: without `npm run check`. */
  readonly config?: string;
}

/** Reads the arguments of the command. Throws Error when `--json` has no file. */
export function askedFor(args: readonly string[]): Asked {
  const rest = args.filter(arg => arg !== '--full');
  const at = rest.indexOf('--json');
  const json = at < 0 ? undefined : rest[at + 1];
  if (at >= 0 && (json === undefined || json.startsWith('-'))) throw new Error('--json needs the name of a file');
  if (at >= 0) rest.splice(at, 2);
  return { depth: args.includes('--full') ? 'full' : DEPTH, json, rest };
}
