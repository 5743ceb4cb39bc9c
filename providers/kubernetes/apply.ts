/** An update: exactly the changes asked for, by server-side apply, and only on the object that was seen. */
import { pathOf, type Resource } from '../../src/kube/paths.ts';
import { APPLY_PATCH, JSON_PATCH, MERGE_PATCH } from '../../src/kube/transport.ts';
import { at, EngineError, type Json, type JsonObject, leaves, put, type StringMap, type Update } from '../../src/sdk.ts';
import { type Call, send } from './client.ts';
import { annotationsOf, bodyOf, FIELD_MANAGER, manifestOf } from './manifest.ts';
import { type Target, titleOf } from './names.ts';
import { parseSent, readInWords, SENT, type Sent, sentOf } from './sent.ts';
import { noteWritten } from './watch.ts';

interface ManifestSpec {
  readonly manifest: unknown;
  readonly marks: Readonly<StringMap>;
}
type Asked = Update<ManifestSpec & { readonly [field: string]: unknown }, { readonly uid: string }>;
interface Place {
  readonly ctx: Call;
  readonly target: Target;
  readonly path: string;
}

/**
 * Applies the changes. A dry-run first: what the API server makes of the values is noted on the object, and when it makes of them what is there
 * already, that note is all that is written. Busy when the object is another one by now, or was changed meanwhile.
 */
export async function applyChanges(ctx: Call, target: Target, resource: Resource, update: unknown): Promise<void> {
  const asked = update as Asked;
  const place: Place = { ctx, target, path: pathOf(resource, target.namespace, target.name) };
  const live = await takenOver(place, await readAgain(place, asked.seen.state.uid));
  const manifest = withPending(changedManifest(asked), asked, live);
  const marks = changedMarks(asked);
  const apply = (note: Sent, dryRun: boolean): Promise<JsonObject> => patch(place, APPLY_PATCH, bodyOf(target, manifest, marks, note, locksOf(live)), dryRun);
  const tried = await apply(sentOf(manifest, undefined), true);
  const note = sentOf(manifest, manifestOf(tried));
  await takeAway(place, asked, await apply(note, false));
}

/** The object as it is now, if it is the one that was seen. */
async function readAgain({ ctx, target, path }: Place, uid: string): Promise<JsonObject> {
  const found = await send(ctx, { verb: 'get', thing: titleOf(target) }, { method: 'GET', path });
  const metadata = found['metadata'] as JsonObject;
  if (metadata['uid'] !== uid) throw new EngineError('Busy', `${titleOf(target)} was made anew by somebody else meanwhile`);
  if (metadata['deletionTimestamp'] !== undefined) throw new EngineError('Busy', `${titleOf(target)} is being deleted`);
  return found;
}

interface ManagedFields {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
}

/**
 * What we created is managed by us as an update; from the first apply on as an apply, or what the manifest no longer has would stay. The way of
 * client-go's csaupgrade.
 */
