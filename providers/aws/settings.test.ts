import { describe, expect, it } from 'vitest';
import { type AwsSettings, checkSettings, isForeign } from './settings.ts';

const check = (settings: Partial<AwsSettings>) => () => checkSettings({ region: 'eu-west-1', ...settings });
const keys = { accessKeyId: 'AKIA', secretAccessKey: 's' };

describe('settings', () => {
  it('knows AWS by its domains', () => {
    for (const endpoint of [
      'https://sqs.eu-west-1.amazonaws.com',
      'https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com',
      'https://s3.cn-north-1.amazonaws.com.cn',
    ]) {
      expect(isForeign({ endpoint })).toBe(false);
    }
    for (const endpoint of ['http://localhost:4566', 'https://amazonaws.com.evil.example', 'https://evilamazonaws.com'])
      expect(isForeign({ endpoint })).toBe(true);
    expect(isForeign({})).toBe(false);
  });

  it('sends no real credentials to a foreign endpoint', () => {
    const endpoint = 'http://localhost:4566';
    for (const from of ['Environment', 'Secret', 'WebIdentity'] as const)
      expect(check({ endpoint, credentials: { from, ...keys } })).toThrow(/not sent to an endpoint/);
    expect(check({ endpoint, credentials: { from: 'Static', ...keys } })).not.toThrow();
    expect(check({ endpoint })).not.toThrow();
  });

  it('takes no static keys for AWS, and no Secret without keys', () => {
    expect(check({ credentials: { from: 'Static', ...keys } })).toThrow(/static credentials/);
    expect(check({ credentials: { from: 'Secret' } })).toThrow(/lacks accessKeyId/);
    expect(check({ credentials: { from: 'Secret', ...keys } })).not.toThrow();
  });

  it('refuses an endpoint that is no URL, or that holds a password', () => {
    for (const endpoint of ['localhost:4566', 'ftp://x', '']) expect(check({ endpoint })).toThrow(/not an http or https URL/);
    expect(check({ endpoint: 'http://me:secret@localhost' })).toThrow(/user name or password/);
  });
});
