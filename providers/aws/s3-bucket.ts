/** `aws/s3-bucket`: one S3 bucket. Settings and limits: S3 API reference, CreateBucket and the GetBucket… / PutBucket… pairs. */
import type { BucketLocationConstraint } from '@aws-sdk/client-s3';
import { type Static, Type } from '@sinclair/typebox';
import { applied, changedFields, EngineError, isError, mapDelta, present, ready } from '../../src/sdk.ts';
import { accountOf, awsType, type Call, endpointOf, keysOf, s3 } from './client.ts';
import { canonicalPolicy } from './policy.ts';
import { PARTS, readParts, writePart, writeTags } from './s3-parts.ts';
import { purge } from './s3-purge.ts';
import { CorsRule, canonicalCors, canonicalRules, LifecycleRule } from './s3-rules.ts';
import { compact, Document, Tags, tagList } from './values.ts';

const Block = (description: string) => Type.Boolean({ default: true, description });

const Spec = Type.Object(
  {
    // S3 user guide, Enabling versioning on buckets: up to 15 minutes.
    versioning: Type.Boolean({ default: false, settleSeconds: 900, description: 'Keep old versions. Once on, off means suspended: what is there stays.' }),
    kmsKey: Type.Optional(
      Type.String({ minLength: 1, removable: true, description: 'KMS key id, ARN or alias (SSE-KMS); without it S3 encrypts with its own key (SSE-S3).' }),
    ),
    bucketKey: Type.Boolean({ default: false, description: 'With kmsKey: one data key a bucket, which makes fewer calls to KMS.' }),
    publicAccessBlock: Type.Object(
      {
        blockPublicAcls: Block('Refuse ACLs that make something public.'),
        ignorePublicAcls: Block('Ignore ACLs that make something public.'),
        blockPublicPolicy: Block('Refuse policies that make the bucket public.'),
        restrictPublicBuckets: Block('With a public policy, let only the account itself in.'),
      },
      {
        default: { blockPublicAcls: true, ignorePublicAcls: true, blockPublicPolicy: true, restrictPublicBuckets: true },
        additionalProperties: false,
        description: 'Guards against making the bucket public; all on by default.',
      },
    ),
    ownership: Type.Union([Type.Literal('BucketOwnerEnforced'), Type.Literal('BucketOwnerPreferred'), Type.Literal('ObjectWriter')], {
      default: 'BucketOwnerEnforced',
      description: 'Who owns objects; BucketOwnerEnforced turns ACLs off.',
    }),
    policy: Type.Optional(
      Document('Bucket policy, as mapping or JSON text. A statement without Resource is about the bucket and all its objects.', { removable: true }),
    ),
    lifecycle: Type.Optional(Type.Array(LifecycleRule, { removable: true, maxItems: 1_000, description: 'Rules that remove or move objects by age.' })),
    cors: Type.Optional(
      Type.Array(CorsRule, { removable: true, maxItems: 100, description: 'Which web pages may call the bucket; the first rule that fits counts.' }),
    ),
    tags: Tags('At most 50.'),
    purge: Type.Optional(
      Type.Boolean({
        plinth: 'delete-only',
        description: 'Remove all objects and versions when the bucket is deleted; else a bucket that holds objects stays.',
      }),
    ),
  },
  { additionalProperties: false },
);
type Spec = Static<typeof Spec>;

const State = Type.Object({
  arn: Type.String({ description: 'ARN of the bucket.' }),
  name: Type.String({ description: 'Name of the bucket.' }),
  region: Type.String({ description: 'Region of the bucket.' }),
  endpoint: Type.Optional(Type.String({ description: 'URL of the S3 API, to be used path style; only where it is not AWS.' })),
});

/**
 * HeadBucket answers a status without a name: 403 for a bucket of another account, a missing permission and wrong keys alike, 400 for an
 * expired token. The list of our own buckets tells them apart.
 */
async function explainHead(call: Call, error: unknown, name: string): Promise<unknown> {
  if (!isError(error)) return error;
  const { $metadata } = (error.cause ?? {}) as { readonly $metadata?: { readonly httpStatusCode?: number } };
  if ($metadata?.httpStatusCode === 301) return new EngineError('NameTaken', `a bucket named ${name} exists in another region`, { cause: error });
  if (error.code !== 'AccessDenied' && error.code !== 'InvalidRequest') return error;
  try {
    if ((await listed(call, name)) !== undefined || error.code === 'InvalidRequest') return error;
    return new EngineError('NameTaken', `the bucket name ${name} is used by another account`, { cause: error });
  } catch (deeper) {
    return isError(deeper, 'AccessDenied') ? error : deeper;
  }
}

/** The bucket as ListBuckets shows it; undefined when it is not one of ours. */
async function listed(call: Call, name: string): Promise<{ readonly CreationDate?: Date | undefined } | undefined> {
  for (let ContinuationToken: string | undefined; ; ) {
    const page = await s3(call, 'ListBuckets', { Prefix: name, MaxBuckets: 1_000, ...(ContinuationToken === undefined ? {} : { ContinuationToken }) });
    const found = page.Buckets?.find(bucket => bucket.Name === name);
    ContinuationToken = page.ContinuationToken;
    if (found !== undefined || !ContinuationToken) return found;
  }
}

