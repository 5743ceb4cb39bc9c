/** The conformance kit: what every resource type of every provider must do. One test per line of the contract. */
import { describe } from 'vitest';
import { crashCases } from './conformance/cases-crash.ts';
import { driftCases } from './conformance/cases-drift.ts';
import { failureCases } from './conformance/cases-failure.ts';
import { lifeCases } from './conformance/cases-life.ts';
import { ownershipCases } from './conformance/cases-ownership.ts';
import { schemaCases } from './conformance/cases-schema.ts';
import { verbCases } from './conformance/cases-verbs.ts';
import type { Subject } from './conformance/subject.ts';

export type { Fault, Faults, Field, Ground, Seen, Subject } from './conformance/subject.ts';

/** Registers the tests of one type. */
export function conformance(subject: Subject): void {
  describe.concurrent(subject.title, { timeout: 240_000 }, () => {
    schemaCases(subject);
    verbCases(subject);
    lifeCases(subject);
    driftCases(subject);
    ownershipCases(subject);
    crashCases(subject);
    failureCases(subject);
  });
}
