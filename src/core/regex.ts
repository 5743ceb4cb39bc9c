/** Regular expressions in linear time (RE2 syntax): whatever the pattern, a match cannot hang. */
import { RE2JS } from 're2js';

/** A compiled pattern. */
export interface Regex {
  /** True when the pattern matches anywhere in the text. */
  readonly test: (text: string) => boolean;
  /** The pattern. */
  readonly toString: () => string;
}

const MAX_PATTERN = 1_000;
const MAX_CACHED = 500;
const cache = new Map<string, Regex>();

/** Compiles a pattern; throws a SyntaxError that names what RE2 cannot do (look-around, back-references) or what is malformed. */
export function regex(pattern: string): Regex {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > MAX_PATTERN) throw new SyntaxError(`the pattern is longer than ${MAX_PATTERN} characters`);
  const compiled = compile(pattern);
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(pattern, compiled);
  return compiled;
}

function compile(pattern: string): Regex {
  try {
    const program = RE2JS.compile(RE2JS.translateRegExp(pattern));
    // ajv tells compiled patterns apart by their text.
    return { test: text => program.test(text), toString: () => pattern };
  } catch (cause) {
    throw new SyntaxError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
