/** Vitest's reporter for `npm test`: writes the Results of a run to the file named by PLINTH_TEST_REPORT. */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { Failure, FileResult, Results } from './results.ts';

const ROOT = process.cwd();

/** Without the variable nothing is written. */
export default function reporter(): Reporter {
  const queuedAt = new Map<string, number>();
  const seconds = new Map<string, number>();
  let firstAt: number | undefined;
  const keyOf = (module: TestModule): string => `${module.project.name} ${module.moduleId}`;
  return {
    onTestModuleQueued: module => {
      firstAt ??= Date.now();
      queuedAt.set(keyOf(module), performance.now());
    },
    onTestModuleEnd: module => {
      seconds.set(keyOf(module), (performance.now() - (queuedAt.get(keyOf(module)) ?? performance.now())) / 1_000);
    },
    onTestRunEnd: (modules, errors) => {
      const file = process.env['PLINTH_TEST_REPORT'];
      if (file === undefined || file === '') return;
      const files = modules.map(module => resultOf(module, seconds.get(keyOf(module)) ?? 0));
      const results: Results = { files, errors: errors.map(({ message }) => firstLine(message)), firstAt };
      writeFileSync(file, JSON.stringify(results));
    },
  };
}

function resultOf(module: TestModule, seconds: number): FileResult {
  const tests = [...module.children.allTests()];
  const failed = tests.filter(test => test.result().state === 'failed').map(failureOf);
  // A file that cannot be loaded, or whose hook fails, has failed whatever its tests say.
  const broken = failed.length === 0 && !module.ok() ? [{ test: '(the file itself)', message: firstLine(errorOf(module)) }] : [];
  const failures = [...failed, ...broken];
  const count = (state: string): number => tests.filter(test => test.result().state === state).length;
  return {
    file: relative(ROOT, module.moduleId).replaceAll('\\', '/'),
    project: module.project.name,
    seconds: Math.round(seconds * 10) / 10,
    passed: count('passed'),
    failed: failures.length,
    skipped: count('skipped'),
    failures,
  };
}

function failureOf(test: TestCase): Failure {
  return { test: test.fullName, message: firstLine(test.result().errors?.[0]?.message ?? '') };
}

function errorOf(module: TestModule): string {
  const suites = [...module.children.allSuites()].flatMap(suite => suite.errors());
  return [...module.errors(), ...suites][0]?.message ?? '';
}

const firstLine = (text: string): string => text.trim().split('\n')[0]!.slice(0, 300);
