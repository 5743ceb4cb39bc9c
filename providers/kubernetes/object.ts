/**
 * `kubernetes/object`: any object of the claim's namespace, by server-side apply. A claim that belongs to no namespace makes the one of its own
 * name, and objects in that.
 */
import { type Static, Type } from '@sinclair/typebox';
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import { absent, EngineError, isError, type JsonObject, present, resourceType, type StringMap } from '../../src/sdk.ts';
import { applyChanges } from './apply.ts';
import { type Call, forgetKind, type KubernetesClient, readerFor, resourceFor, send } from './client.ts';
import { refuseFixed } from './fixed.ts';
import { annotationsOf, bodyOf, FIELD_MANAGER, labelsOf, manifestOf } from './manifest.ts';
import { isNamespace, keyOfSpec, type Target, targetOf, titleOf } from './names.ts';
import { normalManifest } from './normal-form.ts';
import { mayMake } from './place.ts';
import { readinessOf } from './readiness.ts';
import { parseSent, readInWords, SENT, sentOf } from './sent.ts';
import { verified } from './verified.ts';
import { noteWritten, watchKind } from './watch.ts';

const Manifest = Type.Object(
  {
    apiVersion: Type.String({ pattern: '^([a-z0-9.-]+/)?v[0-9][a-z0-9]*$', description: 'API group and version, e.g. apps/v1.' }),
    kind: Type.String({ pattern: '^[A-Z][A-Za-z0-9]*$', not: { enum: ['Secret'] }, description: 'Kind of the object; anything but Secret.' }),
    metadata: Type.Object(
      {
        name: Type.String({ pattern: '^[^/%]{1,253}$', description: 'Name of the object, in the namespace of the claim.' }),
        labels: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Labels; those of others are left alone.' })),
        annotations: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Annotations; those of others are left alone.' })),
      },
      {
        additionalProperties: false,
        description: 'Name, labels and annotations. The namespace is always that of the claim; of a claim of scope Cluster the one of its own name.',
      },
    ),
  },
  {
    additionalProperties: true,
    plinth: 'shared',
    description: 'The object as kubectl would apply it, without namespace and status. What it does not set is left to others.',
  },
);
const Spec = Type.Object(
  {
    manifest: Manifest,
    marks: Type.Record(Type.String(), Type.String(), { default: {}, plinth: 'shared', description: 'Whose it is, as annotations; filled in by the engine.' }),
    deletion: Type.Optional(
      Type.Union([Type.Literal('Background'), Type.Literal('Foreground'), Type.Literal('Orphan')], {
        plinth: 'delete-only',
        description:
          'What becomes of the objects it owns when it is deleted. Background (also when left out): they go after it. Foreground: before it. Orphan: they stay.',
      }),
    ),
  },
  { additionalProperties: false },
);
type Spec = Static<typeof Spec>;

const State = Type.Object({
  name: Type.String({ description: 'Name of the object.' }),
  namespace: Type.String({ description: 'Namespace of the object.' }),
  uid: Type.String({ description: 'Its uid.' }),
  object: Type.Object({}, { additionalProperties: true, description: 'The whole object as the API server has it, e.g. `state.object.spec.clusterIP`.' }),
});
type State = Static<typeof State>;

const EXAMPLES: readonly JsonObject[] = [
  { manifest: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shop' }, data: { size: '1' } }, marks: {} },
  {
    manifest: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop', labels: { app: 'shop' } },
      spec: { selector: { app: 'shop' }, ports: [{ name: 'web', port: 80, targetPort: 8080 }] },
    },
    marks: { team: 'shop' },
  },
];

