/** The order of the files: what takes longest begins first, so that no worker is left with a long file while the others have nothing. */
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { DEPTH } from '../depth.ts';
import { readBudget } from './budget.ts';
import { budgetOf } from './results.ts';

/** A class, as vitest asks for one. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const budget = readBudget();
    const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    const seconds = ({ moduleId }: TestSpecification): number => budgetOf(budget, DEPTH, relative(this.ctx.config.root, moduleId));
    return [...files].sort((a, b) => group(a) - group(b) || seconds(b) - seconds(a));
  }
}
