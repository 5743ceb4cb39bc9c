/** The status of a claim and of an admin object as structural schemas: what kubectl explains, and what no one can write into them by mistake. */
import type { Schema } from './schema-types.ts';
import type { Json, JsonObject } from './types.ts';

const text = (description: string, extra: JsonObject = {}): JsonObject => ({ type: 'string', description, ...extra });
const flag = (description: string): JsonObject => ({ type: 'boolean', description });
const time = (description: string): JsonObject => ({ type: 'string', format: 'date-time', description });
const count = (description: string): JsonObject => ({ type: 'integer', format: 'int64', description });
const word = (words: readonly string[], description: string): JsonObject => ({ type: 'string', enum: [...words], description });
const mapOf = (values: Json, description: string): JsonObject => ({ type: 'object', additionalProperties: values, description });
const listOf = (items: Json, description: string, extra: JsonObject = {}): JsonObject => ({ type: 'array', items, description, ...extra });
const open = (description: string): JsonObject => ({ type: 'object', description, 'x-kubernetes-preserve-unknown-fields': true });
const anything = (description: string): JsonObject => ({ description, nullable: true, 'x-kubernetes-preserve-unknown-fields': true });
const digests = (description: string): JsonObject => mapOf({ type: 'string' }, description);

const OBSERVED_GENERATION = count('The generation that this status is about; -1 before the engine has looked.');

/** Conditions as every Kubernetes object has them, one of each type. `types`: what is known of them. */
export function conditionsSchema(types: string): JsonObject {
  const condition = {
    type: 'object',
    required: ['type', 'status', 'reason', 'lastTransitionTime'],
    properties: {
      type: text(types, { maxLength: 316 }),
      status: word(['True', 'False', 'Unknown'], 'Whether it holds.'),
      reason: text('Why, as one word; docs/reference/errors.md says what to do.', { maxLength: 1024 }),
      message: text('Why, as a sentence, and what to do next.', { maxLength: 32_768 }),
      observedGeneration: count('The generation that it was judged for.'),
      lastTransitionTime: time('When it last changed.'),
    },
  };
  return listOf(condition, 'What is true of it now.', { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });
}

const ENTRY: JsonObject = {
  type: 'object',
  required: ['id', 'type', 'phase'],
  properties: {
    id: text('Name of the resource in its composition.'),
    type: text('Resource type, e.g. aws/sqs-queue.'),
    config: text('The ProviderConfig through which it is reached.'),
    phase: word(['Waiting', 'Intended', 'Created', 'Present', 'Retiring', 'Deleting'], 'How far it is.'),
    scope: text('What it lives in: account and region, server, cluster.'),
    name: text('Its name there.'),
    ready: flag('Whether it can be used.'),
    message: text('What it waits for, or what is wrong with it.'),
    since: time('When the phase began.'),
    incarnation: count('How many predecessors it had.'),
    origin: word(['Created', 'Adopted', 'Observed'], 'Made by Plinth, taken over, or only looked at.'),
    deletion: word(['Delete', 'Retain'], 'What happens to it when the claim is deleted.'),
    onDelete: open('Options of that deletion.'),
    holds: word(['nothing', 'backlog', 'data'], 'What is lost when it is deleted.'),
    dependsOn: listOf({ type: 'string' }, 'What must be there before it.'),
    changedAt: time('The last change that Plinth made.'),
    settled: digests('By field: a digest of the value last seen right.'),
    sent: digests('By field: a digest of the value sent and not seen yet.'),
    missing: time('When it was first found gone.'),
    approved: text('The plan under which it may be deleted although it holds something.'),
    approvedFor: text('What takes its place under that plan; empty for nothing.'),
    unmade: flag('Whether it is known not to be made, so that what has its name without our marks is somebody else’s.'),
    unused: flag('Whether the claim never worked with it, so that nothing is lost with it.'),
  },
};

