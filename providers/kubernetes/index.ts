/** Provider `kubernetes`: objects of a cluster, the one the engine runs in or another. */
import { provider } from '../../src/sdk.ts';
import { close, connect, type KubernetesClient, scopeOf } from './client.ts';
import { classify } from './errors.ts';
import { object } from './object.ts';
import { owned } from './owned.ts';
import { KubernetesSettings } from './settings.ts';
import { beginWatching } from './watch.ts';

export const kubernetes = provider<KubernetesSettings, KubernetesClient>({
  name: 'kubernetes',
  description: 'Objects of a Kubernetes cluster, in the namespace of the claim.',
  settings: KubernetesSettings,
  types: [object],
  unsearchable: [],
  // Half of what client-go allows a controller by itself (rest.DefaultQPS is 5, controller-runtime's 20): one claim has few objects.
  rate: { callsPerSecond: 50, burst: 100 },
  forgetful: () => false,
  connect,
  scope: scopeOf,
  close,
  classify,
  owned,
  watch: ({ watches }, instance, onChange, signal) => beginWatching(watches, instance, onChange, signal),
});
