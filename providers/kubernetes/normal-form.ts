/** One way to write a manifest, so that equal things are equal data: quantities as the API server writes them, nothing that is null. Pure. */
import type { Json, JsonObject } from '../../src/sdk.ts';
import { groupOf } from './names.ts';

/** Fields whose values are quantities, by the name of the field or of the mapping they stand in (API reference of core, apps, batch, autoscaling). */
const QUANTITY_FIELDS = new Set(['sizeLimit', 'divisor', 'averageValue']);
const QUANTITY_MAPS = new Set(['limits', 'requests', 'capacity', 'allocatable', 'hard', 'podFixed', 'max', 'min', 'default', 'defaultRequest']);
/** Only these types parse quantities; in other kinds the same names hold what their authors like. */
const QUANTITY_GROUPS = new Set(['', 'apps', 'batch', 'autoscaling']);
/** Free text, whatever the names in it. */
const FREE = new Set(['data', 'binaryData', 'stringData', 'annotations', 'labels', 'matchLabels', 'nodeSelector']);

/** The manifest in normal form; idempotent. */
export function normalManifest(manifest: JsonObject): JsonObject {
  const hasQuantities = QUANTITY_GROUPS.has(groupOf(String(manifest['apiVersion'] ?? '')));
  return fields(manifest, hasQuantities, false);
}

function fields(value: JsonObject, hasQuantities: boolean, areQuantities: boolean): JsonObject {
  return Object.fromEntries(
    Object.entries(value).flatMap(([field, item]): [string, Json][] => {
      if (item === null || item === undefined) return [];
      const isQuantity = hasQuantities && (areQuantities || QUANTITY_FIELDS.has(field));
      return [[field, normal(item, hasQuantities && !FREE.has(field), hasQuantities && QUANTITY_MAPS.has(field), isQuantity)]];
    }),
  );
}

function normal(value: Json, hasQuantities: boolean, areQuantities: boolean, isQuantity: boolean): Json {
  if (Array.isArray(value)) return value.filter(item => item !== null).map(item => normal(item, hasQuantities, false, false));
  if (value !== null && typeof value === 'object') return fields(value, hasQuantities, areQuantities);
  return isQuantity && (typeof value === 'string' || typeof value === 'number') ? canonicalQuantity(value) : value;
}

const QUANTITY = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/;
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/** Finer amounts are rounded up (resource.Quantity). */
const NANO = 1_000_000_000n;

/** `1000m` as `1`, `1024Mi` as `1Gi`, `0.5` as `500m` (resource.Quantity, "canonical form"); what is no quantity stays as it is. */
export function canonicalQuantity(value: string | number): Json {
  const match = QUANTITY.exec(String(value));
  if (match === null || (match[2] === '' && (match[3] ?? '') === '')) return value;
  const [, sign = '', whole = '', fraction = '', exponential, exponent = '0', suffix = ''] = match;
  const nanos = scaled(BigInt(`${whole}${fraction}` || '0'), -fraction.length, suffix, Number(exponent));
  if (nanos === 0n) return '0';
  const minus = sign === '-' ? '-' : '';
  if (exponential !== undefined) return minus + asExponent(nanos);
  return minus + (suffix.endsWith('i') && nanos % NANO === 0n && nanos >= NANO * 1024n ? asBinary(nanos / NANO) : asDecimal(nanos));
}

/** The amount in billionths. */
function scaled(digits: bigint, power: number, suffix: string, exponent: number): bigint {
  const binary = suffix.endsWith('i') ? BINARY.indexOf(suffix) : 0;
  const decimal = suffix.endsWith('i') ? 0 : (DECIMAL.indexOf(suffix) - 3) * 3;
  const shift = power + exponent + decimal + 9;
  const amount = digits * 1024n ** BigInt(binary);
  if (shift >= 0) return amount * 10n ** BigInt(shift);
  const unit = 10n ** BigInt(-shift);
  return (amount + unit - 1n) / unit;
}

function asBinary(amount: bigint): string {
  let [value, step] = [amount, 0];
  for (; value % 1024n === 0n && step < BINARY.length - 1; step += 1) value /= 1024n;
  return `${value}${BINARY[step]}`;
}

function asDecimal(nanos: bigint): string {
  let [value, step] = [nanos, 0];
  for (; value % 1000n === 0n && step < DECIMAL.length - 1; step += 1) value /= 1000n;
  return `${value}${DECIMAL[step]}`;
}

function asExponent(nanos: bigint): string {
  let [value, power] = [nanos, -9];
  for (; value % 1000n === 0n; power += 3) value /= 1000n;
  return power === 0 ? String(value) : `${value}e${power}`;
}
