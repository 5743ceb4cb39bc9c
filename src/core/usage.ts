/** Which claims use which admin objects, as the claims themselves say. Pure. */
import type { JsonObject } from './types.ts';

/** By `Kind/name` of an admin object (a ClaimDefinition by the kind it makes): the claims that use it, as `Queue dev/orders`, in no order. */
export type Usage = ReadonlyMap<string, readonly string[]>;

interface Told {
  readonly class?: string;
  readonly composition?: string;
  readonly resources?: readonly { readonly config?: string }[];
}

/** Reads raw claims: their kind, class, composition, and the configs through which what they made is reached. */
export function usageOf(claims: readonly JsonObject[]): Usage {
  const usage = new Map<string, string[]>();
  for (const claim of claims) {
    const { name, namespace = '' } = claim['metadata'] as { name: string; namespace?: string };
    const text = `${claim['kind'] as string} ${namespace === '' ? '' : `${namespace}/`}${name}`;
    for (const key of usedBy(claim)) {
      const users = usage.get(key);
      if (users === undefined) usage.set(key, [text]);
      else users.push(text);
    }
  }
  return usage;
}

function usedBy(claim: JsonObject): Set<string> {
  const status = (claim['status'] ?? {}) as Told;
  const configs = (status.resources ?? []).map(({ config }) => config);
  const named = [['EnvironmentClass', status.class], ['Composition', status.composition], ...configs.map(config => ['ProviderConfig', config])] as const;
  const keys = named.flatMap(([kind, name]) => (name === undefined || name === '' ? [] : [`${kind}/${name}`]));
  return new Set([`ClaimDefinition/${claim['kind'] as string}`, ...keys]);
}

/** "Queue dev/orders, Topic dev/events and 3 more": sorted, at most four, so that a message is one line and the same each time. */
export function usersText(users: readonly string[]): string {
  const shown = [...users].sort().slice(0, 4).join(', ');
  return users.length <= 4 ? shown : `${shown} and ${users.length - 4} more`;
}
