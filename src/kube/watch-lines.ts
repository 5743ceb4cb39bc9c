/** The bytes of a watch to its events. */
import type { Readable } from 'node:stream';
import { EngineError } from '../core/errors.ts';
import type { JsonObject } from '../core/types.ts';
import { connectionError } from './failure.ts';

export interface Patience {
  /** Silence after which the connection counts as dead, ms. */
  readonly idleMs: number;
  /** When it must be over, monotonic ms. */
  readonly lastMs: number;
}

const NEWLINE = 0x0a;

/**
 * Splits at line feeds as bytes, so that a character cut in two by a chunk stays whole and odd line separators inside strings are no
 * ends. Errors: Timeout after silence, Unreachable when the connection breaks, InvalidRequest for a line that is no JSON object. An
 * incomplete last line is dropped: the next watch tells it again.
 */
export async function* watchLines(stream: Readable, patience: Patience): AsyncGenerator<JsonObject> {
  let rest: Buffer[] = [];
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await nextChunk(stream, chunks, patience);
      if (next === undefined) return;
      let from = 0;
      for (let at = next.indexOf(NEWLINE); at >= 0; at = next.indexOf(NEWLINE, from)) {
        const line = rest.length === 0 ? next.subarray(from, at) : Buffer.concat([...rest, next.subarray(from, at)]);
        rest = [];
        from = at + 1;
        if (line.length > 0) yield parsed(line);
      }
      if (from < next.length) rest.push(next.subarray(from));
    }
  } finally {
    stream.destroy();
  }
}

async function nextChunk(stream: Readable, chunks: AsyncIterator<Buffer>, { idleMs, lastMs }: Patience): Promise<Buffer | undefined> {
  const silence = new EngineError('Timeout', 'a watch fell silent: the connection is taken for dead');
  const timer = setTimeout(() => stream.destroy(silence), Math.max(1, Math.min(idleMs, lastMs - performance.now())));
  try {
    const { done, value } = await chunks.next();
    return done === true ? undefined : value;
  } catch (error) {
    throw connectionError('watch', error, false);
  } finally {
    clearTimeout(timer);
  }
}

function parsed(line: Buffer): JsonObject {
  try {
    return JSON.parse(line.toString('utf8')) as JsonObject;
  } catch (error) {
    throw new EngineError('InvalidRequest', 'a watch sent a line that is no JSON', { cause: error });
  }
}
