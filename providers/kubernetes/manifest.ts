/** Between an object of the API server and a manifest: what is the author's, what is the engine's, what is the server's. Pure. */
import { type JsonObject, ownerOf, type StringMap } from '../../src/sdk.ts';
import type { Target } from './names.ts';
import { SENT, type Sent, writeSent } from './sent.ts';

/** As which manager of fields we create and apply. */
export const FIELD_MANAGER = 'plinth';
/** The one label of ours, to search by: label values are short, so whose it really is stands in the annotations. */
export const INSTANCE_LABEL = 'plinth.dev/instance';
/** Labels may have 63 letters, digits, dots, dashes and underscores, the first and last a letter or digit (apimachinery, IsValidLabelValue). */
const LABEL_LENGTH = 63;

const metadataOf = (object: JsonObject): JsonObject => (object['metadata'] ?? {}) as JsonObject;
export const annotationsOf = (object: JsonObject): StringMap => (metadataOf(object)['annotations'] ?? {}) as StringMap;
export const labelsOf = (object: JsonObject): StringMap => (metadataOf(object)['labels'] ?? {}) as StringMap;

/** The value of the label for an instance. */
export function labelFor(instance: string): string {
  return instance
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, LABEL_LENGTH)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}

/** An object as a manifest would have it: of the metadata only name, labels and annotations, without ours; no status. */
export function manifestOf(object: JsonObject): JsonObject {
  const { metadata: _, status: __, ...rest } = object;
  const { [INSTANCE_LABEL]: ___, ...labels } = labelsOf(object);
  const annotations = Object.fromEntries(Object.entries(annotationsOf(object)).filter(([key]) => key !== SENT && !key.startsWith('plinth.dev/')));
  const kept = { ...(isEmpty(labels) ? {} : { labels }), ...(isEmpty(annotations) ? {} : { annotations }) };
  return { ...rest, metadata: { name: String(metadataOf(object)['name']), ...kept } };
}

const isEmpty = (map: StringMap): boolean => Object.keys(map).length === 0;

/** What is sent: the manifest in its namespace, with marks, label and note. `locks`: metadata that must still be so (uid, resourceVersion). */
export function bodyOf(target: Target, manifest: JsonObject, marks: Readonly<StringMap>, note: Sent, locks: StringMap = {}): JsonObject {
  const { instance } = ownerOf(marks) ?? {};
  const labels = { ...labelsOf(manifest), ...(instance === undefined ? {} : { [INSTANCE_LABEL]: labelFor(instance) }) };
  const annotations = { ...annotationsOf(manifest), ...marks, [SENT]: writeSent(note) };
  const { name, namespace } = target;
  const metadata = { name, ...(namespace === '' ? {} : { namespace }), ...(isEmpty(labels) ? {} : { labels }), annotations, ...locks };
  return { ...manifest, metadata };
}
