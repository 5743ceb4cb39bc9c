/**
 * The status of a claim as it was read: whoever may write it may have written anything. What is not whole says nothing; an inventory with one
 * entry that is not whole is none, so that it is found again by marks. Pure.
 */
import { equal } from './digest.ts';
import { split } from './paths.ts';
import type { ClaimStatus, Condition, DriftRow, InventoryEntry, Json, JsonObject, Lifecycle } from './types.ts';

/** Before anything was looked at. */
export function emptyStatus(): ClaimStatus {
  return { inventoryFor: '', observedGeneration: -1, conditions: [], class: '', composition: '', revision: '', outputs: {}, resources: [], drift: [] };
}

/** Never throws. A status of which anything was left out counts as not written yet, so that the next report writes it anew. */
export function parseStatus(value: Json | undefined): ClaimStatus {
  if (!isMap(value)) return emptyStatus();
  const status = wholeParts(value);
  // What a newer engine added is none of our business.
  const known = Object.fromEntries(Object.entries(value).filter(([field]) => KNOWN.has(field)));
  const isAll = equal(status as unknown as Json, { ...(emptyStatus() as unknown as JsonObject), ...known });
  return isAll ? status : { ...status, observedGeneration: -1 };
}

const KNOWN = new Set([...Object.keys(emptyStatus()), 'lifecycle', 'binding', 'pendingPlan']);

function wholeParts(value: JsonObject): ClaimStatus {
  const { lifecycle, binding, pendingPlan, observedGeneration, outputs } = value;
  const entries = listOf(value['resources']);
  const isWhole = entries.every(isEntry);
  return {
    inventoryFor: isWhole ? textOf(value['inventoryFor']) : '',
    observedGeneration: Number.isSafeInteger(observedGeneration) ? (observedGeneration as number) : -1,
    conditions: listOf(value['conditions']).filter(isWholeCondition) as unknown as Condition[],
    class: textOf(value['class']),
    composition: textOf(value['composition']),
    revision: textOf(value['revision']),
    ...(isLifecycle(lifecycle) ? { lifecycle: lifecycle as unknown as Lifecycle } : {}),
    ...(isMap(binding) && isText(binding['name']) ? { binding: { name: binding['name'] } } : {}),
    outputs: isMap(outputs) ? outputs : {},
    resources: isWhole ? (entries as unknown as InventoryEntry[]) : [],
    drift: listOf(value['drift']).filter(isRow) as unknown as DriftRow[],
    ...(isMap(pendingPlan) && isText(pendingPlan['hash']) && isTexts(pendingPlan['summary'])
      ? { pendingPlan: pendingPlan as unknown as NonNullable<ClaimStatus['pendingPlan']> }
      : {}),
  };
}

const isMap = (value: Json | undefined): value is JsonObject => value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value);
const isText = (value: Json | undefined): value is string => typeof value === 'string';
const isTexts = (value: Json | undefined): boolean => Array.isArray(value) && value.every(isText);
const isTime = (value: Json | undefined): boolean => isText(value) && !Number.isNaN(Date.parse(value));
const isOneOf = (value: Json | undefined, ...words: readonly string[]): boolean => isText(value) && words.includes(value);
const textOf = (value: Json | undefined): string => (isText(value) ? value : '');
const listOf = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
const isOptional = (value: Json | undefined, is: (value: Json) => boolean): boolean => value === undefined || is(value);
const isMapOf = (value: Json | undefined, is: (item: Json) => boolean): boolean => isMap(value) && Object.values(value).every(is);

function isEntry(entry: Json): boolean {
  if (!isMap(entry) || typeof entry['ready'] !== 'boolean' || !isTexts(entry['dependsOn'])) return false;
  if (![entry['id'], entry['type'], entry['config'], entry['message']].every(isText)) return false;
  return entry['phase'] === 'Waiting' || isOwnedEntry(entry);
}

function isOwnedEntry(entry: JsonObject): boolean {
  const { incarnation } = entry;
  return (
    isOneOf(entry['phase'], 'Intended', 'Created', 'Present', 'Retiring', 'Deleting') &&
    isText(entry['scope']) &&
    textOf(entry['name']) !== '' &&
    isTime(entry['since']) &&
    Number.isSafeInteger(incarnation) &&
    (incarnation as number) >= 0 &&
    isOneOf(entry['origin'], 'Created', 'Adopted', 'Observed') &&
    isOneOf(entry['deletion'], 'Delete', 'Retain') &&
    isOneOf(entry['holds'], 'nothing', 'backlog', 'data') &&
    isMap(entry['onDelete']) &&
    isDigests(entry['settled']) &&
    isOptional(entry['sent'], isDigests) &&
    isOptional(entry['changedAt'], isTime) &&
    isOptional(entry['missing'], isTime) &&
    isOptional(entry['approved'], isText) &&
    isOptional(entry['approvedFor'], isText) &&
    isOptional(entry['unmade'], value => value === true) &&
    isOptional(entry['unused'], value => value === true)
  );
}

function isWholeCondition(condition: Json): boolean {
  return (
    isMap(condition) &&
    isOneOf(condition['status'], 'True', 'False', 'Unknown') &&
    [condition['type'], condition['reason'], condition['message']].every(isText) &&
    Number.isSafeInteger(condition['observedGeneration']) &&
    isTime(condition['lastTransitionTime'])
  );
}

function isRow(row: Json): boolean {
  return isMap(row) && isText(row['resource']) && isPath(row['path']) && isTime(row['detectedAt']) && isOptional(row['correctedAt'], isTime);
}

function isPath(value: Json | undefined): boolean {
  try {
    return isText(value) && split(value).length >= 0;
  } catch {
    return false;
  }
}

function isDigests(value: Json | undefined): boolean {
  return isMapOf(value, isText) && Object.keys(value as JsonObject).every(isPath);
}

function isLifecycle(value: Json | undefined): boolean {
  return (
    isMap(value) &&
    isOneOf(value['deletion'], 'Delete', 'Retain') &&
    isOneOf(value['drift'], 'Correct', 'Report') &&
    isOneOf(value['management'], 'Full', 'ObserveOnly') &&
    isMapOf(value['ignore'], isTexts) &&
    isMapOf(value['adopt'], isText)
  );
}
