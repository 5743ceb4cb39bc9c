/** A small HTTP server for those who watch a controller: `/healthz`, `/readyz`, `/metrics`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { EngineError } from '../core/errors.ts';

export interface HealthSources {
  /** What keeps the process from ever going on; undefined when nothing does. */
  readonly sickness: () => string | undefined;
  /** What is missing before it can work; undefined when it works, or waits for its turn. */
  readonly missing: () => Promise<string | undefined>;
  /** In the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
}

export interface HealthServer {
  /** `http://host:port`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Host and port of `HOST:PORT`, `:PORT` (any address) or `[::1]:PORT`. BadUse. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9a-f:.]+\]|[^:]*):(\d{1,5})$/i.exec(text.trim());
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) throw new EngineError('BadUse', `${text} is not HOST:PORT`, { hint: 'e.g. 127.0.0.1:8080, or `off` for none' });
  return { host: match[1]!.replace(/^\[|\]$/g, '') || '0.0.0.0', port };
}

/** Listens from now on. BadUse when the address cannot be had. */
export async function startHealthServer(address: string, sources: HealthSources): Promise<HealthServer> {
  const { host, port } = parseAddress(address);
  const server = createServer((request, response) => void answer(sources, request, response));
  // A client that never ends its request must not keep the process.
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', error =>
      reject(new EngineError('BadUse', `cannot listen on ${address}: ${error.message}`, { hint: 'choose another --metrics-address' })),
    );
    server.listen(port, host, resolve);
  });
  return { url: urlOf(server), close: () => close(server) };
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return '';
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(sources: HealthSources, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?')[0];
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'only GET\n');
    if (path === '/healthz') return state(response, sources.sickness());
    if (path === '/readyz') return state(response, sources.sickness() ?? (await sources.missing()));
    if (path === '/metrics') return send(response, 200, await sources.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
    send(response, 404, 'there are /healthz, /readyz and /metrics\n');
  } catch (error) {
    send(response, 500, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function state(response: ServerResponse, trouble: string | undefined): void {
  send(response, trouble === undefined ? 200 : 503, `${trouble ?? 'ok'}\n`);
}

function send(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
}
