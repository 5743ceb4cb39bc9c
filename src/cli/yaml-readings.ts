/** Scalars that mean one thing here and another for kubectl: we read YAML 1.2, kubectl reads YAML 1.1. */
import { isNode, type Scalar, visit } from 'yaml';
import { split } from '../core/paths.ts';
import { type ParsedObject, type Place, placeAt } from './yaml.ts';

/** Something in the input that is right and may not be what was meant. */
export interface InputWarning extends Place {
  readonly message: string;
}

const WORDS: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'].map(word => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'].map(word => [word, false] as const),
]);
const BASES: readonly (readonly [pattern: RegExp, base: number])[] = [
  [/^([-+]?)0b([01]+)$/i, 2],
  [/^([-+]?)0o?([0-7]+)$/i, 8],
  [/^([-+]?)0x([0-9a-f]+)$/i, 16],
];
const DECIMAL = /^[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?$/i;

/** What kubectl makes of a plain scalar that is neither text nor null to it; undefined for every other. */
export function oldReading(text: string): boolean | number | undefined {
  const word = WORDS.get(text);
  if (word !== undefined || !/^[-+.\d]/.test(text)) return word;
  const digits = text.startsWith('.') ? text : text.replaceAll('_', '');
  for (const [pattern, base] of BASES) {
    const [, sign, number] = pattern.exec(digits) ?? [];
    if (number !== undefined) return Number.parseInt(`${sign}${number}`, base);
  }
  return DECIMAL.test(digits) ? Number(digits) : undefined;
}

/** Every plain scalar of the object, keys too, that kubectl reads otherwise. */
export function otherReadings({ source }: ParsedObject): InputWarning[] {
  const { document, base } = source;
  const root = base === '' ? document.contents : document.getIn(split(base), true);
  const found: InputWarning[] = [];
  if (!isNode(root)) return found;
  visit(root, {
    Scalar: (_, scalar) => {
      const message = scalar.type === 'PLAIN' ? messageOf(scalar) : undefined;
      if (message !== undefined) found.push({ ...placeAt(source, scalar.range?.[0] ?? 0), message });
    },
  });
  return found;
}

function messageOf({ source = '', value }: Scalar): string | undefined {
  const old = oldReading(source);
  if (old === undefined || old === value) return undefined;
  const [here, advice] =
    typeof value === 'string'
      ? ['a text', `quote it, or write ${String(old)}`]
      : [String(value), `write ${String(value)} or ${String(old)}, whichever is meant`];
  return `\`${source}\` is ${here} here and ${String(old)} for kubectl, which reads YAML 1.1; ${advice}`;
}