const DRIFT: JsonObject = {
  type: 'object',
  required: ['resource', 'path', 'detectedAt'],
  properties: {
    resource: text('Id of the resource.'),
    path: text('The field; empty for the whole resource.'),
    desired: anything('The value it should have.'),
    observed: anything('The value that was found.'),
    detectedAt: time('When it was found.'),
    correctedAt: time('When it was put back.'),
  },
};

const LIFECYCLE: JsonObject = {
  type: 'object',
  description: 'How its real things are treated: the claim over its class, kept so that deletion needs neither.',
  properties: {
    deletion: word(['Delete', 'Retain'], 'What happens to them when the claim is deleted.'),
    drift: word(['Correct', 'Report'], 'What happens to changes made outside.'),
    management: word(['Full', 'ObserveOnly'], 'Whether they are changed at all.'),
    ignore: mapOf(listOf({ type: 'string' }, 'Paths.'), 'By resource id: paths never treated as drift.'),
    adopt: mapOf({ type: 'string' }, 'By resource id: the name of an existing thing that is taken over.'),
  },
};

/**
 * Schema of a claim's status. `outputs`: of its definition; only described, never enforced, so that a status can always be written.
 * The default makes a claim that nobody has looked at read as "not ready yet" by Helm, Flux and Argo CD.
 */
export function claimStatusSchema(outputs: Schema): JsonObject {
  return {
    type: 'object',
    description: 'What is true of it. Written by Plinth alone.',
    default: { observedGeneration: -1 },
    properties: {
      observedGeneration: OBSERVED_GENERATION,
      conditions: conditionsSchema('Ready, Synced, Drifted or Stalled.'),
      class: text('The EnvironmentClass that decided.'),
      composition: text('The composition that provides it.'),
      revision: text('Content hash of the composition and the class values used.'),
      lifecycle: LIFECYCLE,
      binding: {
        type: 'object',
        description: 'The Secret to connect with (Service Binding: provisioned service).',
        properties: { name: text('Name of the Secret in the same namespace.') },
      },
      outputs: outputsSchema(outputs),
      inventoryFor: text('The uid whose resources these are: a copy or a restore brings another one.'),
      resources: listOf(ENTRY, 'Every real thing behind it.', { 'x-kubernetes-list-type': 'atomic' }),
      drift: listOf(DRIFT, 'What was changed outside.', { 'x-kubernetes-list-type': 'atomic' }),
      pendingPlan: {
        type: 'object',
        description: 'The change that waits for approval.',
        properties: { hash: text('What `plinth approve` names.'), summary: listOf({ type: 'string' }, 'What would be done.') },
      },
    },
  };
}

/** Never null as a whole. An API server keeps no `nullable: false`, and whoever compares would see it gone. */
function outputsSchema(outputs: Schema): JsonObject {
  const { nullable: _, ...schema } = described({ ...outputs, type: 'object' });
  return { ...schema, description: 'Public outputs, never secret.' };
}

/** Types and texts only, open everywhere. */
function described({ type, description, properties, items }: Schema): JsonObject {
  const result: JsonObject = { nullable: true };
  if (type !== undefined) result['type'] = type;
  if (description !== undefined) result['description'] = description;
  if (properties !== undefined) result['properties'] = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, described(inner)]));
  if (type === 'array') result['items'] = described(items ?? {});
  if (type === undefined || type === 'object') result['x-kubernetes-preserve-unknown-fields'] = true;
  return result;
}

/** Schema of the status of an admin kind; `more`: fields of one kind. */
export function adminStatusSchema(more: JsonObject = {}): JsonObject {
  return {
    type: 'object',
    description: 'What is true of it. Written by Plinth alone.',
    properties: {
      observedGeneration: OBSERVED_GENERATION,
      conditions: conditionsSchema('Ready: whether it can be used. InUse: what keeps it from going.'),
      ...more,
    },
  };
}
