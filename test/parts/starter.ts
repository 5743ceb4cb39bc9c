import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a run may need: at `url` it is started by the first question, and every answer is what `start` resolved to, as JSON. */
export interface Offer<T> {
  readonly url: string;
  /** Takes nothing new; resolves to what was started, undefined when nobody asked or the start failed. */
  end(): Promise<T | undefined>;
}

/** A server on 127.0.0.1 that starts something when a test of any process asks for it. A failed start is answered with 500 and the reason. */
export async function offer<T>(start: () => Promise<T>): Promise<Offer<T>> {
  let started: Promise<T> | undefined;
  const server = createServer((_, response) => {
    started ??= start();
    started.then(
      value => response.end(JSON.stringify(value)),
      error => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const end = async (): Promise<T | undefined> => {
    server.close();
    server.closeAllConnections();
    return await started?.catch(() => undefined);
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, end };
}

/** Asks an offer. Throws Error with the reason when the start failed. */
export async function ask<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text) as T;
}
