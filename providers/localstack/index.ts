/** Provider `localstack`: the types of provider `aws` on any AWS-compatible endpoint, with test credentials and nothing else. */
import { type Static, Type } from '@sinclair/typebox';
import { EngineError, provider } from '../../src/sdk.ts';
import { type AwsClient, classify, close, connect, isForeign, owned, rate, scopeOf, types, unsearchable } from '../aws/index.ts';
import { detect } from './detect.ts';
import { type Kind, unsupportedFields } from './limits.ts';

const Settings = Type.Object(
  {
    region: Type.String({ default: 'us-east-1', pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]+$', description: 'Region; emulators keep regions apart.' }),
    endpoint: Type.String({ description: 'URL of the endpoint, e.g. http://127.0.0.1:4566.' }),
    credentials: Type.Optional(
      Type.Object(
        {
          from: Type.Union([Type.Literal('Static'), Type.Literal('Secret')], {
            description: 'Keys written here, or in a Secret. Never those of a real account.',
          }),
          accessKeyId: Type.Optional(Type.String({ description: 'As accessKeyId beside it; for Secret it is filled in by the engine.' })),
          secretAccessKey: Type.Optional(Type.String({ description: 'As secretAccessKey beside it; for Secret it is filled in by the engine.' })),
          secretRef: Type.Optional(
            Type.Object(
              { namespace: Type.String({ description: 'Namespace of the Secret.' }), name: Type.String({ description: 'Name of the Secret.' }) },
              { additionalProperties: false, description: 'The Secret with keys accessKeyId and secretAccessKey.' },
            ),
          ),
        },
        { additionalProperties: false, description: 'Where the test credentials come from; the same form as for provider aws.' },
      ),
    ),
    accessKeyId: Type.String({ default: 'test', description: 'Access key; emulators take one of 12 digits for the account.' }),
    secretAccessKey: Type.String({ default: 'test', description: 'Secret key; emulators accept any. Never one of a real account.' }),
    instance: Type.Optional(Type.String({ description: 'Name of an emulator that Plinth started itself: its identity then does not depend on its port.' })),
    forgets: Type.Boolean({ default: true, description: 'It loses everything when it restarts, so what vanished is made again.' }),
  },
  { additionalProperties: false },
);
type Settings = Static<typeof Settings>;

interface EmulatorClient extends AwsClient {
  readonly kind: Kind;
}

async function connectEmulator(settings: Settings): Promise<EmulatorClient> {
  const { region = 'us-east-1', endpoint, instance } = settings;
  const { accessKeyId = settings.accessKeyId ?? 'test', secretAccessKey = settings.secretAccessKey ?? 'test' } = settings.credentials ?? {};
  if (!isForeign({ endpoint })) {
    throw new EngineError('InvalidObject', 'the endpoint is AWS itself; provider localstack is for everything else', {
      path: 'endpoint',
      hint: 'use provider aws',
    });
  }
  const client = connect({ region, endpoint, credentials: { from: 'Static', accessKeyId, secretAccessKey }, ...(instance === undefined ? {} : { instance }) });
  return Object.assign(client, { kind: await detect(endpoint) });
}

export const localstack = provider<Settings, EmulatorClient>({
  name: 'localstack',
  description: 'Any AWS-compatible endpoint (LocalStack, MiniStack, moto, …) with test credentials: the types of provider aws.',
  settings: Settings,
  // Emulators answer from one memory: nothing has to settle (src/decisions/0002).
  types: types.map(type => ({ ...type, settleSeconds: 0 })),
  unsearchable,
  // It is ours alone: more than it can answer, so that only its own Throttled slows us down.
  rate: { callsPerSecond: rate.callsPerSecond * 100, burst: rate.burst * 100 },
  forgetful: settings => settings.forgets !== false,
  connect: connectEmulator,
  scope: scopeOf,
  close,
  classify: error => classify(error),
  owned,
  unsupported: client => unsupportedFields(client.kind),
});
