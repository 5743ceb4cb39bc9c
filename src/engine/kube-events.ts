/** Events of events.k8s.io/v1: written behind the engine's back, the same one again as a series, and never more than a bounded number. */
import { API_VERSION } from '../core/kinds.ts';
import type { JsonObject, ObjectKey } from '../core/types.ts';
import { pathOf, type Resource } from '../kube/paths.ts';
import { MERGE_PATCH, request } from '../kube/transport.ts';
import type { KubeHome } from './kube-home.ts';
import { claimResource, RESOURCES } from './kube-objects.ts';
import { uidOf } from './kube-watches.ts';
import { keyText } from './objects.ts';
import type { Event } from './store.ts';

export interface EventSender {
  readonly home: KubeHome;
  /** Who tells, e.g. the name of the pod. */
  readonly reporter: string;
  /** By object, reason and message: what was told of lately. */
  readonly series: Map<string, Series>;
  readonly queue: Waiting[];
  /** Of those that send, how many run. */
  lanes: number;
  /** Events that may be sent now, and when that was counted, monotonic ms. */
  tokens: number;
  countedMs: number;
  sending: Promise<void>;
}
interface Series {
  readonly namespace: string;
  readonly name: string;
  count: number;
  lastMs: number;
  /** Over when all that was begun of it is: an event must be there before its series counts. */
  sent: Promise<unknown>;
}
interface Waiting {
  readonly series: Series;
  readonly send: () => Promise<unknown>;
}

export const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };
/** The same event again within this time is one more of a series, ms (as client-go). */
const SERIES_MS = 6 * 60_000;
/** Of a series, at most so many are remembered. */
const MAX_SERIES = 4_096;
/** What may be waiting to be sent; what comes on top is dropped. */
const MAX_QUEUE = 2_048;
/** A burst for a release with many claims, then this many a second: events share the API server with everything else. */
const BURST = 2_000;
const PER_SECOND = 50;
/** Of many events one at a time would be told long after what they tell. */
const AT_ONCE = 4;
/** Longest note that the API takes is 1 KiB. */
const MAX_NOTE = 1_000;

export function newEventSender(home: KubeHome, reporter: string): EventSender {
  return { home, reporter, series: new Map(), queue: [], lanes: 0, tokens: BURST, countedMs: performance.now(), sending: Promise.resolve() };
}

/** As Store.emit. */
export function sendEvent(sender: EventSender, key: ObjectKey, event: Event): void {
  const now = performance.now();
  sender.tokens = Math.min(BURST, sender.tokens + ((now - sender.countedMs) / 1_000) * PER_SECOND);
  sender.countedMs = now;
  const text = `${keyText(key)} ${event.type} ${event.reason} ${event.message}`;
  const known = sender.series.get(text);
  if (sender.tokens < 1 || sender.queue.length >= MAX_QUEUE) return;
  sender.tokens -= 1;
  const at = new Date().toISOString().replace('Z', '000Z');
  if (known !== undefined && now - known.lastMs < SERIES_MS) {
    known.count += 1;
    known.lastMs = now;
    enqueue(sender, known, () => patchSeries(sender, known, at));
    return;
  }
  const series: Series = { namespace: key.namespace || 'default', name: eventName(key), count: 1, lastMs: now, sent: Promise.resolve() };
  remember(sender, text, series);
  enqueue(sender, series, () => create(sender, series, key, event, at));
}

let sequence = 0;
function eventName({ name }: ObjectKey): string {
  sequence += 1;
  return `${name.slice(0, 200)}.${Date.now().toString(16)}${(sequence % 65_536).toString(16).padStart(4, '0')}`;
}

function remember(sender: EventSender, text: string, series: Series): void {
  sender.series.delete(text);
  sender.series.set(text, series);
  const [oldest] = sender.series.keys();
  if (sender.series.size > MAX_SERIES && oldest !== undefined) sender.series.delete(oldest);
}

/** Some at a time, those of a series in order. */
function enqueue(sender: EventSender, series: Series, send: Waiting['send']): void {
  sender.queue.push({ series, send });
  if (sender.lanes === AT_ONCE) return;
  sender.lanes += 1;
  sender.sending = Promise.all([sender.sending, drain(sender)]).then(() => undefined);
}

async function drain(sender: EventSender): Promise<void> {
  for (let next = sender.queue.shift(); next !== undefined; next = sender.queue.shift()) {
    // An event is no record: one that cannot be written is lost.
    next.series.sent = next.series.sent.then(next.send).catch(sender.home.onError);
    await next.series.sent;
  }
  sender.lanes -= 1;
}

async function create({ home, reporter }: EventSender, { namespace, name }: Series, key: ObjectKey, event: Event, at: string): Promise<unknown> {
  const resource = RESOURCES[key.kind] ?? claimResource({ kind: key.kind, plural: '' });
  const apiVersion = resource.group === '' ? resource.version : API_VERSION;
  const uid = uidOf(home, key);
  const regarding = { apiVersion, kind: key.kind, name: key.name, ...(key.namespace ? { namespace: key.namespace } : {}), ...(uid ? { uid } : {}) };
  const body: JsonObject = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace },
    eventTime: at,
    reportingController: 'plinth.dev/controller',
    reportingInstance: reporter,
    action: 'Reconcile',
    type: event.type,
    reason: event.reason,
    note: event.message.slice(0, MAX_NOTE),
    regarding,
  };
  return await request(home.api, { method: 'POST', path: pathOf(EVENTS, namespace), body });
}

async function patchSeries({ home }: EventSender, { namespace, name, count }: Series, at: string): Promise<unknown> {
  const body = { series: { count, lastObservedTime: at } };
  return await request(home.api, { method: 'PATCH', path: pathOf(EVENTS, namespace, name), body, contentType: MERGE_PATCH });
}

/** Resolves when everything emitted so far was sent or lost. */
export async function eventsSent(sender: EventSender): Promise<void> {
  await sender.sending;
}
