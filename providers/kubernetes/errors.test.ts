import { expect, test } from 'vitest';
import { connectionError, statusError } from '../../src/kube/failure.ts';
import { EngineError } from '../../src/sdk.ts';
import { classify, translated } from './errors.ts';

const status = (code: number, reason: string, message = 'the words of the server', causes: string[] = []): EngineError =>
  statusError('what', code, { kind: 'Status', code, reason, message, details: { causes: causes.map(item => ({ reason: item })) } }, undefined, true);
const thing = 'ConfigMap shop/settings';

test.each([
  [403, 'Forbidden', 'get', 'AccessDenied'],
  [401, 'Unauthorized', 'get', 'InvalidCredentials'],
  [404, 'NotFound', 'get', 'NotFound'],
  [404, 'NotFound', 'delete', 'NotFound'],
  [404, 'NotFound', 'create', 'DependencyMissing'],
  [409, 'AlreadyExists', 'create', 'AlreadyExists'],
  [409, 'Conflict', 'apply', 'Busy'],
  [422, 'Invalid', 'apply', 'InvalidRequest'],
  [400, 'BadRequest', 'create', 'InvalidRequest'],
  [413, 'RequestEntityTooLarge', 'create', 'InvalidRequest'],
  [405, 'MethodNotAllowed', 'list', 'Unsupported'],
  [415, 'UnsupportedMediaType', 'apply', 'Unsupported'],
  [429, 'TooManyRequests', 'apply', 'Throttled'],
  [504, 'Timeout', 'get', 'Timeout'],
  [500, 'ServerTimeout', 'get', 'ServiceError'],
  [500, 'InternalError', 'apply', 'ServiceError'],
  [503, 'ServiceUnavailable', 'get', 'ServiceError'],
  [410, 'Expired', 'list', 'ServiceError'],
  [418, 'Teapot', 'get', 'ProviderFailure'],
  [404, '', 'get', 'NotFound'],
  [502, '', 'get', 'ServiceError'],
] as const)('%i %s on %s is %s', (code, reason, verb, wanted) => {
  const error = translated(status(code, reason), { verb, thing });
  expect(error.code).toBe(wanted);
  expect(error.message.startsWith(`${verb} ${thing}: `)).toBe(true);
});

test('the text decides nothing', () => {
  expect(translated(status(422, 'Invalid', 'configmaps "x" not found'), { verb: 'apply', thing }).code).toBe('InvalidRequest');
});

test('a namespace on its way out is waited for, whatever the status', () => {
  const error = translated(status(403, 'Forbidden', 'forbidden', ['NamespaceTerminating']), { verb: 'create', thing });
  expect([error.code, error.message]).toEqual(['Busy', `create ${thing}: its namespace is being deleted`]);
});

test('what the server says of a value is told, without what changes from call to call', () => {
  const words = 'spec.selector: Invalid value: field is immutable';
  expect(translated(status(422, 'Invalid', words), { verb: 'apply', thing }).message).toBe(`apply ${thing}: ${words}`);
  const noisy = 'denied at 2026-01-02T03:04:05Z\nrequest 5e4c8d7e-22d4-4063-b5f8-3c1c0d7fc219';
  expect(translated(status(400, 'BadRequest', noisy), { verb: 'apply', thing }).message).toBe(`apply ${thing}: denied at … request …`);
});

test('without an answer: unreachable, late, given up', () => {
  const broken = (code: string, name = 'Error'): string =>
    translated(connectionError('what', Object.assign(new Error('x'), { code, name }), false), { verb: 'get', thing }).code;
  expect([broken('ECONNREFUSED'), broken('UND_ERR_HEADERS_TIMEOUT'), broken('', 'AbortError')]).toEqual(['Unreachable', 'Timeout', 'Aborted']);
});

test('what is no failed call', () => {
  const own = new EngineError('Unsupported', 'x');
  expect(translated(own, { verb: 'get', thing })).toBe(own);
  expect(classify(Object.assign(new Error('secret'), { name: 'AbortError' })).code).toBe('Aborted');
  expect(classify(new TypeError('secret')).message).toBe('kubernetes: TypeError');
  expect(classify(undefined).code).toBe('ProviderFailure');
});
