/** The parts of a bucket, each with a GetBucket… and a PutBucket… of its own (S3 API reference). */
import type { mapDelta, StringMap } from '../../src/sdk.ts';
import { type Call, s3 } from './client.ts';
import { serviceErrorName } from './errors.ts';
import { type CorsRule, fromAwsCors, fromAwsRule, type LifecycleRule, toAwsCors, toAwsRule } from './s3-rules.ts';
import { compact, documentText, parseObject, tagList, tagMap } from './values.ts';

/** The parts in the shape of the spec. */
export interface BucketParts {
  readonly versioning?: boolean;
  readonly kmsKey?: string;
  readonly bucketKey?: boolean;
  readonly publicAccessBlock?: AccessBlock;
  readonly ownership?: Ownership;
  readonly policy?: Record<string, unknown> | string;
  readonly lifecycle?: LifecycleRule[];
  readonly cors?: CorsRule[];
  readonly tags?: StringMap;
}
interface AccessBlock {
  readonly blockPublicAcls: boolean;
  readonly ignorePublicAcls: boolean;
  readonly blockPublicPolicy: boolean;
  readonly restrictPublicBuckets: boolean;
}
type Ownership = 'BucketOwnerEnforced' | 'BucketOwnerPreferred' | 'ObjectWriter';

/** Fields that cost a call of their own; a quick look leaves them out. */
export const PARTS = ['versioning', 'kmsKey', 'bucketKey', 'publicAccessBlock', 'ownership', 'policy', 'lifecycle', 'cors', 'tags'] as const;

/** What S3 answers where a part was never set (S3 API reference, list of error codes). */
const UNSET = new Set([
  'NoSuchTagSet',
  'NoSuchBucketPolicy',
  'NoSuchLifecycleConfiguration',
  'NoSuchCORSConfiguration',
  'NoSuchPublicAccessBlockConfiguration',
  'OwnershipControlsNotFoundError',
  'ServerSideEncryptionConfigurationNotFoundError',
]);

/** A part of the bucket; undefined where it was never set. */
async function part<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (UNSET.has(serviceErrorName(error))) return undefined;
    throw error;
  }
}

async function readTags(call: Call, Bucket: string): Promise<StringMap> {
  return tagMap((await part(s3(call, 'GetBucketTagging', { Bucket })))?.TagSet);
}

async function readEncryption(call: Call, Bucket: string): Promise<BucketParts> {
  const rule = (await part(s3(call, 'GetBucketEncryption', { Bucket })))?.ServerSideEncryptionConfiguration?.Rules?.[0];
  const { SSEAlgorithm = 'AES256', KMSMasterKeyID } = rule?.ApplyServerSideEncryptionByDefault ?? {};
  return SSEAlgorithm === 'AES256' ? {} : { kmsKey: KMSMasterKeyID ?? 'alias/aws/s3', bucketKey: rule?.BucketKeyEnabled === true };
}

async function readAccess(call: Call, Bucket: string): Promise<BucketParts> {
  const [access, owners] = await Promise.all([part(s3(call, 'GetPublicAccessBlock', { Bucket })), part(s3(call, 'GetBucketOwnershipControls', { Bucket }))]);
  const block = access?.PublicAccessBlockConfiguration;
  return {
    publicAccessBlock: {
      blockPublicAcls: block?.BlockPublicAcls === true,
      ignorePublicAcls: block?.IgnorePublicAcls === true,
      blockPublicPolicy: block?.BlockPublicPolicy === true,
      restrictPublicBuckets: block?.RestrictPublicBuckets === true,
    },
    // Without controls ACLs are in force, as in buckets made before April 2023.
    ownership: (owners?.OwnershipControls?.Rules?.[0]?.ObjectOwnership as Ownership | undefined) ?? 'ObjectWriter',
  };
}

