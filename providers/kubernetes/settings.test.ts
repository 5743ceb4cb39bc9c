import { expect, test } from 'vitest';
import { marksOf } from '../../src/core/ownership.ts';
import { checkValue, withDefaults } from '../../src/core/schema.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { keyOfSpec, targetOf } from './names.ts';
import { object } from './object.ts';
import { checkSettings } from './settings.ts';

test.each([
  [{}, ''],
  [{ credentials: { from: 'InCluster' } }, ''],
  [{ credentials: { from: 'File', file: '/x' } }, ''],
  [{ credentials: { from: 'File' } }, 'name no file'],
  [{ credentials: { from: 'Secret', secretRef: { namespace: 'a', name: 'b' } } }, 'no key kubeconfig'],
] as const)('settings %j', (settings, complaint) => {
  const check = (): void => checkSettings(settings);
  if (complaint === '') expect(check).not.toThrow();
  else expect(check).toThrow(complaint);
});

const problems = (manifest: JsonObject): string[] => checkValue(object.spec, withDefaults(object.spec, { manifest }), '').map(({ message }) => message);

test('a manifest that this type does not make is refused before anything is asked', () => {
  const metadata = { name: 'x' };
  expect(problems({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1' } })).toEqual([]);
  expect(problems({ apiVersion: 'v1', kind: 'Secret', metadata })).toEqual(['`manifest.kind` must not be `Secret`']);
  expect(problems({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, namespace: 'other' } })).toEqual([
    '`manifest.metadata.namespace` is not a known field',
  ]);
  expect(problems({ apiVersion: 'v1', kind: 'ConfigMap', metadata: {} })).toEqual(['`manifest.metadata.name` is missing']);
  expect(problems({ apiVersion: 'V1', kind: 'ConfigMap', metadata })).toHaveLength(1);
  expect(problems({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '../x' } })).toHaveLength(1);
});

test('the natural key lies in the namespace of the claim, and waits for what it is made of', () => {
  const marks = marksOf({ instance: 'i', kind: 'Queue', namespace: 'shop', name: 'orders', uid: 'u', id: 'it' });
  const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'worker' } };
  expect(keyOfSpec({ manifest, marks })).toBe('apps/Deployment/shop/worker');
  expect(keyOfSpec({ manifest: { ...manifest, apiVersion: 'v1', kind: 'Pod' }, marks })).toBe('Pod/shop/worker');
  expect([keyOfSpec({ manifest: { ...manifest, metadata: {} }, marks }), keyOfSpec({ manifest, marks: {} }), keyOfSpec({})]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(targetOf('apps/Deployment/shop/worker')).toEqual({ group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'worker' });
  expect([targetOf('worker'), targetOf('a/b/c/d/e'), targetOf('apps//shop/worker')]).toEqual([undefined, undefined, undefined]);
});
