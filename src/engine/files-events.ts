/** Events of a state folder: one JSON line each, the newest kept. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertOurs, type Disk, readText, replaceFile } from './files-disk.ts';
import type { StoredEvent } from './objects.ts';

const FILE = 'events.jsonl';
/** Above this the older half is dropped. */
const MAX_BYTES = 1024 * 1024;

export interface EventLog {
  readonly disk: Disk;
  readonly maxBytes: number;
  bytes: number;
  pending: StoredEvent[];
  /** The flush that runs or is about to; never rejects. */
  flushed: Promise<void>;
}

/** The log of a folder that this run has locked. */
export function openEvents(disk: Disk, maxBytes = MAX_BYTES): EventLog {
  return { disk, maxBytes, bytes: readText(disk, FILE)?.text.length ?? 0, pending: [], flushed: Promise.resolve() };
}

/** Keeps an event; written a moment later, many at once. An event that cannot be written is lost: they are no record. */
export function logEvent(log: EventLog, event: StoredEvent): void {
  log.pending.push(event);
  if (log.pending.length === 1) log.flushed = log.flushed.then(() => flush(log)).catch(() => undefined);
}

/** The events on disk, oldest first; a line torn by a kill is skipped. */
export function readEvents(disk: Disk): StoredEvent[] {
  const lines = (readText(disk, FILE)?.text ?? '').split('\n');
  return lines.flatMap(line => parseLine(line) ?? []);
}

function parseLine(line: string): StoredEvent | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as StoredEvent);
  } catch {
    return undefined;
  }
}

async function flush(log: EventLog): Promise<void> {
  const lines = log.pending.map(event => JSON.stringify(event));
  log.pending = [];
  // The line break comes first as well: it ends what a killed run may have left torn.
  const text = `${log.bytes === 0 ? '' : '\n'}${lines.join('\n')}\n`;
  if (log.bytes + text.length <= log.maxBytes) {
    assertOurs(log.disk);
    appendFileSync(join(log.disk.root, FILE), text, { mode: 0o600 });
    log.bytes += text.length;
    return;
  }
  const kept = newest([...readEvents(log.disk).map(event => JSON.stringify(event)), ...lines], log.maxBytes / 2);
  await replaceFile(log.disk, FILE, kept, { durable: false });
  log.bytes = kept.length;
}

function newest(lines: readonly string[], maxBytes: number): string {
  let bytes = 0;
  const from = lines.findLastIndex(line => {
    bytes += line.length + 1;
    return bytes > maxBytes;
  });
  return `${lines.slice(from + 1).join('\n')}\n`;
}
