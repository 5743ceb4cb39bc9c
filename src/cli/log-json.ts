/** Log lines as JSON, for a process whose output machines collect. */
import { pino } from 'pino';
import type { Log } from '../engine/engine.ts';
import type { LogLevel } from './host.ts';

/** Writes to stderr at once, so that the last line before an end is not lost. Level and time are written as people read them. */
export function logAsJson(least: LogLevel, destination: pino.DestinationStream = pino.destination({ dest: 2, sync: true })): Log {
  const logger = pino(
    {
      level: least === 'off' ? 'silent' : least,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  );
  return (level, message, fields = {}) => logger[level](fields, message);
}