export const object = resourceType<typeof Spec, typeof State, KubernetesClient>({
  type: 'kubernetes/object',
  description: 'Any object of the namespace of the claim, but no Secret, by server-side apply.',
  spec: Spec,
  state: State,
  secrets: [],
  naming: { by: 'key', key: keyOfSpec },
  mark: { as: 'map', at: 'marks' },
  holds: 'nothing',
  // With a namespace goes all that lives in it.
  holdsBy: name => (isNamespace(wanted(name)) ? 'data' : 'nothing'),
  settleSeconds: 0,
  examples: EXAMPLES as unknown as Spec[],
  normalise: spec => ({ ...spec, manifest: normalManifest(spec.manifest as JsonObject) as Spec['manifest'] }),

  async observe(ctx, name) {
    const target = wanted(name);
    const resource = await readerFor(ctx, name, target.group, target.kind);
    // Without its kind no object of it can be there.
    if (resource === undefined) return absent;
    watchKind(ctx.client.watches, ctx.client.api, resource);
    const found = await getIn(ctx, name, target, resource);
    const note = parseSent(annotationsOf(found)[SENT]);
    const isWorthLooking = ctx.depth === 'full' && note !== undefined && Object.keys(note.words).length > 0;
    const read = isWorthLooking ? await verified(ctx, target, resource, found, note) : note;
    const manifest = readInWords(manifestOf(found), read) as Spec['manifest'];
    const { [SENT]: _, ...marks } = annotationsOf(found);
    return present<Spec, State>({ manifest, marks }, stateOf(found, target), readinessOf(found));
  },

  async create(ctx, name, spec) {
    const target = wanted(name);
    const { manifest } = spec;
    const resource = await makerFor(ctx, target, manifest.apiVersion);
    await mayMake(ctx, target, spec.marks);
    const call = { method: 'POST', path: pathOf(resource, target.namespace), query: { fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' } } as const;
    const body = bodyOf(target, manifest as JsonObject, spec.marks, sentOf(manifest as JsonObject, undefined));
    try {
      noteWritten(ctx.client.watches, await send(ctx, { verb: 'create', thing: titleOf(target) }, { ...call, body }));
    } catch (error) {
      // Perhaps it is the kind that is gone, and comes back elsewhere.
      if (isError(error, 'DependencyMissing')) forgetKind(ctx, resource);
      throw error;
    }
    ctx.client.versions.set(name, manifest.apiVersion);
  },

  async update(ctx, name, update) {
    const target = wanted(name);
    refuseFixed(update.spec.manifest, update.changes);
    const resource = await makerFor(ctx, target, update.spec.manifest.apiVersion);
    await applyChanges(ctx, target, resource, update);
    ctx.client.versions.set(name, update.spec.manifest.apiVersion);
  },

  async delete(ctx, name, seen, onDelete) {
    const target = wanted(name);
    const resource = await readerFor(ctx, name, target.group, target.kind);
    if (resource === undefined) throw new EngineError('NotFound', `${titleOf(target)} does not exist`);
    const options = { propagationPolicy: onDelete.deletion ?? 'Background', preconditions: { uid: seen.state.uid } };
    const call = { method: 'DELETE', path: pathOf(resource, target.namespace, target.name) } as const;
    await send(ctx, { verb: 'delete', thing: titleOf(target) }, { ...call, body: { apiVersion: 'v1', kind: 'DeleteOptions', ...options } });
  },
});

function wanted(name: string): Target {
  const target = targetOf(name);
  if (target !== undefined && target.kind !== 'Secret') return target;
  throw new EngineError('InvalidRequest', `${name} names no object this type may touch`, { hint: 'GROUP/KIND/NAMESPACE/NAME, and no Secret' });
}

/** The object in the version its note names, which is that of its manifest. */
async function getIn(ctx: Call, name: string, target: Target, resource: Resource): Promise<JsonObject> {
  const get = (from: Resource): Promise<JsonObject> =>
    send(ctx, { verb: 'get', thing: titleOf(target) }, { method: 'GET', path: pathOf(from, target.namespace, target.name) });
  const found = await get(resource);
  const written = parseSent(annotationsOf(found)[SENT])?.apiVersion;
  if (written === undefined || written === found['apiVersion']) return found;
  ctx.client.versions.set(name, written);
  const other = await readerFor(ctx, name, target.group, target.kind);
  return other === undefined || other.version === resource.version ? found : await get(other);
}

/** The resource to write through; NotAllowed for kinds that belong to no namespace, but Namespace. */
async function makerFor(ctx: Call, target: Target, apiVersion: string): Promise<Resource> {
  const { kind } = target;
  const resource = await resourceFor(ctx, apiVersion, kind);
  if (resource.namespaced || isNamespace(target)) return resource;
  throw new EngineError('NotAllowed', `${kind} belongs to no namespace; a claim makes objects in its own namespace only`, {
    path: 'manifest.kind',
    hint: 'let an administrator apply it',
  });
}

function stateOf(found: JsonObject, { namespace, name }: Target): State {
  const { managedFields: _, resourceVersion: __, ...metadata } = found['metadata'] as JsonObject;
  const { [SENT]: ___, ...annotations } = annotationsOf(found) as StringMap;
  const labels = labelsOf(found);
  return { name, namespace, uid: String(metadata['uid']), object: { ...found, metadata: { ...metadata, labels, annotations } } };
}
