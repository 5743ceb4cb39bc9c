/** What an engine writes for one claim to an API server, without an engine: with bodies of the size that one writes. */
import type { JsonObject } from '../../src/core/types.ts';
import { loadAccess } from '../../src/kube/config.ts';
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import { type Api, MERGE_PATCH, openApi, request } from '../../src/kube/transport.ts';
import { NAMESPACE, queueClaims } from './world.ts';

export interface ClusterWriter {
  readonly api: Api;
}

const core = (plural: string, kind: string): Resource => ({ group: '', version: 'v1', plural, kind, namespaced: true });
export const QUEUES: Resource = { group: 'plinth.dev', version: 'v1alpha1', plural: 'queues', kind: 'Queue', namespaced: true };
const EVENTS: Resource = { ...core('events', 'Event'), group: 'events.k8s.io' };

export async function openWriter(kubeconfig: string): Promise<ClusterWriter> {
  return { api: openApi(await loadAccess({ kubeconfig })) };
}

/** What a user does; the engine's run is measured with it, too. */
export async function createClaim({ api }: ClusterWriter, index: number): Promise<JsonObject> {
  const [body] = queueClaims(1, index);
  return await request(api, { method: 'POST', path: pathOf(QUEUES, NAMESPACE), body: body! });
}

const nameOf = (object: JsonObject): string => (object['metadata'] as { name: string }).name;

/** Finalizer, and the record of both queues. */
export async function takeUp({ api }: ClusterWriter, object: JsonObject): Promise<void> {
  const name = nameOf(object);
  const finalizer = { metadata: { finalizers: ['plinth.dev/claim'] } };
  await request(api, { method: 'PATCH', path: pathOf(QUEUES, NAMESPACE, name), body: finalizer, contentType: MERGE_PATCH });
  await patchStatus(api, name, statusOf(name, 'Intended'));
}

/** Secret, status and Event. */
export async function publish({ api }: ClusterWriter, object: JsonObject): Promise<void> {
  const name = nameOf(object);
  const data = Object.fromEntries(['uri', 'arn', 'region', 'type', 'provider', 'queue'].map(key => [key, Buffer.from(`${key} of ${name}`).toString('base64')]));
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: `${name}-queue`, namespace: NAMESPACE }, type: 'servicebinding.io/sqs', data };
  await request(api, { method: 'POST', path: pathOf(core('secrets', 'Secret'), NAMESPACE), body: secret });
  await patchStatus(api, name, statusOf(name, 'Present'));
  await request(api, { method: 'POST', path: pathOf(EVENTS, NAMESPACE), body: eventOf(name) });
}

async function patchStatus(api: Api, name: string, status: JsonObject): Promise<void> {
  await request(api, { method: 'PATCH', path: pathOf(QUEUES, NAMESPACE, name, 'status'), body: { status }, contentType: MERGE_PATCH });
}

function statusOf(name: string, phase: string): JsonObject {
  const now = new Date().toISOString();
  const settled = Object.fromEntries(['fifo', 'delaySeconds', 'maximumMessageSize', 'retentionSeconds', 'tags'].map(field => [field, '0123456789ab']));
  const entry = (id: string): JsonObject => ({
    id,
    type: 'aws/sqs-queue',
    config: 'local',
    scope: 'aws:000000000000/us-east-1',
    name: `${name}_${id}`,
    phase,
    settled,
  });
  const condition = (type: string): JsonObject => ({ type, status: 'True', reason: 'Ready', message: '', observedGeneration: 1, lastTransitionTime: now });
  return {
    inventoryFor: 'bench',
    observedGeneration: 1,
    class: 'local',
    composition: 'queue-sqs',
    revision: '0123456789abcdef',
    conditions: ['Ready', 'Synced', 'Drifted', 'Stalled'].map(condition),
    resources: [entry('deadLetter'), entry('queue')],
    outputs: { arn: `arn:aws:sqs:us-east-1:000000000000:${name}`, url: `http://127.0.0.1/000000000000/${name}` },
  };
}

function eventOf(name: string): JsonObject {
  return {
    metadata: { name: `${name}.1`, namespace: NAMESPACE },
    eventTime: new Date().toISOString().replace('Z', '000Z'),
    reportingController: 'plinth.dev/bench',
    reportingInstance: 'bench',
    action: 'Reconcile',
    type: 'Normal',
    reason: 'Ready',
    note: 'ready',
    regarding: { apiVersion: 'plinth.dev/v1alpha1', kind: 'Queue', name, namespace: NAMESPACE },
  };
}
