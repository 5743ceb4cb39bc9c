import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { ControlPlane } from '../control-plane.ts';
import type { Server } from '../kubeconfig.ts';

/** A watch as a test sees it. */
export interface Watch {
  /** `ADDED first`, `BOOKMARK`, `ERROR 410`, in the order of arrival. */
  readonly events: readonly string[];
  /** How it went: still `open`, `ended` in order, or `broken`. */
  state(): 'open' | 'ended' | 'broken';
  close(): void;
}

/** Opens a watch as the admin, at the API server or a proxy before it. Resolves when its head is there; rejects when it is refused. */
export function watch(plane: ControlPlane, server: Server, path: string): Promise<Watch> {
  const { certFile, keyFile } = plane.adminPair;
  const tls = { ca: readFileSync(server.caFile), cert: readFileSync(certFile), key: readFileSync(keyFile), agent: false };
  const events: string[] = [];
  let state: 'open' | 'ended' | 'broken' = 'open';
  return new Promise((resolve, reject) => {
    const call = request(new URL(path, server.url), tls);
    call.on('error', reject);
    call.once('response', answer => {
      if (answer.statusCode !== 200) reject(new Error(`the watch is refused with ${answer.statusCode}`));
      let rest = '';
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        events.push(...lines.map(described));
      });
      answer.once('end', () => {
        state = 'ended';
      });
      answer.once('error', () => {
        state = 'broken';
      });
      resolve({ events, state: () => state, close: () => void call.destroy() });
    });
    call.end();
  });
}

function described(line: string): string {
  const { type, object } = JSON.parse(line);
  if (type === 'BOOKMARK') return type;
  return `${type} ${type === 'ERROR' ? object.code : object.metadata.name}`;
}
