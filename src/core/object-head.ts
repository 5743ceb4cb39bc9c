/** The part every Kubernetes-shaped object has: apiVersion, kind, metadata. */
import { EngineError } from './errors.ts';
import { API_VERSION } from './kinds.ts';
import { suggestion } from './similar.ts';
import type { Json, JsonObject, StringMap } from './types.ts';

/** The parts of `metadata` that the core reads, with defaults for objects that no server has seen. */
export interface Head {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly version: string;
  readonly annotations: StringMap;
  readonly labels: StringMap;
  readonly finalizers: readonly string[];
  readonly deletionRequested: boolean;
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const FIELDS = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

/** True for a JSON object. */
export const isMap = (value: Json | undefined): value is JsonObject =>
  value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value);
const invalid = (path: string, message: string, hint: string): EngineError => new EngineError('InvalidObject', message, { path, hint });

/** What is wrong with apiVersion, metadata and the fields beside them; the kind is the caller's business. */
export function headProblems(object: JsonObject, namespaced: boolean): EngineError[] {
  const problems: EngineError[] = [];
  const { apiVersion, metadata } = object as { apiVersion?: Json; metadata?: Json };
  if (apiVersion !== API_VERSION) {
    problems.push(
      invalid(
        'apiVersion',
        `apiVersion must be ${API_VERSION}, not ${apiVersion === undefined ? 'left out' : JSON.stringify(apiVersion)}`,
        `write \`apiVersion: ${API_VERSION}\``,
      ),
    );
  }
  for (const field of Object.keys(object)) {
    if (!FIELDS.includes(field)) problems.push(invalid(field, `\`${field}\` is not a field of an object`, fieldHint(field)));
  }
  problems.push(...metadataProblems(metadata, String(object['kind']), namespaced));
  if (!isMap(object['spec']))
    problems.push(invalid('spec', object['spec'] === undefined ? '`spec` is missing' : '`spec` must be a mapping', 'write it, even if it is `{}`'));
  return problems;
}

function metadataProblems(metadata: Json | undefined, kind: string, namespaced: boolean): EngineError[] {
  if (!isMap(metadata)) return [invalid('metadata', '`metadata` is missing', 'give the object a name: `metadata: {name: …}`')];
  const problems: EngineError[] = [];
  const { name, namespace } = metadata as { name?: Json; namespace?: Json };
  if (typeof name !== 'string' || !NAME.test(name)) {
    const message = name === undefined ? '`metadata.name` is missing' : `\`metadata.name\` ${JSON.stringify(name)} cannot be a name`;
    problems.push(invalid('metadata.name', message, 'use lower-case letters, digits, `-` and `.`, at most 253'));
  }
  const isFine = namespace === undefined || (typeof namespace === 'string' && (namespaced ? NAMESPACE.test(namespace) : namespace === ''));
  if (isFine) return problems;
  const message = namespaced ? `\`metadata.namespace\` ${JSON.stringify(namespace)} cannot be a namespace` : `${kind} objects have no namespace`;
  const hint = namespaced ? 'use lower-case letters, digits and `-`, at most 63' : 'remove metadata.namespace';
  return [...problems, invalid('metadata.namespace', message, hint)];
}

const fieldHint = (field: string): string => {
  const near = suggestion(field, FIELDS);
  return near.startsWith('did') ? near : 'does it belong under `spec`?';
};

function textsOf(value: Json | undefined): StringMap {
  return isMap(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)])) : {};
}

/** Reads `metadata`; call it after `headProblems` found nothing. */
export function headOf(object: JsonObject): Head {
  const metadata = object['metadata'] as JsonObject;
  const text = (field: string): string => (typeof metadata[field] === 'string' ? (metadata[field] as string) : '');
  const { generation, finalizers } = metadata as { generation?: Json; finalizers?: Json };
  return {
    name: text('name'),
    namespace: text('namespace'),
    uid: text('uid'),
    generation: typeof generation === 'number' ? generation : 1,
    version: text('resourceVersion'),
    annotations: textsOf(metadata['annotations']),
    labels: textsOf(metadata['labels']),
    finalizers: Array.isArray(finalizers) ? finalizers.map(String) : [],
    deletionRequested: metadata['deletionTimestamp'] !== undefined && metadata['deletionTimestamp'] !== null,
  };
}
