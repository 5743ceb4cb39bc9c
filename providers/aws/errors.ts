/** Translates what the AWS SDK throws: by name, code or status, never by message text. */
import { EngineError, type ErrorCode } from '../../src/sdk.ts';

/** Which call failed. `thing`: what it was about, as people know it. */
export interface FailedCall {
  readonly service: string;
  readonly command: string;
  readonly thing: string;
}

/** Error names of the API references of SQS, SNS, S3, DynamoDB and STS, and of the SDK itself. */
const BY_NAME: Readonly<Record<string, ErrorCode>> = Object.fromEntries(
  Object.entries({
    NotFound: 'NotFound NotFoundException ResourceNotFoundException ResourceNotFound TableNotFoundException NoSuchBucket QueueDoesNotExist NonExistentQueue',
    AlreadyExists: 'QueueNameExists QueueAlreadyExists BucketAlreadyOwnedByYou TableAlreadyExistsException',
    NameTaken: 'BucketAlreadyExists',
    NameNotReleased: 'QueueDeletedRecently',
    NotEmpty: 'BucketNotEmpty',
    AccessDenied:
      'AccessDenied AccessDeniedException AuthorizationError AuthorizationErrorException UnauthorizedOperation AllAccessDisabled KmsAccessDenied KMSAccessDeniedException KMSAccessDenied KmsOptInRequired KMSOptInRequired KMSOptInRequiredException UnauthorizedAccess',
    InvalidCredentials:
      'InvalidClientTokenId UnrecognizedClientException ExpiredToken ExpiredTokenException SignatureDoesNotMatch InvalidSignatureException CredentialsProviderError TokenProviderError ProviderError InvalidAccessKeyId InvalidToken TokenRefreshRequired AuthFailure AuthSdkError IncompleteSignature IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException InvalidIdentityToken InvalidIdentityTokenException IDPRejectedClaim IDPRejectedClaimException RequestTimeTooSkewed RequestExpired NotAuthorized InvalidSecurity InvalidSecurityException',
    Throttled:
      'Throttling ThrottlingException ThrottledException Throttled RequestThrottled RequestThrottledException TooManyRequestsException ProvisionedThroughputExceededException RequestLimitExceeded SlowDown BandwidthLimitExceeded KmsThrottled KMSThrottling KMSThrottlingException KMS.ThrottlingException',
    Timeout: 'TimeoutError RequestTimeout RequestTimeoutException ETIMEDOUT',
    Unreachable: 'ECONNREFUSED ENOTFOUND ECONNRESET EPIPE EHOSTUNREACH ENETUNREACH EAI_AGAIN ECONNABORTED UND_ERR_SOCKET',
    Aborted: 'AbortError',
    ServiceError: 'InternalError InternalErrorException InternalServerError InternalFailure ServiceUnavailable ServiceUnavailableException ServerException',
    QuotaExceeded:
      'LimitExceededException TooManyBuckets TopicLimitExceeded TopicLimitExceededException SubscriptionLimitExceeded SubscriptionLimitExceededException FilterPolicyLimitExceeded FilterPolicyLimitExceededException TagLimitExceeded TagLimitExceededException TooManyTags OverLimit ServiceQuotaExceededException',
    Busy: 'OperationAborted ResourceInUseException ResourceInUse ConcurrentAccess ConcurrentAccessException StaleTag StaleTagException ConflictException ContinuousBackupsUnavailableException',
    DependencyMissing:
      'KmsNotFound KMSNotFound KMSNotFoundException KMS.NotFoundException KmsDisabled KMSDisabled KMSDisabledException KMS.DisabledException KmsInvalidState KMSInvalidState KMSInvalidStateException KMS.KMSInvalidStateException',
    Unsupported: 'NotImplemented UnknownOperationException UnknownOperation InvalidAction UnsupportedOperation UnsupportedOperationException',
  } satisfies Partial<Record<ErrorCode, string>>).flatMap(([code, names]) => names.split(' ').map(name => [name, code as ErrorCode])),
);

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'InvalidRequest',
  401: 'InvalidCredentials',
  403: 'AccessDenied',
  404: 'NotFound',
  405: 'Unsupported',
  408: 'Timeout',
  409: 'Busy',
  413: 'InvalidRequest',
  429: 'Throttled',
  501: 'Unsupported',
};