/** Order of the parts. The access block before a policy (it may forbid it) and after one that is taken away is the same call: first. */
const WRITE_ORDER = ['publicAccessBlock', 'ownership', 'encryption', 'versioning', 'policy', 'lifecycle', 'cors'];

const arnOf = async ({ client }: Call, name: string): Promise<string> => `arn:${(await accountOf(client)).partition}:s3:::${name}`;
const EVERY_GUARD = { blockPublicAcls: true, ignorePublicAcls: true, blockPublicPolicy: true, restrictPublicBuckets: true };

export const s3Bucket = awsType({
  type: 'aws/s3-bucket',
  description: 'An S3 bucket.',
  spec: Spec,
  state: State,
  naming: { by: 'template', minLength: 3, maxLength: 63, characters: 'a-z0-9-', lowercase: true, unique: 'global' },
  mark: { as: 'map', at: 'tags' },
  holds: 'data',
  settleSeconds: 60,
  examples: [
    { versioning: false, bucketKey: false, publicAccessBlock: EVERY_GUARD, ownership: 'BucketOwnerEnforced', tags: { team: 'orders' }, purge: true },
    {
      versioning: true,
      kmsKey: 'alias/aws/s3',
      bucketKey: true,
      publicAccessBlock: { ...EVERY_GUARD, restrictPublicBuckets: false },
      ownership: 'BucketOwnerPreferred',
      policy: {
        Version: '2012-10-17',
        Statement: [{ Sid: 'TlsOnly', Effect: 'Deny', Principal: '*', Action: 's3:*', Condition: { Bool: { 'aws:SecureTransport': false } } }],
      },
      lifecycle: [
        { id: 'old-versions', noncurrentExpireAfterDays: 30, abortUploadsAfterDays: 7 },
        { id: 'archive', prefix: 'logs/', tags: { keep: 'long' }, transitions: [{ afterDays: 90, storageClass: 'GLACIER' }], expireAfterDays: 365 },
      ],
      cors: [{ origins: ['https://app.example.com'], methods: ['GET', 'PUT'], headers: ['*'], exposeHeaders: ['ETag'], maxAgeSeconds: 3_600 }],
      tags: {},
      purge: false,
    },
  ],

  normalise({ kmsKey, bucketKey, ...spec }, seen) {
    const arn = seen?.state.arn;
    return compact({
      ...spec,
      ...(kmsKey === undefined ? {} : { kmsKey, bucketKey: bucketKey ?? false }),
      policy: canonicalPolicy(spec.policy, arn === undefined ? undefined : [arn, `${arn}/*`]),
      lifecycle: canonicalRules(spec.lifecycle),
      cors: canonicalCors(spec.cors),
    }) as Spec;
  },
  async observe(call, name) {
    try {
      await s3(call, 'HeadBucket', { Bucket: name });
    } catch (error) {
      throw await explainHead(call, error, name);
    }
    const full = call.depth === 'full';
    const spec = full ? await readParts(call, name) : {};
    // Only a bucket without any tag can be our half-made one; its age then decides, and costs one more call.
    const made = full && Object.keys(spec.tags ?? {}).length === 0 ? (await listed(call, name))?.CreationDate : undefined;
    const state = { arn: await arnOf(call, name), name, region: call.client.region, ...endpointOf(call.client) };
    return present<Spec, typeof state>(
      spec,
      state,
      ready,
      compact({ secrets: { ...keysOf(call.client) }, unread: full ? [] : PARTS, createdAt: made?.toISOString() }),
    );
  },
  async create(call, name, spec) {
    const { region } = call.client;
    // us-east-1 is the one region that must not be named (CreateBucket, LocationConstraint).
    const place = region === 'us-east-1' ? {} : { LocationConstraint: region as BucketLocationConstraint };
    const Tags = tagList(spec.tags);
    const CreateBucketConfiguration = { ...place, ...(Tags.length > 0 ? { Tags } : {}) };
    await s3(call, 'CreateBucket', {
      Bucket: name,
      ObjectOwnership: spec.ownership,
      ...(Object.keys(CreateBucketConfiguration).length > 0 ? { CreateBucketConfiguration } : {}),
    });
  },
  async update(call, name, update) {
    const changed = changedFields(update.changes);
    const next = applied(update);
    const parts = new Set([...changed].map(field => (field === 'kmsKey' || field === 'bucketKey' ? 'encryption' : field)));
    for (const field of WRITE_ORDER) if (parts.has(field)) await writePart(call, name, field, next);
    if (changed.has('tags')) await writeTags(call, name, mapDelta(update.changes, 'tags'));
  },
  async delete(call, name, _seen, onDelete) {
    if (onDelete.purge === true) await purge(call, name);
    try {
      await s3(call, 'DeleteBucket', { Bucket: name });
    } catch (error) {
      // Something was written in the meantime: the next call goes on.
      if (onDelete.purge === true && isError(error, 'NotEmpty'))
        throw new EngineError('Purging', `the objects of bucket ${name} are being removed before it is deleted`);
      throw error;
    }
  },
});
