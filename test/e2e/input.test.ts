/** Where claims come from: standard input, charts, lists; and how runs look and end. */
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { everything } from './cloud.ts';
import { copyShop, endOf, plinth, saying, sharedWorkplace, start, status, workplace, write } from './plinth.ts';

const QUEUE = 'apiVersion: plinth.dev/v1alpha1\nkind: Queue\nmetadata: {name: orders}\nspec: {}\n';
const DEPLOYMENT = 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n';
const hasHelm = spawnSync('helm', ['version']).status === 0;

test('helm template … | plinth up -', async () => {
  const place = await sharedWorkplace();
  const { code, said } = await plinth(place, ['up', 'config.yaml', '-', '--class', 'local'], {
    input: `---\n# Source: chart/templates/queue.yaml\n${QUEUE}---\n${DEPLOYMENT}`,
  });
  expect(said).toContain("not Plinth's, left alone: Deployment/web");
  expect(said).toContain('1 of 1 claims ready.');
  expect(code).toBe(0);
  expect(await everything(place)).toEqual(['queue shop_orders']);
});

test('problems of standard input have positions too', async () => {
  const { code, stderr } = await plinth(workplace(), ['validate', '-'], { input: `${QUEUE.replace('{}', '{fifo: 1}')}` });
  expect(stderr).toContain('stdin:4:14: `spec.fifo` must be true or false, not 1; correct the value (InvalidClaim)');
  expect(code).toBe(1);
});

test('a kubectl List and JSON are read like everything else', async () => {
  const place = workplace();
  const queue = { apiVersion: 'plinth.dev/v1alpha1', kind: 'Queue', metadata: { name: 'orders' }, spec: { delaySeconds: -1 } };
  write(place, 'list.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [queue] }, null, 2));
  const { stderr } = await plinth(place, ['validate', 'list.json']);
  expect(stderr).toMatch(/^list\.json:12:25: `spec\.delaySeconds` must be at least 0, not -1/);
});

test('a chart without helm on the machine: what is missing and how to get it', async () => {
  const place = workplace();
  write(place, 'chart/Chart.yaml', 'apiVersion: v2\nname: shop\nversion: 0.1.0\n');
  const { code, stderr } = await plinth(place, ['validate', 'chart'], { env: { PATH: '/nonexistent' } });
  expect(stderr).toContain('chart is a Helm chart, and there is no `helm` on this machine (MissingPart)\n  install helm');
  expect(code).toBe(1);
});

test('a chart is rendered by the helm of the user, whose failure is told', async () => {
  const place = workplace();
  write(place, 'chart/Chart.yaml', 'apiVersion: v2\nname: shop\nversion: 0.1.0\n');
  write(
    place,
    'bin/helm',
    `#!/bin/sh\n[ -n "$FAIL" ] && { echo "Error: no such value" >&2; exit 1; }\nprintf '%s\\n' '---' '${QUEUE.replaceAll('\n', "' '")}'\n`,
  );
  chmodSync(join(place.folder, 'bin/helm'), 0o755);
  const env = { PATH: `${join(place.folder, 'bin')}:${process.env['PATH']}` };
  expect((await plinth(place, ['validate', 'chart'], { env })).stdout).toBe('1 claim: all right\n');
  const { code, stderr } = await plinth(place, ['validate', 'chart'], { env: { ...env, FAIL: 'yes' } });
  expect(stderr).toContain('helm could not render chart: Error: no such value (ChartFailed)\n  run `helm template plinth chart` to see the whole message');
  expect(code).toBe(1);
});

test.skipIf(!hasHelm)('a chart with the real helm (skipped without one on PATH)', async () => {
  const place = workplace();
  write(place, 'chart/Chart.yaml', 'apiVersion: v2\nname: shop\nversion: 0.1.0\n');
  write(place, 'chart/templates/queue.yaml', QUEUE.replace('orders', '{{ .Release.Name }}-orders'));
  expect((await plinth(place, ['validate', 'chart'])).stdout).toBe('1 claim: all right\n');
});

test('Ctrl-C in the middle: says that the state is consistent, and the next run goes on', async () => {
  const place = await sharedWorkplace();
  copyShop(place);
  const config =
    'apiVersion: plinth.dev/v1alpha1\nkind: ProviderConfig\nmetadata: {name: local}\nspec: {provider: localstack, settings: {endpoint: "http://127.0.0.1:1"}}\n';
  write(place, 'down.yaml', config);
  const child = start(place, ['up', 'down.yaml', 'shop', '--class', 'local']);
  const ended = endOf(child);
  await saying(child, 'Queue/orders');
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(stderr).toContain('Interrupted. The state is consistent: what was begun is on record. Run the same command again to go on.');
  expect(code).toBe(130);
  const next = await plinth(place, ['up', 'config.yaml', 'shop', '--class', 'local']);
  expect(next.stdout).toContain('4 of 4 claims ready.');
  expect(next.code).toBe(0);
});

test('output as data goes to stdout alone, and colours only to a terminal', async () => {
  const place = await sharedWorkplace();
  write(place, 'queue.yaml', QUEUE);
  const up = await plinth(place, ['up', 'config.yaml', 'queue.yaml', '--class', 'local', '--output', 'json'], { env: { NO_COLOR: '' } });
  expect(JSON.parse(up.stdout)).toMatchObject({ ending: 'settled', changed: ['Queue/orders'], claims: [{ kind: 'Queue', name: 'orders', ready: true }] });
  const trace = await plinth(place, ['trace', 'queue/orders', '--output', 'yaml'], { env: { NO_COLOR: '' } });
  expect(trace.stdout).toMatch(/^kind: Queue\nnamespace: shop\nname: orders\nready: true\n/);
  const explain = await plinth(place, ['explain', 'q/orders'], { env: { NO_COLOR: '' } });
  expect(explain.stdout).toMatch(/composition +queue-sqs +the class local provides Queue this way/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for colour codes
  expect(up.said + trace.said + explain.said).not.toMatch(/\u001b\[/);
  expect((await status(place))['Queue/orders']!.ready).toBe(true);
});

test('render needs nothing but the files, and plan shows what is new', async () => {
  const place = workplace();
  copyShop(place);
  const render = await plinth(place, ['render', 'shop/orders.yaml', '--class', 'aws']);
  expect(render.stdout).toContain('claim: Queue/orders\nclass: aws\ncomposition: queue-sqs\n');
  expect(render.stdout).toContain('arn: <known after deadLetter>');
  expect(render.code).toBe(0);
  const plan = await plinth(place, ['plan', 'shop', '--class', 'local']);
  expect(plan.stdout).toMatch(/Table\/customers {2}table-dynamodb, class local\n {2}\+ create aws\/dynamodb-table shop_customers {2}table\n/);
  expect(plan.stdout).toMatch(/\d+ to create, \d+ to create later\./);
  expect(plan.code).toBe(3);
});

test('help has examples, and completion scripts are valid', async () => {
  const place = workplace();
  for (const name of [
    'up',
    'down',
    'status',
    'trace',
    'validate',
    'render',
    'plan',
    'explain',
    'approve',
    'recreate',
    'abandon',
    'orphans',
    'doctor',
    'completion',
  ]) {
    const { code, stdout } = await plinth(place, [name, '--help']);
    expect(stdout).toMatch(/Examples:\n {2}\S/);
    expect(code).toBe(0);
  }
  const { stdout } = await plinth(place, ['completion', 'bash']);
  expect(spawnSync('bash', ['-n'], { input: stdout }).status).toBe(0);
  expect(stdout).toContain('approve');
});
