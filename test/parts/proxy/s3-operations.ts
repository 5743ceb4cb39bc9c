/** S3 has no operation in its calls: this sub-resource of the query, with the method, tells it. */
const BUCKET_PARTS: Readonly<Record<string, string>> = {
  accelerate: 'BucketAccelerateConfiguration',
  acl: 'BucketAcl',
  cors: 'BucketCors',
  encryption: 'BucketEncryption',
  lifecycle: 'BucketLifecycleConfiguration',
  location: 'BucketLocation',
  logging: 'BucketLogging',
  notification: 'BucketNotificationConfiguration',
  'object-lock': 'ObjectLockConfiguration',
  ownershipControls: 'BucketOwnershipControls',
  policy: 'BucketPolicy',
  policyStatus: 'BucketPolicyStatus',
  publicAccessBlock: 'PublicAccessBlock',
  replication: 'BucketReplication',
  requestPayment: 'BucketRequestPayment',
  tagging: 'BucketTagging',
  versioning: 'BucketVersioning',
  website: 'BucketWebsite',
};
const OBJECT_PARTS: Readonly<Record<string, string>> = {
  acl: 'ObjectAcl',
  attributes: 'ObjectAttributes',
  'legal-hold': 'ObjectLegalHold',
  retention: 'ObjectRetention',
  tagging: 'ObjectTagging',
};
const VERBS: Readonly<Record<string, string>> = { GET: 'Get', PUT: 'Put', DELETE: 'Delete', HEAD: 'Head', POST: 'Post' };

/** The SDK's name of an S3 call in path style. */
export function s3Operation(method: string, url: URL, isCopy: boolean): string {
  const [, bucket = '', ...key] = url.pathname.split('/');
  if (bucket === '') return 'ListBuckets';
  return key.join('/') === '' ? bucketOperation(method, url.searchParams) : objectOperation(method, url.searchParams, isCopy);
}

function bucketOperation(method: string, query: URLSearchParams): string {
  if (method === 'POST') return query.has('delete') ? 'DeleteObjects' : 'PostObject';
  if (method === 'GET' && query.has('versions')) return 'ListObjectVersions';
  if (method === 'GET' && query.has('uploads')) return 'ListMultipartUploads';
  const part = Object.keys(BUCKET_PARTS).find(name => query.has(name));
  if (part === 'lifecycle' && method === 'DELETE') return 'DeleteBucketLifecycle';
  if (part) return `${VERBS[method]}${BUCKET_PARTS[part]}`;
  if (method === 'GET') return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects';
  return `${method === 'PUT' ? 'Create' : VERBS[method]}Bucket`;
}

function objectOperation(method: string, query: URLSearchParams, isCopy: boolean): string {
  const part = Object.keys(OBJECT_PARTS).find(name => query.has(name));
  if (part) return `${VERBS[method]}${OBJECT_PARTS[part]}`;
  if (query.has('uploads')) return 'CreateMultipartUpload';
  if (query.has('uploadId')) {
    const ofUpload: Readonly<Record<string, string>> = {
      PUT: isCopy ? 'UploadPartCopy' : 'UploadPart',
      POST: 'CompleteMultipartUpload',
      DELETE: 'AbortMultipartUpload',
      GET: 'ListParts',
    };
    return ofUpload[method] ?? 'unknown';
  }
  return method === 'PUT' && isCopy ? 'CopyObject' : `${VERBS[method]}Object`;
}
