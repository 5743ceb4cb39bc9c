import { expect, test } from 'vitest';
import type { JsonObject } from '../../src/sdk.ts';
import { parseSent, readInWords, sentOf, writeSent } from './sent.ts';

const deployment = (spec: JsonObject): JsonObject => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'w' }, spec });
const SENT = deployment({
  template: { spec: { containers: [{ name: 'app', image: 'shop:1', ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }] }] } },
});
const live = (app: JsonObject, ...more: JsonObject[]): JsonObject =>
  deployment({
    replicas: 1,
    template: {
      spec: {
        restartPolicy: 'Always',
        containers: [
          ...more,
          {
            name: 'app',
            image: 'shop:1',
            imagePullPolicy: 'Always',
            ports: [{ containerPort: 80, protocol: 'TCP' }],
            env: [{ name: 'A', value: '1' }],
            ...app,
          },
        ],
      },
    },
  });
const containers = (object: JsonObject, note = sentOf(SENT, undefined)): unknown =>
  (readInWords(object, note) as { spec: { template: { spec: { containers: unknown } } } }).spec.template.spec.containers;
const asSent = containers(SENT);

test('defaults and what others added do not show in a list that was sent', () => {
  expect(containers(live({}))).toEqual(asSent);
  expect(containers(live({}, { name: 'sidecar', image: 'mesh:1' }))).toEqual(asSent);
  expect(
    containers(
      live({
        env: [
          { name: 'INJECTED', value: 'x' },
          { name: 'A', value: '1' },
        ],
      }),
    ),
  ).toEqual(asSent);
  expect((readInWords(live({}), sentOf(SENT, undefined)) as { spec: JsonObject }).spec['replicas'], 'what is not a list is read as it is').toBe(1);
});

test('a change of what was sent shows, wherever it is', () => {
  expect(containers(live({ image: 'shop:2' }))).toMatchObject([{ name: 'app', image: 'shop:2' }]);
  expect(containers(live({ env: [{ name: 'A', value: '2' }] }))).toMatchObject([{ env: [{ name: 'A', value: '2' }] }]);
  expect(containers(live({ env: [] }))).toMatchObject([{ env: [] }]);
  expect(containers(live({ ports: [{ containerPort: 80, protocol: 'UDP' }] }))).toMatchObject([{ ports: [] }]);
  expect(containers(deployment({ template: { spec: { containers: [{ name: 'other' }] } } }))).toEqual([]);
});

test('the order others give to items with keys says nothing', () => {
  const two = deployment({
    volumes: [
      { name: 'a', emptyDir: {} },
      { name: 'b', emptyDir: {} },
    ],
  });
  const turned = deployment({
    volumes: [
      { name: 'b', emptyDir: {} },
      { name: 'a', emptyDir: {} },
    ],
  });
  expect(readInWords(turned, sentOf(two, undefined))).toEqual(two);
});

test('ports of a Service are told by number and protocol, mounts by their path', () => {
  const sent = {
    apiVersion: 'v1',
    kind: 'Service',
    spec: {
      ports: [
        { name: 'web', port: 80 },
        { port: 53, protocol: 'UDP' },
      ],
    },
  };
  const there = {
    ...sent,
    spec: {
      ports: [
        { port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'web', port: 80, protocol: 'TCP', targetPort: 80 },
      ],
    },
  };
  expect(readInWords(there, sentOf(sent, undefined))).toEqual(sent);
  const mounts = deployment({
    c: [
      { name: 'v', mountPath: '/a' },
      { name: 'v', mountPath: '/b' },
    ],
  });
  expect(readInWords(mounts, sentOf(mounts, undefined))).toEqual(mounts);
});

test('items without keys are compared in their order, and as a whole when their number changed', () => {
  const sent = deployment({ rules: [{ verbs: ['get'] }, { verbs: ['list'] }] });
  const defaulted = deployment({
    rules: [
      { verbs: ['get'], scope: '*' },
      { verbs: ['list'], scope: '*' },
    ],
  });
  expect(readInWords(defaulted, sentOf(sent, undefined))).toEqual(sent);
  const more = deployment({ rules: [{ verbs: ['get'] }, { verbs: ['list'] }, { verbs: ['watch'] }] });
  expect(readInWords(more, sentOf(sent, undefined))).toEqual(more);
});

test('a value that the server writes in its own way is read as it was sent, until it changes', () => {
  const sent = deployment({ hostNetwork: false, schedule: '@daily', args: [], strategy: {} });
  const answer = deployment({ schedule: '0 0 * * *', strategy: { type: 'RollingUpdate' } });
  const note = sentOf(sent, answer);
  expect(note.words).toEqual({
    'spec.hostNetwork': { sent: false, became: null },
    'spec.schedule': { sent: '@daily', became: '0 0 * * *' },
    'spec.args': { sent: [], became: null },
  });
  expect(readInWords(answer, note)).toMatchObject(deployment({ hostNetwork: false, schedule: '@daily', args: [] }));
  expect(readInWords(deployment({ hostNetwork: true, schedule: '0 1 * * *' }), note)).toEqual(
    deployment({ hostNetwork: true, schedule: '0 1 * * *', args: [] }),
  );
});

test('what the server answers as it was sent needs no note', () => {
  const sent = deployment({ replicas: 2, resources: { requests: { cpu: '1000m' } } });
  expect(sentOf(normal(sent), deployment({ replicas: 2, resources: { requests: { cpu: '1' } } }))).toMatchObject({ lists: {}, words: {} });
});
const normal = (manifest: JsonObject): JsonObject => readInWords(manifest, undefined);

test('the note survives being written, and a spoilt one is none', () => {
  const note = sentOf(SENT, undefined);
  expect(parseSent(writeSent(note))).toEqual(note);
  for (const text of [
    undefined,
    '',
    'no',
    '[]',
    'null',
    '{}',
    '{"apiVersion":1}',
    '{"apiVersion":"v1","fields":[],"lists":{"a[":[]},"words":{}}',
    '{"apiVersion":"v1","fields":[],"lists":[],"words":{}}',
    '{"apiVersion":"v1","fields":[1],"lists":{},"words":{}}',
    '{"apiVersion":"v1","fields":[],"lists":{},"words":{"a":1}}',
  ]) {
    expect(parseSent(text), String(text)).toBeUndefined();
  }
});

test('a note about another version is not used', () => {
  const old = { ...sentOf(SENT, undefined), apiVersion: 'apps/v1beta1' };
  expect(containers(live({}), old)).toMatchObject([{ imagePullPolicy: 'Always' }]);
});

test('lists too large for an annotation are left out', () => {
  const many = deployment({ rules: Array.from({ length: 5_000 }, (_, index) => ({ name: `rule-${index}`, verbs: ['get'] })) });
  expect(parseSent(writeSent(sentOf(many, undefined)))).toEqual({ apiVersion: 'apps/v1', fields: [], lists: {}, words: {} });
});
