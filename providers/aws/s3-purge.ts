/** Removes what a bucket holds, a bounded part at a time. */
import { EngineError } from '../../src/sdk.ts';
import { type Call, s3 } from './client.ts';
import { classify } from './errors.ts';

/** Pages of 1,000 versions that one call of the verb removes (ListObjectVersions and DeleteObjects take at most 1,000): a few seconds. */
const PAGES = 10;

interface Version {
  readonly Key?: string | undefined;
  readonly VersionId?: string | undefined;
}

/** Keys may hold characters that XML cannot; S3 then answers them URL-encoded (ListObjectVersions, EncodingType). */
const decoded = (key = ''): string => decodeURIComponent(key.replaceAll('+', ' '));

async function removePage(call: Call, Bucket: string, versions: readonly Version[]): Promise<void> {
  const Objects = versions.map(({ Key = '', VersionId }) => (VersionId === undefined ? { Key } : { Key, VersionId }));
  const { Errors = [] } = await s3(call, 'DeleteObjects', { Bucket, Delete: { Objects, Quiet: true } });
  const [first] = Errors;
  // Object lock and denying policies answer per object, not for the call.
  if (first !== undefined)
    throw classify({ name: first.Code, message: first.Message, $metadata: {} }, { service: 's3', command: 'DeleteObjects', thing: Bucket });
}

/**
 * Removes all objects, versions and delete markers; returns when the bucket is empty. Throws Purging after 10 pages: call again, it goes on
 * where it stopped. Always lists from the start, because what was listed is gone.
 */
export async function purge(call: Call, Bucket: string): Promise<void> {
  for (let page = 0; page < PAGES; page++) {
    const { Versions = [], DeleteMarkers = [], IsTruncated, EncodingType } = await s3(call, 'ListObjectVersions', { Bucket, EncodingType: 'url' });
    const found = [...Versions, ...DeleteMarkers].map(version => (EncodingType === 'url' ? { ...version, Key: decoded(version.Key) } : version));
    if (found.length === 0) return;
    await removePage(call, Bucket, found);
    if (!IsTruncated) return;
  }
  throw new EngineError('Purging', `the objects of bucket ${Bucket} are being removed before it is deleted`);
}
