/** Lifecycle and CORS rules of a bucket in Plinth's shape and in S3's (S3 API reference, LifecycleRule and CORSRule). */
import type { LifecycleRule as AwsRule, CORSRule, TransitionStorageClass } from '@aws-sdk/client-s3';
import { type Static, Type } from '@sinclair/typebox';
import { compact, tagList, tagMap } from './values.ts';

const Days = (description: string) => Type.Optional(Type.Integer({ minimum: 1, description }));
const STORAGE_CLASSES = ['STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'] as const;

export const LifecycleRule = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 255, description: 'Name of the rule, once a bucket.' }),
    enabled: Type.Optional(Type.Boolean({ description: 'False keeps the rule without using it; true when left out.' })),
    prefix: Type.Optional(Type.String({ description: 'Only keys that begin so.' })),
    tags: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Only objects with all of these tags.' })),
    expireAfterDays: Days('Days after which objects are removed.'),
    noncurrentExpireAfterDays: Days('Days after which old versions are removed.'),
    abortUploadsAfterDays: Days('Days after which unfinished uploads are removed.'),
    transitions: Type.Optional(
      Type.Array(
        Type.Object(
          {
            afterDays: Type.Integer({ minimum: 0, description: 'Days after which objects move.' }),
            storageClass: Type.Union(
              STORAGE_CLASSES.map(name => Type.Literal(name)),
              { description: 'Where they move.' },
            ),
          },
          { additionalProperties: false },
        ),
        { description: 'Moves to cheaper storage.' },
      ),
    ),
  },
  { additionalProperties: false },
);
export type LifecycleRule = Static<typeof LifecycleRule>;

export const CorsRule = Type.Object(
  {
    origins: Type.Array(Type.String(), { minItems: 1, description: 'Origins that may call, e.g. https://app.example.com.' }),
    methods: Type.Array(Type.Union((['GET', 'PUT', 'POST', 'DELETE', 'HEAD'] as const).map(name => Type.Literal(name))), {
      minItems: 1,
      description: 'HTTP methods they may use.',
    }),
    headers: Type.Optional(Type.Array(Type.String(), { description: 'Request headers they may send.' })),
    exposeHeaders: Type.Optional(Type.Array(Type.String(), { description: 'Response headers they may read.' })),
    maxAgeSeconds: Type.Optional(Type.Integer({ minimum: 0, description: 'How long a browser may remember the answer.' })),
  },
  { additionalProperties: false },
);
export type CorsRule = Static<typeof CorsRule>;

function filterOf({ prefix, tags = {} }: LifecycleRule): NonNullable<AwsRule['Filter']> {
  const list = tagList(tags);
  if (list.length === 0) return { Prefix: prefix ?? '' };
  if (list.length === 1 && prefix === undefined) return { Tag: list[0]! };
  return { And: compact({ Prefix: prefix, Tags: list }) };
}

/** A rule as S3 takes it. */
export function toAwsRule(rule: LifecycleRule): AwsRule {
  const { id, enabled = true, expireAfterDays, noncurrentExpireAfterDays, abortUploadsAfterDays, transitions } = rule;
  return compact({
    ID: id,
    Status: enabled ? ('Enabled' as const) : ('Disabled' as const),
    Filter: filterOf(rule),
    Expiration: expireAfterDays === undefined ? undefined : { Days: expireAfterDays },
    NoncurrentVersionExpiration: noncurrentExpireAfterDays === undefined ? undefined : { NoncurrentDays: noncurrentExpireAfterDays },
    AbortIncompleteMultipartUpload: abortUploadsAfterDays === undefined ? undefined : { DaysAfterInitiation: abortUploadsAfterDays },
    Transitions: transitions?.map(({ afterDays, storageClass }) => ({ Days: afterDays, StorageClass: storageClass as TransitionStorageClass })),
  });
}

