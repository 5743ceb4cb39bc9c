import { expect, test } from 'vitest';
import { marksOf } from '../../src/core/ownership.ts';
import type { JsonObject } from '../../src/core/types.ts';
import { keyOf, keyOfSpec, mayHaveMade, targetOf, titleOf } from './names.ts';
import { object } from './object.ts';

const keyFor = (namespace: string, apiVersion: string, kind: string, name: string): string | undefined =>
  keyOfSpec({
    manifest: { apiVersion, kind, metadata: { name } },
    marks: marksOf({ instance: 'i', kind: 'Trial', namespace, name: 'dev-alice', uid: 'u', id: 'it' }) as JsonObject,
  });

test('a claim of a namespace makes things there, whatever their kind', () => {
  expect(keyFor('shop', 'v1', 'ConfigMap', 'a')).toBe('ConfigMap/shop/a');
  expect(keyFor('shop', 'apps/v1', 'Deployment', 'a')).toBe('apps/Deployment/shop/a');
  expect(keyFor('shop', 'v1', 'Namespace', 'other')).toBe('Namespace/shop/other');
});

test('what belongs to no namespace makes a namespace, and the rest in the one of its own name', () => {
  expect(keyFor('', 'v1', 'Namespace', 'dev-alice')).toBe('Namespace/dev-alice');
  expect(keyFor('', 'v1', 'ConfigMap', 'a')).toBe('ConfigMap/dev-alice/a');
  expect(keyFor('', 'rbac.authorization.k8s.io/v1', 'ClusterRole', 'a')).toBe('rbac.authorization.k8s.io/ClusterRole/dev-alice/a');
  expect(keyFor('', 'acme.example/v1', 'Namespace', 'a')).toBe('acme.example/Namespace/dev-alice/a');
});

test.each(['ConfigMap/shop/a', 'apps/Deployment/shop/a', 'Namespace/dev-alice', 'Namespace/shop/other'])('%s is read as it was written', key => {
  expect(keyOf(targetOf(key)!)).toBe(key);
});

test('nothing else is a key', () => {
  for (const key of ['ConfigMap/a', 'a', 'Namespace/', 'a/b/c/d/e', 'ConfigMap//a']) expect(targetOf(key)).toBeUndefined();
});

test('a namespace is told without one, and holds what lives in it', () => {
  expect(titleOf(targetOf('Namespace/dev-alice')!)).toBe('Namespace dev-alice');
  const names = ['Namespace/dev-alice', 'Namespace/shop/other', 'ConfigMap/shop/a'];
  expect(names.map(name => object.holdsBy!(name))).toEqual(['data', 'nothing', 'nothing']);
});

test('an owner that is named on an object is believed only where it makes things', () => {
  const [tenant, environment] = [
    { namespace: 'shop', name: 'orders' },
    { namespace: '', name: 'dev-alice' },
  ];
  expect([mayHaveMade(tenant, 'shop', 'a'), mayHaveMade(tenant, 'other', 'a'), mayHaveMade(tenant, '', 'shop')]).toEqual([true, false, false]);
  expect([mayHaveMade(environment, 'dev-alice', 'a'), mayHaveMade(environment, '', 'dev-alice')]).toEqual([true, true]);
  expect([mayHaveMade(environment, 'shop', 'dev-alice'), mayHaveMade(environment, '', 'shop')]).toEqual([false, false]);
});
