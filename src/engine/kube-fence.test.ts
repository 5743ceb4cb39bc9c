import { expect, test } from 'vitest';
import { isError } from '../core/errors.ts';
import { fenceCall, neededFor } from './kube-fence.ts';

const claim = '/apis/plinth.dev/v1alpha1/namespaces/shop/queues/orders';

test.each<[string, string, string | undefined]>([
  ['GET', claim, undefined],
  ['PATCH', claim, 'shop'],
  ['PATCH', `${claim}/status`, 'shop'],
  ['POST', '/api/v1/namespaces/shop/secrets', 'shop'],
  ['PATCH', '/apis/plinth.dev/v1alpha1/providerconfigs/local', ''],
  ['PUT', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/queues.plinth.dev', ''],
  ['PUT', '/apis/coordination.k8s.io/v1/namespaces/plinth-system/leases/plinth-controller', undefined],
  ['POST', '/apis/events.k8s.io/v1/namespaces/shop/events', undefined],
  ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', undefined],
  ['POST', '/apis/apps/v1/namespaces/plinth-system/controllerrevisions', undefined],
])('%s %s needs the claims of %s', (method, path, needed) => {
  expect(neededFor({ method, path }, 'plinth-system')).toBe(needed);
});

test('a call of a process that lost what it needs is stopped, and others are not', () => {
  const error = (namespace: string): unknown => {
    try {
      return fenceCall({ method: 'PATCH', path: claim }, 'plinth-system', held => held === namespace);
    } catch (thrown) {
      return thrown;
    }
  };
  expect(error('shop')).toBeUndefined();
  expect(isError(error('other'), 'LeaseLost')).toBe(true);
});
