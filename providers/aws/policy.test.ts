import { describe, expect, it } from 'vitest';
import { canonicalPolicy, joinPolicy, splitPolicy } from './policy.ts';

const arn = 'arn:aws:sqs:us-east-1:111122223333:orders';

describe('canonicalPolicy', () => {
  it('makes equal what means the same', () => {
    const one = {
      Statement: {
        Effect: 'Allow',
        Principal: { AWS: ['arn:aws:iam::111122223333:root'] },
        Action: ['SQS:SendMessage'],
        Resource: [arn],
        Condition: { Bool: { b: true } },
      },
    };
    const two = JSON.stringify({
      Version: '2008-10-17',
      Statement: [{ Resource: arn, Action: 'sqs:SendMessage', Effect: 'Allow', Principal: { AWS: '111122223333' }, Condition: { Bool: { b: ['true'] } } }],
    });
    expect(canonicalPolicy(one)).toEqual(canonicalPolicy(two));
    expect(JSON.stringify(canonicalPolicy(one))).toBe(JSON.stringify(canonicalPolicy(canonicalPolicy(one))));
  });

  it('does not mind the order of statements and list items', () => {
    const statement = (Sid: string, ...Action: string[]) => ({ Sid, Effect: 'Allow', Action });
    expect(canonicalPolicy({ Statement: [statement('a', 'x:1', 'x:2'), statement('b')] })).toEqual(
      canonicalPolicy({ Statement: [statement('b'), statement('a', 'x:2', 'x:1', 'x:1')] }),
    );
  });

  it('fills in the thing itself, and is none without statements', () => {
    expect(canonicalPolicy({ Version: '2012-10-17', Statement: [{ Effect: 'Deny' }] }, [arn, `${arn}/*`])).toMatchObject({
      Statement: [{ Resource: [arn, `${arn}/*`] }],
    });
    expect(canonicalPolicy({ Version: '2012-10-17', Statement: [] })).toBeUndefined();
    expect(canonicalPolicy('')).toBe('');
    expect(canonicalPolicy('not json')).toBe('not json');
  });
});

describe('a queue policy as two fields', () => {
  const own = { Version: '2012-10-17', Statement: [{ Sid: 'Own', Effect: 'Allow', Principal: '*', Action: 'sqs:SendMessage' }] };
  it('reads back what was written', () => {
    for (const sources of [[], ['arn:t1'], ['arn:t2', 'arn:t1']]) {
      for (const policy of [undefined, own]) {
        const read = splitPolicy(joinPolicy(policy, sources, arn), arn);
        expect(read.allowSendFrom ?? []).toEqual([...sources].sort());
        expect(read.policy).toEqual(canonicalPolicy(policy, arn));
      }
    }
  });

  it('is empty text for nothing', () => expect(joinPolicy(undefined, [], arn)).toBe(''));

  it('does not take a widened send statement for ours', () => {
    const widened = joinPolicy(undefined, ['arn:t1'], arn).replace('"sns.amazonaws.com"', '["sns.amazonaws.com","s3.amazonaws.com"]');
    const read = splitPolicy(widened, arn);
    expect(read.allowSendFrom).toBeUndefined();
    expect(read.policy).toBeDefined();
  });
});
