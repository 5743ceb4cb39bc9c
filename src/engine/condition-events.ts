/** Which changes of a claim's conditions are news, and in which words. Pure. */
import { isLeaving, isOwned } from '../core/match.ts';
import type { ClaimStatus, Condition } from '../core/types.ts';
import type { Event } from './store.ts';

const MOST_NAMED = 3;
/** What is longer is a natural key, e.g. of several ARNs, and no name that a person looks for. */
const LONGEST_NAME = 80;

/** One for each transition that is worth one; what makes a claim both unready and stalled is one piece of news. */
export function conditionEvents(before: ClaimStatus, after: ClaimStatus): Event[] {
  const told = new Set<string>();
  return after.conditions.flatMap(condition => {
    const old = before.conditions.find(other => other.type === condition.type);
    if ((old?.status === condition.status && old.reason === condition.reason) || !isWorthAnEvent(condition, old)) return [];
    const event: Event = { type: isBad(condition) ? 'Warning' : 'Normal', reason: condition.reason, message: condition.message || servedBy(after) };
    const text = `${event.type} ${event.reason} ${event.message}`;
    if (told.has(text)) return [];
    told.add(text);
    return [event];
  });
}

/** `queue-sqs: shop_orders, shop_orders-dlq and 1 more`: kubectl shows an event without a message as an empty line. */
function servedBy({ composition, resources }: ClaimStatus): string {
  const things = resources.filter(isOwned).filter(entry => !isLeaving(entry));
  const names = things.map(({ name }) => name).filter(name => name.length <= LONGEST_NAME);
  const shown = names.slice(0, MOST_NAMED);
  const more = things.length - shown.length;
  const named = [...(shown.length === 0 ? [] : [shown.join(', ')]), ...(more === 0 ? [] : [`${more} more`])].join(' and ');
  return [composition, named].filter(part => part !== '').join(': ');
}

const isBad = (condition: Condition): boolean =>
  condition.type === 'Stalled' ? condition.status === 'True' : condition.type !== 'Drifted' && condition.status !== 'True';

function isWorthAnEvent({ type, status, reason }: Condition, old: Condition | undefined): boolean {
  if (type === 'Ready') return status === 'True' || old?.status === 'True';
  return type === 'Stalled' ? status === 'True' : reason === 'SwapPending';
}
