/** Numbers, names and addresses on the command line. */
import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `30s`, `5m`, `1h`, or seconds without a unit. */
export function milliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) throw new InvalidArgumentError('It must be a time such as 500ms, 30s or 5m.');
  return Math.max(1, Math.round(Number(match[1]) * UNITS[match[2] ?? 's']!));
}

/** A time to wait; 0 is to look once and not wait, as for `kubectl wait`. */
export function waitTime(text: string): number {
  return /^0+(\.0+)?(ms|s|m|h)?$/.test(text.trim()) ? 0 : milliseconds(text);
}

/** A whole number above 0. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text.trim())) throw new InvalidArgumentError('It must be a whole number from 1 to 9999.');
  return Number(text);
}

/** An http or https URL, as written. */
export function webAddress(text: string): string {
  const address = text.trim();
  if (!/^https?:/i.test(address) || !URL.canParse(address)) throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:4566.');
  return address;
}

/** Name of a namespace, as Kubernetes takes them. */
export function namespaceName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError('A namespace has at most 63 lower-case letters, digits and -, and begins and ends with a letter or digit.');
  }
  return text;
}
