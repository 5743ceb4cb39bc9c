import { describe, expect, it } from 'vitest';
import type { JsonObject, Present } from '../../src/sdk.ts';
import { account, miniStack } from '../../test/parts/emulators.ts';
import { s3 } from './client.ts';
import { s3Bucket } from './s3-bucket.ts';
import { answer, failure, look, settle, type Trial, trial } from './trial.ts';

const [plain, rich] = s3Bucket.examples as [JsonObject, JsonObject];
const make = (t: Trial, name: string, spec: JsonObject) => s3Bucket.create(t.context(), name, s3Bucket.normalise!(spec));
const seenOf = async (t: Trial, name: string) => (await look(s3Bucket, t, name)) as Present;
const fresh = async (region = 'us-east-1') => {
  const id = account();
  return { t: trial((await miniStack()).endpoint, id, { region }), name: `plinth-${id}-${region}` };
};
const put = (t: Trial, Bucket: string, Key: string) => s3(t.context(), 'PutObject', { Bucket, Key, Body: 'x' });

describe('aws/s3-bucket', () => {
  it.each(['us-east-1', 'eu-west-1'])('is made with its tags in one call in %s; a quick look is one call', async region => {
    const { t, name } = await fresh(region);
    expect(await look(s3Bucket, t, name)).toEqual({ kind: 'absent' });
    await make(t, name, plain);
    expect(t.counted()).toBe(2);
    expect((await seenOf(t, name)).spec['tags']).toEqual({ team: 'orders' });
    expect(t.counted()).toBe(9);
    await look(s3Bucket, t, name, 'quick');
    expect(t.counted()).toBe(1);
  });

  it('goes from plain to rich and back', async () => {
    const { t, name } = await fresh();
    await make(t, name, plain);
    expect(await settle(s3Bucket, t, name, rich)).toBe(1);
    expect(await settle(s3Bucket, t, name, plain)).toBe(1);
    expect(Object.keys((await seenOf(t, name)).spec).sort()).toEqual(['ownership', 'publicAccessBlock', 'tags', 'versioning']);
  });

  it('keeps the tags of others, though S3 has one call for all', async () => {
    const { t, name } = await fresh();
    await make(t, name, plain);
    const seen = await seenOf(t, name);
    await s3(t.context(), 'PutBucketTagging', {
      Bucket: name,
      Tagging: {
        TagSet: [
          { Key: 'team', Value: 'orders' },
          { Key: 'theirs', Value: '1' },
        ],
      },
    });
    const change = { path: 'tags.team', desired: 'billing', observed: 'orders', cause: 'changed' } as const;
    await s3Bucket.update(t.context(), name, { spec: plain, seen, changes: [change] });
    expect((await seenOf(t, name)).spec['tags']).toEqual({ team: 'billing', theirs: '1' });
  });

  it('shows a lifecycle setting it has no field for', async () => {
    const { t, name } = await fresh();
    await make(t, name, plain);
    await s3(t.context(), 'PutBucketLifecycleConfiguration', {
      Bucket: name,
      LifecycleConfiguration: { Rules: [{ ID: 'a', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Date: new Date('2030-01-01') } }] },
    });
    expect((await seenOf(t, name)).spec['lifecycle']).toMatchObject([{ id: 'a', other: { Date: '2030-01-01T00:00:00.000Z' } }]);
  });

  it('keeps a bucket that holds objects, unless it may be purged; versions, markers and odd keys go too', async () => {
    const { t, name } = await fresh();
    await make(t, name, { ...plain, versioning: true });
    await settle(s3Bucket, t, name, { ...plain, versioning: true });
    for (const key of ['a +%/é&<', 'a +%/é&<', 'b']) await put(t, name, key);
    await s3(t.context(), 'DeleteObject', { Bucket: name, Key: 'b' });
    const seen = await seenOf(t, name);
    await expect(s3Bucket.delete(t.context(), name, seen, {})).rejects.toMatchObject({ code: 'NotEmpty' });
    await s3Bucket.delete(t.context(), name, seen, { purge: true });
    expect(await look(s3Bucket, t, name)).toEqual({ kind: 'absent' });
    await expect(s3Bucket.delete(t.context(), name, seen, { purge: true })).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('purges ten pages a call, goes on where it stopped, and ends with the signal', async () => {
    const t = trial('http://127.0.0.1:1');
    let pages = 12;
    const asked = await answer(t, 's3', command => {
      if (command === 'ListObjectVersions') return { Versions: [{ Key: 'k', VersionId: 'v' }], IsTruncated: pages > 1 };
      if (command === 'DeleteObjects') pages--;
      return {};
    });
    const seen = { kind: 'present', spec: {}, state: {}, readiness: { ready: true }, unread: [] } as Present;
    const purge = () => s3Bucket.delete(t.context(), 'b', seen, { purge: true });
    await expect(purge()).rejects.toMatchObject({ code: 'Purging', message: 'the objects of bucket b are being removed before it is deleted' });
    expect(asked).toHaveLength(20);
    await purge();
    expect(asked.at(-1)).toBe('DeleteBucket');
    expect(asked).toHaveLength(25);
    const ended = { ...t.context(), budget: async () => Promise.reject(new Error('ended')) };
    await expect(s3Bucket.delete(ended, 'b', seen, { purge: true })).rejects.toThrow();
  });

  it('says why an object cannot be removed', async () => {
    const t = trial('http://127.0.0.1:1');
    await answer(t, 's3', command => {
      if (command === 'ListObjectVersions') return { Versions: [{ Key: 'k' }] };
      if (command === 'DeleteObjects') return { Errors: [{ Key: 'k', Code: 'AccessDenied', Message: 'object lock' }] };
      return {};
    });
    const seen = { kind: 'present', spec: {}, state: {}, readiness: { ready: true }, unread: [] } as Present;
    await expect(s3Bucket.delete(t.context(), 'b', seen, { purge: true })).rejects.toMatchObject({ code: 'AccessDenied' });
  });

  it("tells another account's bucket from a missing permission and from wrong keys", async () => {
    const t = trial('http://127.0.0.1:1');
    const state = { status: 403, list: (): unknown => ({ Buckets: [] }) };
    await answer(t, 's3', command => {
      if (command === 'HeadBucket') throw failure('Unknown', state.status);
      return state.list();
    });
    await expect(look(s3Bucket, t, 'b')).rejects.toMatchObject({ code: 'NameTaken' });
    state.list = () => ({ Buckets: [{ Name: 'b' }] });
    await expect(look(s3Bucket, t, 'b')).rejects.toMatchObject({ code: 'AccessDenied' });
    state.list = () => {
      throw failure('InvalidAccessKeyId', 403);
    };
    await expect(look(s3Bucket, t, 'b')).rejects.toMatchObject({ code: 'InvalidCredentials' });
    state.status = 400;
    state.list = () => {
      throw failure('ExpiredToken', 400);
    };
    await expect(look(s3Bucket, t, 'b')).rejects.toMatchObject({ code: 'InvalidCredentials' });
    state.status = 301;
    await expect(look(s3Bucket, t, 'b')).rejects.toMatchObject({ code: 'NameTaken' });
    state.status = 404;
    expect(await look(s3Bucket, t, 'b')).toEqual({ kind: 'absent' });
  });

  it('meets a bucket of another account on MiniStack as a name that is taken', async () => {
    const { t, name } = await fresh();
    await make(t, name, plain);
    const other = trial((await miniStack()).endpoint);
    await expect(look(s3Bucket, other, name)).rejects.toMatchObject({ code: 'NameTaken' });
    await expect(make(other, name, plain)).rejects.toMatchObject({ code: 'NameTaken' });
  });

  it('tells the age of a bucket without tags only', async () => {
    const { t, name } = await fresh();
    const before = Date.now();
    await make(t, name, plain);
    expect(await seenOf(t, name)).not.toHaveProperty('createdAt');
    await settle(s3Bucket, t, name, plain);
    await settle(s3Bucket, t, name, { ...plain, tags: {} });
    // In whole seconds.
    expect(Date.parse((await seenOf(t, name)).createdAt ?? '')).toBeGreaterThan(before - 1_000);
  });
});
