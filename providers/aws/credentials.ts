/** Credentials for a connection; the SDK's providers are loaded only where they are asked for. */
import { EngineError } from '../../src/sdk.ts';
import { type AwsSettings, isForeign } from './settings.ts';

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}
type Source = (options?: object) => Promise<Keys>;

/** Time before expiry at which keys are fetched again. */
const EARLY_MS = 300_000;

function staticKeys({ accessKeyId = 'test', secretAccessKey = 'test', sessionToken }: NonNullable<AwsSettings['credentials']>): Keys {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

async function sourceOf(settings: AwsSettings): Promise<Source> {
  const { credentials: wanted = { from: 'Environment' as const } } = settings;
  const { fromNodeProviderChain, fromTemporaryCredentials, fromTokenFile } = await import('@aws-sdk/credential-providers');
  const { openHandler } = await import('./transport.ts');
  const clientConfig = { region: settings.region, requestHandler: openHandler() };
  const role = wanted.roleArn;
  if (wanted.from === 'WebIdentity') {
    return fromTokenFile({
      roleSessionName: 'plinth',
      clientConfig,
      ...(role === undefined ? {} : { roleArn: role }),
      ...(wanted.tokenFile === undefined ? {} : { webIdentityTokenFile: wanted.tokenFile }),
    });
  }
  const own: Source = wanted.from === 'Environment' ? fromNodeProviderChain({ clientConfig }) : async () => staticKeys(wanted);
  if (role === undefined) return own;
  return fromTemporaryCredentials({ masterCredentials: own, params: { RoleArn: role, RoleSessionName: 'plinth' }, clientConfig });
}

/** A token file that is missing is a matter of the config, though Node throws it as its own kind of error. */
function unreadable(error: unknown): unknown {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EISDIR') return error;
  return new EngineError('InvalidCredentials', `the token file of the credentials cannot be read: ${code}`, { path: 'credentials.tokenFile', cause: error });
}

/** Keys are fetched once for all calls that come at the same time, and again shortly before they expire. */
function remembering(load: () => Promise<Source>): () => Promise<Keys> {
  let source: Promise<Source> | undefined;
  let keys: Promise<Keys> | undefined;
  return async () => {
    source ??= load();
    keys ??= source.then(ask => ask());
    try {
      const known = await keys;
      if (known.expiration === undefined || known.expiration.getTime() - Date.now() > EARLY_MS) return known;
      keys = source.then(ask => ask({ forceRefresh: true }));
      return await keys;
    } catch (error) {
      keys = undefined;
      source = undefined;
      throw unreadable(error);
    }
  };
}

/** One source for all clients of a connection, so that a role is assumed once. A foreign endpoint only ever sees static keys. */
export function credentialsOf(settings: AwsSettings): () => Promise<Keys> {
  const wanted = settings.credentials;
  if (isForeign(settings)) return async () => staticKeys(wanted ?? { from: 'Static' });
  if (wanted?.from === 'Secret' && wanted.roleArn === undefined) return async () => staticKeys(wanted);
  return remembering(() => sourceOf(settings));
}
