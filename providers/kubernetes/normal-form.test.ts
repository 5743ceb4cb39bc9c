import { expect, test } from 'vitest';
import { canonicalQuantity, normalManifest } from './normal-form.ts';

/** As kube-apiserver 1.34 answers them in `resources.requests`. */
test.each([
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['1.', '1'],
  [1, '1'],
  [0.25, '250m'],
  ['1024Mi', '1Gi'],
  ['1536Mi', '1536Mi'],
  ['1.5Gi', '1536Mi'],
  ['1Ki', '1Ki'],
  ['0.5Ki', '512'],
  ['2048', '2048'],
  ['1000k', '1M'],
  ['1e3', '1e3'],
  ['1000e3', '1e6'],
  ['0', '0'],
  ['0Gi', '0'],
  ['+1', '1'],
  ['-1000m', '-1'],
  ['1n', '1n'],
  ['0.1n', '1n'],
  ['100Ei', '100Ei'],
  ['', ''],
  ['.', '.'],
  ['1 Gi', '1 Gi'],
  ['ten', 'ten'],
])('quantity %s is %s', (given, wanted) => {
  expect(canonicalQuantity(given)).toBe(wanted);
  expect(canonicalQuantity(wanted), 'idempotent').toBe(wanted);
});

test('quantities are found where they stand, and nowhere else', () => {
  const pod = { containers: [{ name: 'a', resources: { requests: { cpu: '1000m', memory: '1024Mi' }, limits: { cpu: 2 } } }] };
  const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { labels: { limits: '1000m' } }, spec: { replicas: null, template: { spec: pod } } };
  expect(normalManifest(manifest)).toEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { labels: { limits: '1000m' } },
    spec: { template: { spec: { containers: [{ name: 'a', resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2' } } }] } } },
  });
});

test('free text and the kinds of others are left as they are', () => {
  const map = { apiVersion: 'v1', kind: 'ConfigMap', data: { sizeLimit: '1000m', limits: '1024Mi' } };
  expect(normalManifest(map)).toEqual(map);
  const widget = { apiVersion: 'acme.example/v1', kind: 'Widget', spec: { limits: { cpu: '1000m' } } };
  expect(normalManifest(widget)).toEqual(widget);
});
