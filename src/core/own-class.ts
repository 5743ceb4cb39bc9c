/** The class that what belongs to no namespace names itself. Pure. */
import type { Claim } from './types.ts';

/** `spec.class` of a claim without a namespace; undefined: none is named, or the label of its namespace says it. */
export function ownClass({ namespace, spec }: Pick<Claim, 'namespace' | 'spec'>): string | undefined {
  return namespace === '' && typeof spec['class'] === 'string' ? spec['class'] : undefined;
}