async function readRules(call: Call, Bucket: string): Promise<BucketParts> {
  const [policy, lifecycle, cors] = await Promise.all([
    part(s3(call, 'GetBucketPolicy', { Bucket })),
    part(s3(call, 'GetBucketLifecycleConfiguration', { Bucket })),
    part(s3(call, 'GetBucketCors', { Bucket })),
  ]);
  return compact({ policy: parseObject(policy?.Policy), lifecycle: lifecycle?.Rules?.map(fromAwsRule), cors: cors?.CORSRules?.map(fromAwsCors) });
}

/** Every part; 8 calls at once. */
export async function readParts(call: Call, Bucket: string): Promise<BucketParts> {
  const [versioning, encryption, access, rules, tags] = await Promise.all([
    s3(call, 'GetBucketVersioning', { Bucket }),
    readEncryption(call, Bucket),
    readAccess(call, Bucket),
    readRules(call, Bucket),
    readTags(call, Bucket),
  ]);
  return { versioning: versioning.Status === 'Enabled', ...encryption, ...access, ...rules, tags };
}

/** One PutBucket… or DeleteBucket… per part. */
export async function writePart(call: Call, Bucket: string, field: string, next: BucketParts): Promise<void> {
  switch (field) {
    case 'versioning':
      await s3(call, 'PutBucketVersioning', { Bucket, VersioningConfiguration: { Status: next.versioning ? 'Enabled' : 'Suspended' } });
      return;
    case 'encryption':
      await s3(call, 'PutBucketEncryption', { Bucket, ServerSideEncryptionConfiguration: { Rules: [encryptionRule(next)] } });
      return;
    case 'publicAccessBlock':
      await writeAccessBlock(call, Bucket, next);
      return;
    case 'ownership':
      await s3(call, 'PutBucketOwnershipControls', { Bucket, OwnershipControls: { Rules: [{ ObjectOwnership: next.ownership ?? 'BucketOwnerEnforced' }] } });
      return;
    case 'policy':
      if (next.policy === undefined) await s3(call, 'DeleteBucketPolicy', { Bucket });
      else await s3(call, 'PutBucketPolicy', { Bucket, Policy: documentText(next.policy) });
      return;
    case 'lifecycle':
      if (next.lifecycle === undefined) await s3(call, 'DeleteBucketLifecycle', { Bucket });
      else await s3(call, 'PutBucketLifecycleConfiguration', { Bucket, LifecycleConfiguration: { Rules: next.lifecycle.map(toAwsRule) } });
      return;
    case 'cors':
      if (next.cors === undefined) await s3(call, 'DeleteBucketCors', { Bucket });
      else await s3(call, 'PutBucketCors', { Bucket, CORSConfiguration: { CORSRules: next.cors.map(toAwsCors) } });
  }
}

async function writeAccessBlock(call: Call, Bucket: string, { publicAccessBlock: block }: BucketParts): Promise<void> {
  await s3(call, 'PutPublicAccessBlock', {
    Bucket,
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: block?.blockPublicAcls ?? true,
      IgnorePublicAcls: block?.ignorePublicAcls ?? true,
      BlockPublicPolicy: block?.blockPublicPolicy ?? true,
      RestrictPublicBuckets: block?.restrictPublicBuckets ?? true,
    },
  });
}

function encryptionRule({ kmsKey, bucketKey = false }: BucketParts) {
  if (kmsKey === undefined) return { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } };
  return { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' as const, KMSMasterKeyID: kmsKey }, BucketKeyEnabled: bucketKey };
}

/** S3 has one call for all tags: the others' are read and sent along. */
export async function writeTags(call: Call, Bucket: string, { set, remove }: ReturnType<typeof mapDelta>): Promise<void> {
  const there = await readTags(call, Bucket);
  const next = { ...Object.fromEntries(Object.entries(there).filter(([key]) => !remove.includes(key))), ...set };
  if (Object.keys(next).length === 0) await s3(call, 'DeleteBucketTagging', { Bucket });
  else await s3(call, 'PutBucketTagging', { Bucket, Tagging: { TagSet: tagList(next) } });
}
