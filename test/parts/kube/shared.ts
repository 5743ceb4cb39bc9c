import { randomBytes } from 'node:crypto';
import { ask, offer } from '../starter.ts';
import { asAdmin, type ControlPlane, launchControlPlane, startControlPlane } from './control-plane.ts';

/** Holds the address at which the global setup hands out the control plane of the run, starting it at the first question. */
export const STARTER_VARIABLE = 'PLINTH_TEST_KUBERNETES_STARTER';

let own: Promise<ControlPlane> | undefined;

/**
 * The control plane that all tests of a run share: that of the global setup, which starts it when the first test asks; else one of this process.
 * Who needs an empty one borrows it (borrowControlPlane); who breaks API servers starts one with startControlPlane.
 */
export function controlPlane(): Promise<ControlPlane> {
  own ??= process.env[STARTER_VARIABLE] ? ask<ControlPlane>(process.env[STARTER_VARIABLE]) : startControlPlane();
  return own;
}

/** Makes a namespace with a name of its own and returns that name. With many tests on one API server each has its own. */
export async function newNamespace(plane: ControlPlane, options: { readonly prefix?: string; readonly labels?: Record<string, string> } = {}): Promise<string> {
  const name = `${options.prefix ?? 'test'}-${randomBytes(4).toString('hex')}`;
  const metadata = { name, labels: options.labels ?? {} };
  const answer = await asAdmin(plane, 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  if (answer.status !== 201) throw new Error(`namespace ${name} was not made: ${answer.status} ${answer.body?.message ?? ''}`);
  return name;
}

/** For the global setup: what starts the control plane at the first question. Sets the variable; returns what ends both. */
export async function offerControlPlane(report: (line: string) => void): Promise<() => Promise<void>> {
  const { url, end } = await offer(() => {
    report('starting a Kubernetes control plane');
    return launchControlPlane();
  });
  process.env[STARTER_VARIABLE] = url;
  return async () => {
    await (await end())?.stop();
  };
}
