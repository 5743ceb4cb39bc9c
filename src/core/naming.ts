/** Names of real things: injective in (namespace, claim, id, incarnation), within the rules of each service. */
import { hash } from './digest.ts';
import type { JsonObject, Naming, ResourceId } from './types.ts';

type Rules = Extract<Naming<JsonObject>, { by: 'template' }>;
export interface NameParts {
  /** What the class's naming gives, or '' for the built-in `<namespace>_<claim>`. */
  readonly base: string;
  /** '' for a claim that belongs to none: then the built-in rule says `<claim>`, with a hash. */
  readonly namespace: string;
  readonly claim: string;
  readonly id: ResourceId;
  /** The main resource's name carries no id. */
  readonly main: boolean;
  /** 0 is not shown. */
  readonly incarnation: number;
  readonly instance: string;
}

/** Hex digits of the hash in a name: 40 bits, so that a million names collide with a chance below one in two. */
const HASH_LENGTH = 10;
/** Ids that need no hash: nothing in them can be mistaken for a joint or an incarnation. */
const PLAIN_ID = /^[A-Za-z][A-Za-z0-9-]*$/;

/**
 * The name under the type's rules. Joined with `_` where the service allows it (Kubernetes names cannot hold it), else with `-` and a
 * hash; a hash also whenever sanitising or shortening changed anything; one that covers the instance where names are global.
 */
export function nameOf(parts: NameParts, rules: Rules, spec: JsonObject): string {
  const suffix = rules.suffix?.(spec) ?? '';
  const allowed = new RegExp(`[^${rules.characters}]`, 'g');
  const joint = new RegExp(`[${rules.characters}]`).test('_') ? '_' : '-';
  const isPlaced = parts.namespace !== '';
  const wanted = [
    parts.base || (isPlaced ? `${parts.namespace}_${parts.claim}` : parts.claim),
    ...(parts.main ? [] : [parts.id]),
    ...(parts.incarnation === 0 ? [] : [String(parts.incarnation)]),
  ];
  const text = wanted.join('_');
  const folded = rules.lowercase ? text.toLowerCase() : text;
  const clean = folded.replaceAll('_', joint).replace(allowed, '-');
  const room = rules.maxLength - suffix.length;
  // `shop_orders` of no namespace is not `orders` of namespace `shop`.
  const isTold = parts.base !== '' || isPlaced;
  const exact = isTold && joint === '_' && rules.unique === 'account' && clean === text && (parts.main || PLAIN_ID.test(parts.id));
  if (exact && clean.length <= room && clean.length >= (rules.minLength ?? 1)) return clean + suffix;
  const tail = hash(
    [parts.base, parts.namespace, parts.claim, parts.main ? '' : parts.id, parts.incarnation, rules.unique === 'global' ? parts.instance : ''],
    HASH_LENGTH,
  );
  const kept = clean.slice(0, room - tail.length - 1).replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return `${kept}-${tail}${suffix}`;
}

/** An exact name (a composition's `name`, or one to adopt) with the suffix that the service demands. */
export function exactName(name: string, rules: Rules, spec: JsonObject): string {
  const suffix = rules.suffix?.(spec) ?? '';
  return suffix !== '' && !name.endsWith(suffix) ? name + suffix : name;
}
