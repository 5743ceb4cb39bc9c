/** The one redactor: what leaves the engine as text passes it, with the secret values of the pass. Pure. */
import { boundedStatus } from './bounds.ts';
import { leaves, split } from './paths.ts';
import type { ClaimStatus, Json, JsonObject } from './types.ts';

/** Shorter values stand in too many innocent words to be taken out of a text: they are not secrets worth the name. */
const SHORTEST = 8;
const MASK = '•••';
/** Also of a mask that was cut. */
const MASKED = '•';
/** Names of settings that hold secrets, whatever the provider. */
const SECRET_NAME = /secret|password|token/i;

/** The text without any of the values. Longer values go first, so that one that holds another leaves nothing behind. */
export function redact(text: string, values: readonly string[]): string {
  const worth = values.filter(value => value.length >= SHORTEST).sort((a, b) => b.length - a.length);
  return worth.reduce((clean, value) => clean.replaceAll(value, MASK), text);
}

/** True when a secret was taken out of the value, so that it cannot be compared any more. */
export function isRedacted(value: Json | undefined): boolean {
  return value !== undefined && JSON.stringify(value).includes(MASKED);
}

/** A status whose messages and drift values hold none of the values and are not too long; names, outputs and hashes stay as they are. */
export function redactStatus(status: ClaimStatus, values: readonly string[]): ClaimStatus {
  if (!values.some(value => value.length >= SHORTEST)) return boundedStatus(status);
  const { pendingPlan } = status;
  return boundedStatus({
    ...status,
    conditions: status.conditions.map(condition => ({ ...condition, message: redact(condition.message, values) })),
    ...(pendingPlan === undefined ? {} : { pendingPlan: { ...pendingPlan, summary: pendingPlan.summary.map(line => redact(line, values)) } }),
    resources: status.resources.map(entry => ({ ...entry, message: redact(entry.message, values) })),
    drift: status.drift.map(row => redactJson(row as unknown as JsonObject, values) as unknown as ClaimStatus['drift'][number]),
  });
}

/** Every text inside a value. */
export function redactJson(value: Json, values: readonly string[]): Json {
  if (typeof value === 'string') return redact(value, values);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(item => redactJson(item, values));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactJson(item, values)]));
}

/** The secret values among the settings of a connection. */
export function secretsIn(settings: JsonObject): string[] {
  return leaves(settings).flatMap(([path, value]) => (typeof value === 'string' && SECRET_NAME.test(String(split(path).at(-1))) ? [value] : []));
}
