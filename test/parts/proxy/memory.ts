import type { Answer } from './answers.ts';
import type { Context, Memory } from './behaviours.ts';

/** From now on, for the time of the behaviour, `thing` (default the one of the call) is remembered. */
export function remember({ memory, ms, now, thing }: Context, kept: Readonly<Record<string, unknown>> = {}, key: string = thing): void {
  memory.set(key, { until: now() + ms, kept });
}

/** What is remembered of `thing` while its time is not over. */
export function recall({ memory, now, thing }: Context, key: string = thing): Memory | undefined {
  const found = memory.get(key);
  if (found && found.until > now()) return found;
  memory.delete(key);
  return undefined;
}

/** Whether the emulator did what it was asked. */
export function isDone(answer: Answer): boolean {
  return answer.status < 300;
}

/** Asks the emulator another operation of the same JSON service, as the same caller. */
export function askJson({ ask, outgoing }: Context, operation: string, input: Readonly<Record<string, unknown>>): Promise<Answer> {
  const target = String(outgoing.headers['x-amz-target'] ?? '');
  const headers = { ...outgoing.headers, 'x-amz-target': `${target.slice(0, target.lastIndexOf('.'))}.${operation}` };
  return ask({ headers, body: Buffer.from(JSON.stringify(input)) });
}
