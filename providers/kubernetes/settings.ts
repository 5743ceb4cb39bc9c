/** Settings of a connection to a cluster. */
import { type Static, Type } from '@sinclair/typebox';
import { EngineError } from '../../src/sdk.ts';

/** Where the credentials come from; the engine resolves `Secret` into `kubeconfig` before it connects. */
const Credentials = Type.Object(
  {
    from: Type.Union([Type.Literal('Environment'), Type.Literal('InCluster'), Type.Literal('File'), Type.Literal('Secret')], {
      description:
        'Environment: what kubectl would use, else the service account of the pod. InCluster: the service account of the pod. File: a kubeconfig. Secret: a kubeconfig in a Kubernetes Secret.',
    }),
    file: Type.Optional(Type.String({ minLength: 1, description: 'With File: path of the kubeconfig.' })),
    context: Type.Optional(Type.String({ minLength: 1, description: 'Context of the kubeconfig; without it the current one.' })),
    kubeconfig: Type.Optional(Type.String({ plinth: 'secret', description: 'The kubeconfig as text; filled in by the engine for Secret.' })),
    secretRef: Type.Optional(
      Type.Object(
        {
          namespace: Type.String({ description: 'Namespace of the Secret; never one with claims.' }),
          name: Type.String({ description: 'Name of the Secret.' }),
        },
        { description: 'The Secret with key kubeconfig.', additionalProperties: false },
      ),
    ),
  },
  { description: 'Where the cluster and the credentials come from.', additionalProperties: false },
);

export const KubernetesSettings = Type.Object({ credentials: Type.Optional(Credentials) }, { additionalProperties: false });
/** What `connect` takes. */
export type KubernetesSettings = Static<typeof KubernetesSettings>;

/** InvalidCredentials when something that goes with `from` is missing. */
export function checkSettings({ credentials }: KubernetesSettings): void {
  const lacks = (field: 'file' | 'kubeconfig'): boolean => (credentials?.[field] ?? '') === '';
  if (credentials?.from === 'File' && lacks('file'))
    throw new EngineError('InvalidCredentials', 'credentials from File name no file', { path: 'credentials.file', hint: 'name the kubeconfig' });
  if (credentials?.from === 'Secret' && lacks('kubeconfig'))
    throw new EngineError('InvalidCredentials', 'the Secret with the credentials has no key kubeconfig', { path: 'credentials.secretRef' });
}
