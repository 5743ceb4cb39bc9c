/** Reading conditions. Pure. */
import type { Condition, ConditionType } from './types.ts';

/** True when the condition stands and is True. */
export function isCondition(conditions: readonly Condition[], type: ConditionType): boolean {
  return conditions.some(condition => condition.type === type && condition.status === 'True');
}

/** The condition of a type, if it was ever told. */
export function conditionOf(conditions: readonly Condition[], type: ConditionType): Condition | undefined {
  return conditions.find(condition => condition.type === type);
}