async function takenOver(place: Place, live: JsonObject): Promise<JsonObject> {
  const { managedFields = [], resourceVersion } = live['metadata'] as unknown as { readonly managedFields?: ManagedFields[]; readonly resourceVersion: string };
  const isOurs = ({ manager, subresource = '' }: ManagedFields): boolean => manager === FIELD_MANAGER && subresource === '';
  const index = managedFields.findIndex(item => isOurs(item) && item.operation === 'Update');
  if (index < 0 || managedFields.some(item => isOurs(item) && item.operation === 'Apply')) return live;
  return await patch(place, JSON_PATCH, [
    { op: 'replace', path: `/metadata/managedFields/${index}/operation`, value: 'Apply' },
    { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
  ]);
}

const locksOf = (object: JsonObject): StringMap => {
  const { uid, resourceVersion } = object['metadata'] as StringMap;
  return { uid: uid!, resourceVersion: resourceVersion! };
};

/** What is desired where it is to change, what is there where it is not: a path that is only reported stays as it was found. */
function changedManifest({ spec, seen, changes }: Asked): JsonObject {
  const changed = new Set(changes.map(change => change.path));
  const desired = { manifest: spec.manifest as Json };
  const found = { manifest: (seen.spec as ManifestSpec).manifest as Json };
  const kept = leaves(desired).flatMap(([path, value]): [string, Json][] => {
    const isEmpty = value !== null && typeof value === 'object' && Object.keys(value).length === 0 && !Array.isArray(value);
    const now = changed.has(path) || isEmpty ? value : at(found, path);
    return now === undefined ? [] : [[path, now]];
  });
  const whole = kept.reduce<JsonObject>((all, [path, value]) => put(all, path, value), {});
  const { apiVersion, kind } = spec.manifest as JsonObject;
  return { ...(whole['manifest'] as JsonObject), apiVersion: apiVersion!, kind: kind! };
}

/** What was sent before and is neither desired now nor to be taken away is not known at the moment: it stays, and stays ours. */
function withPending(manifest: JsonObject, { changes }: Asked, live: JsonObject): JsonObject {
  const note = parseSent(annotationsOf(live)[SENT]);
  if (note === undefined || note.apiVersion !== manifest['apiVersion']) return manifest;
  const found = readInWords(manifestOf(live), note);
  const gone = changes.flatMap(({ path, desired }) => (desired === undefined ? [placeOf(path)] : []));
  const wanted = leaves(manifest).map(([path]) => path);
  const isSpoken = (path: string): boolean => [...gone, ...wanted].some(other => isWithin(path, other) || isWithin(other, path));
  return note.fields.reduce<JsonObject>((all, path) => {
    const value = at(found, path);
    return value === undefined || isSpoken(path) ? all : put(all, path, value);
  }, manifest);
}

const isWithin = (path: string, parent: string): boolean => path === parent || path.startsWith(`${parent}.`) || path.startsWith(`${parent}[`);

function changedMarks({ spec, seen, changes }: Asked): StringMap {
  const there = (seen.spec as ManifestSpec).marks;
  const changed = new Set(changes.map(change => change.path));
  const place = (key: string): string => leaves({ marks: { [key]: '' } })[0]![0];
  return Object.fromEntries(
    Object.entries(spec.marks).flatMap(([key, value]) => {
      const now = changed.has(place(key)) ? value : there[key];
      return now === undefined ? [] : [[key, now]];
    }),
  );
}

/** What others hold as well is still there after our apply left it out. */
async function takeAway(place: Place, { changes }: Asked, answer: JsonObject): Promise<void> {
  const gone = changes.flatMap(({ path, desired }) => (desired === undefined ? [placeOf(path)] : []));
  const left = gone.filter(path => at(answer, path) !== undefined);
  if (left.length === 0) return;
  const { uid, resourceVersion } = locksOf(answer);
  const nothing = left.reduce<JsonObject>((all, path) => put(all, path, null), { metadata: {} });
  await patch(place, MERGE_PATCH, { ...nothing, metadata: { ...(nothing['metadata'] as JsonObject), uid: uid!, resourceVersion: resourceVersion! } });
}

/** Where a path of the spec stands in the object. */
const placeOf = (path: string): string => (path.startsWith('manifest.') ? path.slice('manifest.'.length) : path.replace(/^marks/, 'metadata.annotations'));

async function patch({ ctx, target, path }: Place, contentType: string, body: Json, dryRun = false): Promise<JsonObject> {
  const query = {
    fieldManager: FIELD_MANAGER,
    fieldValidation: 'Strict',
    ...(contentType === APPLY_PATCH ? { force: true } : {}),
    ...(dryRun ? { dryRun: 'All' } : {}),
  };
  const verb = contentType === APPLY_PATCH ? 'apply' : 'patch';
  const answer = await send(ctx, { verb, thing: titleOf(target) }, { method: 'PATCH', path, query, contentType, body });
  if (!dryRun) noteWritten(ctx.client.watches, answer);
  return answer;
}