/** Where the same name means something else, by command (API references of CreateTable, CreateBucket, DeleteTable, UpdateTimeToLive). */
const BY_COMMAND: Readonly<Record<string, ErrorCode>> = {
  'CreateTable ResourceInUseException': 'AlreadyExists',
  'CreateBucket OperationAborted': 'NameNotReleased',
  // Status "not yet": the table exists, else the verb's own DescribeTable would have said so.
  'UpdateTimeToLive ResourceNotFoundException': 'Busy',
};

/** Commands that make something: what they do not find is another thing they name. */
const MAKES = /^(Create|Subscribe)/;
/** Codes whose service message helps, and says the same each time. */
const TELLING: ReadonlySet<ErrorCode> = new Set([
  'InvalidRequest',
  'AccessDenied',
  'QuotaExceeded',
  'DependencyMissing',
  'Protected',
  'ProviderFailure',
  'Unsupported',
]);
const TITLES: Readonly<Record<string, string>> = { sqs: 'SQS', sns: 'SNS', s3: 'S3', dynamodb: 'DynamoDB', sts: 'STS' };
const MESSAGE_LENGTH = 300;

/** Codes of Node's network errors. */
const NODE_CODE = /^E[A-Z_]+$/;

interface Fields {
  readonly name: string;
  readonly codes: readonly string[];
  readonly status: number | undefined;
  readonly message: string;
}

function fieldsOf(error: unknown): Fields {
  if (typeof error !== 'object' || error === null) return { name: 'Error', codes: [], status: undefined, message: String(error) };
  const { name, Code, code, message, $metadata } = error as Readonly<Record<string, unknown>>;
  // The SDK renames dropped connections to TimeoutError: the code of Node is the truth.
  const node = typeof code === 'string' && NODE_CODE.test(code) ? [code] : [];
  const texts = [...node, name, Code, code].filter(text => typeof text === 'string').map(text => text.replace(/^AWS\.SimpleQueueService\./, ''));
  const status = ($metadata as { readonly httpStatusCode?: number } | undefined)?.httpStatusCode;
  return {
    name: texts.find(text => text !== 'Error' && text !== 'Unknown' && text !== 'AggregateError') ?? '',
    codes: texts,
    status,
    message: String(message ?? ''),
  };
}

function codeOf({ codes, status }: Fields, command: string): ErrorCode {
  for (const text of codes) {
    const code = BY_COMMAND[`${command} ${text}`] ?? BY_NAME[text];
    if (code !== undefined) return code === 'NotFound' && MAKES.test(command) ? 'DependencyMissing' : code;
  }
  if (status === undefined) return 'ProviderFailure';
  const code = BY_STATUS[status] ?? (status >= 500 ? 'ServiceError' : 'ProviderFailure');
  return code === 'NotFound' && MAKES.test(command) ? 'DependencyMissing' : code;
}

/** The service's own words without what changes from call to call. */
function steady(message: string): string {
  return message
    .replace(/\(Service: [^)]*\)/g, '')
    .replace(/[;,(]?\s*(?:AWS )?Request ?ID:?\s*[A-Za-z0-9-]+\)?/gi, '')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '…')
    .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*/g, '…')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MESSAGE_LENGTH);
}

/** `SQS GetQueueAttributes of orders`. */
export function subjectOf({ service, command, thing }: FailedCall): string {
  return `${TITLES[service] ?? service} ${command}${thing === '' ? '' : ` of ${thing}`}`;
}

/** The EngineError for anything thrown by a call to AWS. `call` makes the sentence name service, operation and thing. */
export function classify(error: unknown, call?: FailedCall): EngineError {
  if (error instanceof EngineError) return error;
  const fields = fieldsOf(error);
  const code = codeOf(fields, call?.command ?? '');
  const subject = call === undefined ? 'AWS' : subjectOf(call);
  const reason = fields.name === '' ? `status ${fields.status ?? 'unknown'}` : fields.name;
  const words = TELLING.has(code) ? steady(fields.message) : '';
  const message = words === '' || words === reason ? `${subject}: ${reason}` : `${subject}: ${reason}: ${words}`;
  const clock = /TimeTooSkewed|RequestExpired/.test(fields.name);
  return new EngineError(code, message, { cause: error, ...(clock ? { hint: 'check the clock of this machine' } : {}) });
}

/** The service's own name of a failure, from a translated error. */
export function serviceErrorName(error: unknown): string {
  return fieldsOf(error instanceof EngineError ? error.cause : error).name;
}