/** A rule as S3 answers it. What Plinth has no field for stands under `other`, so that it shows as a difference. */
export function fromAwsRule(rule: AwsRule): LifecycleRule & { readonly other?: object } {
  const { ID, Status, Filter, Prefix, Expiration, NoncurrentVersionExpiration: old, AbortIncompleteMultipartUpload: uploads, Transitions = [], ...rest } = rule;
  const tags = tagMap(Filter?.And?.Tags ?? (Filter?.Tag === undefined ? [] : [Filter.Tag]));
  const { Days: expireAfterDays, ...expiration } = Expiration ?? {};
  const { Prefix: _, Tag: _tag, And, ...filter } = Filter ?? {};
  const { Prefix: _prefix, Tags: _tags, ObjectSizeGreaterThan: size, ...and } = And ?? {};
  const dated = Transitions.filter(({ Date: date }) => date !== undefined);
  const other = {
    ...rest,
    ...expiration,
    ...filter,
    ...and,
    // Zero says nothing; some answer it unasked.
    ...(size ? { size } : {}),
    ...(old?.NewerNoncurrentVersions === undefined ? {} : { old }),
    ...(dated.length > 0 ? { dated } : {}),
  };
  return compact({
    id: ID ?? '',
    enabled: Status === 'Enabled' ? undefined : false,
    prefix: (Filter?.And?.Prefix ?? Filter?.Prefix ?? Prefix) || undefined,
    tags: Object.keys(tags).length === 0 ? undefined : tags,
    expireAfterDays,
    noncurrentExpireAfterDays: old?.NoncurrentDays,
    abortUploadsAfterDays: uploads?.DaysAfterInitiation,
    transitions:
      Transitions.length === 0
        ? undefined
        : Transitions.map(({ Days = 0, StorageClass = 'GLACIER' }) => ({ afterDays: Days, storageClass: StorageClass as (typeof STORAGE_CLASSES)[number] })),
    other: Object.keys(compact(other)).length === 0 ? undefined : (JSON.parse(JSON.stringify(other)) as object),
  });
}

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** Rules sorted by name, without what says nothing; none for an empty list. */
export function canonicalRules(rules: readonly LifecycleRule[] | undefined): LifecycleRule[] | undefined {
  if (rules === undefined || rules.length === 0) return undefined;
  return rules
    .map(rule =>
      compact({
        ...rule,
        enabled: rule.enabled === false ? false : undefined,
        prefix: rule.prefix || undefined,
        tags: Object.keys(rule.tags ?? {}).length === 0 ? undefined : rule.tags,
        transitions: (rule.transitions ?? []).length === 0 ? undefined : [...rule.transitions!].sort(byText),
      }),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A CORS rule as S3 takes it. */
export function toAwsCors({ origins, methods, headers, exposeHeaders, maxAgeSeconds }: CorsRule): CORSRule {
  return compact({ AllowedOrigins: origins, AllowedMethods: methods, AllowedHeaders: headers, ExposeHeaders: exposeHeaders, MaxAgeSeconds: maxAgeSeconds });
}

/** A CORS rule as S3 answers it. */
export function fromAwsCors({
  ID,
  AllowedOrigins,
  AllowedMethods,
  AllowedHeaders,
  ExposeHeaders,
  MaxAgeSeconds,
}: CORSRule): CorsRule & { readonly id?: string } {
  return compact({
    id: ID || undefined,
    origins: AllowedOrigins ?? [],
    methods: (AllowedMethods ?? []) as CorsRule['methods'],
    headers: AllowedHeaders,
    exposeHeaders: ExposeHeaders,
    maxAgeSeconds: MaxAgeSeconds,
  });
}

const listed = (list: readonly string[] | undefined): string[] | undefined => (list === undefined || list.length === 0 ? undefined : [...new Set(list)].sort());

/** The lists inside each rule sorted; the rules keep their order, because the first that fits counts. None for an empty list. */
export function canonicalCors(rules: readonly CorsRule[] | undefined): CorsRule[] | undefined {
  if (rules === undefined || rules.length === 0) return undefined;
  return rules.map(rule =>
    compact({
      ...rule,
      origins: listed(rule.origins) ?? [],
      methods: (listed(rule.methods) ?? []) as CorsRule['methods'],
      headers: listed(rule.headers),
      exposeHeaders: listed(rule.exposeHeaders),
    }),
  );
}
