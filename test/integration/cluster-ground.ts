/** Where the engine's tests in a cluster begin: a control plane of their own with Plinth's kinds, and an account of the emulator behind class `local`. */
import { TRIES } from '../kill/cloud.ts';
import { account, miniStack } from '../parts/emulators.ts';
import type { LentControlPlane } from '../parts/kube/control-plane.ts';
import { borrowControlPlane } from '../parts/kube/pool.ts';
import { clients } from '../parts/proxy/test-clients.ts';
import { type AwsProxy, startProxy } from '../parts/proxy.ts';
import { type ClusterHome, openClusterHome } from './cluster-home.ts';

export interface ClusterGround<Plane extends LentControlPlane = LentControlPlane> {
  readonly plane: Plane;
  readonly home: ClusterHome;
  /** The engine's way to the emulator. */
  readonly proxy: AwsProxy;
  /** Of the emulator. */
  readonly account: string;
  /** Past the proxy. */
  readonly cloud: ReturnType<typeof clients>;
  close(): Promise<void>;
}

/** Starts all of it. */
export async function openGround(): Promise<ClusterGround> {
  return await openGroundOn(await borrowControlPlane());
}

/** Starts all of it on a control plane, which ends with it. */
export async function openGroundOn<Plane extends LentControlPlane>(plane: Plane): Promise<ClusterGround<Plane>> {
  const [{ endpoint }, key] = [await miniStack(), account()];
  const proxy = await startProxy(endpoint);
  const home = await openClusterHome(plane, { endpoint: proxy.endpoint, accessKeyId: key });
  const cloud = clients(endpoint, key, TRIES);
  const close = async (): Promise<void> => {
    for (const client of Object.values(cloud)) client.destroy();
    await home.close();
    await proxy.close();
    await plane.stop();
  };
  return { plane, home, proxy, account: key, cloud, close };
}
