/** What is typed: names that are none, waits that are none, verbs with nothing to do. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plinth, sharedWorkplace, workplace, write } from './plinth.ts';

const QUEUE = 'apiVersion: plinth.dev/v1alpha1\nkind: Queue\nmetadata: {name: orders}\nspec: {}\n';

test('a claim that is not KIND/NAME is bad use for every verb, whether there is a state folder or not', async () => {
  const place = workplace();
  for (const verb of [['trace'], ['explain'], ['recreate'], ['abandon'], ['approve', '--plan', 'abc'], ['down']]) {
    const { code, stderr } = await plinth(place, [...verb, 'orders']);
    expect(stderr, verb.join(' ')).toBe('error: orders is not KIND/NAME (BadUse)\n  e.g. Queue/orders\n');
    expect(code).toBe(2);
  }
});

test('a namespace that none can be called is bad use before anything is read', async () => {
  const place = workplace();
  write(place, 'queue.yaml', QUEUE);
  const { code, said } = await plinth(place, ['-n', 'Bad NS', 'up', 'queue.yaml', '--class', 'local']);
  expect(said).toMatch(/'Bad NS' is invalid\. A namespace has at most 63 lower-case letters, digits and -/);
  expect(code).toBe(2);
  expect(existsSync(join(place.folder, '.plinth'))).toBe(false);
});

test('--timeout 0 looks once: with everything ready that is enough', async () => {
  const place = await sharedWorkplace();
  write(place, 'queue.yaml', QUEUE);
  const up = (...args: string[]) => plinth(place, ['up', 'config.yaml', 'queue.yaml', '--class', 'local', ...args]);
  expect((await up()).code).toBe(0);
  for (const zero of ['0', '0s']) {
    const { code, said } = await up('--timeout', zero);
    expect(said).toContain('Nothing changed: 1 of 1 claims ready');
    expect(code).toBe(0);
  }
});

test('recreate says when nothing is lost', async () => {
  const place = await sharedWorkplace();
  write(place, 'queue.yaml', QUEUE);
  expect((await plinth(place, ['up', 'config.yaml', 'queue.yaml', '--class', 'local'])).code).toBe(0);
  const { stdout, code } = await plinth(place, ['recreate', 'Queue/orders']);
  expect(stdout).toContain('Queue/orders: ready; nothing of it is lost');
  expect(code).toBe(0);
});

test('what kubectl would read otherwise is told with its place, refused is nothing, and a Deployment is nobody’s business', async () => {
  const place = workplace();
  const deployment = 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {minReadySeconds: 010}\n';
  write(place, 'queue.yaml', `${QUEUE.replace('{}', '{delaySeconds: 010}')}---\n${deployment}`);
  const { code, stderr } = await plinth(place, ['validate', 'queue.yaml']);
  expect(stderr).toBe(
    "queue.yaml:4:22: warning: `010` is 10 here and 8 for kubectl, which reads YAML 1.1; write 10 or 8, whichever is meant\nnot Plinth's, left alone: Deployment/web\n",
  );
  expect(code).toBe(0);
});
