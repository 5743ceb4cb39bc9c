/**
 * The conformance kit: what every resource type of every provider must do. One test per line of the contract, in two groups. Type cases ask
 * what the type and the service behind it decide. Engine cases ask what the engine makes of that, and two services seldom differ there.
 */
import { describe } from 'vitest';
import { crashCases } from './conformance/cases-crash.ts';
import { driftCases, driftTypeCases } from './conformance/cases-drift.ts';
import { failureCases, failureTypeCases } from './conformance/cases-failure.ts';
import { lifeCases, lifeTypeCases } from './conformance/cases-life.ts';
import { ownershipCases } from './conformance/cases-ownership.ts';
import { schemaCases } from './conformance/cases-schema.ts';
import { verbCases } from './conformance/cases-verbs.ts';
import type { Subject } from './conformance/subject.ts';
import { atDepth } from './depth.ts';

export type { Fault, Faults, Field, Ground, Seen, Subject } from './conformance/subject.ts';

const TYPE_CASES = [schemaCases, verbCases, lifeTypeCases, driftTypeCases, failureTypeCases];
const ENGINE_CASES = [lifeCases, driftCases, ownershipCases, crashCases, failureCases];

/** Registers the tests of one type: the type cases always, the engine cases unless the depth leaves them to another subject. */
export function conformance(subject: Subject): void {
  const isEngineTried = atDepth({ gate: subject.engineTriedBy === undefined, full: true });
  describe.concurrent(subject.title, { timeout: 240_000 }, () => {
    for (const cases of [...TYPE_CASES, ...(isEngineTried ? ENGINE_CASES : [])]) cases(subject);
  });
}
