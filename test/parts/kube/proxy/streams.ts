import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { use } from '../../proxy/rules.ts';
import { goneEvent } from './answers.ts';
import { type KubeCall, matches } from './calls.ts';
import { type ActiveKubeRule, isStreamAct, type StreamAct } from './rules.ts';

/** A watch (or a followed log) on its way to the client. */
export interface Stream {
  readonly call: KubeCall;
  readonly source: IncomingMessage;
  readonly sink: ServerResponse;
  readonly rules: readonly ActiveKubeRule[];
  readonly closed: Promise<void>;
  /** Ended by a rule: nothing goes to the client any more. */
  isOver: boolean;
  /** The rest of a line that has not come whole. */
  rest: string;
  /** Events go one after the other, however long a rule keeps one. */
  work: Promise<void>;
}

/** Passes the answer on, event by event, as the rules say, until the API server, the client or a rule ends it. */
export async function carryStream(stream: Stream): Promise<void> {
  const { source, sink } = stream;
  const isJson = String(source.headers['content-type'] ?? '').startsWith('application/json');
  sink.writeHead(source.statusCode ?? 200, { 'content-type': source.headers['content-type'] ?? 'application/json' });
  sink.flushHeaders();
  endByRule(stream);
  const gone = new Promise<void>(resolve => void sink.once('close', resolve));
  const ended = new Promise<void>(resolve => {
    source.once('end', () => void stream.work.then(() => endInOrder(stream)).then(resolve));
    source.once('error', () => void stream.work.then(() => stream.isOver || sink.destroy()).then(() => resolve()));
  });
  source.on('data', (chunk: Buffer) => {
    const arrivedAt = Date.now();
    const events = isJson ? linesOf(stream, chunk) : [chunk];
    for (const event of events) stream.work = stream.work.then(() => passEvent(stream, event, arrivedAt));
  });
  await Promise.race([gone, Promise.all([ended, gone]), stream.closed]);
  source.destroy();
}

/** Does to the stream what a rule says that ends it, when it is time. Called when it starts, before each event, and when a rule is new. */
export function endByRule(stream: Stream): void {
  for (const active of stream.rules) {
    const action = active.rule.do;
    if (stream.isOver || !isStreamAct(action) || !isEnding(action) || active.left <= 0 || !matches(stream.call, active.rule.match)) continue;
    if (stream.call.events < (action.afterEvents ?? 0)) continue;
    use(active);
    stream.isOver = true;
    if (action.kind === 'cut') stream.sink.destroy();
    if (action.kind === 'end') stream.sink.end();
    if (action.kind === 'goneEvent') stream.sink.end(goneEvent());
  }
}

type Ending = Extract<StreamAct, { afterEvents?: number }>;

function isEnding(action: StreamAct): action is Ending {
  return action.kind === 'freeze' || action.kind === 'cut' || action.kind === 'end' || action.kind === 'goneEvent';
}

async function passEvent(stream: Stream, event: Buffer, arrivedAt: number): Promise<void> {
  endByRule(stream);
  for (const active of [...stream.rules]) {
    const action = active.rule.do;
    if (stream.isOver || active.left <= 0 || !matches(stream.call, active.rule.match)) continue;
    if (action.kind === 'dropBookmarks' && isBookmark(event)) {
      use(active);
      return;
    }
    if (action.kind !== 'lag' && action.kind !== 'holdEvents') continue;
    use(active);
    active.holding += 1;
    const end = action.kind === 'lag' ? sleep(Math.max(0, arrivedAt + action.ms - Date.now()), undefined, { ref: false }) : active.released;
    await Promise.race([end, stream.closed]);
    active.holding -= 1;
  }
  // A rule may have come while the event was kept.
  endByRule(stream);
  if (stream.isOver || stream.sink.destroyed) return;
  stream.call.events += 1;
  stream.sink.write(event);
}

/** The API server ended the answer; the client of a half-open connection does not hear of it. */
function endInOrder(stream: Stream): void {
  endByRule(stream);
  if (stream.isOver) return;
  stream.isOver = true;
  stream.sink.end(Buffer.from(stream.rest, 'latin1'));
}

function linesOf(stream: Stream, chunk: Buffer): Buffer[] {
  // Latin-1 keeps every byte of a character that two chunks share.
  const lines = (stream.rest + chunk.toString('latin1')).split('\n');
  stream.rest = lines.pop() ?? '';
  return lines.map(line => Buffer.from(`${line}\n`, 'latin1'));
}

function isBookmark(event: Buffer): boolean {
  return event.toString('latin1').startsWith('{"type":"BOOKMARK"');
}
