/** Settings of an AWS connection, and which credentials may go where. */
import { type Static, Type } from '@sinclair/typebox';
import { EngineError } from '../../src/sdk.ts';

/** Where credentials come from; the engine resolves `Secret` into the two keys before it connects. */
const Credentials = Type.Object(
  {
    from: Type.Union([Type.Literal('Environment'), Type.Literal('Secret'), Type.Literal('WebIdentity'), Type.Literal('Static')], {
      description:
        'Environment: the chain of the AWS SDK (variables, profile, pod identity). Secret: keys of a Kubernetes Secret. WebIdentity: a token file exchanged for a role. Static: keys written here, only for an endpoint that is not AWS.',
    }),
    accessKeyId: Type.Optional(Type.String({ description: 'Access key; for Secret it is filled in by the engine.' })),
    secretAccessKey: Type.Optional(Type.String({ description: 'Secret key; for Secret it is filled in by the engine.', plinth: 'secret' })),
    sessionToken: Type.Optional(Type.String({ description: 'Session token of temporary keys.', plinth: 'secret' })),
    roleArn: Type.Optional(Type.String({ description: 'Role to assume: the role of the web identity, or one assumed with the other credentials.' })),
    tokenFile: Type.Optional(Type.String({ description: 'Path of the web identity token; without it AWS_WEB_IDENTITY_TOKEN_FILE.' })),
    secretRef: Type.Optional(
      Type.Object(
        {
          namespace: Type.String({ description: 'Namespace of the Secret; never one with claims.' }),
          name: Type.String({ description: 'Name of the Secret.' }),
        },
        { description: 'The Secret with keys accessKeyId, secretAccessKey and, if need be, sessionToken.', additionalProperties: false },
      ),
    ),
  },
  { description: 'Where the credentials come from.', additionalProperties: false },
);

export const AwsSettings = Type.Object(
  {
    region: Type.String({ description: 'AWS region, e.g. eu-west-1.', pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]+$' }),
    endpoint: Type.Optional(Type.String({ description: 'URL of an AWS-compatible endpoint, or of an AWS interface endpoint; without it AWS itself.' })),
    credentials: Type.Optional(Credentials),
    instance: Type.Optional(Type.String({ description: 'Name of an emulator that Plinth started itself; its identity then does not depend on its port.' })),
  },
  { additionalProperties: false },
);
/** What `connect` takes. */
export type AwsSettings = Static<typeof AwsSettings>;

/** Domains of AWS's own endpoints (AWS General Reference, service endpoints; the last two are China and dual stack). */
const AWS_DOMAINS = ['.amazonaws.com', '.amazonaws.com.cn', '.api.aws'];

/** True when the connection reaches something that only speaks AWS's language: an emulator or a compatible server. */
export function isForeign(settings: Pick<AwsSettings, 'endpoint'>): boolean {
  if (settings.endpoint === undefined) return false;
  const { hostname } = parseEndpoint(settings.endpoint);
  return !AWS_DOMAINS.some(domain => hostname.endsWith(domain));
}

/** The endpoint as URL; throws InvalidObject when it is none. */
export function parseEndpoint(endpoint: string): URL {
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new EngineError('InvalidObject', `endpoint ${JSON.stringify(endpoint)} is not an http or https URL`, { path: 'endpoint' });
  }
  if (url.username !== '' || url.password !== '') {
    throw new EngineError('InvalidObject', 'endpoint holds a user name or password; credentials have their own field', { path: 'endpoint' });
  }
  return url;
}

/** Keys of an account never go to a foreign endpoint, and keys in plain settings never to AWS. */
export function checkSettings(settings: AwsSettings): void {
  const from = settings.credentials?.from;
  const foreign = isForeign(settings);
  if (foreign && from !== undefined && from !== 'Static') {
    throw new EngineError('InvalidCredentials', `credentials from ${from} are not sent to an endpoint that is not AWS`, {
      path: 'credentials.from',
      hint: 'use Static test credentials there, or remove the endpoint',
    });
  }
  if (!foreign && from === 'Static') {
    throw new EngineError('InvalidCredentials', 'static credentials are for endpoints that are not AWS', {
      path: 'credentials.from',
      hint: 'use Secret, WebIdentity or Environment',
    });
  }
  if (from === 'Secret' && (settings.credentials?.accessKeyId === undefined || settings.credentials.secretAccessKey === undefined)) {
    throw new EngineError('InvalidCredentials', 'the Secret lacks accessKeyId or secretAccessKey', { path: 'credentials.secretRef' });
  }
}
