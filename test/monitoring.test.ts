/** The dashboard and the alert rules speak of metrics and labels that there are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { METRICS, type MetricSpec } from '../src/cli/metric-names.ts';
import { ERRORS } from '../src/core/errors.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'monitoring');
const dashboard = JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8')) as { panels: { title: string; targets: { expr: string }[] }[] };
const rules = (parse(readFileSync(join(folder, 'alerts.yaml'), 'utf8')) as { groups: { rules: { alert: string; expr: string }[] }[] }).groups.flatMap(
  group => group.rules,
);
const expressions = [
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr])),
  ...rules.map(({ alert, expr }) => [alert, expr]),
];
const METRIC_LABELS: Readonly<Record<string, MetricSpec>> = METRICS;

/** Added by Prometheus itself. */
const OUTSIDE = new Set(['job', 'instance', 'le']);

test.each(expressions as [string, string][])('%s: %s', (_, expression) => {
  const names = [...expression.matchAll(/\b(plinth_\w+)/g)].map(match => match[1]!.replace(/_(bucket|count|sum)$/, ''));
  for (const name of names) expect(Object.keys(METRICS)).toContain(name);
  const known = new Set([...OUTSIDE, ...names.flatMap(name => Object.keys(METRIC_LABELS[name]?.labels ?? {}))]);
  const grouped = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(match => match[1]!.split(',').map(label => label.trim()));
  const selected = [...expression.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(match => match[1]!);
  for (const label of [...grouped, ...selected]) expect(known).toContain(label);
});

test('every metric is on the dashboard', () => {
  const all = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n');
  expect(Object.keys(METRICS).filter(name => name !== 'plinth_build_info' && !all.includes(name))).toEqual([]);
});

test('reasons named in the rules are reasons', () => {
  const named = rules.flatMap(({ expr }) => [...expr.matchAll(/reason(?:=~|!~|!=|=)"([^"]*)"/g)].flatMap(match => match[1]!.split('|')));
  const codes = [...Object.keys(ERRORS), 'NotLookedAt'];
  for (const name of named)
    expect(
      codes.some(code => new RegExp(`^(${name})$`).test(code)),
      name,
    ).toBe(true);
});
