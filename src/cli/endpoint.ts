/** The emulator of a project: started when none answers, noted in the state folder, kept until `plinth down`. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../core/errors.ts';
import { isProcessAlive, type RunningServer, startMiniStack, stopProcess, waitUntilHealthy } from './emulator.ts';
import { note as say } from './output.ts';

/** A process that `plinth up` started. */
export interface EmulatorNote {
  readonly pid: number;
  readonly startTime?: string;
  readonly port: number;
  readonly endpoint: string;
}

const NOTE = 'emulator.json';
const LOG = 'emulator.log';
/** How long an emulator that runs may be too busy to answer, ms. */
const PATIENCE_MS = 15_000;

/** The note in a state folder; undefined when there is none. */
export function readNote(folder: string): EmulatorNote | undefined {
  try {
    const note = JSON.parse(readFileSync(join(folder, NOTE), 'utf8')) as Partial<EmulatorNote>;
    return typeof note.pid === 'number' && typeof note.endpoint === 'string' && typeof note.port === 'number' ? (note as EmulatorNote) : undefined;
  } catch {
    return undefined;
  }
}

function writeNote(folder: string, note: EmulatorNote): void {
  const temporary = join(folder, `${NOTE}.tmp`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(temporary, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, join(folder, NOTE));
}

/** True when the very process that is noted runs and answers. One that is busy is waited for: with it goes all that it holds. */
export async function answers(note: EmulatorNote | undefined, report = say): Promise<boolean> {
  if (note === undefined) return false;
  const ended = (): string | undefined => (isProcessAlive(note.pid, note.startTime) ? undefined : 'ended');
  return (await waitUntilHealthy({ title: 'the emulator', boundMs: PATIENCE_MS, report }, note.endpoint, ended)) === undefined;
}

/** The emulator noted, if it answers; else a new one, on the old port if that is free, so that what applications were told stays true. */
export async function ensureEmulator(
  folder: string,
  known: EmulatorNote | undefined,
  report: (line: string) => void,
): Promise<{ note: EmulatorNote; isNew: boolean }> {
  if (known !== undefined && (await answers(known, report))) {
    writeNote(folder, known);
    return { note: known, isNew: false };
  }
  if (known !== undefined) await stopProcess(known.pid, known.startTime);
  const note = await start(folder, known?.port, report);
  return { note, isNew: true };
}

async function start(folder: string, port: number | undefined, report: (line: string) => void): Promise<EmulatorNote> {
  const onSpawn = (server: RunningServer): void => writeNote(folder, noteOf(server));
  const options = { logFile: join(folder, LOG), detached: true, report, onSpawn };
  try {
    return noteOf(await startMiniStack(port === undefined ? options : { ...options, port }));
  } catch (error) {
    if (port !== undefined) return await start(folder, undefined, report);
    const message = error instanceof Error ? error.message : String(error);
    throw new EngineError('MissingPart', message, {
      hint: 'see `plinth doctor`; or name an AWS-compatible endpoint that runs with --endpoint URL',
      cause: error,
    });
  }
}

function noteOf({ pid, startTime, port, endpoint }: RunningServer): EmulatorNote {
  return { pid, ...(startTime === undefined ? {} : { startTime }), port, endpoint };
}

/** Ends the emulator noted, by pid and start time, and removes the note. False when it could not be ended. */
export async function stopEmulator(folder: string, note: EmulatorNote): Promise<boolean> {
  if (!(await stopProcess(note.pid, note.startTime))) return false;
  rmSync(join(folder, NOTE), { force: true });
  rmSync(join(folder, LOG), { force: true });
  return true;
}
