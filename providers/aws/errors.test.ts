import { describe, expect, it } from 'vitest';
import { EngineError } from '../../src/sdk.ts';
import { classify } from './errors.ts';
import { failure } from './trial.ts';

const of = (name: string, command = 'GetThing', status = 400, message = '') =>
  classify(failure(name, status, message), { service: 'sqs', command, thing: 'orders' });

describe('classify', () => {
  it.each([
    ['QueueDoesNotExist', 'NotFound'],
    ['AWS.SimpleQueueService.NonExistentQueue', 'NotFound'],
    ['ResourceNotFoundException', 'NotFound'],
    ['QueueNameExists', 'AlreadyExists'],
    ['BucketAlreadyOwnedByYou', 'AlreadyExists'],
    ['BucketAlreadyExists', 'NameTaken'],
    ['AWS.SimpleQueueService.QueueDeletedRecently', 'NameNotReleased'],
    ['BucketNotEmpty', 'NotEmpty'],
    ['AccessDeniedException', 'AccessDenied'],
    ['AuthorizationErrorException', 'AccessDenied'],
    ['ExpiredToken', 'InvalidCredentials'],
    ['CredentialsProviderError', 'InvalidCredentials'],
    ['RequestTimeTooSkewed', 'InvalidCredentials'],
    ['ThrottlingException', 'Throttled'],
    ['SlowDown', 'Throttled'],
    ['TimeoutError', 'Timeout'],
    ['LimitExceededException', 'QuotaExceeded'],
    ['TooManyBuckets', 'QuotaExceeded'],
    ['ConcurrentAccessException', 'Busy'],
    ['KmsDisabled', 'DependencyMissing'],
    ['KMS.NotFoundException', 'DependencyMissing'],
    ['NotImplemented', 'Unsupported'],
    ['InvalidAttributeValue', 'InvalidRequest'],
  ])('%s is %s', (name, code) => expect(of(name).code).toBe(code));

  it.each([
    [401, 'InvalidCredentials'],
    [403, 'AccessDenied'],
    [404, 'NotFound'],
    [409, 'Busy'],
    [429, 'Throttled'],
    [500, 'ServiceError'],
    [501, 'Unsupported'],
    [503, 'ServiceError'],
    [302, 'ProviderFailure'],
  ])('an unknown name with status %s is %s', (status, code) => expect(of('Unknown', 'HeadBucket', status).code).toBe(code));

  it('lets the command decide where one name means two things', () => {
    expect(of('ResourceInUseException', 'CreateTable').code).toBe('AlreadyExists');
    expect(of('ResourceInUseException', 'DeleteTable').code).toBe('Busy');
    expect(of('OperationAborted', 'CreateBucket').code).toBe('NameNotReleased');
    expect(of('OperationAborted', 'PutBucketPolicy').code).toBe('Busy');
    expect(of('NotFoundException', 'Subscribe').code).toBe('DependencyMissing');
    expect(of('QueueDoesNotExist', 'CreateQueue').code).toBe('DependencyMissing');
  });

  it('reads the codes of Node', () => {
    for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ECONNRESET']) expect(classify(Object.assign(new Error('x'), { code })).code).toBe('Unreachable');
    expect(classify(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })).code).toBe('Unreachable');
    expect(classify(undefined).code).toBe('ProviderFailure');
  });

  it('says the same on every retry: no request ids, no times, one line', () => {
    const one = of('InvalidAttributeValue', 'CreateQueue', 400, 'Bad\n value at 2026-11-20T10:00:00Z (RequestId: 1111-aa)');
    const two = of('InvalidAttributeValue', 'CreateQueue', 400, 'Bad\n value at 2026-11-21T11:11:11Z (RequestId: 2222-bb)');
    expect(one.message).toBe(two.message);
    expect(one.message).toBe('SQS CreateQueue of orders: InvalidAttributeValue: Bad value at …');
  });

  it('repeats nothing of an error about credentials', () => {
    expect(of('InvalidAccessKeyId', 'GetThing', 403, 'The key AKIAEXAMPLE does not exist').message).toBe('SQS GetThing of orders: InvalidAccessKeyId');
  });

  it('leaves an EngineError as it is', () => {
    const error = new EngineError('Purging', 'x');
    expect(classify(error)).toBe(error);
  });
});
